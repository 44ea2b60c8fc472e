//! The store as a registry, by the requirements of OCI distribution-spec 1.1, over real connections.
//!
//! Every test is one requirement, stated by its name, and has a server and a store of its own.

mod client;
mod delete;
mod limits;
mod list;
mod pull;
mod push;
mod scene;
mod upload;
