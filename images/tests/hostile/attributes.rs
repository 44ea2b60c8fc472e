//! Extended attributes: those that an image may have, and those that are the host's.

use crate::archive::{Archive, new, record};
use crate::ground::{Ground, looks, refused, try_alone};
use tar::EntryType;

fn with(name: &str, value: &[u8]) -> Archive {
    new().pax(&[(&format!("SCHILY.xattr.{name}"), value)]).file("f", "x")
}

#[test]
#[ignore = "needs root"]
fn an_image_sets_its_own_attributes_and_none_of_the_hosts() {
    let ground = Ground::new();
    // Version 2, permitted: CAP_NET_BIND_SERVICE (capabilities(7), "File capabilities").
    let capability = [0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let huge = vec![b'x'; 100_000];
    let directory = |name: &str, value: &[u8]| {
        new().entry("pax", EntryType::XHeader, "", &record(&format!("SCHILY.xattr.{name}"), value)).dir("d")
    };
    try_alone(
        &ground,
        vec![
            ("a user's", with("user.a", b"1"), looks(&["f f x [user.a]"])),
            ("a capability", with("security.capability", &capability), looks(&["f f x [security.capability]"])),
            (
                "a capability of a file that is replaced",
                with("security.capability", &capability).file("f", "y"),
                looks(&["f f y"]),
            ),
            ("no capability at all", with("security.capability", b"x"), refused("unpack `f`: Invalid argument")),
            ("a directory made opaque", directory("trusted.overlay.opaque", b"y"), looks(&["d d"])),
            ("a directory redirected", directory("trusted.overlay.redirect", b"/outside"), looks(&["d d"])),
            ("a directory made opaque in the user's name", directory("user.overlay.opaque", b"y"), looks(&["d d"])),
            ("a file redirected", with("trusted.overlay.metacopy", b""), looks(&["f f x"])),
            ("a whiteout by attribute", with("trusted.overlay.whiteout", b""), looks(&["f f x"])),
            ("a file's origin", with("trusted.overlay.origin", b"x"), looks(&["f f x"])),
            ("whatever is trusted", with("trusted.x", b"1"), looks(&["f f x"])),
            ("a label", with("security.selinux", b"system_u:object_r:x:s0"), looks(&["f f x"])),
            ("another label", with("security.SMACK64", b"_"), looks(&["f f x"])),
            ("a hash", with("security.ima", b"x"), looks(&["f f x"])),
            ("a signature", with("security.evm", b"x"), looks(&["f f x"])),
            ("an attribute of no class", with("x", b"1"), looks(&["f f x"])),
            ("one that is too large", with("user.a", &huge), refused("unpack `f`")),
            ("a name that is too long", with(&format!("user.{}", "a".repeat(300)), b"1"), refused("unpack `f`")),
            ("a name with a NUL", with("user.a\0b", b"1"), refused("")),
            ("an access list that is none", with("system.posix_acl_access", b"x"), refused("unpack `f`")),
        ],
    );
}
