//! Odd archives that are right: GNU tar makes them, and what we unpack is what GNU tar and umoci unpack.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::ground::{Ground, Layer};
use crate::tree;

/// Makes a tree with what archives can carry.
const TREE: &str = r#"
set -eu
mkdir -p "$1" && cd "$1"
mkdir -m 1777 sticky && mkdir -m 2750 setgid && mkdir empty
echo text > file && ln file sticky/hard && ln -s file link && ln -s /absolute/target absolute && ln -s .. setgid/up
chmod 4755 file && chown 1234:5678 file && chown -h 99999:100000 link
touch -d '2001-02-03 04:05:06.123456789 UTC' file && touch -h -d '1960-01-02 03:04:05.5 UTC' link
mknod null c 1 3 && mknod disk b 254 300 && mkfifo pipe && chmod 622 pipe
printf 'x' > "$(printf 'new\nline')" && printf 'x' > "$(printf 'latin\351')" && printf 'x' > ' leading and trailing '
deep=$(printf 'a-rather-long-component/%.0s' 1 2 3 4 5 6 7 8 9 10 11 12) && mkdir -p "$deep" && echo deep > "$deep/file"
long=$(printf 'n%.0s' $(seq 200)) && echo long > "$long" && ln "$long" "sticky/$long" && ln -s "$long$long" "sticky/target"
truncate -s 3M holes && printf 'data' | dd of=holes bs=1 seek=1048576 conv=notrunc status=none
touch -d '2010-01-01 00:00:00.25 UTC' sticky setgid empty .
"#;

#[expect(clippy::disallowed_methods, reason = "the peers are programs")]
fn run(program: &str, arguments: &[&str]) {
    let output =
        Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("run `{program}`: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Returns each file below `root`, with everything that an archive says about it.
fn described(root: &Path, with_nanoseconds: bool) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let meta = |path: &Path| {
        let meta = fs::symlink_metadata(path).expect("nobody else is here");
        let nanoseconds = if with_nanoseconds { meta.mtime_nsec() } else { 0 };
        let links = if meta.is_dir() { 0 } else { meta.nlink() };
        format!("{:o} {}:{} {} {}.{nanoseconds}", meta.mode(), meta.uid(), meta.gid(), links, meta.mtime())
    };
    let mut lines: Vec<String> =
        tree::paths(root).into_iter().map(|path| format!("{} {}", path.display(), meta(&root.join(&path)))).collect();
    lines.push(format!(". {}", meta(root)));
    lines.extend(tree::lines(root));
    lines.sort();
    lines
}

#[test]
#[ignore = "needs root"]
fn what_gnu_tar_packs_is_unpacked_as_gnu_tar_and_umoci_do() {
    let ground = Ground::new();
    let scratch = tempfile::tempdir_in("/var/tmp").expect("/var/tmp takes a directory");
    let path = |name: &str| scratch.path().join(name).to_str().expect("paths of tests are text").to_owned();
    run("sh", &["-c", TREE, "sh", &path("tree")]);
    // umoci does not know the sparse files of the GNU form.
    let forms: [(&str, &[&str], bool); 6] = [
        ("pax", &["--format=pax"], true),
        ("pax-sparse-0.0", &["--format=pax", "--sparse", "--sparse-version=0.0"], true),
        ("pax-sparse-0.1", &["--format=pax", "--sparse", "--sparse-version=0.1"], true),
        ("pax-sparse-1.0", &["--format=pax", "--sparse", "--sparse-version=1.0"], true),
        ("gnu-sparse", &["--format=gnu", "--sparse"], false),
        ("gnu", &["--format=gnu"], false),
    ];
    for (form, options, with_nanoseconds) in forms {
        let (archive, theirs) = (path(&format!("{form}.tar")), path(form));
        run(
            "tar",
            &[&["--create", "--numeric-owner", "--file", &archive, "--directory", &path("tree")], options, &["."]]
                .concat(),
        );
        fs::create_dir(&theirs).expect("the directory is ours");
        run("tar", &["--extract", "--numeric-owner", "--same-permissions", "--file", &archive, "--directory", &theirs]);
        let layers = ground.unpack(&[Layer::plain(fs::read(&archive).expect("tar has written it"))]).unwrap();
        let ours = described(&layers[0], with_nanoseconds);
        assert_eq!(ours, described(Path::new(&theirs), with_nanoseconds), "{form}, as GNU tar");
        let holes = fs::metadata(layers[0].join("holes")).map(|meta| std::os::unix::fs::MetadataExt::blocks(&meta));
        assert!(!form.contains("sparse") || holes.is_ok_and(|blocks| blocks < 100), "{form}: the holes are filled");

        if form == "gnu-sparse" {
            continue;
        }
        let bundle = path(&format!("{form}.bundle"));
        let image = format!("{}:odd", ground.root().join("images").display());
        run("umoci", &["unpack", "--image", &image, &bundle]);
        let umoci = Path::new(&bundle).join("rootfs");
        assert_eq!(ours, described(&umoci, with_nanoseconds), "{form}, as umoci");
    }
}
