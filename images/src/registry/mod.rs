//! Registries: where a reference is looked up, and how its blobs come here and go there.
//!
//! Runs in the shell command's process. Everything asynchronous of this crate is in this folder: a [`Session`] has a
//! thread with a single-threaded runtime, started for one pull or push and ended with it; its callers block.
//!
//! The HTTP exchange is ours on top of reqwest; the wire type of errors is that of `oci-client`. That crate's
//! own client cannot serve here: it does not come up on a host without CA certificates, not even for plain HTTP (and
//! panics there if given roots of ours), reads manifests of any length into memory, and hides `Retry-After` and
//! `Content-Range`.

mod access;
mod auth;
mod blob;
mod config;
mod credentials;
mod download;
mod endpoint;
mod failure;
mod http;
mod login;
mod notice;
mod proxy;
mod remote;
mod request;
mod retry;
mod search;
mod session;
mod tags;
mod tls;
mod upload;

pub use access::{Access, DEFAULT_STALL_TIMEOUT};
pub use config::{ConfigError, RegistryConfig};
pub use credentials::{Credential, CredentialError, CredentialStore, FileError, HelperError, Place};
pub(crate) use download::download;
pub use failure::{Attempt, RegistryError};
pub use login::{LoggedIn, login, logout};
pub use proxy::Proxies;
pub(crate) use remote::{Purpose, Subject};
pub use search::{Found, search};
pub(crate) use session::{Blob, Session, converse};
pub(crate) use upload::{Outgoing, PIECE, Pushed};
