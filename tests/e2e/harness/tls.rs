//! A certificate authority of the test's own, made with openssl.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{run, tool};

const LIMIT: Duration = Duration::from_secs(60);

/// A key and the certificate that goes with it, in PEM files of a directory.
pub(crate) struct Authority {
    directory: PathBuf,
}

impl Authority {
    /// Makes an authority in a directory.
    pub(crate) fn new(directory: &Path) -> Self {
        let authority = Self { directory: directory.to_owned() };
        let constraints = "basicConstraints=critical,CA:TRUE";
        authority.openssl("ca", &["-addext", constraints]);
        authority
    }

    /// Issues a certificate for 127.0.0.1, and returns its file and that of its key.
    pub(crate) fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        self.issue_for(name, "IP:127.0.0.1,DNS:localhost")
    }

    /// Issues a certificate for these subject alternative names, in the words of openssl.
    pub(crate) fn issue_for(&self, name: &str, names: &str) -> (PathBuf, PathBuf) {
        let [certificate, key] = ["crt", "key"].map(|kind| self.file("ca", kind).to_string_lossy().into_owned());
        let names = format!("subjectAltName={names}");
        let extensions = ["-addext", &names, "-addext", "basicConstraints=critical,CA:FALSE"];
        self.openssl(name, &[&["-CA", &certificate, "-CAkey", &key][..], &extensions[..]].concat());
        (self.file(name, "crt"), self.file(name, "key"))
    }

    /// Returns the authority's certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.file("ca", "crt")
    }

    fn file(&self, name: &str, kind: &str) -> PathBuf {
        self.directory.join(format!("{name}.{kind}"))
    }

    fn openssl(&self, name: &str, arguments: &[&str]) {
        let [certificate, key] = ["crt", "key"].map(|kind| self.file(name, kind).to_string_lossy().into_owned());
        let subject = format!("/CN={name}");
        let common = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", &subject];
        let files = ["-out", &certificate, "-keyout", &key];
        run(tool("openssl", common.iter().chain(&files).chain(arguments)), LIMIT).ok();
    }
}
