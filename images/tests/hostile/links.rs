//! Symbolic and hard links: what is reached through them.

use tar::EntryType;

use crate::archive::{Archive, new};
use crate::ground::{Case, Ground, looks, refused, try_above, try_alone};

#[test]
#[ignore = "needs root"]
fn no_symbolic_link_leads_out_of_the_layer() {
    let ground = Ground::new();
    let outside = ground.outside();
    let outside = outside.to_str().expect("paths of tests are text");
    let name = ground.outside_name();
    let parts: Vec<&str> = name.split('/').collect();
    let inside = |extra: &[String]| {
        let directories = (1..=parts.len()).map(|count| format!("d {}", parts[..count].join("/")));
        looks(&directories.chain(extra.iter().cloned()).collect::<Vec<_>>())
    };
    let up = format!("{}{name}", "../".repeat(12));
    let shown = |link: &str| format!("l {link} -> {outside}");
    let new_file = || format!("f {name}/new x");
    try_alone(
        &ground,
        vec![
            (
                "a file through an absolute link",
                new().link("l", outside).file("l/new", "x"),
                inside(&[shown("l"), new_file()]),
            ),
            (
                "a file through a link that goes up",
                new().link("l", &up).file("l/new", "x"),
                inside(&[format!("l l -> {up}"), new_file()]),
            ),
            (
                "a chain of links",
                new().link("a", "b").link("b", "c").link("c", outside).file("a/new", "x"),
                inside(&["l a -> b".into(), "l b -> c".into(), shown("c"), new_file()]),
            ),
            (
                "a link in a directory",
                new().dir("d").link("d/l", "../../outside").file("d/l/new", "x"),
                looks(&["d d", "d outside", "f outside/new x", "l d/l -> ../../outside"]),
            ),
            (
                "a directory that becomes a link",
                new().dir("d").file("d/x", "x").link("d", outside).file("d/new", "x"),
                inside(&[shown("d"), new_file()]),
            ),
            (
                "a link of /proc",
                new().link("l", "/proc/self/root").file(format!("l/{name}/new"), "x"),
                looks(
                    &(0..=parts.len())
                        .map(|count| {
                            format!("d proc/self/root/{}", parts[..count].join("/")).trim_end_matches('/').to_owned()
                        })
                        .chain(["d proc".into(), "d proc/self".into(), "l l -> /proc/self/root".into()])
                        .chain([format!("f proc/self/root/{name}/new x")])
                        .collect::<Vec<_>>(),
                ),
            ),
            (
                "a link of /proc/self/fd",
                new().link("l", "/proc/self/fd/3").file("l/../new", "x"),
                looks(&["f new x", "l l -> /proc/self/fd/3"]),
            ),
            (
                "a directory through a link",
                new().link("l", outside).dir("l/e"),
                inside(&[shown("l"), format!("d {name}/e")]),
            ),
            (
                "a pipe through a link",
                new().link("l", outside).fifo("l/e"),
                inside(&[shown("l"), format!("p {name}/e")]),
            ),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn what_takes_the_place_of_a_link_is_not_done_to_its_target() {
    let ground = Ground::new();
    let file = ground.outside().join("file");
    let file = file.to_str().expect("paths of tests are text");
    let directory = ground.outside();
    let directory = directory.to_str().expect("paths of tests are text");
    let open = |add: fn(Archive) -> Archive, archive: Archive| archive.changed(add, |header| header.set_mode(0o777));
    try_alone(
        &ground,
        vec![
            ("a file", open(|archive| archive.file("l", "x"), new().link("l", file)), looks(&["f l x"])),
            ("a directory", open(|archive| archive.dir("l"), new().link("l", directory)), looks(&["D l"])),
            (
                "a directory with a slash",
                open(|archive| archive.dir("l/"), new().link("l", directory)),
                looks(&["D l"]),
            ),
            ("a device", new().link("l", file).device("l", EntryType::Char, 1, 3), looks(&["c l 1:3"])),
            ("a pipe", new().link("l", file).fifo("l"), looks(&["p l"])),
            ("another link", new().link("l", file).link("l", "x"), looks(&["l l -> x"])),
            ("a hard link", new().file("f", "x").link("l", file).hard("l", "f"), looks(&["f f x", "f l x"])),
            (
                "an owner",
                new().pax(&[("uid", b"1234"), ("gid", b"1234")]).link("l", file),
                looks(&[format!("l l -> {file}")]),
            ),
            ("a time", new().pax(&[("mtime", b"1.5")]).link("l", file), looks(&[format!("l l -> {file}")])),
            (
                "an attribute",
                new().pax(&[("SCHILY.xattr.user.a", b"1")]).link("l", file),
                looks(&[format!("l l -> {file}")]),
            ),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn links_without_an_end_are_refused() {
    let ground = Ground::new();
    let chain = |length: usize| {
        let links = (0..length).fold(new(), |archive, n| archive.link(format!("l{n}"), format!("l{}", n + 1)));
        links.dir(format!("l{length}")).file("l0/x", "x")
    };
    let long = "x".repeat(5000);
    let cases: Vec<Case> = vec![
        ("a link to itself", new().link("l", "l").file("l/x", "x"), refused("Too many")),
        ("a link to itself by a longer way", new().link("l", "./l/../l").file("l/x", "x"), refused("Too many")),
        ("a circle", new().link("a", "b").link("b", "a").file("a/x", "x"), refused("Too many")),
        ("fifty links", chain(50), refused("Too many")),
        ("a link to nothing", new().link("l", ""), refused("unpack `l`")),
        ("a target too long", new().long(EntryType::GNULongLink, long.as_bytes()).link("l", ""), refused("too long")),
    ];
    try_alone(&ground, cases);
}

#[test]
#[ignore = "needs root"]
fn a_hard_link_is_to_a_file_of_the_image_or_refused() {
    let ground = Ground::new();
    let outside = ground.outside();
    let outside = outside.to_str().expect("paths of tests are text");
    let file = format!("{outside}/file");
    try_alone(
        &ground,
        vec![
            ("to an absolute name", new().hard("l", &file), refused("unpack `l`: No such file")),
            ("to a name above", new().hard("l", "../../outside/file"), refused("unpack `l`: No such file")),
            (
                "by a long target",
                new().long(EntryType::GNULongLink, file.as_bytes()).hard("l", ""),
                refused("unpack `l`"),
            ),
            ("by a record", new().pax(&[("linkpath", file.as_bytes())]).hard("l", ""), refused("unpack `l`")),
            ("through a link", new().link("d", outside).hard("l", "d/file"), refused("unpack `l`")),
            (
                "to a link, then a file in its place",
                new().link("s", &file).hard("l", "s").file("l", "x"),
                looks(&["f l x".to_owned(), format!("l s -> {file}")]),
            ),
            ("to nothing", new().hard("l", ""), refused("unpack `l`: Invalid argument")),
            ("to the root", new().hard("l", "/"), refused("unpack `l`: Invalid argument")),
            ("to what is not there", new().hard("l", "absent"), refused("unpack `l`: No such file")),
            ("to what comes later", new().hard("l", "f").file("f", "x"), refused("unpack `l`: No such file")),
            ("to itself", new().file("l", "x").hard("l", "./l"), refused("unpack `l`: Invalid argument")),
            ("to a directory", new().dir("d").hard("l", "d"), refused("unpack `l`")),
            (
                "over what it is in",
                new().dir("d").file("d/f", "x").hard("d", "d/f"),
                refused("unpack `d`: No such file"),
            ),
            ("to a file below a file", new().file("f", "x").hard("l", "f/g"), refused("unpack `l`")),
            (
                "with content of its own",
                new().file("f", "x").entry("l", EntryType::Link, "f", b"content"),
                refused("malformed"),
            ),
            ("to a device", new().device("c", EntryType::Char, 1, 3).hard("l", "c"), looks(&["c c 1:3", "c l 1:3"])),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn links_of_the_layer_below_do_not_lead_out_either() {
    let ground = Ground::new();
    let outside = ground.outside();
    let outside = outside.to_str().expect("paths of tests are text");
    let name = ground.outside_name();
    let below = new().link("out", outside).file("f", "x").link("s", format!("{outside}/file"));
    let parts: Vec<&str> = name.split('/').collect();
    let directories = || (1..=parts.len()).map(|count| format!("d {}", parts[..count].join("/")));
    try_above(
        &ground,
        &below,
        vec![
            (
                "a file through it",
                new().file("out/new", "x"),
                looks(&directories().chain([format!("f {name}/new x")]).collect::<Vec<_>>()),
            ),
            ("a hard link through it", new().hard("l", "out/file"), refused("unpack `l`")),
            (
                "a hard link to it",
                new().hard("l", "s"),
                looks(&[format!("l l -> {outside}/file"), format!("l s -> {outside}/file")]),
            ),
            (
                "a whiteout through it",
                new().file("out/.wh.file", ""),
                looks(&directories().chain([format!("w {name}/file")]).collect::<Vec<_>>()),
            ),
            (
                "a hard link to a file that this layer removes",
                new().file(".wh.f", "").hard("l", "f"),
                refused("No such file"),
            ),
        ],
    );
}
