//! TCP connections to one published port. The monitor; never waits.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::PollFlags;

use super::{readable, ready, unkeyed};
use crate::connect;

/// Bytes that are read at once, and kept at most for a side that does not take them.
const PIECE: usize = 64 << 10;
/// Most pieces a connection is read before the monitor's other work has its turn.
const PIECES_PER_TURN: usize = 8;

/// What becomes ready.
#[derive(Clone, Copy, Debug)]
enum Source {
    Listener,
    Connection(u64),
}

/// A listening socket and the connections that were made to it.
#[derive(Debug)]
pub(super) struct Streams {
    listener: TcpListener,
    connections: BTreeMap<u64, Connection>,
    /// Number of the next connection.
    number: u64,
}

impl Streams {
    pub(super) fn new(listener: TcpListener) -> Streams {
        // One that waited all the same would only do so for a client that has just given up.
        let _ = listener.set_nonblocking(true);
        Streams { listener, connections: BTreeMap::new(), number: 0 }
    }

    /// Returns how many connections there are.
    pub(super) fn count(&self) -> usize {
        self.connections.len()
    }

    fn watched(&self, has_room: bool) -> Vec<(Source, BorrowedFd<'_>, PollFlags)> {
        let mut watched = Vec::new();
        if has_room {
            watched.push(readable(Source::Listener, &self.listener));
        }
        for (number, connection) in &self.connections {
            watched.extend(connection.interests().map(|(fd, interest)| (Source::Connection(*number), fd, interest)));
        }
        watched
    }

    /// Returns what to poll; without room, nobody new is let in.
    pub(super) fn fds(&self, has_room: bool) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        unkeyed(self.watched(has_room))
    }

    pub(super) fn handle(&mut self, target: SocketAddr, has_room: bool) {
        for source in ready(&self.watched(has_room)) {
            match source {
                Source::Listener => self.accept(target),
                Source::Connection(number) => self.proceed(number),
            }
        }
    }

    fn accept(&mut self, target: SocketAddr) {
        let Ok((client, _)) = self.listener.accept() else { return };
        // A container that cannot be reached ends the connection, as it would end its own.
        if let Ok(connection) = Connection::open(client, target) {
            self.number += 1;
            self.connections.insert(self.number, connection);
        }
    }

    fn proceed(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if connection.proceed().is_err() || connection.is_over() {
            self.connections.remove(&number);
        }
    }
}

/// A client, the container, and what is on its way between them.
#[derive(Debug)]
struct Connection {
    client: TcpStream,
    container: TcpStream,
    /// From the client to the container.
    there: Way,
    /// And back.
    back: Way,
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// Read and not yet written.
    pending: Vec<u8>,
    /// The reading side has no more to say.
    has_ended: bool,
    /// The writing side has been told so.
    is_shut: bool,
}

impl Connection {
    fn open(client: TcpStream, target: SocketAddr) -> io::Result<Connection> {
        client.set_nonblocking(true)?;
        let container = connect::begin(target)?;
        for side in [&client, &container] {
            side.set_nodelay(true)?;
        }
        Ok(Connection { client, container, there: Way::default(), back: Way::default() })
    }

    /// Returns what to wait for; a side from which nothing is awaited is left out, as poll(2) reports its end for ever.
    fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let client = (self.client.as_fd(), interest(&self.there, &self.back));
        let container = (self.container.as_fd(), interest(&self.back, &self.there));
        [client, container].into_iter().filter(|(_, interest)| !interest.is_empty())
    }

    fn proceed(&mut self) -> io::Result<()> {
        self.there.pump(&mut self.client, &mut self.container)?;
        self.back.pump(&mut self.container, &mut self.client)
    }

    fn is_over(&self) -> bool {
        self.there.is_shut && self.back.is_shut
    }
}

/// Returns what a side is watched for that is read into `from` and written from `to`.
fn interest(from: &Way, to: &Way) -> PollFlags {
    let mut interest = PollFlags::empty();
    interest.set(PollFlags::POLLIN, !from.has_ended && from.pending.is_empty());
    interest.set(PollFlags::POLLOUT, !to.pending.is_empty());
    interest
}

impl Way {
    /// Moves what can be moved now; an error ends the connection.
    fn pump(&mut self, from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
        let mut piece = [0; PIECE];
        for _ in 0..PIECES_PER_TURN {
            self.write(to)?;
            if !self.pending.is_empty() || self.has_ended {
                break;
            }
            match from.read(&mut piece) {
                Ok(0) => self.has_ended = true,
                Ok(length) => self.pending.extend_from_slice(&piece[..length]),
                Err(error) if is_later(&error) => break,
                Err(error) => return Err(error),
            }
        }
        self.write(to)?;
        if self.has_ended && self.pending.is_empty() && !self.is_shut {
            self.is_shut = true;
            to.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    fn write(&mut self, to: &mut TcpStream) -> io::Result<()> {
        while !self.pending.is_empty() {
            match to.write(&self.pending) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => drop(self.pending.drain(..length)),
                Err(error) if is_later(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Not connected yet counts as "later": a container that refuses says so when it is read.
fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected)
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use nix::poll::{PollFd, PollTimeout, poll};

    use super::*;

    /// Serves one listener until `done` says so.
    fn serve(streams: &mut Streams, target: SocketAddr, mut done: impl FnMut() -> bool) {
        while !done() {
            {
                let fds = streams.fds(true);
                let mut fds: Vec<_> = fds.iter().map(|(fd, flags)| PollFd::new(*fd, *flags)).collect();
                poll(&mut fds, PollTimeout::from(20u8)).unwrap();
            }
            streams.handle(target, true);
        }
    }

    fn relay() -> (Streams, SocketAddr) {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let address = listener.local_addr().unwrap();
        (Streams::new(listener), address)
    }

    #[test]
    fn both_directions_arrive_whole_and_end_one_after_the_other() {
        let (mut streams, address) = relay();
        let container = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = container.local_addr().unwrap();
        let question: Vec<u8> = (0..3 << 20).map(|at| at as u8).collect();
        let sent = question.clone();
        // Answers only after the end of the question: half a connection has to go on living.
        let server = thread::spawn(move || {
            let mut stream = container.accept().unwrap().0;
            let mut read = Vec::new();
            stream.read_to_end(&mut read).unwrap();
            stream.write_all(&read).unwrap();
        });
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            stream.write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            answer
        });
        serve(&mut streams, target, || client.is_finished() && server.is_finished());
        assert!(client.join().unwrap() == question, "what came back differs");
        server.join().unwrap();
        assert_eq!(streams.connections.len(), 0);
    }

    #[test]
    fn a_container_that_refuses_ends_the_connection() {
        let (mut streams, address) = relay();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            stream.read(&mut [0]).is_ok_and(|length| length > 0)
        });
        serve(&mut streams, nobody, || client.is_finished());
        assert!(!client.join().unwrap());
        assert_eq!(streams.connections.len(), 0);
    }
}
