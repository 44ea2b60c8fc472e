//! A way out of a scenario: an HTTP proxy whose connections are made where the test program was started.
//!
//! One thread waits in the host's network namespace since before the scenario began; two threads a connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// The way out; it serves until the test's process ends.
pub(crate) struct Uplink {
    clients: Sender<TcpStream>,
}

impl Uplink {
    /// Prepares the way; to be called before the scenario is made.
    pub(crate) fn new() -> Self {
        let (clients, waiting) = channel::<TcpStream>();
        thread::spawn(move || {
            for client in waiting {
                // A client or server that hangs up is nothing to fail for.
                thread::spawn(move || drop(serve(client)));
            }
        });
        Self { clients }
    }

    /// Takes requests on 127.0.0.1:`port` of the scenario.
    pub(crate) fn listen(self, port: u16) {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free in the scenario's namespace");
        thread::spawn(move || listener.incoming().flatten().try_for_each(|client| self.clients.send(client)));
    }
}

/// Serves one connection: `CONNECT HOST:PORT`, or requests in the form that every server takes, with the whole URL
/// (RFC 9112, "absolute-form").
fn serve(client: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let server = match target.strip_prefix("http://") {
        None => {
            let server = TcpStream::connect(&target)?;
            (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            server
        }
        Some(rest) => {
            let host = rest.split('/').next().unwrap_or_default();
            let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
            let mut server = TcpStream::connect(address)?;
            server.write_all(head.as_bytes())?;
            server
        }
    };
    let mut back = server.try_clone()?;
    let answers = client.try_clone()?;
    thread::spawn(move || drop(pass(&mut back, &answers)));
    pass(&mut reader, &server)
}

fn pass(from: &mut impl Read, mut to: &TcpStream) -> io::Result<()> {
    io::copy(from, &mut to)?;
    to.shutdown(Shutdown::Write)
}
