//! What an entry's name asks for, before any file is touched.
//!
//! Runs in the shell command's process, in a layer's extracting thread; pure. Names are cleaned lexically, with `..`
//! stopping at the root, as containerd does. Whiteouts: OCI image-spec, layer.md, "Whiteouts"; the `.wh..wh.` names
//! besides the opaque marker are leftovers of aufs, which Docker skips.

/// Prefix of the name that removes an entry of a lower layer.
const WHITEOUT: &[u8] = b".wh.";

/// Prefix of aufs's own names.
const AUFS: &[u8] = b".wh..wh.";

/// Name that hides everything of lower layers in its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What an entry's name means. Parents are clean paths, the root's being empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// The root of the layer itself.
    Root,
    /// An ordinary name.
    Plain { parent: &'a [u8], name: &'a [u8] },
    /// `name` of a lower layer is removed.
    Whiteout { parent: &'a [u8], name: &'a [u8] },
    /// Everything of lower layers in `parent` is removed.
    Opaque { parent: &'a [u8] },
    /// Nothing.
    Leftover,
}

/// Cleans a name: no leading or doubled slashes, no `.`, no `..`.
pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    let mut components: Vec<&[u8]> = Vec::new();
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => drop(components.pop()),
            _ => components.push(component),
        }
    }
    components.join(&b'/')
}

/// Splits a clean path into its parent and its last component.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

/// Says what a clean path means.
///
/// # Errors
/// A word for why the name is refused.
pub(super) fn classify(path: &[u8]) -> Result<Target<'_>, &'static str> {
    if path.is_empty() {
        return Ok(Target::Root);
    }
    let (parent, name) = split(path);
    if has_prefix(parent, AUFS) {
        return Ok(Target::Leftover);
    }
    if has_prefix(parent, WHITEOUT) {
        return Err("a whiteout is no directory");
    }
    if name == OPAQUE {
        return Ok(Target::Opaque { parent });
    }
    if name.starts_with(AUFS) {
        return Ok(Target::Leftover);
    }
    match name.strip_prefix(WHITEOUT) {
        None => Ok(Target::Plain { parent, name }),
        Some(b"" | b"." | b"..") => Err("the whiteout names no entry"),
        Some(name) => Ok(Target::Whiteout { parent, name }),
    }
}

fn has_prefix(path: &[u8], prefix: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|component| component.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_root() {
        for (path, expected) in [
            ("", ""),
            ("/", ""),
            (".", ""),
            ("./", ""),
            ("a/..", ""),
            ("../../etc/passwd", "etc/passwd"),
            ("/a//b/./c/", "a/b/c"),
            ("a/../../../b", "b"),
            ("...", "..."),
        ] {
            assert_eq!(clean(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }

    #[test]
    fn whiteouts_name_an_entry_of_their_own_directory() {
        let (parent, name) = (&b"a/b"[..], &b"c"[..]);
        assert_eq!(classify(b""), Ok(Target::Root));
        assert_eq!(classify(b"a/b/c"), Ok(Target::Plain { parent, name }));
        assert_eq!(classify(b"a/b/.wh.c"), Ok(Target::Whiteout { parent, name }));
        assert_eq!(classify(b"a/b/.wh..wh..opq"), Ok(Target::Opaque { parent }));
        assert_eq!(classify(b".wh..wh..opq"), Ok(Target::Opaque { parent: b"" }));
        for path in [&b".wh..wh.plnk/1.2"[..], b".wh..wh.aufs", b"a/.wh..wh.opq", b".wh..wh..opq/x"] {
            assert_eq!(classify(path), Ok(Target::Leftover));
        }
        for path in
            [&b".wh."[..], b".wh..", b".wh...", b".wh.../x", b".wh.a/b", b"a/.wh.b/.wh.c", b".wh.a/.wh..wh..opq"]
        {
            assert!(classify(path).is_err(), "{}", String::from_utf8_lossy(path));
        }
    }
}
