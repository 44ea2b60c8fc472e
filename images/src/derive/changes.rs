//! The names of what a container has changed, as a layer would have them: what `commit` makes, without the content.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::{DeriveError, Upper};
use crate::layer::{Form, Selection, write_directory};
use crate::store::{Image, Store};

/// Mark of a removed file, and of a directory whose lower content is hidden (layer.md, "Whiteouts", "Opaque Whiteout").
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Lists the paths, below the root, of what `upper` changes in `base`, and whether they are deleted; a folder comes before what
/// is in it.
///
/// # Errors
/// [`DeriveError`].
pub fn changes(store: &Store, base: &Image, upper: Upper<'_>) -> Result<Vec<(PathBuf, bool)>, DeriveError> {
    let read = |source| DeriveError::Archive { act: "compare the image with", source };
    let keys: Vec<_> = base.layers.iter().map(|key| key.digest().clone()).collect();
    let below = if upper.is_copy { Some(store.layer_directories().below(&keys).map_err(read)?) } else { None };
    let selection =
        Selection { form: Form::Layer, placeholders: upper.placeholders, below: below.as_ref(), has_content: false };
    let mut names = Vec::new();
    write_directory(upper.directory, &selection, &mut names)?;
    let mut archive = tar::Archive::new(names.as_slice());
    let mut changes = Vec::new();
    for entry in archive.entries().map_err(read)? {
        changes.extend(change(&entry.map_err(read)?.path_bytes()));
    }
    changes.sort();
    Ok(changes)
}

/// Reads an entry's path; `None` for the root, and for marks that say nothing by themselves.
fn change(path: &[u8]) -> Option<(PathBuf, bool)> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let name = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let path_of = |bytes: Vec<u8>| PathBuf::from(OsString::from_vec(bytes));
    match &path[name..] {
        b"." | b"" | OPAQUE => None,
        marked if marked.starts_with(WHITEOUT) => {
            Some((path_of([&path[..name], &marked[WHITEOUT.len()..]].concat()), true))
        }
        _ => Some((path_of(path.to_vec()), false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_told_from_files() {
        let of =
            |path: &str| change(path.as_bytes()).map(|(path, is_deleted)| (path.display().to_string(), is_deleted));
        assert_eq!(of("etc/"), Some(("etc".to_owned(), false)));
        assert_eq!(of("etc/.wh.motd"), Some(("etc/motd".to_owned(), true)));
        assert_eq!(of(".wh.bin"), Some(("bin".to_owned(), true)));
        assert_eq!([of("./"), of("etc/.wh..wh..opq")], [None, None]);
    }
}
