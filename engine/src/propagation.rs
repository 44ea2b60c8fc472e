//! Whether mounts can travel between the host and a container at all: they do so only from, and to, a mount of the host that is
//! shared, or is a slave of one (mount_namespaces(7), "Shared subtrees"). Runs in the monitor.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::spec::BindPropagation;

/// What a bind mount shall have and cannot have here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PropagationError {
    #[error("bind mount `{path}` as {wanted}: the host's mount `{mount}`, which it lies on, is not {lacking}")]
    Cut { path: PathBuf, wanted: &'static str, mount: String, lacking: &'static str },
    /// Mounts of a less privileged mount namespace are slaves of their originals (mount_namespaces(7)).
    #[error("bind mount `{path}` as {wanted}: what a container with users of its own mounts does not reach the host")]
    OwnUsers { path: PathBuf, wanted: &'static str },
    #[error("look at the mount that bind source `{path}` lies on")]
    Look {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Refuses what the kernel would take without a word and without effect.
pub(crate) fn check(path: &Path, kind: BindPropagation, own_users: bool) -> Result<(), PropagationError> {
    let (path, wanted) = (path.to_owned(), kind.option());
    let (enough, lacking): (&[&str], _) = match kind {
        BindPropagation::Rprivate | BindPropagation::Private => return Ok(()),
        _ if kind.is_shared() && own_users => return Err(PropagationError::OwnUsers { path, wanted }),
        BindPropagation::Rshared | BindPropagation::Shared => (&["shared"], "shared"),
        BindPropagation::Rslave | BindPropagation::Slave => (&["shared", "master"], "shared, nor the slave of one"),
    };
    match mount_of(&path) {
        Err(source) => Err(PropagationError::Look { path, source }),
        Ok((_, tags)) if tags.iter().any(|tag| enough.contains(&tag.as_str())) => Ok(()),
        Ok((mount, _)) => Err(PropagationError::Cut { path, wanted, mount, lacking }),
    }
}

/// Returns where the mount is that a path lies on, and the names of its optional fields.
fn mount_of(path: &Path) -> io::Result<(String, Vec<String>)> {
    let file = File::options().read(true).custom_flags(libc::O_PATH).open(path)?;
    let text = fs::read_to_string(format!("/proc/thread-self/fdinfo/{}", file.as_raw_fd()))?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:")).unwrap_or_default().trim(); // proc_pid_fdinfo(5)
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo")?;
    mount(&mounts, id).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Returns where a mount is, and the names of its optional fields: `shared`, `master`, … (proc_pid_mountinfo(5)).
fn mount(mountinfo: &str, id: &str) -> Option<(String, Vec<String>)> {
    let line = mountinfo.lines().find(|line| line.split(' ').next() == Some(id))?;
    let mut fields = line.split(' ').skip(4);
    let place = fields.next()?.to_owned();
    let tags = fields.skip(1).take_while(|field| *field != "-");
    Some((place, tags.map(|tag| tag.split(':').next().unwrap_or(tag).to_owned()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_optional_fields_say_how_mounts_travel() {
        let text = "21 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw\n\
                    22 21 0:20 / /proc rw - proc proc rw\n";
        let tags = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(mount(text, "21"), Some(("/".to_owned(), tags(&["shared", "master"]))));
        assert_eq!(mount(text, "22"), Some(("/proc".to_owned(), tags(&[]))));
        assert_eq!(mount(text, "2"), None);
    }
}
