//! `driver_opts` of a volume: what is mounted at its place while a container uses it. Docker's driver `local`.
//!
//! Mounted by the first monitor whose container needs it, unmounted when the last one has ended; a mount that was left behind
//! is found and used by the next.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::runtime::trace::{self, Effect, Target};

/// Options of mount(8) that are flags of mount(2); `true` sets them.
const FLAGS: [(&str, MsFlags, bool); 22] = [
    ("ro", MsFlags::MS_RDONLY, true),
    ("rw", MsFlags::MS_RDONLY, false),
    ("nosuid", MsFlags::MS_NOSUID, true),
    ("suid", MsFlags::MS_NOSUID, false),
    ("nodev", MsFlags::MS_NODEV, true),
    ("dev", MsFlags::MS_NODEV, false),
    ("noexec", MsFlags::MS_NOEXEC, true),
    ("exec", MsFlags::MS_NOEXEC, false),
    ("noatime", MsFlags::MS_NOATIME, true),
    ("atime", MsFlags::MS_NOATIME, false),
    ("nodiratime", MsFlags::MS_NODIRATIME, true),
    ("diratime", MsFlags::MS_NODIRATIME, false),
    ("relatime", MsFlags::MS_RELATIME, true),
    ("norelatime", MsFlags::MS_RELATIME, false),
    ("strictatime", MsFlags::MS_STRICTATIME, true),
    ("nostrictatime", MsFlags::MS_STRICTATIME, false),
    ("sync", MsFlags::MS_SYNCHRONOUS, true),
    ("async", MsFlags::MS_SYNCHRONOUS, false),
    ("dirsync", MsFlags::MS_DIRSYNC, true),
    ("bind", MsFlags::MS_BIND, true),
    ("rbind", MsFlags::MS_BIND, true),
    ("defaults", MsFlags::empty(), true),
];

/// Options that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VolumeOptionError {
    /// The driver does not know it.
    #[error("volume option `{0}` is not supported: use type, device and o")]
    Unknown(String),
    /// One is missing.
    #[error("volume option `device` is missing: type `{0}` has to be mounted from something")]
    NoDevice(String),
}

/// Checks options as Docker spells them: `type`, `device`, `o`.
pub fn check(options: &BTreeMap<String, String>) -> Result<(), VolumeOptionError> {
    if let Some(unknown) = options.keys().find(|name| !matches!(name.as_str(), "type" | "device" | "o")) {
        return Err(VolumeOptionError::Unknown(unknown.clone()));
    }
    let has = |name: &str| options.get(name).is_some_and(|value| !value.is_empty());
    match has("device") || !(has("type") || has("o")) {
        true => Ok(()),
        false => Err(VolumeOptionError::NoDevice(options.get("type").cloned().unwrap_or_default())),
    }
}

/// Mounts what `options` say at `target`, unless something is there already.
pub(super) fn ensure_mounted(options: &BTreeMap<String, String>, target: &Path) -> io::Result<()> {
    if options.is_empty() || is_mounted(target)? {
        return Ok(());
    }
    let option = |name: &str| options.get(name).map(String::as_str).unwrap_or_default();
    let (fstype, device) = (option("type"), option("device"));
    let (flags, mut rest) = split(option("o"));
    if fstype.starts_with("nfs") {
        rest = with_address(&rest, device)?;
    }
    let recursive = option("o").split(',').any(|word| word == "rbind");
    let flags = if recursive { flags | MsFlags::MS_REC } else { flags };
    let effect = || Effect::Mount {
        fstype: fstype.to_owned(),
        source: device.to_owned(),
        target: Target::path(target),
        options: option("o").split(',').map(str::to_owned).collect(),
        copy_up: false,
    };
    trace::step(effect, || -> nix::Result<()> {
        mount(Some(device), target, Some(fstype), flags, Some(rest.as_str()))?;
        // a bind mount takes no other flag until it is there (mount(2))
        if flags.contains(MsFlags::MS_BIND) && flags.difference(MsFlags::MS_BIND | MsFlags::MS_REC) != MsFlags::empty()
        {
            let none = None::<&str>;
            mount(none, target, none, flags | MsFlags::MS_REMOUNT, none)?;
        }
        Ok(())
    })
    .map_err(|errno| match errno {
        // the kernel has looked for a module, too (mount(2))
        nix::Error::ENODEV => io::Error::other(format!("the kernel has no file system `{fstype}`")),
        errno => errno.into(),
    })
}

/// Returns whether `path` is a mount point, as proc_pid_mountinfo(5) has it, where a blank is `\\040`.
pub(super) fn is_mounted(path: &Path) -> io::Result<bool> {
    let text = std::fs::read_to_string("/proc/thread-self/mountinfo")?;
    let place = path.to_string_lossy().replace(' ', "\\040");
    Ok(text.lines().any(|line| line.split(' ').nth(4) == Some(&place)))
}

/// Splits `o` into flags and what the file system reads itself.
fn split(options: &str) -> (MsFlags, String) {
    let mut flags = MsFlags::empty();
    let mut rest = Vec::new();
    for word in options.split(',').filter(|word| !word.is_empty()) {
        match FLAGS.iter().find(|(name, ..)| *name == word) {
            Some((_, flag, is_set)) => flags.set(*flag, *is_set),
            None => rest.push(word),
        }
    }
    (flags, rest.join(","))
}

/// The kernel's NFS client takes addresses, not names; what has none gets that of the host before the device's colon, as by
/// mount.nfs (nfs(5)).
fn with_address(options: &str, device: &str) -> io::Result<String> {
    let mut words: Vec<String> = options.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    match (words.iter_mut().find(|word| word.starts_with("addr=")), device.rsplit_once(":/")) {
        (Some(word), _) => *word = format!("addr={}", address_of(&word["addr=".len()..])?),
        (None, Some((host, _))) if !host.is_empty() => words.push(format!("addr={}", address_of(host)?)),
        (None, _) => return Err(io::Error::other("`o` has no `addr=` and `device` no host: where is the server?")),
    }
    Ok(words.join(","))
}

/// Returns the address of a host by name; an address, in brackets or not, is its own.
fn address_of(host: &str) -> io::Result<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Ok(address);
    }
    let no_address = |why: &dyn std::fmt::Display| io::Error::other(format!("find the address of `{host}`: {why}"));
    let mut addresses = (host, 0).to_socket_addrs().map_err(|error| no_address(&error))?;
    addresses.next().map(|address| address.ip()).ok_or_else(|| no_address(&"it has none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_from_what_the_file_system_reads() {
        let (flags, rest) = split("ro,size=10m,noexec,rw,uid=5");
        assert_eq!(flags, MsFlags::MS_NOEXEC);
        assert_eq!(rest, "size=10m,uid=5");
        assert_eq!(
            split("sync,async,noatime,atime,addr=1.2.3.4,nolock"),
            (MsFlags::empty(), "addr=1.2.3.4,nolock".into())
        );
    }

    #[test]
    fn options_are_checked_by_name() {
        let options = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(check(&options(&[])), Ok(()));
        assert_eq!(check(&options(&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")])), Ok(()));
        assert!(check(&options(&[("type", "nfs")])).is_err());
        assert_eq!(check(&options(&[("size", "1")])), Err(VolumeOptionError::Unknown("size".to_owned())));
    }

    #[test]
    fn the_server_is_an_address_from_the_options_or_from_the_device() {
        assert_eq!(with_address("addr=10.0.0.1,vers=4", ":/export").unwrap(), "addr=10.0.0.1,vers=4");
        assert_eq!(with_address("vers=4,addr=10.0.0.1", "other:/export").unwrap(), "vers=4,addr=10.0.0.1");
        assert_eq!(with_address("vers=4", "10.0.0.1:/export").unwrap(), "vers=4,addr=10.0.0.1");
        assert_eq!(with_address("", "[fd00::1]:/export").unwrap(), "addr=fd00::1");
        for device in [":/export", "/export"] {
            assert!(with_address("vers=4", device).unwrap_err().to_string().contains("where is the server?"));
        }
    }
}
