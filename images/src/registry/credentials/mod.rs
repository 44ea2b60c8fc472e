//! Passwords and tokens of registries: where they are kept, and how they get there.
//!
//! Runs in the shell command's process. The files are Docker's and Podman's, shared with them: `config.json` and
//! `auth.json`, in which a registry's secret stands itself or the name of the program that keeps it. Nothing is looked up
//! before a registry asks who we are, so what is broken for one registry does not matter to the others.

mod file;
mod helper;
mod key;

use std::fmt;
use std::path::{Path, PathBuf};

pub use file::FileError;
pub use helper::HelperError;
pub(super) use key::Server;

use self::file::{AuthFile, Keeper};
use self::helper::Helper;

/// A secret for one registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Name and password.
    Password {
        /// The name.
        user: String,
        /// The password, or what a registry gives out in its place.
        password: String,
    },
    /// What a token server gave at login, to get tokens with.
    IdentityToken(String),
    /// A bearer token for the registry itself.
    RegistryToken(String),
}

/// Shows the kind only.
impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Credential::Password { .. } => "Password(…)",
            Credential::IdentityToken(_) => "IdentityToken(…)",
            Credential::RegistryToken(_) => "RegistryToken(…)",
        })
    }
}

impl Credential {
    /// Returns the user's name, if it is known.
    pub(super) fn user(&self) -> Option<&str> {
        match self {
            Credential::Password { user, .. } => Some(user),
            Credential::IdentityToken(_) | Credential::RegistryToken(_) => None,
        }
    }
}

/// A secret and where it is from.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) credential: Credential,
    /// `None` if it was given just now.
    pub(super) place: Option<Place>,
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this file, readable by whoever can read the file.
    File(PathBuf),
    /// With this credential helper.
    Helper(String),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(formatter, "`{}`", path.display()),
            Place::Helper(program) => write!(formatter, "`{program}`"),
        }
    }
}

/// Why a secret cannot be had or kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CredentialError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A credential helper failed.
    #[error(transparent)]
    Helper(#[from] HelperError),
    /// No file is known that could be written.
    #[error("there is no file to keep it in: neither HOME nor DOCKER_CONFIG nor REGISTRY_AUTH_FILE is set")]
    Nowhere,
}

/// The files in which secrets are looked up, and the directories in which credential helpers are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CredentialStore {
    files: Vec<PathBuf>,
    programs: Vec<PathBuf>,
}

impl CredentialStore {
    /// Takes the files in the order of looking, of which the first is the one to write to, and the directories of PATH.
    pub fn new(files: Vec<PathBuf>, programs: Vec<PathBuf>) -> CredentialStore {
        CredentialStore { files, programs }
    }

    /// Finds the secret for a server: the first that any file has, or has a helper for.
    pub(super) fn find(&self, server: &Server) -> Result<Option<Found>, CredentialError> {
        for path in &self.files {
            let Some(file) = AuthFile::read(path)? else { continue };
            let (found, place) = match file.keeper(server) {
                Keeper::Helper(name) => (self.helper(&name)?.get(server)?, Place::Helper(helper::program(&name))),
                Keeper::File => (file.credential(server)?, Place::File(path.clone())),
            };
            if let Some(credential) = found {
                return Ok(Some(Found { credential, place: Some(place) }));
            }
        }
        Ok(None)
    }

    /// Keeps a secret where the first file says, and says where that is.
    pub(super) fn keep(&self, server: &Server, credential: &Credential) -> Result<Place, CredentialError> {
        let path = self.first()?;
        let mut place = Place::File(path.to_owned());
        AuthFile::change(path, |file| {
            if let Keeper::Helper(name) = file.keeper(server) {
                self.helper(&name)?.store(server, credential)?;
                place = Place::Helper(helper::program(&name));
                file.set_empty(server);
            } else {
                file.set(server, credential);
            }
            Ok(true)
        })?;
        Ok(place)
    }

    /// Forgets a secret; says where it was, if it was anywhere.
    pub(super) fn forget(&self, server: &Server) -> Result<Option<Place>, CredentialError> {
        let path = self.first()?;
        let mut place = None;
        AuthFile::change(path, |file| {
            let was_there = file.remove(server);
            if was_there {
                place = Some(Place::File(path.to_owned()));
            }
            if let Keeper::Helper(name) = file.keeper(server) {
                let helper = self.helper(&name)?;
                if helper.get(server)?.is_some() {
                    helper.erase(server)?;
                    place = Some(Place::Helper(helper::program(&name)));
                }
            }
            Ok(was_there)
        })?;
        Ok(place)
    }

    fn first(&self) -> Result<&Path, CredentialError> {
        self.files.first().map(PathBuf::as_path).ok_or(CredentialError::Nowhere)
    }

    fn helper(&self, name: &str) -> Result<Helper, HelperError> {
        Helper::find(name, &self.programs)
    }
}

#[cfg(test)]
mod tests;
