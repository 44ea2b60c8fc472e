//! `lighter registry serve`, beside an engine.

use std::fs;
use std::path::PathBuf;

use super::daemon::Daemon;
use super::{Engine, LIMIT, eventually, run, tool};

const ADDRESS: &str = "127.0.0.1:5000";

/// The binary under test.
const LIGHTER: &str = env!("CARGO_BIN_EXE_lighter");

/// A registry with a store of its own, in the engine's namespaces; it ends when this is dropped.
pub(crate) struct Registry {
    directory: PathBuf,
    _daemon: Daemon,
}

impl Registry {
    /// Starts it.
    #[track_caller]
    pub(crate) fn start(engine: &Engine) -> Self {
        let directory = PathBuf::from(engine.path("registry"));
        fs::create_dir(&directory).expect("the test's directory is ours");
        let mut command = tool(LIGHTER, ["registry", "serve", "--listen", ADDRESS]);
        command.env("LIGHTER_ROOT", directory.join("root")).env("LIGHTER_RUN", directory.join("run"));
        let mut daemon = Daemon::start(command, &directory);
        let url = format!("http://{ADDRESS}/v2/");
        daemon.serves(|| run(tool("curl", ["--silent", "--fail", &url]), &directory).code() == Some(0));
        Self { directory, _daemon: daemon }
    }

    /// Returns the name by which an engine knows an image of this registry.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("{ADDRESS}/{name}")
    }

    /// Returns the digest that the registry says a tag has.
    #[track_caller]
    pub(crate) fn digest(&self, repository: &str, tag: &str) -> String {
        let url = format!("http://{ADDRESS}/v2/{repository}/manifests/{tag}");
        let head = run(tool("curl", ["--silent", "--fail", "--head", &url]), &self.directory).ok().stdout;
        let found = head.lines().find_map(|line| line.strip_prefix("docker-content-digest: "));
        found.expect("the answer has a digest").trim().to_owned()
    }

    /// Returns name and digest of the images of its store.
    #[track_caller]
    pub(crate) fn listed(&self) -> String {
        let mut command = tool(LIGHTER, ["images", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}"]);
        command.env("LIGHTER_ROOT", self.directory.join("root")).env("LIGHTER_RUN", self.directory.join("run"));
        run(command, &self.directory).ok().text()
    }

    /// Counts the requests of a method so far.
    pub(crate) fn requests(&self, method: &str) -> usize {
        let log = || fs::read_to_string(self.directory.join("daemon.log")).expect("the daemon has a log");
        // The line about the last push is written with its answer, which its client has.
        eventually("the last push is in the log", LIMIT, || if log().contains(" PUT ") { Ok(()) } else { Err(log()) });
        log().lines().filter(|line| line.contains(&format!(" {method} "))).count()
    }
}
