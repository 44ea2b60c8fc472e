//! A client that sends what it is told to: one request a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take; none takes a hundredth.
const LIMIT: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Returns a header's value, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// Returns the body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Response {
        assert_eq!(self.status, status, "{self:?} {}", String::from_utf8_lossy(&self.body));
        self
    }

    /// Asserts an error of the specification's form.
    #[track_caller]
    pub(crate) fn fails(self, status: u16, code: &str) -> Response {
        let response = self.is(status);
        assert_eq!(response.json()["errors"][0]["code"], code, "{response:?}");
        assert_eq!(response.header("content-type"), "application/json");
        response
    }
}

/// Sends a request with its body and returns the answer.
#[track_caller]
pub(crate) fn send(address: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let mut stream = connect(address);
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).expect("the server reads");
    // A server that has said no need not read on.
    let _ = stream.write_all(body);
    read(stream, method == "HEAD")
}

/// Opens a connection.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a time is valid");
    stream
}

/// Reads an answer.
#[track_caller]
pub(crate) fn read(stream: TcpStream, is_head: bool) -> Response {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut text = String::new();
        reader.read_line(&mut text).expect("the server answers in time");
        text.trim_end().to_owned()
    };
    let status = line();
    let status = status.split(' ').nth(1).and_then(|text| text.parse().ok());
    let mut headers = Vec::new();
    while let Some((name, value)) = line().split_once(": ") {
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut response = Response { status: status.expect("a status line"), headers, body: Vec::new() };
    if !is_head {
        match response.header("content-length").parse() {
            Ok(length) => {
                reader.take(length).read_to_end(&mut response.body).expect("the body comes in time");
                assert_eq!(response.body.len() as u64, length, "the body is as long as its head says");
            }
            Err(_) => _ = reader.read_to_end(&mut response.body).expect("the body comes in time"),
        }
    }
    response
}
