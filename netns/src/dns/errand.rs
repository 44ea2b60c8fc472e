//! One question on its way to the host's servers and back. The monitor, from the host's namespace; never waits.
//!
//! Every question has a socket of its own, so its port is as hard to guess as its id, and only the server it went to can
//! answer. A question that came over TCP goes on over TCP: it comes because the answer was too long for a datagram.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

use super::stream::Stream;
use super::wire::{self, Code, Query, Response};

/// Time a server has to answer before the next is asked. Resolvers give up on us after 5 s (resolv.conf(5), `timeout`).
const PATIENCE: Duration = Duration::from_millis(1500);
/// Least number of attempts: a datagram may get lost.
const LEAST_ATTEMPTS: usize = 2;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Who sent a datagram from here.
    Datagram(SocketAddr),
    /// The client with this number.
    Client(u64),
}

/// The way to the server that is being asked.
#[derive(Debug)]
enum Channel {
    Datagram(UdpSocket),
    Stream(Stream),
}

impl Channel {
    fn open(asker: Asker, server: SocketAddr, message: &[u8]) -> io::Result<Channel> {
        match asker {
            Asker::Datagram(_) => {
                let any: SocketAddr = match server {
                    SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind(any)?;
                socket.set_nonblocking(true)?;
                socket.connect(server)?;
                socket.send(message)?;
                Ok(Channel::Datagram(socket))
            }
            Asker::Client(_) => {
                let mut stream = Stream::connect(server)?;
                stream.queue(message);
                Ok(Channel::Stream(stream))
            }
        }
    }

    /// Returns a message if one is there; an error says that the server will not answer this way.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Vec<u8>>> {
        match self {
            Channel::Datagram(socket) => match socket.recv(buffer) {
                Ok(length) => Ok(Some(buffer[..length].to_vec())),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
                Err(error) => Err(error),
            },
            Channel::Stream(stream) => {
                stream.flush()?;
                if stream.is_writing() { Ok(None) } else { stream.receive() }
            }
        }
    }
}

/// One question on its way.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) asker: Asker,
    query: Query,
    /// The question with an id of ours.
    message: Vec<u8>,
    id: u16,
    /// Servers to be asked yet, in order.
    servers: VecDeque<SocketAddr>,
    server: SocketAddr,
    channel: Channel,
    pub(super) deadline: Instant,
    /// The best answer so far: a server's refusal or failure.
    fallback: Option<Vec<u8>>,
}

impl Errand {
    /// Asks the first of `servers` that can be asked; `None` if none can.
    pub(super) fn begin(asker: Asker, query: &Query, message: &[u8], servers: &[SocketAddr]) -> Option<Errand> {
        let mut message = message.to_vec();
        let id = random_id();
        wire::set_id(&mut message, id);
        let attempts = servers.len().max(if servers.is_empty() { 0 } else { LEAST_ATTEMPTS });
        let mut servers: VecDeque<_> = servers.iter().copied().cycle().take(attempts).collect();
        let (server, channel) = next(asker, &message, &mut servers)?;
        let (query, deadline) = (query.clone(), Instant::now() + PATIENCE);
        Some(Errand { asker, query, message, id, servers, server, channel, deadline, fallback: None })
    }

    /// Returns what poll(2) shall wait for.
    pub(super) fn interest(&self) -> PollFlags {
        match &self.channel {
            Channel::Datagram(_) => PollFlags::POLLIN,
            Channel::Stream(stream) => stream.interest(),
        }
    }

    /// Goes on as far as it can now; returns the message for the asker when the errand is done.
    pub(super) fn proceed(&mut self, buffer: &mut [u8]) -> Option<Vec<u8>> {
        loop {
            match self.channel.receive(buffer) {
                Ok(None) => return None,
                // Anybody who guesses the port can send here; only the answer to our question counts.
                Ok(Some(message)) if !wire::answers(&message, self.id, &self.query.question) => {}
                Ok(Some(message)) if is_failure(&message) => {
                    self.fallback = Some(self.addressed(message));
                    let failed = self.server;
                    self.servers.retain(|server| *server != failed);
                    return self.ask_next();
                }
                Ok(Some(message)) => return Some(self.addressed(message)),
                Err(_) => return self.ask_next(),
            }
        }
    }

    /// Turns to the next server; with none left, returns the message for the asker.
    pub(super) fn ask_next(&mut self) -> Option<Vec<u8>> {
        match next(self.asker, &self.message, &mut self.servers) {
            Some((server, channel)) => {
                (self.server, self.channel, self.deadline) = (server, channel, Instant::now() + PATIENCE);
                None
            }
            None => Some(self.fallback.take().unwrap_or_else(|| failure(&self.query))),
        }
    }

    /// Gives an answer the id the asker knows.
    fn addressed(&self, mut message: Vec<u8>) -> Vec<u8> {
        wire::set_id(&mut message, self.query.id);
        message
    }
}

impl AsFd for Errand {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.channel {
            Channel::Datagram(socket) => socket.as_fd(),
            Channel::Stream(stream) => stream.as_fd(),
        }
    }
}

fn next(asker: Asker, message: &[u8], servers: &mut VecDeque<SocketAddr>) -> Option<(SocketAddr, Channel)> {
    while let Some(server) = servers.pop_front() {
        if let Ok(channel) = Channel::open(asker, server, message) {
            return Some((server, channel));
        }
    }
    None
}

/// Returns the answer to a question that no server answered.
pub(super) fn failure(query: &Query) -> Vec<u8> {
    Response::new(query, Code::ServerFailure).encode(usize::from(query.limit))
}

/// Returns whether a server answered only that it would not.
fn is_failure(message: &[u8]) -> bool {
    [Code::ServerFailure, Code::NotImplemented, Code::Refused]
        .iter()
        .any(|code| wire::code(message) == Some(*code as u8))
}

fn random_id() -> u16 {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).expect("getrandom(2) waits for entropy and then cannot fail");
    u16::from_ne_bytes(bytes)
}
