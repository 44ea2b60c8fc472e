//! Names: where they lead, what they are made of.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tar::EntryType;

use crate::archive::{Archive, new};
use crate::ground::{Ground, looks, refused, try_alone};

#[test]
#[ignore = "needs root"]
fn no_name_leads_out_of_the_layer() {
    let ground = Ground::new();
    let outside = ground.outside_name();
    let inside = |last: &str| {
        let mut lines: Vec<String> = vec![last.replace('@', &outside)];
        let parts: Vec<&str> = outside.split('/').collect();
        lines.extend((1..=parts.len()).map(|count| format!("d {}", parts[..count].join("/"))));
        looks(&lines)
    };
    let up = "../".repeat(12);
    try_alone(
        &ground,
        vec![
            ("an absolute name", new().file(format!("/{outside}/new"), "x"), inside("f @/new x")),
            ("an absolute name that is there", new().file(format!("/{outside}/file"), "x"), inside("f @/file x")),
            ("an absolute directory", new().dir(format!("/{outside}/d")), inside("d @/d")),
            ("many dot-dots", new().file(format!("{up}{outside}/new"), "x"), inside("f @/new x")),
            ("one dot-dot", new().file("../new", "x"), looks(&["f new x"])),
            ("two dot-dots", new().file("../../outside/new", "x"), looks(&["d outside", "f outside/new x"])),
            ("dot-dots in the middle", new().file("a/../../b", "x"), looks(&["f b x"])),
            ("dot-dots at the end", new().dir("a/b/../.."), looks(&[""; 0])),
            ("dot-dots to a file", new().file("a/..", "x"), refused("the root of a layer is a directory")),
            ("a directory above", new().dir("../d"), looks(&["d d"])),
            ("a long name above", new().long(EntryType::GNULongName, b"../../new").file("x", "x"), looks(&["f new x"])),
            ("an extended name above", new().pax(&[("path", b"/../../new")]).file("x", "x"), looks(&["f new x"])),
            ("slashes and dots", new().dir(".//./a//./b/"), looks(&["d a", "d a/b"])),
            ("three dots", new().file("...", "x"), looks(&["f ... x"])),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn the_root_is_a_directory_and_nothing_else() {
    let ground = Ground::new();
    let what = "the root of a layer is a directory";
    try_alone(
        &ground,
        vec![
            ("a file of no name", new().file("", "x"), refused(what)),
            ("a file of slashes", new().file("///x/..", "x"), refused(what)),
            ("a link at the root", new().link(".", "/"), refused(what)),
            ("a hard link at the root", new().file("a", "x").hard("./", "a"), refused(what)),
            ("a device at the root", new().device("..", EntryType::Char, 1, 3), refused(what)),
            ("a directory of slashes", new().dir("////"), looks(&[""; 0])),
            ("a directory of no name", new().dir(""), looks(&[""; 0])),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn names_are_bytes_and_stay_as_they_are() {
    let ground = Ground::new();
    let long = "n".repeat(255);
    let longer = "n".repeat(256);
    let deep = format!("{}f", "d/".repeat(10_000));
    try_alone(
        &ground,
        vec![
            ("a newline", new().file("a\nb", "x"), looks(&["f a\\nb x"])),
            ("an escape sequence", new().file("\x1b[2J", "x"), looks(&["f \\x1b[2J x"])),
            ("an escape sequence in an error", new().hard("\x1b[2J", "absent"), refused("`\\x1b[2J`")),
            ("no UTF-8", new().file(b"\xff\xfe", "x"), looks(&["f \\xff\\xfe x"])),
            ("a NUL in a record", new().pax(&[("path", b"a\0b")]).file("x", "x"), refused("a name with a NUL byte")),
            ("a NUL in a long name", new().long(EntryType::GNULongName, b"a\0b").file("x", "x"), looks(&["f a x"])),
            ("a backslash", new().file("a\\..\\b", "x"), looks(&["f a\\\\..\\\\b x"])),
            ("a colon and a drive", new().file("C:x", "x"), looks(&["f C:x x"])),
            ("a trailing space", new().file("a ", "x"), looks(&["f a  x"])),
            ("upper and lower case", new().file("A", "1").file("a", "2"), looks(&["f A 1", "f a 2"])),
            (
                "composed and decomposed",
                new().file("\u{e9}", "1").file("e\u{301}", "2"),
                looks(&["f \\xc3\\xa9 1", "f e\\xcc\\x81 2"]),
            ),
            (
                "the longest component",
                new().pax(&[("path", long.as_bytes())]).file("x", "x"),
                looks(&[format!("f {long} x")]),
            ),
            ("a longer one", new().pax(&[("path", longer.as_bytes())]).file("x", "x"), refused("File name too long")),
            (
                "ten thousand directories",
                new().pax(&[("path", deep.as_bytes())]).file("x", "x"),
                refused("File name too long"),
            ),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn the_last_entry_of_a_name_counts() {
    let ground = Ground::new();
    try_alone(
        &ground,
        vec![
            ("a file twice", new().file("a", "1").file("a", "2"), looks(&["f a 2"])),
            ("a file, then a directory", new().file("a", "1").dir("a").file("a/b", "2"), looks(&["D a", "f a/b 2"])),
            ("a directory, then a file", new().dir("a").file("a/b", "1").file("a", "2"), looks(&["f a 2"])),
            (
                "a file, a directory, and a file again",
                new().file("a", "1").dir("a").file("a/b", "2").file("a", "3"),
                looks(&["f a 3"]),
            ),
            ("a directory twice", new().dir("a").file("a/b", "1").dir("a"), looks(&["d a", "f a/b 1"])),
            ("a file below a file", new().file("a", "1").file("a/b", "2"), refused("Not a directory")),
            ("one name in two spellings", new().file("a/b", "1").file("/./a//b", "2"), looks(&["d a", "f a/b 2"])),
            ("a pipe, then a file", new().fifo("a").file("a", "1"), looks(&["f a 1"])),
            ("a file below a pipe", new().fifo("a").file("a/b", "1"), refused("Not a directory")),
        ],
    );
}

/// Links on the way to the deepest directory; the kernel follows 40, half of them if it has to begin a look-up anew.
const LINKS: usize = 8;

/// Directories from one link to the next: together more than a process may have files open.
const STEP: usize = 200;

/// Nests directories deeper than any path is long, by way of links; `d` is the topmost.
fn nested() -> Archive {
    let long = |archive: Archive, name: &str| archive.long(EntryType::GNULongName, name.as_bytes());
    let (mut archive, mut base) = (new(), String::new());
    for number in 0..LINKS {
        let mut path = base.clone();
        for _ in 0..STEP {
            path.push('d');
            archive = long(archive, &path).dir("");
            path.push('/');
        }
        archive = archive.long(EntryType::GNULongLink, path.as_bytes()).link(format!("l{number}"), "");
        base = format!("l{number}/");
    }
    archive
}

#[test]
#[ignore = "needs root"]
fn a_tree_deeper_than_any_path_goes_when_it_is_refused_or_replaced() {
    let ground = Ground::new();
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("every process has limits");
    setrlimit(Resource::RLIMIT_NOFILE, 1024, most).expect("a limit can be lowered");
    let links = |archive: Archive| (0..LINKS).fold(archive, |archive, number| archive.file(format!("l{number}"), ""));
    let files: Vec<String> = (0..LINKS).map(|number| format!("f l{number}")).chain(["f d x".to_owned()]).collect();
    try_alone(
        &ground,
        vec![
            ("refused", nested().file(".wh.", ""), refused("the whiteout names no entry")),
            ("replaced", links(nested()).file("d", "x"), looks(&files)),
        ],
    );
}
