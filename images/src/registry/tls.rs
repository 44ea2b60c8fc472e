//! Which certificates are trusted, and which one is shown.
//!
//! Runs in the shell command's process, in the registry thread. Trusted are the host's roots (`SSL_CERT_FILE`,
//! `SSL_CERT_DIR` or where distributions keep them), or Mozilla's on a host without any, so that a bare system can pull
//! too; and for one registry what the administrator gave it.

mod unverified;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::config::RegistryConfig;

/// Why there is no TLS with a registry.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// The library does not take the settings.
    #[error("set up TLS: {0}")]
    Setup(#[from] rustls::Error),
    /// A file is absent or is not what it should be.
    #[error("read {what} `{}`: {why}", path.display())]
    File { what: &'static str, path: PathBuf, why: String },
    /// A directory of certificates cannot be listed.
    #[error("list `{}`: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
}

/// Returns the roots that this host trusts.
pub(super) fn host_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// Returns the settings for connections to the registry `domain`.
pub(super) fn client_config(
    domain: &str,
    config: &RegistryConfig,
    mut roots: RootCertStore,
) -> Result<ClientConfig, TlsError> {
    let own = OwnFiles::of(domain, config)?;
    for path in &own.authorities {
        let refused = |why: String| TlsError::File { what: "CA certificate", path: path.clone(), why };
        for certificate in certificates(path, "CA certificate")? {
            roots.add(certificate).map_err(|error| refused(error.to_string()))?;
        }
    }
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match config.of(domain).insecure {
        true => builder.dangerous().with_custom_certificate_verifier(unverified::any_certificate(provider)),
        false => builder.with_root_certificates(roots),
    };
    Ok(match &own.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate, "client certificate")?;
            builder.with_client_auth_cert(chain, private_key(key)?)?
        }
    })
}

/// The files that belong to one registry.
#[derive(Debug, Default, PartialEq, Eq)]
struct OwnFiles {
    authorities: Vec<PathBuf>,
    /// Certificate and key to show.
    identity: Option<(PathBuf, PathBuf)>,
}

impl OwnFiles {
    /// Collects them: what the configuration names comes before what the directories have.
    fn of(domain: &str, config: &RegistryConfig) -> Result<OwnFiles, TlsError> {
        let settings = config.of(domain);
        let mut own = OwnFiles {
            authorities: settings.ca.into_iter().collect(),
            identity: settings.client_cert.zip(settings.client_key),
        };
        for directory in &config.certificate_directories {
            own.add_directory(&directory.join(domain))?;
        }
        Ok(own)
    }

    fn add_directory(&mut self, directory: &Path) -> Result<(), TlsError> {
        let failed = |source| TlsError::Directory { path: directory.to_owned(), source };
        let entries = match std::fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        let ends_with = |path: &Path, end: &str| path.extension().is_some_and(|extension| extension == end);
        self.authorities.extend(paths.iter().filter(|path| ends_with(path, "crt")).cloned());
        for path in paths.iter().filter(|path| ends_with(path, "cert")) {
            let identity = (path.clone(), path.with_extension("key"));
            self.identity.get_or_insert(identity);
        }
        Ok(())
    }
}

fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refused = |error: PemError| TlsError::File { what, path: path.to_owned(), why: error.to_string() };
    let found: Vec<_> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(refused)?;
    if found.is_empty() { Err(refused(PemError::NoItemsFound)) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        let (what, path) = ("client key", path.to_owned());
        TlsError::File { what, path, why: error.to_string() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certs_d_directory_belongs_to_its_host_and_port() {
        let directory = tempfile::tempdir().unwrap();
        let host = directory.path().join("registry.lan:5000");
        std::fs::create_dir(&host).unwrap();
        for name in ["ca.crt", "me.cert", "me.key", "notes.txt"] {
            std::fs::write(host.join(name), "").unwrap();
        }
        let config = RegistryConfig::default().with_certificate_directories(vec![directory.path().to_owned()]);
        let own = OwnFiles::of("registry.lan:5000", &config).unwrap();
        assert_eq!(own.authorities, [host.join("ca.crt")]);
        assert_eq!(own.identity, Some((host.join("me.cert"), host.join("me.key"))));
        assert_eq!(OwnFiles::of("registry.lan", &config).unwrap(), OwnFiles::default());
    }

    #[test]
    fn a_file_that_is_no_certificate_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("[registry.x]\nca = '{}'", file.path().display());
        let config = RegistryConfig::parse(&text, Path::new("config.toml")).unwrap();
        let error = client_config("x", &config, RootCertStore::empty()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("read CA certificate `{}`", file.path().display())), "{error}");
        assert!(client_config("y", &config, RootCertStore::empty()).is_ok());
    }
}
