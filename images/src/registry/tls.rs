//! Which certificates are trusted: the host's, or Mozilla's if the host has none.
//!
//! Runs in the shell command's process, in the registry thread.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// Returns the TLS settings for registries: the host's roots (`SSL_CERT_FILE`, `SSL_CERT_DIR` or where distributions
/// keep them); on a host without any, the bundled ones, so that a bare system can pull too.
pub(super) fn client_config() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
