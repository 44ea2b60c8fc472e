//! Why a conversation with the kernel failed. Any process.

use std::io;

/// Why a conversation with the kernel failed.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The socket itself failed.
    #[error("{act} a netlink socket")]
    Socket {
        /// What was tried: `open`, `write to`, `read from`.
        act: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The kernel refused a request.
    #[error("{act}{}", explanation.as_ref().map(|text| format!(" (kernel: {text})")).unwrap_or_default())]
    Refused {
        /// What was asked for, with its object.
        act: String,
        /// The kernel's own words, where it had any.
        explanation: Option<String>,
        /// The cause.
        source: io::Error,
    },
    /// What was looked for is not in the answer.
    #[error("{act}: the kernel's answer lacks it")]
    Missing {
        /// What was asked for, with its object.
        act: String,
    },
}

impl NetlinkError {
    /// Returns the kernel's error number, where there is one.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            NetlinkError::Socket { source, .. } | NetlinkError::Refused { source, .. } => source.raw_os_error(),
            NetlinkError::Missing { .. } => None,
        }
    }
}

/// Counts "the kernel has no such thing" as success, for teardown.
pub(crate) fn unless_gone(result: Result<(), NetlinkError>) -> Result<(), NetlinkError> {
    match result {
        Err(error) if matches!(error.errno(), Some(libc::ENODEV | libc::ENOENT | libc::ESRCH)) => Ok(()),
        other => other,
    }
}
