//! As much of rtnetlink(7) as moving a network device needs.
//!
//! Messages are *pure*; a [`Conversation`] talks about the network namespace its process was in when it was opened.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// Room for one answer in bytes: the kernel fills a list up to 32 KiB at a time.
const ANSWER_BYTES: usize = 64 * 1024;
/// `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;
/// `struct ifaddrmsg`.
pub(super) const ADDRESS_BYTES: usize = 8;

/// A socket to the kernel's network code.
#[derive(Debug)]
pub(super) struct Conversation(OwnedFd);

impl Conversation {
    /// Opens one for the network namespace of the caller.
    pub(super) fn open() -> nix::Result<Self> {
        let (family, protocol) = (AddressFamily::Netlink, SockProtocol::NetlinkRoute);
        socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).map(Self)
    }

    /// Asks for one thing, or to do it: returns the bodies of the answers.
    pub(super) fn ask(&self, kind: u16, flags: i32, body: &[u8]) -> nix::Result<Vec<Vec<u8>>> {
        send(self.0.as_raw_fd(), &message(kind, flags, body), MsgFlags::empty())?;
        let mut bodies = Vec::new();
        let mut buffer = vec![0; ANSWER_BYTES];
        loop {
            let length = match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                result => result?,
            };
            for (kind, body) in messages(&buffer[..length]) {
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(bodies),
                    libc::NLMSG_ERROR => {
                        let code = body.get(..4).and_then(|code| code.try_into().ok()).map(i32::from_ne_bytes);
                        return match code {
                            Some(0) => Ok(bodies),
                            Some(code) => Err(Errno::from_raw(code.saturating_neg())),
                            None => Err(Errno::EBADMSG),
                        };
                    }
                    _ => bodies.push(body.to_vec()),
                }
            }
        }
    }
}

/// Builds a request; one that is no list is acknowledged, which ends its answers.
fn message(kind: u16, flags: i32, body: &[u8]) -> Vec<u8> {
    let ending = if flags & libc::NLM_F_DUMP == libc::NLM_F_DUMP { 0 } else { libc::NLM_F_ACK };
    let length = (HEADER_BYTES + body.len()) as u32;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(((flags | ending | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
    message.extend([0; 8]); // sequence and sender: one question at a time needs neither
    message.extend(body);
    message
}

/// Builds `struct ifinfomsg`.
pub(super) fn link(index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    [index, flags, change].iter().for_each(|number| body.extend(number.to_ne_bytes()));
    body
}

/// Appends an attribute.
pub(super) fn push(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend((4 + value.len() as u16).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Splits what was received into the kinds and bodies of its messages; a broken rest is left out.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
        let body = bytes.get(HEADER_BYTES..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// Splits the attributes behind a fixed part of `start` bytes; a broken rest is left out.
pub(super) fn attributes(body: &[u8], start: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut bytes = body.get(start..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Reads a number of four bytes.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `struct ifinfomsg`.
    const LINK_BYTES: usize = 16;

    #[test]
    fn what_is_built_is_read_back() {
        let mut body = link(7, 1, 1);
        push(&mut body, 3, b"eth0\0");
        let message = message(16, 0, &body);
        let (kind, read) = messages(&message).next().unwrap();
        assert_eq!((kind, number(read, 4)), (16, Some(7)));
        assert_eq!(attributes(read, LINK_BYTES).collect::<Vec<_>>(), [(3, &b"eth0\0"[..])]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..200), start in 0usize..64) {
            messages(&bytes).for_each(|(_, body)| attributes(body, start).for_each(drop));
            attributes(&bytes, start).for_each(drop);
        }
    }
}
