//! Switches of the kernel's network code below `/proc/sys/net`, of the calling thread's network namespace. Any process.

use std::fs;
use std::io::{self, ErrorKind};

/// Why a switch could not be read or set.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// The kernel or the file system refused.
    #[error("set `{name}` to {value} (is /proc/sys writable here?)")]
    Write {
        /// The switch: its path below `/proc/sys`.
        name: String,
        /// The wanted value.
        value: &'static str,
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

/// Returns whether switch `name` is on.
pub(crate) fn is_on(name: &str) -> Result<bool, SysctlError> {
    let value = fs::read_to_string(format!("/proc/sys/{name}"));
    let value = value.map_err(|source| SysctlError::Read { name: name.to_owned(), source })?;
    Ok(value.trim() != "0")
}

/// Sets switch `name`, unless it stands like that already: `/proc/sys` may be read-only, and right.
pub(crate) fn set(name: &str, on: bool) -> Result<(), SysctlError> {
    if is_on(name)? == on {
        return Ok(());
    }
    let value = if on { "1" } else { "0" };
    let written = fs::write(format!("/proc/sys/{name}"), value);
    written.map_err(|source| SysctlError::Write { name: name.to_owned(), value, source })
}

/// Switches IPv6 off on a device, `default` for those to come; a kernel without IPv6 is content already.
pub(crate) fn disable_ipv6(link: &str) -> Result<(), SysctlError> {
    match set(&format!("net/ipv6/conf/{link}/disable_ipv6"), true) {
        Err(SysctlError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
