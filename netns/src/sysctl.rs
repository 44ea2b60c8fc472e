//! Switches of the kernel's network code below `/proc/sys/net`, of the calling thread's network namespace. Any process.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;

/// Why a switch could not be read or set.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// The kernel or the file system refused.
    #[error("set `{name}` to {value}{}", hint(source))]
    Write {
        /// The switch: its path below `/proc/sys`.
        name: String,
        /// The wanted value.
        value: String,
        /// The cause.
        source: io::Error,
    },
    /// It cannot be told how the switch stands.
    #[error("read `{name}`")]
    Read {
        /// The switch: its path below `/proc/sys`.
        name: String,
        /// The cause.
        source: io::Error,
    },
}

/// Where the switch is there and the kernel takes the value, it is the file system that refuses.
fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::InvalidInput => "",
        _ => " (is /proc/sys writable here?)",
    }
}

/// Returns the value of `name`.
pub(crate) fn value(name: &str) -> Result<String, SysctlError> {
    let value = fs::read_to_string(path(name));
    let value = value.map_err(|source| SysctlError::Read { name: name.to_owned(), source })?;
    Ok(value.trim().to_owned())
}

/// Returns whether switch `name` is on.
pub(crate) fn is_on(name: &str) -> Result<bool, SysctlError> {
    Ok(value(name)? != "0")
}

/// Sets switch `name`, unless it stands like that already: `/proc/sys` may be read-only, and right.
///
/// Opened once if it can be: the kernel looks for a switch among those of that name in all namespaces.
pub(crate) fn set(name: &str, on: bool) -> Result<(), SysctlError> {
    let wanted = if on { "1" } else { "0" };
    let Ok(mut file) = File::options().read(true).write(true).open(path(name)) else {
        return if is_on(name)? == on { Ok(()) } else { write(name, wanted) };
    };
    let mut value = String::new();
    file.read_to_string(&mut value).map_err(|source| SysctlError::Read { name: name.to_owned(), source })?;
    if (value.trim() != "0") == on {
        return Ok(());
    }
    // the kernel wants the whole value at the beginning
    let written = file.write_all_at(wanted.as_bytes(), 0);
    written.map_err(|source| SysctlError::Write { name: name.to_owned(), value: wanted.to_owned(), source })
}

fn path(name: &str) -> String {
    format!("/proc/sys/{name}")
}

/// Sets `name` to `value`.
pub(crate) fn write(name: &str, value: &str) -> Result<(), SysctlError> {
    let written = fs::write(path(name), value);
    written.map_err(|source| SysctlError::Write { name: name.to_owned(), value: value.to_owned(), source })
}

/// Switches IPv6 off on a device, `default` for those to come; a kernel without IPv6 is content already.
pub(crate) fn disable_ipv6(link: &str) -> Result<(), SysctlError> {
    match set(&format!("net/ipv6/conf/{link}/disable_ipv6"), true) {
        Err(SysctlError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Switches IPv6 on for a device, and its ear for router advertisements (RFC 4861, 6.3.4) off: whoever is on a container's
/// network could else send traffic elsewhere (CVE-2020-13401).
///
/// Its addresses are not looked for at others (RFC 4862, 5.4): that takes a second or two, in which the host, without a link-local
/// address it may use, cannot ask for the container that somebody's first packet is for.
pub(crate) fn enable_ipv6(link: &str) -> Result<(), SysctlError> {
    for switch in ["dad_transmits", "router_solicitation_delay"] {
        set(&format!("net/ipv6/conf/{link}/{switch}"), false)?;
    }
    set(&format!("net/ipv6/conf/{link}/accept_ra"), false)?;
    set(&format!("net/ipv6/conf/{link}/disable_ipv6"), false)
}
