//! The content of configs and secrets, as files that only containers see.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use super::StepError;
use crate::specify::ContentFile;

/// Writes the files that are not there yet; the name of a file says what it holds.
pub(super) fn write(files: &[ContentFile]) -> Result<(), StepError> {
    files
        .iter()
        .try_for_each(|file| write_one(file).map_err(|source| StepError::Content { path: file.path.clone(), source }))
}

fn write_one(file: &ContentFile) -> io::Result<()> {
    if file.path.exists() {
        return Ok(());
    }
    let folder = file.path.parent().unwrap_or(Path::new("/"));
    // Closed to everybody but root: the mode of the file is for the container.
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let building = file.path.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&building);
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&building)?;
    opened.write_all(&file.content)?;
    chown(&building, Some(file.uid), Some(file.gid))?;
    // After chown(2), which takes setuid bits away.
    opened.set_permissions(fs::Permissions::from_mode(file.mode))?;
    opened.sync_all()?;
    fs::rename(&building, &file.path)
}

/// Deletes the folder of a project; a folder that is gone is as good.
pub(super) fn delete(folder: &Path) -> Result<(), StepError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StepError::Content { path: folder.to_path_buf(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn content_is_written_once_with_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let owner = fs::metadata(folder.path()).unwrap();
        let file = ContentFile {
            path: folder.path().join("p/abc"),
            target: "/c".to_owned(),
            content: b"x".to_vec(),
            uid: owner.uid(),
            gid: owner.gid(),
            mode: 0o440,
        };
        write(std::slice::from_ref(&file)).unwrap();
        write(std::slice::from_ref(&file)).unwrap();
        assert_eq!(fs::read_to_string(&file.path).unwrap(), "x");
        assert_eq!(fs::metadata(&file.path).unwrap().mode() & 0o7777, 0o440);
        assert_eq!(fs::metadata(folder.path().join("p")).unwrap().mode() & 0o7777, 0o700);
        delete(&folder.path().join("p")).unwrap();
        delete(&folder.path().join("p")).unwrap();
        assert!(!folder.path().join("p").exists());
    }
}
