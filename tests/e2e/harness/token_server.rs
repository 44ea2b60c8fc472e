//! A token server as docker-registry wants one: JSON web tokens, signed by a certificate of the test's authority.
//!
//! Distribution project, "Token Authentication Specification" and "Token Authentication Implementation".

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Authority, run, tool};

const LIMIT: Duration = Duration::from_secs(30);

/// The server; it serves until the test's process ends.
#[derive(Clone)]
pub(crate) struct TokenServer {
    port: u16,
    directory: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    /// Authorization header of the one user, who may do everything; others may pull.
    user: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TokenServer {
    /// Starts the server on a port of loopback, for one user with a password.
    pub(crate) fn start(port: u16, directory: &std::path::Path, authority: &Authority, user: &str) -> Self {
        let (certificate, key) = authority.issue("token");
        let user = format!("Basic {}", STANDARD.encode(user));
        let server = Self { port, directory: directory.to_owned(), certificate, key, user, asked: Arc::default() };
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free in the scenario's namespace");
        let thread = server.clone();
        thread::spawn(move || listener.incoming().flatten().for_each(|stream| thread.answer(&stream)));
        server
    }

    /// Returns the lines of the registry's configuration that send clients here.
    pub(crate) fn settings(&self, authority: &Authority) -> String {
        format!(
            "auth: {{token: {{realm: \"http://127.0.0.1:{}/token\", service: test, issuer: test, rootcertbundle: \"{}\"}}}}\n",
            self.port,
            authority.certificate().display()
        )
    }

    /// Returns the paths that were asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the server does not panic").clone()
    }

    fn answer(&self, mut stream: &TcpStream) {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let path = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)).unwrap_or_default();
        let header = lines.find_map(|line| {
            Some(line.to_lowercase().strip_prefix("authorization: ")?.len())
                .map(|length| line[line.len() - length..].to_owned())
        });
        let is_known = header.as_ref() == Some(&self.user);
        self.asked.lock().expect("nobody panics with it").push(path.clone());
        let (status, body) = match header.is_none() || is_known {
            true => (200, json!({"token": self.token(&path, is_known), "expires_in": 300}).to_string()),
            false => (401, String::new()),
        };
        // A client that hangs up is nothing to fail for.
        let _ =
            write!(stream, "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    }

    fn token(&self, path: &str, is_known: bool) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        let der = fs::read_to_string(&self.certificate).expect("openssl made it");
        let der: String = der.lines().filter(|line| !line.starts_with("-----")).collect();
        let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [der]});
        let claims = json!({
            "iss": "test", "sub": "", "aud": "test", "jti": "1", "iat": now, "nbf": now - 60, "exp": now + 300,
            "access": access(path, is_known),
        });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(&header), encode(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(&text));
        format!("{text}.{signature}")
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let [plain, signed] = ["to-sign", "signature"].map(|name| self.directory.join(name));
        fs::write(&plain, text).expect("the directory is ours");
        let arguments: [&std::ffi::OsStr; 7] = [
            "dgst".as_ref(),
            "-sha256".as_ref(),
            "-sign".as_ref(),
            self.key.as_ref(),
            "-out".as_ref(),
            signed.as_ref(),
            plain.as_ref(),
        ];
        run(tool("openssl", arguments), LIMIT).ok();
        fs::read(signed).expect("openssl made it")
    }
}

/// Lists what the scopes ask for, as far as it is allowed.
fn access(path: &str, is_known: bool) -> Vec<Value> {
    let scopes = path.split(['?', '&']).filter_map(|pair| pair.strip_prefix("scope="));
    let decoded = scopes.map(|scope| scope.replace("%3A", ":").replace("%2F", "/").replace("%2C", ","));
    decoded
        .filter_map(|scope| {
            let mut parts = scope.split(':').map(str::to_owned);
            let (kind, name, actions) = (parts.next()?, parts.next()?, parts.next()?);
            let actions = actions.split(',').filter(|action| is_known || *action == "pull").collect::<Vec<_>>();
            Some(json!({"type": kind, "name": name, "actions": actions}))
        })
        .collect()
}
