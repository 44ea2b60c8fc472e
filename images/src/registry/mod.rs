//! Registries: where a reference is looked up, and how its blobs come here.
//!
//! Runs in the shell command's process. Everything asynchronous of this crate is in this folder: a [`Session`] has a
//! thread with a single-threaded runtime, started for one pull and ended with it; its callers block.
//!
//! The HTTP exchange is ours on top of reqwest; the wire types (errors, tokens) are those of `oci-client`. That crate's
//! own client cannot serve here: it does not come up on a host without CA certificates, not even for plain HTTP (and
//! panics there if given roots of ours), reads manifests of any length into memory, and hides `Retry-After` and
//! `Content-Range`.

mod auth;
mod blob;
mod config;
mod download;
mod endpoint;
mod failure;
mod http;
mod remote;
mod retry;
mod session;
mod tls;

pub(crate) use download::download;
pub use config::{ConfigError, RegistryConfig};
pub use failure::{Attempt, RegistryError};
pub(crate) use session::{Blob, Piece, Session};
