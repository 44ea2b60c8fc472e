//! Pull.
use crate::platform::Platform;
use crate::progress::Progress;
use crate::reference::Reference;
use crate::registry::RegistryConfig;
use crate::store::{Image, Store, StoreError};

/// How to pull.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// The platform to choose from an index; `None` means this host's.
    pub platform: Option<Platform>,
    /// Mirrors and insecure registries.
    pub registries: RegistryConfig,
    /// How many blobs are downloaded at once.
    pub max_concurrent_downloads: usize,
}

impl Default for PullOptions {
    fn default() -> Self {
        PullOptions { platform: None, registries: RegistryConfig::default(), max_concurrent_downloads: 3 }
    }
}

/// Why a pull failed.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// Store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Pulls.
pub fn pull(
    _store: &Store,
    _reference: &Reference,
    _options: &PullOptions,
    _progress: &dyn Progress,
) -> Result<Image, PullError> {
    todo!()
}
