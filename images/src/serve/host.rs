//! What the server has to do with whoever runs it.
//!
//! Runs in the shell command's process; called from several threads.

use std::net::SocketAddr;
use std::time::Duration;

use crate::digest::Digest;

/// What the server asks of and tells to whoever runs it.
pub trait Host: Send + Sync + 'static {
    /// Returns who uses an image, in words, so that its layers must stay.
    fn user_of(&self, image: &Digest) -> Option<String>;

    /// Takes a request that was answered.
    fn answered(&self, access: &Access<'_>);
}

/// A request that was answered; its body may still be on its way.
#[derive(Debug)]
pub struct Access<'a> {
    /// Where it came from.
    pub peer: SocketAddr,
    /// Whose credentials it had.
    pub user: Option<&'a str>,
    /// Its method.
    pub method: &'a str,
    /// Its path and query, as sent.
    pub target: &'a str,
    /// Status of the answer; `None` if the client went away before there was one.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Time from its head to the head of the answer.
    pub duration: Duration,
}
