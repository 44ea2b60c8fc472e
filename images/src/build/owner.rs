//! `--chown`: names of the image's own /etc/passwd and /etc/group turned into numbers.
//!
//! Runs in the shell command's process. Nothing of the image is executed, its files are read below its root.

use std::io;

use super::tree::Tree;

/// The most that is read of a file, in bytes: a hostile image cannot fill our memory.
const LIMIT: u64 = 8 << 20;

/// Why there is no such owner.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnerError {
    /// The image has no such name.
    #[error("no `{name}` in the image's {file}")]
    Unknown {
        /// The user or group.
        name: String,
        /// Where it should be.
        file: &'static str,
    },
    /// The file cannot be read.
    #[error("read the image's {file}")]
    Read {
        /// The file.
        file: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Finds `user[:group]`; a user alone has the group of the same number (Dockerfile reference, "COPY --chown").
pub(crate) fn resolve(text: &str, root: &Tree) -> Result<(u32, u32), OwnerError> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let uid = number(user, "/etc/passwd", root)?;
    let gid = if group.is_empty() { uid } else { number(group, "/etc/group", root)? };
    Ok((uid, gid))
}

/// Tells whether an owner is numbers only, so that no image need be looked at.
pub(crate) fn is_numeric(text: &str) -> bool {
    text.split(':').all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Returns the number of a name, which is the third field of its line.
fn number(name: &str, file: &'static str, root: &Tree) -> Result<u32, OwnerError> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let content = root.read(file, LIMIT).map_err(|source| OwnerError::Read { file, source })?.unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    let mut rows = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let row = rows.find(|row| row.first() == Some(&name));
    let id = row.and_then(|row| row.get(2)?.parse().ok());
    id.ok_or_else(|| OwnerError::Unknown { name: name.to_owned(), file })
}

/// Finds the owner of what a USER makes: `user[:group]`, where a user alone has the group of its line in /etc/passwd.
pub(crate) fn resolve_user(text: &str, root: &Tree) -> Result<(u32, u32), OwnerError> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let uid = number(user, "/etc/passwd", root)?;
    if !group.is_empty() {
        return Ok((uid, number(group, "/etc/group", root)?));
    }
    let file = "/etc/passwd";
    let content = root.read(file, LIMIT).map_err(|source| OwnerError::Read { file, source })?.unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    let mut rows = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let row = rows.find(|row| row.get(2).and_then(|field| field.parse().ok()) == Some(uid));
    Ok((uid, row.and_then(|row| row.get(3)?.parse().ok()).unwrap_or(0)))
}
