//! Stands between a client and a registry, and breaks what passes at chosen bytes.
//!
//! One thread a connection, one request a connection.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What happens to one exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The answer's body ends after so many bytes.
    CutAt(u64),
    /// The answer's body stops after so many bytes, until the client has gone.
    StallAt(u64),
    /// A bit of this byte of the answer's body is another.
    FlipAt(u64),
    /// The request's body is not taken any further after so many bytes.
    CutRequestAt(u64),
    /// The registry is not asked at all; this is the answer, with a line of headers.
    Status(u16, &'static str),
}

/// What passed under one path.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Passed {
    /// Requests.
    pub(crate) requests: u64,
    /// Bytes of the answers' bodies.
    pub(crate) bytes: u64,
    /// Bytes of the requests' bodies.
    pub(crate) sent: u64,
}

#[derive(Default)]
struct State {
    /// Parts of paths, with the faults that are to come, and those of every request.
    faults: Vec<(String, Vec<Fault>)>,
    passed: BTreeMap<String, Passed>,
}

/// The proxy; it serves until the test's process ends.
#[derive(Clone)]
pub(crate) struct FaultProxy {
    target: u16,
    state: Arc<Mutex<State>>,
}

impl FaultProxy {
    /// Passes on what comes to 127.0.0.1:`port` to 127.0.0.1:`target`.
    pub(crate) fn start(port: u16, target: u16) -> Self {
        let proxy = Self { target, state: Arc::default() };
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free in the scenario's namespace");
        let thread = proxy.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let thread = thread.clone();
                // A client that hangs up is nothing to fail for.
                thread::spawn(move || thread.pass(&stream));
            }
        });
        proxy
    }

    /// Has the next exchanges whose paths contain `part` fail, one fault each.
    pub(crate) fn fail(&self, part: &str, faults: &[Fault]) {
        self.lock().faults.push((part.to_owned(), faults.iter().rev().copied().collect()));
    }

    /// Sums up what passed under paths that contain `part`.
    pub(crate) fn passed(&self, part: &str) -> Passed {
        let state = self.lock();
        let all = state.passed.iter().filter(|(path, _)| path.contains(part));
        all.fold(Passed::default(), |sum, (_, one)| Passed {
            requests: sum.requests + one.requests,
            bytes: sum.bytes + one.bytes,
            sent: sum.sent + one.sent,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the proxy panics")
    }

    fn pass(&self, client: &TcpStream) -> io::Result<()> {
        let mut from_client = BufReader::new(client);
        let request = read_head(&mut from_client)?;
        let path = request.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
        self.lock().passed.entry(path.clone()).or_default().requests += 1;
        let fault = {
            let mut state = self.lock();
            state
                .faults
                .iter_mut()
                .find(|(part, list)| path.contains(part) && !list.is_empty())
                .and_then(|(_, list)| list.pop())
        };
        if let Some(Fault::Status(status, headers)) = fault {
            return write!(
                &*client,
                "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n\r\n"
            );
        }
        let server = TcpStream::connect(("127.0.0.1", self.target))?;
        write_head(&server, &request)?;
        let length = content_length(&request);
        let taken = if let Some(Fault::CutRequestAt(bytes)) = fault { length.min(bytes) } else { length };
        let sent = io::copy(&mut from_client.take(taken), &mut &server)?;
        self.lock().passed.entry(path.clone()).or_default().sent += sent;
        if taken < length {
            return server.shutdown(Shutdown::Both);
        }
        let mut from_server = BufReader::new(&server);
        write_head(client, &read_head(&mut from_server)?)?;
        self.answer(&mut from_server, client, &path, fault)
    }

    fn answer(&self, from: &mut impl Read, mut client: &TcpStream, path: &str, fault: Option<Fault>) -> io::Result<()> {
        let mut at = 0;
        let mut piece = [0; 4096];
        loop {
            let room = match fault {
                Some(Fault::CutAt(end) | Fault::StallAt(end)) => (end - at).min(piece.len() as u64),
                _ => piece.len() as u64,
            };
            let count = if room == 0 { 0 } else { from.read(&mut piece[..room as usize])? };
            if count == 0 {
                break;
            }
            if let Some(Fault::FlipAt(byte)) = fault
                && (at..at + count as u64).contains(&byte)
            {
                piece[(byte - at) as usize] ^= 1;
            }
            client.write_all(&piece[..count])?;
            at += count as u64;
            self.lock().passed.entry(path.to_owned()).or_default().bytes += count as u64;
        }
        match fault {
            Some(Fault::StallAt(_)) => client.read(&mut [0]).map(drop), // ends when the client has gone
            _ => client.shutdown(Shutdown::Both),
        }
    }
}

fn read_head(from: &mut impl BufRead) -> io::Result<Vec<String>> {
    from.lines().take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).collect()
}

/// Writes a head, with the connection to be closed after the exchange.
fn write_head(mut to: &TcpStream, lines: &[String]) -> io::Result<()> {
    let is_kept = |line: &&String| !line.to_ascii_lowercase().starts_with("connection:");
    let lines: Vec<&str> = lines.iter().filter(is_kept).map(String::as_str).collect();
    write!(to, "{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"))
}

fn content_length(lines: &[String]) -> u64 {
    let length =
        lines.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    length.unwrap_or(0)
}
