//! The name server of one container. The monitor: it polls [`Server::fds`] for at most [`Server::timeout`] together with
//! its own descriptors, and calls [`Server::handle`] when poll(2) returns.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::answer::{Answer, answer};
use super::errand::{Asker, Errand, failure};
use super::live::LiveZone;
use super::redirect;
use super::resolv_conf::Upstream;
use super::stream::Stream;
use super::wire::{Query, Unfit};
use crate::failure::from_host_errors;
use crate::{Host, HostError, NamespaceError, NetlinkError, Network, StateError, namespace};

/// Most questions under way to the host's servers at a time; more are answered "server failure".
const MOST_ERRANDS: usize = 128;
/// Most clients connected over TCP at a time; the one that has been silent longest makes room.
const MOST_CLIENTS: usize = 16;
/// Most datagrams read before the monitor's other work has its turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// Time a client may stay silent.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
/// Largest datagram we send in bytes, whatever the asker would take.
const LARGEST_DATAGRAM: usize = 4096;
/// Longest message in bytes.
const LONGEST_MESSAGE: usize = 65_535;

/// Why a name server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The container is said to be on a network that does not exist.
    #[error("start the name server of container `{container}`: there is no network `{network}`")]
    NoSuchNetwork {
        /// The container.
        container: String,
        /// Id of the network.
        network: String,
    },
    /// The sockets could not be made inside the container's namespace.
    #[error("start the name server of container `{container}`: bind `127.0.0.11`")]
    Bind {
        /// The container.
        container: String,
        /// The cause.
        source: io::Error,
    },
    /// The host refused.
    #[error(transparent)]
    Host(#[from] HostError),
}

from_host_errors!(DnsError: StateError, NamespaceError, NetlinkError);

/// What a container can ask for.
#[derive(Clone, Debug)]
pub struct Names {
    /// Ids of the networks whose names it knows.
    pub networks: Vec<String>,
    /// Further names for it alone: the name, and the one on its networks it stands for.
    pub links: Vec<(String, String)>,
    /// Where names that are nobody's here are asked for.
    pub upstream: Upstream,
}

/// A client connected over TCP.
#[derive(Debug)]
struct Client {
    stream: Stream,
    /// Whether its question is under way; the next is read only then.
    is_waiting: bool,
    deadline: Instant,
}

/// What became ready.
#[derive(Clone, Copy, Debug)]
enum Source {
    Datagrams,
    Connections,
    Client(u64),
    Errand(u64),
}

/// The name server of one container.
#[derive(Debug)]
pub struct Server {
    host: Host,
    container: String,
    zone: LiveZone,
    upstream: Upstream,
    datagrams: UdpSocket,
    connections: TcpListener,
    clients: BTreeMap<u64, Client>,
    errands: BTreeMap<u64, Errand>,
    /// Number of the next client or errand.
    number: u64,
    /// Number of questions so far, by which replicas take turns.
    turn: usize,
    buffer: Vec<u8>,
}

impl Server {
    /// Starts to serve the container whose namespace is mounted at `netns`.
    ///
    /// Names that are nobody's here are asked of `names.upstream` from the caller's namespace. Can be called again for the
    /// same container: the newest server gets the questions.
    pub fn start(host: &Host, container: &str, netns: &Path, names: Names) -> Result<Server, DnsError> {
        let records = records(host, container, &names.networks)?;
        let namespace = namespace::open(netns)?;
        let bound = namespace::inside(namespace.as_fd(), netns, bind)?;
        let (datagrams, connections, redirected) =
            bound.map_err(|source| DnsError::Bind { container: container.to_owned(), source })?;
        redirected?;
        Ok(Server {
            zone: LiveZone::new(host, records, names.links),
            upstream: names.upstream,
            host: host.clone(),
            container: container.to_owned(),
            datagrams,
            connections,
            clients: BTreeMap::new(),
            errands: BTreeMap::new(),
            number: 0,
            turn: 0,
            buffer: Vec::new(),
        })
    }

    /// Returns the further names that it serves, as in [`Names`].
    pub fn links(&self) -> &[(String, String)] {
        self.zone.links()
    }

    /// Serves the names of other networks from now on, the container is on these, and other further names.
    pub fn turn_to(&mut self, networks: &[String], links: Vec<(String, String)>) -> Result<(), DnsError> {
        self.zone = LiveZone::new(&self.host, records(&self.host, &self.container, networks)?, links);
        Ok(())
    }

    /// Returns the descriptors to poll and what to poll them for; both change with every [`Server::handle`].
    pub fn fds(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        self.watched().into_iter().map(|(_, descriptor, interest)| (descriptor, interest)).collect()
    }

    /// Returns for how long poll(2) may wait; `None` for ever.
    pub fn timeout(&self) -> Option<Duration> {
        let clients = self.clients.values().map(|client| client.deadline);
        let first = clients.chain(self.errands.values().map(|errand| errand.deadline)).min()?;
        Some(first.saturating_duration_since(Instant::now()))
    }

    /// Does what can be done without waiting.
    pub fn handle(&mut self) {
        let ready = self.ready();
        if !ready.is_empty() {
            self.buffer.resize(LONGEST_MESSAGE, 0); // most containers never ask
        }
        for source in ready {
            match source {
                Source::Datagrams => self.read_datagrams(),
                Source::Connections => self.accept(),
                Source::Client(number) => self.serve_client(number),
                Source::Errand(number) => self.proceed(number, Errand::proceed),
            }
        }
        self.expire(Instant::now());
    }

    fn watched(&self) -> Vec<(Source, BorrowedFd<'_>, PollFlags)> {
        let mut watched = vec![
            (Source::Datagrams, self.datagrams.as_fd(), PollFlags::POLLIN),
            (Source::Connections, self.connections.as_fd(), PollFlags::POLLIN),
        ];
        let idle = self.clients.iter().filter(|(_, client)| !client.is_waiting);
        watched.extend(
            idle.map(|(number, client)| (Source::Client(*number), client.stream.as_fd(), client.stream.interest())),
        );
        let errands = self.errands.iter();
        watched.extend(errands.map(|(number, errand)| (Source::Errand(*number), errand.as_fd(), errand.interest())));
        watched
    }

    fn ready(&self) -> Vec<Source> {
        let watched = self.watched();
        let mut polled: Vec<_> =
            watched.iter().map(|(_, descriptor, interest)| PollFd::new(*descriptor, *interest)).collect();
        if poll(&mut polled, PollTimeout::ZERO).is_err() {
            return Vec::new();
        }
        let is_ready = |polled: &PollFd<'_>| polled.any().unwrap_or(true);
        watched.iter().zip(&polled).filter(|(_, polled)| is_ready(polled)).map(|((source, ..), _)| *source).collect()
    }

    fn read_datagrams(&mut self) {
        for _ in 0..DATAGRAMS_PER_TURN {
            let Ok((length, from)) = self.datagrams.recv_from(&mut self.buffer) else { return };
            let message = self.buffer[..length].to_vec();
            self.take(Asker::Datagram(from), &message);
        }
    }

    fn accept(&mut self) {
        let Ok((stream, _)) = self.connections.accept() else { return };
        if self.clients.len() >= MOST_CLIENTS
            && let Some((&oldest, _)) = self.clients.iter().min_by_key(|(_, client)| client.deadline)
        {
            self.clients.remove(&oldest);
        }
        if let Ok(stream) = Stream::accepted(stream) {
            let client = Client { stream, is_waiting: false, deadline: Instant::now() + CLIENT_PATIENCE };
            self.number += 1;
            self.clients.insert(self.number, client);
        }
    }

    fn serve_client(&mut self, number: u64) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        if client.stream.flush().is_err() {
            self.clients.remove(&number);
            return;
        }
        if client.stream.is_writing() {
            return;
        }
        match client.stream.receive() {
            Ok(None) => {}
            Ok(Some(message)) => {
                client.is_waiting = true;
                client.deadline = Instant::now() + CLIENT_PATIENCE;
                self.take(Asker::Client(number), &message);
            }
            Err(_) => drop(self.clients.remove(&number)),
        }
    }

    /// Answers a message, or sends it on.
    fn take(&mut self, asker: Asker, message: &[u8]) {
        let query = match Query::read(message) {
            Ok(query) => query,
            Err(Unfit::Answer(response)) => return self.reply(asker, &response),
            // Over TCP there is somebody who waits: the connection ends.
            Err(Unfit::Ignore) => return self.hang_up(asker),
        };
        self.turn = self.turn.wrapping_add(1);
        let limit = match asker {
            Asker::Datagram(_) => usize::from(query.limit).min(LARGEST_DATAGRAM),
            Asker::Client(_) => LONGEST_MESSAGE,
        };
        match answer(&query, self.zone.current(), self.turn) {
            Answer::Own(response) => self.reply(asker, &response.encode(limit)),
            Answer::Ask => self.ask(asker, &query, message),
        }
    }

    fn ask(&mut self, asker: Asker, query: &Query, message: &[u8]) {
        let room = self.errands.len() < MOST_ERRANDS;
        let errand = room.then(|| Errand::begin(asker, query, message, &self.upstream.servers())).flatten();
        match errand {
            Some(errand) => {
                self.number += 1;
                self.errands.insert(self.number, errand);
            }
            None => self.reply(asker, &failure(query)),
        }
    }

    /// Lets an errand make a step, and ends it when the step has the message for the asker.
    fn proceed(&mut self, number: u64, step: impl FnOnce(&mut Errand, &mut [u8]) -> Option<Vec<u8>>) {
        let Some(errand) = self.errands.get_mut(&number) else { return };
        let asker = errand.asker;
        if let Some(message) = step(errand, &mut self.buffer) {
            self.errands.remove(&number);
            self.reply(asker, &message);
        }
    }

    fn reply(&mut self, asker: Asker, message: &[u8]) {
        match asker {
            // A datagram that cannot be sent is one that got lost: the asker asks again.
            Asker::Datagram(to) => drop(self.datagrams.send_to(message, to)),
            Asker::Client(number) => {
                let Some(client) = self.clients.get_mut(&number) else { return };
                client.stream.queue(message);
                client.is_waiting = false;
                if client.stream.flush().is_err() {
                    self.clients.remove(&number);
                }
            }
        }
    }

    fn hang_up(&mut self, asker: Asker) {
        if let Asker::Client(number) = asker {
            self.clients.remove(&number);
        }
    }

    fn expire(&mut self, now: Instant) {
        self.clients.retain(|_, client| client.deadline > now);
        let late = self.errands.iter().filter(|(_, errand)| errand.deadline <= now);
        for number in late.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.proceed(number, |errand, _| errand.ask_next());
        }
    }
}

fn records(host: &Host, container: &str, networks: &[String]) -> Result<Vec<Network>, DnsError> {
    let record = |network: &String| {
        let missing = || DnsError::NoSuchNetwork { container: container.to_owned(), network: network.clone() };
        host.read_network(network)?.ok_or_else(missing)
    };
    networks.iter().map(record).collect()
}

type Bound = (UdpSocket, TcpListener, Result<(), NetlinkError>);

/// Makes the sockets in the namespace this thread is in, and leads port 53 to them.
fn bind() -> io::Result<Bound> {
    let any_port = SocketAddr::from((redirect::ADDRESS, 0));
    let (datagrams, connections) = (UdpSocket::bind(any_port)?, TcpListener::bind(any_port)?);
    datagrams.set_nonblocking(true)?;
    connections.set_nonblocking(true)?;
    let redirected = redirect::load(datagrams.local_addr()?.port(), connections.local_addr()?.port());
    Ok((datagrams, connections, redirected))
}
