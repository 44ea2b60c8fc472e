//! One netlink socket and its conversation. Any process.
//!
//! The kernel works on a request within the sender's own sendmsg(2), so every answer is in the receive buffer when the
//! call returns: answers are read without waiting, and a conversation has no timeouts.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt, socket,
    sockopt,
};

use super::attribute::attributes;
use super::error::NetlinkError;
use super::message::{Message, Reply, replies};
use crate::sys::netlink::{Switch, turn_on};

/// Room for one answer in bytes: the kernel fills a dump up to 32 KiB at a time. It is on the stack, of which a monitor gives back
/// what its start has used.
const ANSWER: usize = 64 * 1024;
/// How often a list is asked for again when it changed while it was read.
const DUMP_ATTEMPTS: usize = 5;
/// Send buffer in bytes that holds any ordinary batch; Linux's default is a little more.
const ORDINARY_BATCH: usize = 128 * 1024;
/// Attribute of an error message that holds the kernel's text (linux/netlink.h, `NLMSGERR_ATTR_MSG`).
const ERROR_TEXT: u16 = 1;

/// A conversation with one family of the kernel's network code.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Opens a conversation about links, addresses and routes (rtnetlink(7)) of this thread's network namespace.
    pub(crate) fn route() -> Result<Netlink, NetlinkError> {
        Netlink::open(SockProtocol::NetlinkRoute, "open")
    }

    /// Opens a conversation about nftables and connection tracking of this thread's network namespace.
    pub(crate) fn netfilter() -> Result<Netlink, NetlinkError> {
        Netlink::open(SockProtocol::NetlinkNetFilter, "open, for nftables,")
    }

    fn open(protocol: SockProtocol, act: &'static str) -> Result<Netlink, NetlinkError> {
        let failed = |source: io::Error| NetlinkError::Socket { act, source };
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
            .map_err(|errno| failed(errno.into()))?;
        turn_on(socket.as_fd(), Switch::ExtendedAck).map_err(failed)?;
        turn_on(socket.as_fd(), Switch::CappedAck).map_err(failed)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).map_err(|errno| failed(errno.into()))?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// Sends `messages` in one go and returns the first refusal.
    ///
    /// rtnetlink works on the messages one by one, whatever becomes of the others; nfnetlink takes those between a batch's
    /// begin and end all or none.
    pub(crate) fn send(&mut self, messages: &[Message]) -> Result<(), NetlinkError> {
        match self.send_each(messages)?.into_iter().next() {
            Some((_, refusal)) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Sends `messages` in one go and returns every refusal with the index of its message.
    pub(crate) fn send_each(&mut self, messages: &[Message]) -> Result<Vec<(usize, NetlinkError)>, NetlinkError> {
        if messages.is_empty() {
            return Ok(Vec::new()); // the kernel takes an empty datagram for a mistake
        }
        let first = self.write(messages)?;
        let mut refusals = Vec::new();
        let mut answer = [0; ANSWER];
        while let Some(length) = self.read(&mut answer, MsgFlags::MSG_DONTWAIT)? {
            for reply in replies(&answer[..length]).filter(|reply| i32::from(reply.kind) == libc::NLMSG_ERROR) {
                let index = usize::try_from(reply.sequence.wrapping_sub(first)).unwrap_or(usize::MAX);
                if let Some(message) = messages.get(index)
                    && let Some(refusal) = refusal(&reply, message.act())
                {
                    refusals.push((index, refusal));
                }
            }
        }
        Ok(refusals)
    }

    /// Asks for a list and hands the body of each entry to `each`, in the kernel's order.
    ///
    /// When the kernel says that the list changed while it was read, everything is asked for again: `each` returns a new
    /// entry or none, and only those of the last, unbroken reading are returned.
    pub(crate) fn dump<T>(
        &mut self,
        request: Message,
        each: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        let request = request.flags(libc::NLM_F_DUMP);
        let mut entries = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            entries.clear();
            if self.read_dump(&request, |body| entries.extend(each(body)))? {
                break;
            }
        }
        Ok(entries)
    }

    /// Reads one list to its end; returns whether it stayed the same meanwhile.
    fn read_dump(&mut self, request: &Message, mut each: impl FnMut(&[u8])) -> Result<bool, NetlinkError> {
        let sequence = self.write(std::slice::from_ref(request))?;
        let mut answer = [0; ANSWER];
        let mut unbroken = true;
        while let Some(length) = self.read(&mut answer, MsgFlags::empty())? {
            for reply in replies(&answer[..length]).filter(|reply| reply.sequence == sequence) {
                unbroken &= i32::from(reply.flags) & libc::NLM_F_DUMP_INTR == 0;
                match i32::from(reply.kind) {
                    libc::NLMSG_DONE => return Ok(unbroken),
                    libc::NLMSG_ERROR => return refusal(&reply, request.act()).map_or(Ok(unbroken), Err),
                    _ => each(reply.body),
                }
            }
        }
        Ok(unbroken)
    }

    /// Asks for one thing and returns the body of the answer.
    pub(crate) fn ask(&mut self, request: Message) -> Result<Vec<u8>, NetlinkError> {
        self.write(std::slice::from_ref(&request))?;
        let mut answer = [0; ANSWER];
        let length = self.read(&mut answer, MsgFlags::MSG_DONTWAIT)?.unwrap_or_default();
        let missing = || NetlinkError::Missing { act: request.act().to_owned() };
        let reply = replies(&answer[..length]).next().ok_or_else(missing)?;
        if i32::from(reply.kind) == libc::NLMSG_ERROR {
            return Err(refusal(&reply, request.act()).unwrap_or_else(missing));
        }
        Ok(reply.body.to_vec())
    }

    /// Writes `messages` as one datagram; returns the sequence number of the first.
    fn write(&mut self, messages: &[Message]) -> Result<u32, NetlinkError> {
        let first = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        for message in messages {
            self.sequence = self.sequence.wrapping_add(1);
            message.write(self.sequence, &mut bytes);
        }
        let failed = |errno: Errno| NetlinkError::Socket { act: "write to", source: errno.into() };
        if bytes.len() > ORDINARY_BATCH {
            setsockopt(&self.socket, sockopt::SndBufForce, &(2 * bytes.len())).map_err(failed)?;
        }
        loop {
            match send(self.socket.as_raw_fd(), &bytes, MsgFlags::empty()) {
                Ok(_) => return Ok(first),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    /// Reads one datagram; `None` when there is none and `flags` forbid waiting.
    fn read(&self, answer: &mut [u8], flags: MsgFlags) -> Result<Option<usize>, NetlinkError> {
        loop {
            match recv(self.socket.as_raw_fd(), answer, flags) {
                Ok(length) => return Ok(Some(length)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(NetlinkError::Socket { act: "read from", source: errno.into() }),
            }
        }
    }
}

/// Reads an error message (`struct nlmsgerr`); `None` for the error number 0, which says "done".
fn refusal(reply: &Reply<'_>, act: &str) -> Option<NetlinkError> {
    let number = i32::from_ne_bytes(reply.body.get(0..4)?.try_into().ok()?);
    if number == 0 {
        return None;
    }
    // After the number comes the header of the request; capped answers leave out the rest of it.
    let explanation = attributes(reply.body.get(4 + super::message::HEADER..).unwrap_or_default())
        .find(|(kind, _)| *kind == ERROR_TEXT)
        .map(|(_, text)| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
    Some(NetlinkError::Refused { act: act.to_owned(), explanation, source: io::Error::from_raw_os_error(-number) })
}
