//! One file from an ordinary web server.
//!
//! Runs in the caller's thread, with a runtime of its own for the time of the download.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{CONTENT_DISPOSITION, LAST_MODIFIED};
use tokio::runtime::Builder;

use super::access::Access;
use super::tls;

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server may be silent within an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What came with a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers {
    /// `Last-Modified`, as it is written.
    pub(crate) last_modified: Option<String>,
    /// `Content-Disposition`, as it is written.
    pub(crate) disposition: Option<String>,
}

/// Why a file could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    /// No connection can be made at all.
    #[error("set up the connection: {0}")]
    Setup(String),
    /// The server did not serve it.
    #[error("{0}")]
    Refused(String),
    /// What came cannot be kept.
    #[error("write the download")]
    Write(#[source] io::Error),
}

/// Downloads `url` into `file`, through the proxy and with the certificates that `access` has for its host.
///
/// # Errors
/// [`DownloadError`]; the file then has the beginning.
pub(crate) fn download(url: &str, access: &Access, file: &mut File) -> Result<Headers, DownloadError> {
    let setup = |error: &dyn Error| DownloadError::Setup(error.to_string());
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| setup(&error))?;
    let tls = tls::client_config(authority(url), &access.config, tls::host_roots()).map_err(|error| setup(&error))?;
    let builder = access.proxies.apply(Client::builder()).map_err(|error| setup(&error.without_url()))?;
    let client = builder
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("lighter/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
        .map_err(|error| setup(&error))?;
    runtime.block_on(get(&client, url, file))
}

/// Returns host and port of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

async fn get(client: &Client, url: &str, file: &mut File) -> Result<Headers, DownloadError> {
    let mut response = client.get(url).send().await.map_err(|error| DownloadError::Refused(innermost(&error)))?;
    if !response.status().is_success() {
        return Err(DownloadError::Refused(format!("the server says {}", response.status())));
    }
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let headers = Headers { last_modified: header(LAST_MODIFIED), disposition: header(CONTENT_DISPOSITION) };
    while let Some(piece) = response.chunk().await.map_err(|error| DownloadError::Refused(innermost(&error)))? {
        file.write_all(&piece).map_err(DownloadError::Write)?;
    }
    Ok(headers)
}

/// The outer errors repeat the URL and say nothing else.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
