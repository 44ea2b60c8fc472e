//! Who may use the registry: everybody, or those of an htpasswd file.
//!
//! Runs in the shell command's process. Only bcrypt is taken, as by Docker's registry: the older forms of that file are broken in
//! an afternoon. A check costs what the file's author chose, some 50 ms, so checks stand in line, and a success is remembered.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::body::blocking;
use super::reply::{Refusal, code};

/// What is checked for a user that does not exist, so that this takes as long; no password has it.
const NOBODY: &str = "$2b$10$C6UzMDM.H6dfI/f/IKcEeO7ZcRi9ZP0J6OQ6EPoYAX1Yv7eIk1kZK";

/// Most successes remembered.
const MOST_KNOWN: usize = 1024;

/// Largest htpasswd file in bytes.
const LARGEST: u64 = 1 << 20;

/// Why an htpasswd file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HtpasswdError {
    /// It cannot be read.
    #[error("read the htpasswd file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line is not `USER:HASH` with a hash of bcrypt.
    #[error("htpasswd file `{}`, line {line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
}

/// The users.
pub(super) struct Users {
    path: PathBuf,
    known: Mutex<Known>,
    /// One check at a time: they are meant to be expensive.
    turn: Semaphore,
}

#[derive(Default)]
struct Known {
    /// Inode and change time of the file that was read.
    stamp: Option<(u64, i64, i64)>,
    hashes: HashMap<String, String>,
    /// Headers that were right, by their digest.
    right: HashMap<[u8; 32], String>,
}

impl Users {
    /// Reads the file.
    pub(super) fn load(path: &Path) -> Result<Users, HtpasswdError> {
        let known = Known::read(path)?;
        Ok(Users { path: path.to_owned(), known: Mutex::new(known), turn: Semaphore::new(1) })
    }

    /// Returns whose credentials an `Authorization` header has.
    pub(super) async fn user(self: Arc<Users>, header: Option<&HeaderValue>) -> Result<String, Refusal> {
        let header = header.ok_or_else(|| refused("credentials are needed"))?.clone();
        let digest: [u8; 32] = Sha256::digest(header.as_bytes()).into();
        if let Some(user) = self.current()?.right.get(&digest) {
            return Ok(user.clone());
        }
        let (user, password) = credentials(&header).ok_or_else(|| refused("the credentials are not of HTTP Basic"))?;
        let Ok(_turn) = self.turn.acquire().await else { return Err(refused("the registry is ending")) };
        let hash = self.current()?.hashes.get(&user).cloned();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        if !blocking(move || bcrypt::verify(password, &hash).unwrap_or(false)).await {
            return Err(refused("user or password is wrong"));
        }
        self.current()?.remember(digest, &user);
        Ok(user)
    }

    /// Returns what is known, from the file as it is now.
    fn current(&self) -> Result<std::sync::MutexGuard<'_, Known>, Refusal> {
        // It is replaced whole, so what a panic left is as good as any.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if stamp(&self.path) != known.stamp {
            let unreadable = |_| {
                let message = "the registry's htpasswd file cannot be read";
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code::UNKNOWN, message)
            };
            *known = Known::read(&self.path).map_err(unreadable)?;
        }
        Ok(known)
    }
}

impl Known {
    fn read(path: &Path) -> Result<Known, HtpasswdError> {
        let failed = |source| HtpasswdError::Read { path: path.to_owned(), source };
        let stamp = stamp(path);
        let size = fs::metadata(path).map_err(failed)?.len();
        if size > LARGEST {
            return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let hashes = parse(&text).map_err(|(line, why)| HtpasswdError::Line { path: path.to_owned(), line, why })?;
        Ok(Known { stamp, hashes, right: HashMap::new() })
    }

    fn remember(&mut self, digest: [u8; 32], user: &str) {
        if self.right.len() >= MOST_KNOWN {
            self.right.clear();
        }
        self.right.insert(digest, user.to_owned());
    }
}

fn stamp(path: &Path) -> Option<(u64, i64, i64)> {
    let status = fs::metadata(path).ok()?;
    Some((status.ino(), status.ctime(), status.ctime_nsec()))
}

/// Reads `USER:HASH` lines; empty ones and those that begin with `#` do not count.
fn parse(text: &str) -> Result<HashMap<String, String>, (usize, &'static str)> {
    let mut hashes = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (user, hash) = line.split_once(':').ok_or((number + 1, "it is not `USER:HASH`"))?;
        if !["$2a$", "$2b$", "$2y$"].iter().any(|form| hash.starts_with(form)) {
            return Err((number + 1, "its hash is not of bcrypt, as `htpasswd -B` makes it"));
        }
        hashes.insert(user.to_owned(), hash.to_owned());
    }
    Ok(hashes)
}

/// Reads `Basic BASE64(USER:PASSWORD)`, RFC 7617.
fn credentials(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok()).flatten()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

fn refused(message: &str) -> Refusal {
    let realm = HeaderValue::from_static("Basic realm=\"lighter\", charset=\"UTF-8\"");
    Refusal::new(StatusCode::UNAUTHORIZED, code::UNAUTHORIZED, message).with(WWW_AUTHENTICATE, realm)
}

/// Reads any text both as a file and as a header.
#[cfg(fuzzing)]
pub(crate) fn fuzz_credentials(text: &str) {
    let _ = parse(text);
    if let Ok(header) = HeaderValue::from_str(text) {
        let _ = credentials(&header);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_bcrypt_is_taken_and_other_forms_are_refused_by_their_line() {
        let hash = "$2y$05$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu";
        let users = parse(&format!("# team\n\nann:{hash}\nbob:{hash}\n")).unwrap();
        assert_eq!((users.len(), users["ann"].as_str()), (2, hash));
        for line in ["ann:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=", "ann:$apr1$x$y", "ann:secret", "ann"] {
            assert_eq!(parse(&format!("a:{hash}\n{line}")).unwrap_err().0, 2, "{line}");
        }
    }

    #[test]
    fn a_user_that_does_not_exist_costs_a_check_all_the_same() {
        assert!(matches!(bcrypt::verify("secret", NOBODY), Ok(false)));
        assert_eq!(
            bcrypt::verify("secret", "$2b$04$waXouc6jt8I.d5lpLt1H6e7r.xL7TJsgcwM3NCbJ3AEXO6Z0suzFS").ok(),
            Some(true)
        );
    }

    #[test]
    fn basic_credentials_are_read_and_nothing_else() {
        let header = |text: &str| HeaderValue::from_str(text).unwrap();
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        // "ann:a:b" and "ann:"
        assert_eq!(credentials(&header("Basic YW5uOmE6Yg==")), pair("ann", "a:b"));
        assert_eq!(credentials(&header("basic YW5uOg==")), pair("ann", ""));
        for text in ["Bearer YW5uOmE6Yg==", "Basic", "Basic ???", "Basic YW5u"] {
            assert_eq!(credentials(&header(text)), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_file_is_refused_or_read(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }
    }
}
