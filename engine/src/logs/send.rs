//! Handing lines to the journal or to a syslog server. Runs in the monitor.
//!
//! The file is the log; what these do not take is lost to them alone. A server that hangs holds the container up for at most
//! [`PATIENCE`] a line, and then for [`PAUSE`] not at all.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Stream;
use crate::spec::{ContainerSpec, LogDriver, SyslogAddress, SyslogFormat, SyslogOptions};

/// Where systemd-journald listens: systemd.io, "Native Journal Protocol".
const JOURNAL: &str = "/run/systemd/journal/socket";
/// How long one line may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a server that has failed is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// The way to whoever takes the lines beside the file.
pub(super) struct Sender {
    transport: Option<Transport>,
    form: Form,
    /// When a failed transport is tried again.
    retry_at: Instant,
}

enum Transport {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

enum Form {
    Journal { fields: Vec<u8> },
    Syslog { options: SyslogOptions, tag: String, host: String },
}

impl Sender {
    /// Connects; `None` for a driver that only writes the file.
    ///
    /// # Errors
    /// Nobody listens: whoever asked for the driver should know before the container runs.
    pub(super) fn open(id: &str, spec: &ContainerSpec) -> io::Result<Option<Self>> {
        let tag = spec.log.tag_of(id, &spec.name, &spec.image.reference);
        let form = match spec.log.driver {
            LogDriver::Journald => Form::Journal { fields: journal_fields(id, spec, &tag) },
            LogDriver::Syslog => {
                let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
                Form::Syslog { options: spec.log.syslog.clone(), tag, host }
            }
            LogDriver::JsonFile | LogDriver::Local | LogDriver::None => return Ok(None),
        };
        let mut sender = Self { transport: None, form, retry_at: Instant::now() };
        sender.transport = Some(sender.connect()?);
        Ok(Some(sender))
    }

    fn connect(&self) -> io::Result<Transport> {
        match &self.form {
            Form::Journal { .. } => unix(JOURNAL),
            Form::Syslog { options, .. } => match &options.address {
                SyslogAddress::Unix(path) => unix(path),
                SyslogAddress::Udp(address) => {
                    let socket = UdpSocket::bind("[::]:0").or_else(|_| UdpSocket::bind("0.0.0.0:0"))?;
                    socket.connect(address)?;
                    Ok(Transport::Udp(socket))
                }
                SyslogAddress::Tcp(address) => {
                    let address = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
                    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    Ok(Transport::Tcp(stream))
                }
            },
        }
    }

    /// Sends one line or a part of a long one.
    pub(super) fn send(&mut self, stream: Stream, time: Timestamp, line: &[u8]) {
        if self.transport.is_none() && Instant::now() >= self.retry_at {
            self.transport = self.connect().ok();
            self.retry_at = Instant::now() + PAUSE;
        }
        let Some(transport) = &mut self.transport else { return };
        if transport.write(&self.form.message(stream, time, line)).is_err() {
            self.transport = None;
            self.retry_at = Instant::now() + PAUSE;
        }
    }
}

fn unix(path: &str) -> io::Result<Transport> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path).map_err(|error| io::Error::new(error.kind(), format!("connect to `{path}`: {error}")))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(Transport::Unix(socket))
}

impl Transport {
    fn write(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.send(message).map(drop),
            Self::Udp(socket) => socket.send(message).map(drop),
            // a newline ends a message (RFC 6587, section 3.4.2)
            Self::Tcp(stream) => stream.write_all(&[message, b"\n"].concat()),
        }
    }
}

impl Form {
    fn message(&self, stream: Stream, time: Timestamp, line: &[u8]) -> Vec<u8> {
        let is_whole = line.ends_with(b"\n");
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        // severities of syslog(3): informational and error, as Docker has them
        let severity = if stream == Stream::Stdout { 6 } else { 3 };
        match self {
            Self::Journal { fields } => {
                let mut message = fields.clone();
                journal_field(&mut message, "PRIORITY", severity.to_string().as_bytes());
                if !is_whole {
                    journal_field(&mut message, "CONTAINER_PARTIAL_MESSAGE", b"true");
                }
                journal_field(&mut message, "MESSAGE", text);
                message
            }
            Self::Syslog { options, tag, host } => {
                let mut message = header(options, severity, time, (tag, host)).into_bytes();
                message.extend_from_slice(text);
                message
            }
        }
    }
}

fn header(options: &SyslogOptions, severity: u8, time: Timestamp, (tag, host): (&str, &str)) -> String {
    let priority = options.facility * 8 + severity;
    let pid = std::process::id();
    match options.format {
        SyslogFormat::Rfc3164 => {
            let local = time.to_zoned(TimeZone::system()).strftime("%b %e %H:%M:%S").to_string();
            format!("<{priority}>{local} {tag}[{pid}]: ")
        }
        SyslogFormat::Rfc5424 => format!("<{priority}>1 {time:.0} {host} {tag} {pid} {tag} - "),
        SyslogFormat::Rfc5424Micro => format!("<{priority}>1 {time:.6} {host} {tag} {pid} {tag} - "),
    }
}

/// Docker's names, so that `journalctl CONTAINER_NAME=web` finds them.
fn journal_fields(id: &str, spec: &ContainerSpec, tag: &str) -> Vec<u8> {
    let mut fields = Vec::new();
    let short = crate::id::short(id);
    for (name, value) in [
        ("CONTAINER_ID", short),
        ("CONTAINER_ID_FULL", id),
        ("CONTAINER_NAME", &spec.name),
        ("CONTAINER_TAG", tag),
        ("SYSLOG_IDENTIFIER", tag),
        ("IMAGE_NAME", &spec.image.reference),
    ] {
        journal_field(&mut fields, name, value.as_bytes());
    }
    fields
}

/// `NAME=value`, or with a newline inside: the name, a newline, the length as 64 bits little endian, the value.
fn journal_field(message: &mut Vec<u8>, name: &str, value: &[u8]) {
    message.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        message.push(b'\n');
        message.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        message.push(b'=');
    }
    message.extend_from_slice(value);
    message.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journal_fields_have_either_form() {
        let mut message = Vec::new();
        journal_field(&mut message, "A", b"b");
        journal_field(&mut message, "C", b"d\ne");
        assert_eq!(message, b"A=b\nC\n\x03\0\0\0\0\0\0\0d\ne\n");
    }

    #[test]
    fn syslog_headers_have_priority_time_and_tag() {
        let time: Timestamp = "2026-01-02T03:04:05.123456789Z".parse().unwrap();
        let mut options = SyslogOptions { format: SyslogFormat::Rfc5424Micro, ..SyslogOptions::default() };
        let pid = std::process::id();
        let text = header(&options, 3, time, ("web", "host"));
        assert_eq!(text, format!("<27>1 2026-01-02T03:04:05.123456Z host web {pid} web - "));
        options.format = SyslogFormat::Rfc3164;
        let text = header(&options, 6, time, ("web", "host"));
        assert!(text.starts_with("<30>Jan  2 ") && text.ends_with(&format!(" web[{pid}]: ")), "{text}");
    }

    #[test]
    fn a_server_that_is_not_there_is_an_error_that_names_it() {
        let error = unix("/nonexistent/log").err().unwrap().to_string();
        assert!(error.contains("/nonexistent/log"), "{error}");
    }
}
