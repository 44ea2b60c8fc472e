//! Docker's `config.json` and Podman's `auth.json`: the part about registries, the rest untouched.
//!
//! Runs in the shell command's process. Written whole, by temporary file, fsync and rename, mode 0600, under a lock on the
//! directory that two logins at once need. What other programs keep in the file stays as it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::fcntl::{Flock, FlockArg};
use serde_json::{Map, Value};

use super::key::Server;
use super::{Credential, CredentialError};

/// Largest file read, in bytes.
const LARGEST: u64 = 4 << 20;

/// Why a file with secrets cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FileError {
    /// It cannot be read or written.
    #[error("{act} `{}`: {cause}", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        cause: String,
    },
    /// It is not the JSON it should be.
    #[error("`{}` is not a JSON object of the form docker writes (line {line})", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line of the fault, from 1; 0 if the whole is at fault.
        line: usize,
    },
    /// The entry of a server cannot be decoded.
    #[error("`{}`: the login of `{server}` is not base64 of `user:password`", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The server.
        server: String,
    },
}

/// Who keeps a server's secret.
pub(super) enum Keeper {
    /// The file itself.
    File,
    /// The credential helper of this name.
    Helper(String),
}

/// A file, read.
pub(super) struct AuthFile {
    path: PathBuf,
    document: Map<String, Value>,
}

impl AuthFile {
    /// Reads the file; `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<AuthFile>, FileError> {
        let text = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| failed("read", path, &error))?,
        };
        let syntax = |line| FileError::Syntax { path: path.to_owned(), line };
        if text.len() as u64 > LARGEST {
            return Err(syntax(0));
        }
        // An empty file is what `touch` leaves.
        let document = match text.trim_ascii() {
            [] => Map::new(),
            text => serde_json::from_slice(text).map_err(|error| syntax(error.line()))?,
        };
        Ok(Some(AuthFile { path: path.to_owned(), document }))
    }

    /// Reads the file, has it changed, and writes it if `change` says so; nobody else does so meanwhile.
    pub(super) fn change(
        path: &Path,
        change: impl FnOnce(&mut AuthFile) -> Result<bool, CredentialError>,
    ) -> Result<(), CredentialError> {
        // A link to a file elsewhere stays a link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let directory = path.parent().unwrap_or(Path::new("/"));
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| failed("create", directory, &error))?;
        let opened = File::open(directory).map_err(|error| failed("open", directory, &error))?;
        let lock = Flock::lock(opened, FlockArg::LockExclusive);
        let lock = lock.map_err(|(_, errno)| failed("lock", directory, &errno.into()))?;
        let mut file = AuthFile::read(&path)?.unwrap_or(AuthFile { path: path.clone(), document: Map::new() });
        if change(&mut file)? {
            file.write(directory, &lock).map_err(|error| failed("write", &path, &error))?;
        }
        Ok(())
    }

    fn write(&self, directory: &Path, opened: &File) -> io::Result<()> {
        let temporary = directory.join(format!(".config.json.{:016x}", getrandom::u64().unwrap_or(0)));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            // Under sudo the file may be the user's, and has to stay so.
            if let Ok(before) = fs::metadata(&self.path) {
                fchown(&file, Some(before.uid()), Some(before.gid()))?;
            }
            file.write_all(&serde_json::to_vec_pretty(&self.document)?)?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)?;
            opened.sync_all()
        };
        write().inspect_err(|_| {
            // If it cannot even be removed, the first error still says more.
            let _ = fs::remove_file(&temporary);
        })
    }

    /// Says who keeps the secret of a server.
    pub(super) fn keeper(&self, server: &Server) -> Keeper {
        let helpers = self.document.get("credHelpers").and_then(Value::as_object);
        let own = helpers.and_then(|helpers| closest(helpers, server)).and_then(|(_, name)| name.as_str());
        let all = self.document.get("credsStore").and_then(Value::as_str);
        match own.or(all).filter(|name| !name.is_empty()) {
            Some(name) => Keeper::Helper(name.to_owned()),
            None => Keeper::File,
        }
    }

    /// Returns the secret that stands in the file.
    pub(super) fn credential(&self, server: &Server) -> Result<Option<Credential>, FileError> {
        let entries = self.document.get("auths").and_then(Value::as_object);
        let Some((key, entry)) = entries.and_then(|entries| closest(entries, server)) else { return Ok(None) };
        let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Credential::IdentityToken(token.to_owned())));
        }
        if let Some(token) = text("registrytoken") {
            return Ok(Some(Credential::RegistryToken(token.to_owned())));
        }
        if let Some(auth) = text("auth") {
            let refused = || FileError::Entry { path: self.path.clone(), server: key.to_owned() };
            return decode(auth).map(Some).ok_or_else(refused);
        }
        let pair = text("username").zip(text("password"));
        Ok(pair.map(|(user, password)| Credential::Password { user: user.to_owned(), password: password.to_owned() }))
    }

    /// Puts a secret into the file, in place of any other of the same server.
    pub(super) fn set(&mut self, server: &Server, credential: &Credential) {
        self.remove(server);
        let entry = match credential {
            Credential::Password { user, password } => ("auth", STANDARD.encode(format!("{user}:{password}"))),
            Credential::IdentityToken(token) => ("identitytoken", token.clone()),
            Credential::RegistryToken(token) => ("registrytoken", token.clone()),
        };
        let entry = Map::from_iter([(entry.0.to_owned(), Value::String(entry.1))]);
        self.put(server, entry);
    }

    /// Notes, as docker does, that a helper has a secret of the server.
    pub(super) fn set_empty(&mut self, server: &Server) {
        self.remove(server);
        self.put(server, Map::new());
    }

    fn put(&mut self, server: &Server, entry: Map<String, Value>) {
        let auths = self.document.entry("auths").or_insert_with(|| Value::Object(Map::new()));
        if !auths.is_object() {
            *auths = Value::Object(Map::new());
        }
        if let Some(auths) = auths.as_object_mut() {
            auths.insert(server.key().to_owned(), Value::Object(entry));
        }
    }

    /// Takes every entry of the server out; says whether there was one.
    pub(super) fn remove(&mut self, server: &Server) -> bool {
        let Some(auths) = self.document.get_mut("auths").and_then(Value::as_object_mut) else { return false };
        let before = auths.len();
        auths.retain(|key, _| server.fits(key) != Some(0));
        auths.len() < before
    }
}

/// Returns the entry whose key fits the server best.
fn closest<'a>(entries: &'a Map<String, Value>, server: &Server) -> Option<(&'a str, &'a Value)> {
    let fitting = entries.iter().filter_map(|(key, value)| Some((server.fits(key)?, key.as_str(), value)));
    // Of two that fit alike, the one that docker itself would have written.
    let best = fitting.max_by_key(|(fits, key, _)| (*fits, *key == server.key()));
    best.map(|(_, key, value)| (key, value))
}

/// Decodes `auth`: base64 of `user:password`, which old versions padded with NUL.
fn decode(auth: &str) -> Option<Credential> {
    let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    let password = password.trim_end_matches('\0').to_owned();
    (!user.is_empty()).then(|| Credential::Password { user: user.to_owned(), password })
}

fn failed(act: &'static str, path: &Path, error: &io::Error) -> FileError {
    FileError::Io { act, path: path.to_owned(), cause: error.to_string() }
}
