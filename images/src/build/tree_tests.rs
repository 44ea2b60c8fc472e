use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn context(ignore: &str) -> (tempfile::TempDir, Tree) {
    let directory = tempfile::tempdir().unwrap();
    for folder in ["a/b", "secret", "docs"] {
        fs::create_dir_all(directory.path().join(folder)).unwrap();
    }
    for file in ["a/x.txt", "a/b/y.txt", "a/z.md", "secret/key", "docs/keep", "docs/drop", "top.txt"] {
        fs::write(directory.path().join(file), file).unwrap();
    }
    symlink("/secret/key", directory.path().join("in")).unwrap();
    symlink("/etc/passwd", directory.path().join("out")).unwrap();
    symlink("../../../../../etc/passwd", directory.path().join("up")).unwrap();
    symlink("a", directory.path().join("dir")).unwrap();
    let root = open_root(directory.path()).unwrap();
    let tree = Tree::context(root, Ignore::parse(ignore).unwrap());
    (directory, tree)
}

fn paths(found: &Found) -> Vec<String> {
    found.items.iter().map(|item| String::from_utf8(item.path.clone()).unwrap()).collect()
}

fn names(tree: &Tree, pattern: &str) -> Vec<String> {
    tree.find(pattern, &Ignore::default()).unwrap().into_iter().map(|found| found.name).collect()
}

#[test]
fn no_link_leads_out_of_the_context() {
    let (_directory, tree) = context("");
    for path in ["out", "up", "../../etc/passwd", "/etc/passwd"] {
        assert!(names(&tree, path).is_empty(), "{path}");
    }
    assert_eq!(tree.find("in", &Ignore::default()).unwrap()[0].path, "secret/key");
    assert_eq!(tree.find("dir", &Ignore::default()).unwrap()[0].path, "a");
}

#[test]
fn what_is_left_out_is_not_there_by_any_name() {
    let (_directory, tree) = context("secret\ndocs\n!docs/keep");
    for path in ["secret", "secret/key", "in", "docs/drop"] {
        assert!(names(&tree, path).is_empty(), "{path}");
    }
    let all = tree.find(".", &Ignore::default()).unwrap();
    assert_eq!(
        paths(&all[0]),
        ["", "a", "a/b", "a/b/y.txt", "a/x.txt", "a/z.md", "dir", "docs", "docs/keep", "in", "out", "top.txt", "up"]
    );
}

#[test]
fn patterns_find_names_in_order_and_excludes_drop_them() {
    let (_directory, tree) = context("");
    assert_eq!(names(&tree, "a/*.txt"), ["a/x.txt"]);
    assert_eq!(names(&tree, "*/*.[tm]*"), ["a/x.txt", "a/z.md", "dir/x.txt", "dir/z.md"]);
    assert_eq!(names(&tree, "a/**/*.txt"), ["a/b/y.txt", "a/x.txt"]);
    assert_eq!(names(&tree, "nothing*"), Vec::<String>::new());
    let exclude = Ignore::of(["**/*.txt"]).unwrap();
    assert_eq!(paths(&tree.find("a", &exclude).unwrap()[0]), ["", "b", "z.md"]);
    assert!(tree.find("top.txt", &Ignore::of(["*.txt"]).unwrap()).unwrap().is_empty());
}

#[test]
fn the_digest_follows_content_and_mode_and_no_time() {
    let (directory, tree) = context("");
    let digest = || tree.digest(&tree.find("a", &Ignore::default()).unwrap()[0]).unwrap();
    let before = digest();
    let file = fs::File::open(directory.path().join("a/x.txt")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(digest(), before);
    fs::write(directory.path().join("a/x.txt"), "a/X.txt").unwrap();
    let changed = digest();
    assert_ne!(changed, before);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(directory.path().join("a/x.txt"), mode).unwrap();
    assert_ne!(digest(), changed);
}
