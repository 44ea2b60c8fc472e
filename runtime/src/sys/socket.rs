//! Messages with descriptors on a socket (unix(7), SCM_RIGHTS).
//!
//! Runs on both sides of the channel between the monitor and init, and of the one between a command and its spawner.
#![expect(unsafe_code, reason = "descriptors arrive as bare numbers, which somebody has to own")]

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, accept4, recv, recvmsg,
    sendmsg, socketpair,
};

/// The most descriptors that come with one message; the kernel closes what is sent beyond.
const MOST_DESCRIPTORS: usize = 4;

/// Makes two connected ends, close-on-exec, that keep messages apart.
///
/// # Errors
/// What socketpair(2) says.
pub fn pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
}

/// Sends one message, with at most one descriptor.
pub(crate) fn send(socket: BorrowedFd<'_>, message: &[u8], descriptor: Option<BorrowedFd<'_>>) -> nix::Result<()> {
    send_all(socket, message, descriptor.as_slice())
}

/// Sends one message, with at most four descriptors, of which the receiver gets copies.
///
/// # Errors
/// What sendmsg(2) says. A receiver that is gone is EPIPE, not a signal.
pub fn send_all(socket: BorrowedFd<'_>, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> nix::Result<()> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = if numbers.is_empty() { &rights[..0] } else { &rights[..] };
    let data = [IoSlice::new(message)];
    sendmsg::<UnixAddr>(socket.as_raw_fd(), &data, control, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

/// Takes the next connection of a listening socket, close-on-exec.
pub(crate) fn accept(socket: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let connected = accept4(socket.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: the kernel has just returned `connected` as a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(connected) })
}

/// Waits for the next message and returns its length, 0 when the other side is gone; the message stays.
///
/// # Errors
/// What recv(2) says.
pub fn next_length(socket: BorrowedFd<'_>) -> nix::Result<usize> {
    recv(socket.as_raw_fd(), &mut [], MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC)
}

/// Receives one message into `buffer`: its length, 0 when the other side is gone, and its descriptor.
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<(usize, Option<OwnedFd>)> {
    receive_all(socket, buffer).map(|(length, mut descriptors)| (length, descriptors.pop()))
}

/// Receives one message into `buffer`: its length, 0 when the other side is gone, and its descriptors, close-on-exec, in the
/// order in which they were sent.
///
/// # Errors
/// What recvmsg(2) says.
pub fn receive_all(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<(usize, Vec<OwnedFd>)> {
    let mut control = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let mut data = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut data, Some(&mut control), flags)?;
    let mut descriptors = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            // SAFETY: the kernel has just put these numbers into our table for this message; nothing else owns them, and
            // each is wrapped once.
            descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    Ok((message.bytes, descriptors))
}
