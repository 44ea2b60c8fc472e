//! A connection to systemd: calls of its manager, and the ends of its jobs.
//!
//! Runs in the monitor and in commands. systemd listens for root on a socket of its own, which needs no bus
//! daemon; where that is missing, the system bus. One call at a time, each with a deadline.

mod message;
mod value;

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use message::{FIXED, Method, Received};
pub(super) use value::Value;

/// Sockets to try, and whether a bus daemon is behind them.
const SOCKETS: [(&str, bool); 2] = [("/run/systemd/private", false), ("/run/dbus/system_bus_socket", true)];

/// How long a call or a job may take: what runc waits.
const PATIENCE: Duration = Duration::from_secs(30);

const SYSTEMD: &str = "org.freedesktop.systemd1";
const SYSTEMD_PATH: &str = "/org/freedesktop/systemd1";
const BUS: &str = "org.freedesktop.DBus";

/// Why systemd did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// No socket could be used.
    #[error("connect to `{socket}`")]
    Connect {
        /// The last socket that was tried.
        socket: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The connection broke or timed out.
    #[error("talk to systemd")]
    Broken(#[source] io::Error),
    /// What came is no D-Bus message.
    #[error("systemd sent a malformed message")]
    Malformed,
    /// We were not let in.
    #[error("systemd does not let us in: `{0}`")]
    NotAuthenticated(String),
    /// A call was refused.
    #[error("{text} ({name})")]
    Refused {
        /// The name of the D-Bus error.
        name: String,
        /// What systemd says.
        text: String,
    },
    /// A job did not end well.
    #[error("the job ended as `{0}`")]
    Job(String),
}

impl BusError {
    /// Tells whether systemd knows no such unit, or has it already.
    pub(super) fn is(&self, error: &str) -> bool {
        matches!(self, Self::Refused { name, .. } if name.strip_prefix(SYSTEMD) == Some(error))
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    serial: u32,
    /// Jobs that ended while an answer was waited for.
    ended: Vec<(String, String)>,
}

impl Connection {
    /// Connects, and makes sure to hear of the ends of jobs.
    pub(super) fn open() -> Result<Self, BusError> {
        let mut result = Err(BusError::Malformed);
        for (socket, has_daemon) in SOCKETS {
            let connected = UnixStream::connect(socket).map_err(|source| BusError::Connect { socket, source });
            result = connected.and_then(|stream| Self::introduce(stream, has_daemon));
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn introduce(stream: UnixStream, has_daemon: bool) -> Result<Self, BusError> {
        let mut connection = Self { stream, serial: 0, ended: Vec::new() };
        connection.authenticate()?;
        if has_daemon {
            connection.call(bus("Hello"), &[])?;
            let rule = format!("type='signal',sender='{SYSTEMD}',member='JobRemoved'");
            connection.call(bus("AddMatch"), &[Value::Str(rule)])?;
            // On its own socket systemd tells everybody.
            connection.call(manager("Subscribe"), &[])?;
        }
        Ok(connection)
    }

    /// Says who we are: the kernel vouches for it (D-Bus Specification, "EXTERNAL").
    ///
    /// `BEGIN` goes with it, unasked: systemd 252 does not look at a call that arrives together with `BEGIN`
    /// until more arrives.
    fn authenticate(&mut self) -> Result<(), BusError> {
        let uid = nix::unistd::geteuid().to_string();
        let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.send(format!("\0AUTH EXTERNAL {hex}\r\nBEGIN\r\n").as_bytes())?;
        let deadline = Instant::now() + PATIENCE;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") && line.len() < 512 {
            // One by one: what follows the line belongs to a message.
            let mut byte = [0];
            self.receive(&mut byte, deadline)?;
            line.extend(byte);
        }
        if !line.starts_with(b"OK ") {
            return Err(BusError::NotAuthenticated(String::from_utf8_lossy(&line).trim().escape_default().to_string()));
        }
        Ok(())
    }

    /// Calls a method of systemd's manager; returns its first value, if that is text.
    pub(super) fn manager(&mut self, member: &'static str, arguments: &[Value]) -> Result<Option<String>, BusError> {
        self.call(manager(member), arguments)
    }

    /// Calls a method that queues a job, and waits until the job is done.
    pub(super) fn job(&mut self, member: &'static str, arguments: &[Value]) -> Result<(), BusError> {
        let job = self.manager(member, arguments)?.ok_or(BusError::Malformed)?;
        let deadline = Instant::now() + PATIENCE;
        let result = loop {
            if let Some((_, result)) = self.ended.iter().find(|(ended, _)| *ended == job) {
                break result.clone();
            }
            if let Received::JobRemoved { job, result } = self.next(deadline)? {
                self.ended.push((job, result));
            }
        };
        if result == "done" { Ok(()) } else { Err(BusError::Job(result)) }
    }

    /// Returns the version of systemd, 0 when it does not tell: `252` of `252.22-1~deb12u1`.
    pub(super) fn version(&mut self) -> Result<u32, BusError> {
        let method = Method { interface: "org.freedesktop.DBus.Properties", ..manager("Get") };
        let arguments = [Value::str("org.freedesktop.systemd1.Manager"), Value::str("Version")];
        Ok(version(&self.call(method, &arguments)?.unwrap_or_default()))
    }

    fn call(&mut self, method: Method, arguments: &[Value]) -> Result<Option<String>, BusError> {
        self.serial += 1;
        let ours = self.serial;
        self.send(&message::call(ours, method, arguments))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.next(deadline)? {
                Received::Return { serial, text } if serial == ours => return Ok(text),
                Received::Refused { serial, name, text } if serial == ours => {
                    return Err(BusError::Refused { name, text });
                }
                Received::JobRemoved { job, result } => self.ended.push((job, result)),
                Received::Return { .. } | Received::Refused { .. } | Received::Other => {}
            }
        }
    }

    fn next(&mut self, deadline: Instant) -> Result<Received, BusError> {
        let mut fixed = [0; FIXED];
        self.receive(&mut fixed, deadline)?;
        let mut whole = fixed.to_vec();
        whole.resize(FIXED + message::rest_length(&fixed)?, 0);
        self.receive(&mut whole[FIXED..], deadline)?;
        message::read(&whole)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), BusError> {
        self.stream.set_write_timeout(Some(PATIENCE)).map_err(BusError::Broken)?;
        self.stream.write_all(bytes).map_err(BusError::Broken)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<(), BusError> {
        let left = deadline.saturating_duration_since(Instant::now());
        // A timeout of 0 would be none.
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).map_err(BusError::Broken)?;
        self.stream.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => BusError::Broken(io::ErrorKind::TimedOut.into()),
            _ => BusError::Broken(error),
        })
    }
}

fn manager(member: &'static str) -> Method {
    Method { destination: SYSTEMD, path: SYSTEMD_PATH, interface: "org.freedesktop.systemd1.Manager", member }
}

fn bus(member: &'static str) -> Method {
    Method { destination: BUS, path: "/org/freedesktop/DBus", interface: BUS, member }
}

fn version(text: &str) -> u32 {
    let digits = text.trim_start_matches('v').split(|character: char| !character.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
