//! What ADD downloads, and the contexts that are not on this host.
//!
//! Runs in the shell command's process.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use jiff::fmt::rfc2822;

use super::error::StepError;
use super::path;
use crate::content::Content;
use crate::digest::Digest;
use crate::registry::{Access, download};

/// A file that was downloaded.
#[derive(Debug)]
pub(crate) struct Download {
    /// Read from its beginning.
    pub(crate) file: File,
    /// The name that the server or the URL gives; may be empty.
    pub(crate) name: String,
    /// Time of last modification, seconds since 1970; 0 if the server does not say.
    pub(crate) modified: i64,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// Tells whether a source is downloaded.
pub(crate) fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// Downloads a file.
///
/// # Errors
/// [`StepError::Refused`] with what the server or the network says.
pub(crate) fn fetch(url: &str, access: &Access, mut file: File) -> Result<Download, StepError> {
    let headers = download(url, access, &mut file).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        StepError::Refused(format!("download `{url}`: {error}{cause}"))
    })?;
    let kept = |source: io::Error| StepError::Io { act: format!("keep the download of `{url}`"), source };
    file.seek(SeekFrom::Start(0)).map_err(kept)?;
    let content = Content::whole(file.try_clone().map_err(kept)?).map_err(kept)?;
    let modified = headers.last_modified.as_deref().and_then(|text| rfc2822::parse(text).ok());
    Ok(Download {
        name: headers.disposition.as_deref().and_then(file_name).unwrap_or_else(|| name_of(url)),
        modified: modified.map_or(0, |time| time.timestamp().as_second()),
        digest: content.digest().map_err(kept)?,
        size: content.length(),
        file,
    })
}

/// Returns the last component of a URL's path.
fn name_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    path.split_once('/').map(|(_, path)| path::last(path)).unwrap_or_default().to_owned()
}

/// Reads `attachment; filename="x"`; a name with a `/` in it is none.
fn file_name(disposition: &str) -> Option<String> {
    let value = disposition.split(';').find_map(|part| part.trim().strip_prefix("filename="))?;
    let name = value.trim_matches('"');
    (!name.is_empty() && !name.contains('/') && name != "." && name != "..").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_downloaded_is_told_by_its_beginning() {
        assert!(is_url("https://a/b.tar") && !is_url("a/http://"));
    }

    #[test]
    fn a_download_is_called_as_server_or_url_say() {
        assert_eq!(
            (name_of("http://h/a/b.tgz?x=/y#z"), name_of("http://h"), name_of("http://h/a/")),
            ("b.tgz".into(), String::new(), "a".into())
        );
        assert_eq!(file_name("attachment; filename=\"x.y\"").as_deref(), Some("x.y"));
        assert_eq!(file_name("attachment; filename=../x"), None);
    }
}
