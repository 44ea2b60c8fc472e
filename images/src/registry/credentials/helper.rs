//! Credential helpers: programs that keep secrets in the desktop's keyring, or make them for a cloud's registry.
//!
//! Runs in the shell command's process; one short-lived child a call. The protocol is that of docker-credential-helpers:
//! `docker-credential-NAME get|store|erase`, the server (for `store` a JSON object) on standard input, an object or an
//! error's text on standard output. Standard error is not repeated anywhere: it may hold secrets.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde::{Deserialize, Serialize};

use super::Credential;
use super::key::Server;
use crate::registry::failure::said;

/// What helpers answer for a server they know nothing of (docker-credential-helpers, `credentials/error.go`).
const NOT_FOUND: &str = "credentials not found in native keychain";

/// The user's name that says that the secret is an identity token (docker/cli, `cli/config/credentials`).
const TOKEN_USER: &str = "<token>";

/// Why a helper did not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelperError {
    /// The name could mean a file elsewhere.
    #[error("credential helper `{0}` has a name that is not of letters, digits, dots and dashes")]
    Name(String),
    /// It is not installed.
    #[error("credential helper `{0}` is not in PATH")]
    Missing(String),
    /// It cannot be run.
    #[error("run credential helper `{program}`: {cause}")]
    Run {
        /// The program.
        program: String,
        /// Why.
        cause: String,
    },
    /// It ran and says that it failed.
    #[error("credential helper `{program}` failed{message}")]
    Failed {
        /// The program.
        program: String,
        /// What it says, after a colon.
        message: String,
    },
    /// What it printed is not the answer.
    #[error("credential helper `{0}` does not answer with the JSON it should")]
    Answer(String),
}

/// What `get` prints and `store` reads.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    #[serde(rename = "ServerURL", default)]
    server: String,
    username: String,
    secret: String,
}

/// A helper that is installed.
pub(super) struct Helper {
    program: String,
    path: PathBuf,
}

/// Returns the program of the helper `name`.
pub(super) fn program(name: &str) -> String {
    format!("docker-credential-{name}")
}

impl Helper {
    /// Looks for the helper `name` in `directories`.
    pub(super) fn find(name: &str, directories: &[PathBuf]) -> Result<Helper, HelperError> {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(HelperError::Name(name.to_owned()));
        }
        let program = program(name);
        let found = directories.iter().map(|directory| directory.join(&program)).find(|path| path.is_file());
        let path = found.ok_or_else(|| HelperError::Missing(program.clone()))?;
        Ok(Helper { program, path })
    }

    /// Asks for a secret.
    pub(super) fn get(&self, server: &Server) -> Result<Option<Credential>, HelperError> {
        let output = self.call("get", server.key().as_bytes())?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return if text.trim() == NOT_FOUND { Ok(None) } else { Err(self.failed(&text)) };
        }
        // The error of a JSON reader may quote the text, and the text is a secret.
        let record: Record =
            serde_json::from_slice(&output.stdout).map_err(|_| HelperError::Answer(self.program.clone()))?;
        Ok(match record.username.as_str() {
            _ if record.secret.is_empty() => None,
            TOKEN_USER => Some(Credential::IdentityToken(record.secret)),
            _ => Some(Credential::Password { user: record.username, password: record.secret }),
        })
    }

    /// Hands a secret over.
    pub(super) fn store(&self, server: &Server, credential: &Credential) -> Result<(), HelperError> {
        let (username, secret) = match credential {
            Credential::Password { user, password } => (user.as_str(), password),
            Credential::IdentityToken(token) | Credential::RegistryToken(token) => (TOKEN_USER, token),
        };
        let record =
            Record { server: server.key().to_owned(), username: username.to_owned(), secret: secret.to_owned() };
        let text = serde_json::to_vec(&record).map_err(|_| HelperError::Answer(self.program.clone()))?;
        self.succeed("store", &text)
    }

    /// Has a secret forgotten.
    pub(super) fn erase(&self, server: &Server) -> Result<(), HelperError> {
        self.succeed("erase", server.key().as_bytes())
    }

    fn succeed(&self, action: &str, input: &[u8]) -> Result<(), HelperError> {
        let output = self.call(action, input)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(self.failed(&String::from_utf8_lossy(&output.stdout))),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the user's own configuration names this program")]
    fn call(&self, action: &str, input: &[u8]) -> Result<Output, HelperError> {
        let failed = |error: io::Error| HelperError::Run { program: self.program.clone(), cause: error.to_string() };
        let mut command = Command::new(&self.path);
        command.arg(action).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ends without reading says why on its own.
            let _ = stdin.write_all(input);
        }
        child.wait_with_output().map_err(failed)
    }

    fn failed(&self, text: &str) -> HelperError {
        HelperError::Failed { program: self.program.clone(), message: said(text) }
    }
}
