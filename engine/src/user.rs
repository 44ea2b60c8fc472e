//! Who a container's process is: names of the image's own /etc/passwd and /etc/group turned into numbers.
//!
//! Runs in the monitor. Nothing of the image is executed (no NSS), its files are read below the root's descriptor.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use lighter_images::regular_file;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

/// The most that is read of /etc/passwd or /etc/group, in bytes: a hostile image cannot fill our memory.
const LIMIT: u64 = 8 << 20;

/// Largest uid or gid: 2³¹-1, as Docker and Podman have it.
const MAX_ID: u32 = i32::MAX as u32;

/// A process's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups; always has `gid`.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// Why a user could not be found.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The image has no such user.
    #[error("no user `{0}` in the image's /etc/passwd")]
    NoUser(String),
    /// The image has no such group.
    #[error("no group `{0}` in the image's /etc/group")]
    NoGroup(String),
    /// The number is out of range.
    #[error("user or group id `{0}` is out of range: 0 to 2147483647")]
    Range(String),
    /// A file of the image could not be read.
    #[error("read the image's `{path}`")]
    Read {
        /// Path in the image.
        path: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Finds `user[:group]` (names or numbers; empty = root) in the root filesystem at `rootfs`.
pub(crate) fn resolve(rootfs: &Path, user: &str, additional: &[String]) -> Result<User, UserError> {
    let root = File::open(rootfs).map_err(|source| UserError::Read { path: "/", source })?;
    let passwd = read(&root, "/etc/passwd", "etc/passwd")?;
    let group = read(&root, "/etc/group", "etc/group")?;
    resolve_in(&passwd, &group, user, additional)
}

fn resolve_in(passwd: &str, group: &str, user: &str, additional: &[String]) -> Result<User, UserError> {
    let (name, wanted_group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let name = if name.is_empty() { "0" } else { name };
    let number = number(name)?;
    // a number is a number, even if some line has it as its name (CVE-2024-40635 and its kin)
    let row = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|row| match number {
        Some(uid) => row.get(2).and_then(|field| field.parse().ok()) == Some(uid),
        None => row.first() == Some(&name),
    });
    let field = |index: usize| row.as_ref().and_then(|row| row.get(index)).copied();
    let uid = match number {
        Some(uid) => uid,
        None => field(2).and_then(|uid| uid.parse().ok()).ok_or_else(|| UserError::NoUser(name.to_owned()))?,
    };
    let gid = match wanted_group.filter(|group| !group.is_empty()) {
        Some(wanted) => group_id(group, wanted)?,
        None => field(3).and_then(|gid| gid.parse().ok()).unwrap_or(0),
    };
    let mut groups = vec![gid];
    if wanted_group.is_none()
        && let Some(login) = field(0)
    {
        groups.extend(memberships(group, login));
    }
    for wanted in additional {
        groups.push(group_id(group, wanted)?);
    }
    groups.sort_unstable();
    groups.dedup();
    let home = field(5).filter(|home| home.starts_with('/')).unwrap_or("/").to_owned();
    Ok(User { uid, gid, groups, home })
}

fn group_id(group: &str, wanted: &str) -> Result<u32, UserError> {
    if let Some(gid) = number(wanted)? {
        return Ok(gid);
    }
    let mut rows = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    rows.find(|row| row.first() == Some(&wanted))
        .and_then(|row| row.get(2).and_then(|gid| gid.parse().ok()))
        .ok_or_else(|| UserError::NoGroup(wanted.to_owned()))
}

fn memberships(group: &str, login: &str) -> impl Iterator<Item = u32> {
    group.lines().filter_map(move |line| {
        let row: Vec<_> = line.split(':').collect();
        let member = row.get(3)?.split(',').any(|member| member.trim() == login);
        member.then(|| row.get(2)?.parse().ok()).flatten()
    })
}

/// Returns `None` for a name, an error for a number that is no id.
fn number(text: &str) -> Result<Option<u32>, UserError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(id) if id <= MAX_ID => Ok(Some(id)),
        _ => Err(UserError::Range(text.to_owned())),
    }
}

fn read(root: &File, path: &'static str, relative: &str) -> Result<String, UserError> {
    let error = |source| UserError::Read { path, source };
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let found = match openat2(root.as_fd(), relative, how) {
        Ok(found) => found,
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(String::new()),
        Err(errno) => return Err(error(errno.into())),
    };
    // the image may have anything there, a device of the host's too
    let Some(file) = regular_file::open_found(found).map_err(error)? else { return Ok(String::new()) };
    let mut text = Vec::new();
    file.take(LIMIT).read_to_end(&mut text).map_err(error)?;
    Ok(String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(user: &str) -> Result<User, UserError> {
        let passwd = ["root:x:0:0:root:/root:/bin/sh", "app:x:1000:1000::/home/app:/bin/sh", "1:x:0:0::/:/bin/sh"];
        let group = ["root:x:0:", "app:x:1000:", "video:x:44:app,other", "staff:x:50:"];
        resolve_in(&passwd.join("\n"), &group.join("\n"), user, &[])
    }

    fn ids(user: &str) -> (u32, u32, Vec<u32>) {
        let user = find(user).unwrap();
        (user.uid, user.gid, user.groups)
    }

    #[test]
    fn names_and_numbers_become_ids_with_their_groups() {
        assert_eq!(ids(""), (0, 0, vec![0]));
        assert_eq!(ids("app"), (1000, 1000, vec![44, 1000]));
        assert_eq!(ids("1000"), (1000, 1000, vec![44, 1000]));
        assert_eq!(ids("app:staff"), (1000, 50, vec![50]));
        assert_eq!(ids("5:6"), (5, 6, vec![6]));
        assert_eq!(find("app").unwrap().home, "/home/app");
    }

    #[test]
    fn a_number_is_never_looked_up_as_a_name() {
        assert_eq!(ids("1").0, 1);
        for bad in ["-1", "4294967296", "2147483648", "99999999999999999999"] {
            assert!(matches!(find(bad), Err(UserError::Range(_))), "{bad}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_opened_and_one_without_end_takes_little_memory() {
        use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        nix::unistd::mkfifo(&etc.join("passwd"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::write(etc.join("group"), vec![b'\n'; 9 << 20]).unwrap();
        let watch = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        watch.add_watch(&etc.join("passwd"), AddWatchFlags::IN_OPEN).unwrap();
        assert_eq!(resolve(root.path(), "5", &[]).unwrap().uid, 5);
        assert_eq!(watch.read_events().unwrap_err(), Errno::EAGAIN);
        let group = read(&File::open(root.path()).unwrap(), "/etc/group", "etc/group").unwrap();
        assert_eq!(group.len() as u64, LIMIT);
    }

    #[test]
    fn an_unknown_name_is_an_error_and_an_unknown_number_is_not() {
        assert!(matches!(find("nobody"), Err(UserError::NoUser(_))));
        assert!(matches!(find("app:nope"), Err(UserError::NoGroup(_))));
        assert_eq!(ids("4242"), (4242, 0, vec![0]));
    }
}
