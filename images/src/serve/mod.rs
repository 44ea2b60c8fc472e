//! Serves the store as a registry: OCI distribution-spec 1.1, pull, push, listing, referrers and deletion.
//!
//! Runs in the shell command's process, `lighter registry serve`, until it is told to end. Before: anything. After: no socket,
//! no upload, no lease; what was pushed and acknowledged is in the store, durably. Everything asynchronous of the server is in
//! this folder: one thread talks to clients, and whatever touches a file is done on a few others.
//!
//! ```text
//! connection ─ route (pure) ─▶ access ─▶ pull | list     catalog, a view of index.json, read again when that changes
//!                                    └─▶ upload ─▶ push  ingest/upload-… ─▶ blobs/… (claimed) ─▶ index.json
//! ```

mod access;
mod body;
mod claims;
mod connection;
mod delete;
mod dispatch;
mod host;
mod list;
mod names;
mod pages;
mod pull;
mod pulse;
mod push;
mod range;
mod registry;
mod reply;
mod route;
mod server;
mod tls;
mod upload;
mod uploads;

pub use access::HtpasswdError;
pub use host::{Access, Host};
pub use server::{ServeError, ServeOptions, Server, TlsFiles};

#[cfg(fuzzing)]
pub(crate) use {
    access::fuzz_credentials,
    names::stored,
    range::fuzz_range,
    route::{Query, Route},
};
