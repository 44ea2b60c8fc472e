//! Registries: where a reference is looked up, and how its blobs come here.
//!
//! Runs in the shell command's process.

mod config;

pub use config::{ConfigError, RegistryConfig};
