//! A registry of a few lines, which fails as it is told to.
//!
//! One thread a connection, one request a connection. What was asked is kept, so that tests can look at it.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use lighter_images::digest::Digest;

/// What to do with one request instead of answering it well.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Answer with this status and these header lines.
    Status(u16, String),
    /// Close the connection after so many bytes of the body: of the answer's, or of the request's if it has one.
    CutAt(usize),
    /// Send so many bytes of the body, and then nothing until the client has gone.
    StallAt(usize),
    /// Flip a bit in the middle of the body.
    Flip,
    /// Send a range from another place than asked.
    WrongRange,
    /// Answer a range with the whole.
    IgnoreRange,
    /// Send a body without an end, as far as the reader takes it.
    Endless,
    /// Forget the token that is in use, so that this request and all later ones need another.
    Expire,
    /// Answer well, with this header line too.
    Header(String),
    /// Begin an upload that goes on at this address.
    Elsewhere(String),
}

impl Fault {
    pub(crate) fn status(status: u16, headers: impl Into<String>) -> Fault {
        Fault::Status(status, headers.into())
    }
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Whom the registry answers.
#[derive(Debug, Clone)]
enum Door {
    /// Who has this Authorization header.
    Basic(String),
    /// Who has the newest token of the token server at this address.
    Token(String),
}

#[derive(Default)]
struct State {
    /// Path → media type and body.
    content: HashMap<String, (String, Vec<u8>)>,
    faults: HashMap<String, VecDeque<Fault>>,
    asked: Vec<Asked>,
    uploads: Vec<Vec<u8>>,
    door: Option<Door>,
    /// Longest body that is taken, in bytes.
    longest_body: Option<usize>,
    /// Tokens given out so far.
    tokens: usize,
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

    /// Returns what is served under a path.
    pub(crate) fn content(&self, path: &str) -> Option<Vec<u8>> {
        self.state().content.get(path).map(|(_, body)| body.clone())
    }

    /// Returns the digest of the configuration of the image with this manifest.
    pub(crate) fn configuration(&self, repository: &str, manifest: &Digest) -> Digest {
        let bytes = self.content(&format!("/v2/{repository}/manifests/{manifest}")).expect("it was published");
        let manifest: serde_json::Value = serde_json::from_slice(&bytes).expect("a manifest is JSON");
        manifest["config"]["digest"].as_str().and_then(|text| text.parse().ok()).expect("it has a configuration")
    }

    /// Has the next requests for paths that end so fail, one fault a request; `mount` means those that mount a blob.
    pub(crate) fn fail(&self, path_end: &str, faults: &[Fault]) {
        self.state().faults.insert(path_end.to_owned(), faults.iter().cloned().collect());
    }

    /// From here on answers only who has a token of the token server at `address`, which may be this registry's own.
    pub(crate) fn require_token(&self, address: &str) {
        self.state().door = Some(Door::Token(address.to_owned()));
    }

    /// From here on answers only who has this Authorization header.
    pub(crate) fn require_basic(&self, header: &str) {
        self.state().door = Some(Door::Basic(header.to_owned()));
    }

    /// From here on refuses requests with longer bodies, as proxies do.
    pub(crate) fn limit_bodies(&self, bytes: usize) {
        self.state().longest_body = Some(bytes);
    }

    /// Returns what was asked so far for paths that contain `part`.
    pub(crate) fn asked(&self, part: &str) -> Vec<Asked> {
        self.state().asked.iter().filter(|asked| asked.path.contains(part)).cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the registry panics")
    }

    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(&stream);
        let (mut asked, length) = read_head(&mut reader)?;
        let path = asked.path.split('?').next().unwrap_or_default().to_owned();
        let fault = {
            let mut state = self.state();
            let is_meant = |end: &str| path.ends_with(end) || (end == "mount" && asked.path.contains("?mount="));
            state.faults.iter_mut().find(|(end, _)| is_meant(end)).and_then(|(_, list)| list.pop_front())
        };
        // A request that breaks off has still been asked.
        let wanted = if let Some(Fault::CutAt(bytes)) = fault { length.min(bytes) } else { length };
        reader.take(wanted as u64).read_to_end(&mut asked.body)?;
        self.state().asked.push(asked.clone());
        if self.state().longest_body.is_some_and(|longest| asked.body.len() > longest) {
            return head(&stream, 413, "X: x", 0);
        }
        if path == "/token" && fault.is_none() {
            return self.give_token(&stream);
        }
        if let Some(Fault::Expire) = fault {
            self.state().tokens += 1;
        }
        if let Some(challenge) = self.refusal(&asked) {
            return head(&stream, 401, &challenge, 0);
        }
        match fault {
            Some(Fault::Status(status, headers)) => return head(&stream, status, &headers, 0),
            Some(Fault::Endless) => return endless(&stream),
            _ => {}
        }
        match asked.method.as_str() {
            "POST" => self.begin_upload(&stream, &asked, fault),
            "PUT" if path.contains("/manifests/") => self.put_manifest(&stream, &path, &asked),
            _ if path.starts_with("/upload/") => self.upload(&stream, &path, &asked, wanted < length),
            _ => match (path.as_str(), self.state().content.get(&path).cloned()) {
                (_, Some(content)) => serve(&stream, &asked, content, fault),
                ("/v2/", None) => head(&stream, 200, "Content-Type: application/json", 0),
                (_, None) => head(&stream, 404, "Content-Type: application/json", 0),
            },
        }
    }

    /// Returns the challenge for who may not come in.
    fn refusal(&self, asked: &Asked) -> Option<String> {
        let state = self.state();
        match state.door.as_ref()? {
            Door::Basic(header) => {
                (asked.authorization.as_ref() != Some(header)).then(|| "WWW-Authenticate: Basic realm=x".to_owned())
            }
            Door::Token(address) => {
                let is_newest = asked.authorization == Some(format!("Bearer sesame-{}", state.tokens));
                // Tokens of another server are not counted here.
                let is_foreign = *address != self.address && asked.authorization.is_some();
                let challenge = format!(r#"WWW-Authenticate: Bearer realm="http://{address}/token",service="mock""#);
                (!is_newest && !is_foreign).then_some(challenge)
            }
        }
    }

    fn give_token(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let number = {
            let mut state = self.state();
            state.tokens += 1;
            state.tokens
        };
        let body = format!(r#"{{"token": "sesame-{number}", "refresh_token": "open-{number}", "expires_in": 300}}"#);
        head(stream, 200, "Content-Type: application/json", body.len())?;
        stream.write_all(body.as_bytes())
    }

    fn begin_upload(&self, stream: &TcpStream, asked: &Asked, fault: Option<Fault>) -> std::io::Result<()> {
        let repository = asked.path.trim_start_matches("/v2/").split("/blobs/").next().unwrap_or_default();
        let query: HashMap<&str, &str> = asked.path.split(['?', '&']).filter_map(|pair| pair.split_once('=')).collect();
        if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from"))
            && let Some(body) = self.content(&format!("/v2/{from}/blobs/{digest}"))
        {
            self.blob(repository, &body);
            return head(stream, 201, "Location: /mounted", 0);
        }
        let number = {
            let mut state = self.state();
            state.uploads.push(Vec::new());
            state.uploads.len() - 1
        };
        let host =
            if let Some(Fault::Elsewhere(address)) = fault { format!("http://{address}") } else { String::new() };
        head(stream, 202, &format!("Location: {host}/upload/{number}?for={repository}\r\nRange: 0-0"), 0)
    }

    fn upload(&self, stream: &TcpStream, path: &str, asked: &Asked, is_cut: bool) -> std::io::Result<()> {
        let number: usize = path.trim_start_matches("/upload/").parse().unwrap_or(usize::MAX);
        let Some(mut bytes) = self.state().uploads.get(number).cloned() else { return head(stream, 404, "X: x", 0) };
        let start = asked.range.as_deref().and_then(|range| range.split('-').next()?.parse().ok());
        if start.is_some_and(|start: usize| start != bytes.len()) {
            return head(stream, 416, "X: x", 0);
        }
        bytes.extend_from_slice(&asked.body);
        self.state().uploads[number] = bytes.clone();
        if is_cut {
            return Ok(());
        }
        let (repository, digest) =
            asked.path.split_once("?for=").and_then(|(_, rest)| rest.split_once("&digest=")).unwrap_or_default();
        match asked.method.as_str() {
            "PUT" if Digest::of(&bytes).as_str() == digest.replace("%3A", ":") => {
                self.blob(repository, &bytes);
                head(stream, 201, "Location: /done", 0)
            }
            "PUT" => head(stream, 400, "X: x", 0),
            method => {
                let status = if method == "GET" { 204 } else { 202 };
                let last = bytes.len().saturating_sub(1);
                head(stream, status, &format!("Location: {}\r\nRange: 0-{last}", asked.path), 0)
            }
        }
    }

    fn put_manifest(&self, stream: &TcpStream, path: &str, asked: &Asked) -> std::io::Result<()> {
        let (repository, tag) = path.trim_start_matches("/v2/").split_once("/manifests/").unwrap_or_default();
        self.manifest(repository, tag, crate::image::MANIFEST, &asked.body);
        head(stream, 201, "Location: /done", 0)
    }
}

/// Reads up to the body, and returns how long that is.
fn read_head(reader: &mut impl BufRead) -> std::io::Result<(Asked, usize)> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut asked = Asked { method, path, range: None, authorization: None, body: Vec::new() };
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { return Ok((asked, length)) };
        match name.to_ascii_lowercase().as_str() {
            "range" | "content-range" => asked.range = Some(value.to_owned()),
            "authorization" => asked.authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
}

fn head(mut stream: &TcpStream, status: u16, headers: &str, length: usize) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n\r\n")
}

fn endless(mut stream: &TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 x\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n")?;
    loop {
        stream.write_all(&[b' '; 65536])?;
    }
}

fn serve(
    mut stream: &TcpStream,
    asked: &Asked,
    (media_type, mut body): (String, Vec<u8>),
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
    let more = if let Some(Fault::Header(line)) = &fault { format!("\r\n{line}") } else { String::new() };
    let headers = format!("Content-Type: {media_type}\r\nDocker-Content-Digest: {digest}{range}{more}");
    head(stream, status, &headers, total - start)?;
    if asked.method == "HEAD" {
        return Ok(());
    }
    match fault {
        Some(Fault::CutAt(bytes)) => stream.write_all(&body[start..(start + bytes).min(total)]),
        Some(Fault::StallAt(bytes)) => {
            stream.write_all(&body[start..(start + bytes).min(total)])?;
            // Ends when the client has gone.
            stream.read(&mut [0]).map(drop)
        }
        _ => stream.write_all(&body[start..]),
    }
}
