//! A registry of a few lines, which fails as it is told to.
//!
//! One thread a connection, one request a connection. What was asked is kept, so that tests can look at it.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use lighter_images::digest::Digest;

/// What to do with one request instead of answering it well.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Answer with this status and these header lines.
    Status(u16, &'static str),
    /// Close the connection after so many bytes of the body.
    CutAt(usize),
    /// Flip a bit in the middle of the body.
    Flip,
    /// Send a range from another place than asked.
    WrongRange,
    /// Answer a range with the whole.
    IgnoreRange,
    /// Send a body without an end, as far as the reader takes it.
    Endless,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
}

#[derive(Default)]
struct State {
    /// Path → media type and body.
    content: HashMap<String, (String, Vec<u8>)>,
    faults: HashMap<String, VecDeque<Fault>>,
    asked: Vec<Asked>,
    /// The token that every request but the token server's must carry.
    token: Option<String>,
}

/// The registry; it serves until the test's process ends.
#[derive(Clone)]
pub(crate) struct Registry {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

impl Registry {
    pub(crate) fn start() -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a port of loopback");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let registry = Registry { address, state: Arc::default() };
        let server = registry.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                // A client that hangs up is nothing to fail for.
                thread::spawn(move || server.answer(stream));
            }
        });
        registry
    }

    /// Serves a document under a tag and under its digest.
    pub(crate) fn manifest(&self, repository: &str, tag: &str, media_type: &str, body: &[u8]) -> Digest {
        let digest = Digest::of(body);
        for name in [tag, digest.as_str()] {
            self.serve(&format!("/v2/{repository}/manifests/{name}"), media_type, body);
        }
        digest
    }

    /// Serves a blob.
    pub(crate) fn blob(&self, repository: &str, body: &[u8]) -> Digest {
        let digest = Digest::of(body);
        self.serve(&format!("/v2/{repository}/blobs/{digest}"), "application/octet-stream", body);
        digest
    }

    pub(crate) fn serve(&self, path: &str, media_type: &str, body: &[u8]) {
        self.state().content.insert(path.to_owned(), (media_type.to_owned(), body.to_vec()));
    }

    /// Has the next requests for paths that end so fail, one fault a request.
    pub(crate) fn fail(&self, path_end: &str, faults: &[Fault]) {
        self.state().faults.insert(path_end.to_owned(), faults.iter().cloned().collect());
    }

    pub(crate) fn require_token(&self, token: &str) {
        self.serve("/token", "application/json", format!(r#"{{"token":"{token}"}}"#).as_bytes());
        self.state().token = Some(token.to_owned());
    }

    /// Returns what was asked so far for paths that contain `part`.
    pub(crate) fn asked(&self, part: &str) -> Vec<Asked> {
        self.state().asked.iter().filter(|asked| asked.path.contains(part)).cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the registry panics")
    }

    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let asked = read_request(&stream)?;
        let (content, fault, token) = {
            let mut state = self.state();
            state.asked.push(asked.clone());
            let path = asked.path.split('?').next().unwrap_or_default().to_owned();
            let fault =
                state.faults.iter_mut().find(|(end, _)| path.ends_with(*end)).and_then(|(_, list)| list.pop_front());
            (state.content.get(&path).cloned(), fault, state.token.clone())
        };
        let is_allowed = token.is_none_or(|token| asked.authorization == Some(format!("Bearer {token}")));
        if !is_allowed && !asked.path.starts_with("/token") {
            let realm = format!(r#"WWW-Authenticate: Bearer realm="http://{}/token",service="mock""#, self.address);
            return head(&stream, 401, &realm, 0);
        }
        match (content, fault) {
            (_, Some(Fault::Status(status, headers))) => head(&stream, status, headers, 0),
            (_, Some(Fault::Endless)) => endless(stream),
            (None, _) => head(&stream, 404, "Content-Type: application/json", 0),
            (Some((media_type, body)), fault) => serve(stream, &asked, &media_type, body, fault),
        }
    }
}

fn read_request(stream: &TcpStream) -> std::io::Result<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut asked = Asked { method, path, range: None, authorization: None };
    for line in lines {
        let line = line?;
        match line.split_once(": ") {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("range") => asked.range = Some(value.to_owned()),
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                asked.authorization = Some(value.to_owned());
            }
            Some(_) => {}
        }
    }
    Ok(asked)
}

fn head(mut stream: &TcpStream, status: u16, headers: &str, length: usize) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n\r\n")
}

fn endless(mut stream: TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 x\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n")?;
    loop {
        stream.write_all(&[b' '; 65536])?;
    }
}

fn serve(
    mut stream: TcpStream,
    asked: &Asked,
    media_type: &str,
    mut body: Vec<u8>,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    let total = body.len();
    let start = asked.range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let start: usize = if matches!(fault, Some(Fault::IgnoreRange)) { 0 } else { start.unwrap_or(0) };
    let digest = Digest::of(&body);
    if matches!(fault, Some(Fault::Flip)) {
        body[total / 2] ^= 1;
    }
    let said = if matches!(fault, Some(Fault::WrongRange)) { start + 1 } else { start };
    let (status, range) = if start > 0 {
        (206, format!("\r\nContent-Range: bytes {said}-{}/{total}", total - 1))
    } else {
        (200, String::new())
    };
    head(
        &stream,
        status,
        &format!("Content-Type: {media_type}\r\nDocker-Content-Digest: {digest}{range}"),
        total - start,
    )?;
    if asked.method == "HEAD" {
        return Ok(());
    }
    let end = if let Some(Fault::CutAt(bytes)) = fault { (start + bytes).min(total) } else { total };
    stream.write_all(&body[start..end])
}
