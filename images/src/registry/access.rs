//! How registries are reached, and as whom: what the caller knows before any of them is spoken to.
//!
//! Runs in the shell command's process; pure.

use std::time::Duration;

use super::config::RegistryConfig;
use super::credentials::CredentialStore;
use super::proxy::Proxies;

/// Time without a byte after which a connection counts as broken, unless the caller says otherwise.
///
/// A pause that long within an answer is a lost connection far more often than a slow one; asking again costs little.
pub const DEFAULT_STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How registries are reached, and as whom.
#[derive(Debug, Clone)]
pub struct Access {
    /// Mirrors, certificates, insecure registries.
    pub config: RegistryConfig,
    /// Where passwords and tokens are kept.
    pub credentials: CredentialStore,
    /// Proxies on the way.
    pub proxies: Proxies,
    /// Time without a byte after which a connection is given up and made anew.
    pub stall_timeout: Duration,
}

impl Default for Access {
    /// No mirrors, nobody logged in, no proxies.
    fn default() -> Self {
        Access {
            config: RegistryConfig::default(),
            credentials: CredentialStore::default(),
            proxies: Proxies::default(),
            stall_timeout: DEFAULT_STALL_TIMEOUT,
        }
    }
}
