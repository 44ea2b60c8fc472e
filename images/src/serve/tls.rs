//! The server's certificate and key.
//!
//! Runs in the shell command's process.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::server::{ServeError, TlsFiles};

/// Reads both files; the certificate may be followed by those between it and a root.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServeError> {
    let failed = |path: &Path, why: String| ServeError::Tls { path: path.to_owned(), why };
    let certificate = |error: rustls::pki_types::pem::Error| failed(&files.certificate, error.to_string());
    let chain = CertificateDer::pem_file_iter(&files.certificate).map_err(certificate)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(certificate)?;
    if chain.is_empty() {
        return Err(failed(&files.certificate, "it has no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| failed(&files.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| failed(&files.key, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
