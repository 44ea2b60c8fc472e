//! The standard streams a process of a container gets.

use std::os::fd::OwnedFd;

/// Standard streams.
#[derive(Debug)]
pub enum Stdio {
    /// The caller's own.
    ///
    /// A pipe or FIFO of root is given to the container's user, as below.
    Inherit,
    /// These.
    ///
    /// A pipe or FIFO of root is given to the container's user, who may open it again by `/dev/stdout`.
    Fds {
        /// To be descriptor 0.
        stdin: OwnedFd,
        /// To be descriptor 1.
        stdout: OwnedFd,
        /// To be descriptor 2.
        stderr: OwnedFd,
    },
    /// A pty of the container's own devpts, the controlling terminal of its session; the caller gets the
    /// master side.
    Terminal {
        /// Height in characters.
        rows: u16,
        /// Width in characters.
        cols: u16,
    },
}
