//! The home directory of the container's user, when the environment does not name it.
//!
//! Reads the container's own `/etc/passwd` (passwd(5)), beneath its root and at most 1 MiB of it; no
//! library of the host or the container is asked.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::Uid;

use super::beneath::RootDirectory;

const MOST_BYTES: u64 = 1 << 20;

/// Finds the home directory of a user; `/` when there is no entry.
pub(super) fn find(root: &RootDirectory, uid: Uid) -> String {
    let home = read_passwd(root).and_then(|passwd| entry(&passwd, uid.as_raw()).map(str::to_owned));
    home.filter(|home| !home.is_empty() && !home.contains('\0')).unwrap_or_else(|| "/".to_owned())
}

fn read_passwd(root: &RootDirectory) -> Option<String> {
    // Non-blocking: what an image puts there may be a FIFO nobody writes to.
    let file = root.open_path(Path::new("/etc/passwd"), OFlag::O_RDONLY | OFlag::O_NONBLOCK).ok()?;
    let kind = SFlag::from_bits_truncate(fstat(&file).ok()?.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFREG {
        return None;
    }
    let mut text = Vec::new();
    File::from(file).take(MOST_BYTES).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// `name:password:uid:gid:comment:home:shell`
fn entry(passwd: &str, uid: u32) -> Option<&str> {
    let mut entries = passwd.lines().map(|line| line.split(':'));
    entries.find_map(|mut fields| (fields.nth(2)?.parse() == Ok(uid)).then(|| fields.nth(2)).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_is_found_by_number() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nbroken\n999:x:70:70::/srv:/bin/false\npostgres:x:999:999::/var/lib/pg:";
        assert_eq!(entry(passwd, 0), Some("/root"));
        assert_eq!(entry(passwd, 999), Some("/var/lib/pg"));
        assert_eq!(entry(passwd, 1), None);
    }
}
