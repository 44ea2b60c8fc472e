//! Whiteouts and opaque markers: OCI image-spec, layer.md, "Whiteouts".

use tar::EntryType;

use crate::archive::{Archive, new};
use crate::ground::{Ground, looks, refused, try_above, try_alone};

fn below() -> Archive {
    new().dir("d").file("d/a", "below").file("d/b", "below").file("f", "below").dir("e")
}

#[test]
#[ignore = "needs root"]
fn a_whiteout_names_an_entry_of_its_own_directory() {
    let ground = Ground::new();
    let what = "the whiteout names no entry";
    try_above(
        &ground,
        &below(),
        vec![
            ("of nothing", new().file(".wh.", ""), refused(what)),
            ("of dot", new().file(".wh..", ""), refused(what)),
            ("of dot-dot", new().file("d/.wh...", ""), refused(what)),
            ("of the root", new().file("/.wh./", ""), refused(what)),
            ("above", new().file("../../outside/.wh.file", ""), looks(&["d outside", "w outside/file"])),
            ("as a directory", new().file(".wh.d/x", "x"), refused("a whiteout is no directory")),
            ("in an opaque marker", new().dir("d").file("d/.wh..wh..opq/x", "x"), looks(&["d d"])),
            ("below a file of the layer", new().file("f", "x").file("f/.wh.x", ""), refused("Not a directory")),
            ("of what is not there", new().file(".wh.absent", ""), looks(&["w absent"])),
            ("twice", new().file(".wh.f", "").file(".wh.f", ""), looks(&["w f"])),
            ("with content", new().file(".wh.f", "content"), looks(&["w f"])),
            ("that is a link", new().link(".wh.f", "/etc"), looks(&["w f"])),
            ("that is a directory", new().dir(".wh.f"), looks(&["w f"])),
            ("that is a device", new().device(".wh.f", EntryType::Char, 1, 3), looks(&["w f"])),
            ("of a name that no UTF-8 has", new().file(b".wh.\xff", ""), looks(&["w \\xff"])),
            (
                "of a name that is too long",
                new().pax(&[("path", format!(".wh.{}", "n".repeat(256)).as_bytes())]).file("x", ""),
                refused("too long"),
            ),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn a_whiteout_hides_what_is_below_and_spares_the_layers_own() {
    let ground = Ground::new();
    try_above(
        &ground,
        &below(),
        vec![
            ("before the file", new().file(".wh.f", "").file("f", "own"), looks(&["f f own"])),
            ("after the file", new().file("f", "own").file(".wh.f", ""), looks(&["f f own"])),
            ("before the directory", new().file(".wh.d", "").dir("d").file("d/c", "own"), looks(&["D d", "f d/c own"])),
            ("after the directory", new().dir("d").file("d/c", "own").file(".wh.d", ""), looks(&["D d", "f d/c own"])),
            (
                "before what implies the directory",
                new().file(".wh.d", "").file("d/c", "own"),
                looks(&["D d", "f d/c own"]),
            ),
            ("of a directory's file", new().file("d/.wh.a", ""), looks(&["d d", "w d/a"])),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn an_opaque_marker_hides_all_below_in_any_order() {
    let ground = Ground::new();
    let marker = "d/.wh..wh..opq";
    try_above(
        &ground,
        &below(),
        vec![
            ("before the directory", new().file(marker, "").dir("d").file("d/c", "own"), looks(&["D d", "f d/c own"])),
            ("after it all", new().dir("d").file("d/c", "own").file(marker, ""), looks(&["D d", "f d/c own"])),
            (
                "in the middle",
                new().dir("d").file("d/a", "own").file(marker, "").file("d/c", "own"),
                looks(&["D d", "f d/a own", "f d/c own"]),
            ),
            ("twice", new().dir("d").file(marker, "").file(marker, ""), looks(&["D d"])),
            ("beside a whiteout", new().dir("d").file("d/.wh.a", "").file(marker, ""), looks(&["D d", "w d/a"])),
            (
                "in a directory that becomes a file",
                new().dir("d").file(marker, "").file("d", "own"),
                looks(&["f d own"]),
            ),
            ("in a file", new().file("f", "own").file("f/.wh..wh..opq", ""), refused("Not a directory")),
            ("at the root", new().file(".wh..wh..opq", "").file("g", "own"), looks(&["f g own", "w d", "w e", "w f"])),
            ("above the root", new().dir("d").file("../.wh..wh..opq", ""), looks(&["D d", "w e", "w f"])),
            ("that is a link", new().dir("d").link(marker, "/etc"), looks(&["D d"])),
            (
                "aufs's other names",
                new().file(".wh..wh.plnk/1.2", "x").file(".wh..wh.aufs", "x").file("d/.wh..wh.orph", ""),
                looks(&[""; 0]),
            ),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn the_bottom_layer_has_nothing_to_hide() {
    let ground = Ground::new();
    try_alone(
        &ground,
        vec![
            ("whiteouts", new().dir("d").file("d/.wh.a", "").file(".wh.b", ""), looks(&["d d"])),
            ("opaque markers", new().dir("d").file("d/.wh..wh..opq", "").file(".wh..wh..opq", ""), looks(&["d d"])),
            (
                "a whiteout through a link",
                new().link("l", ground.outside().to_str().unwrap()).file("l/.wh.file", ""),
                {
                    let name = ground.outside_name();
                    let parts: Vec<&str> = name.split('/').collect();
                    let made = (1..=parts.len()).map(|count| format!("d {}", parts[..count].join("/")));
                    looks(&made.chain([format!("l l -> /{name}")]).collect::<Vec<_>>())
                },
            ),
        ],
    );
}
