//! Engines that are daemons: started for one test, ended with it.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command};

use nix::sys::signal::{Signal, kill};

use super::command::{end, group, shown, wait};
use super::{LIMIT, eventually};

/// A daemon of one test; it ends when this is dropped, by its own stop signal if that is enough.
pub(super) struct Daemon {
    child: Child,
    shown: String,
}

impl Daemon {
    /// Starts `command`, with its log in `directory`.
    pub(super) fn start(mut command: Command, directory: &Path) -> Self {
        let log = File::create(directory.join("daemon.log")).expect("the test's directory is ours");
        let other = log.try_clone().expect("descriptors are left");
        let shown = shown(&command);
        let child = command.stdout(log).stderr(other).spawn();
        Self { child: child.unwrap_or_else(|error| panic!("run `{shown}`: {error}")), shown }
    }

    /// Waits until `answers` says that the daemon serves.
    #[track_caller]
    pub(super) fn serves(&mut self, mut answers: impl FnMut() -> bool) {
        eventually(&format!("`{}` serves", self.shown), LIMIT, || {
            let ended = self.child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "`{}` has ended: see daemon.log", self.shown);
            if answers() { Ok(()) } else { Err("it does not answer") }
        });
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill(group(&self.child), Signal::SIGTERM);
        let stopped = std::panic::AssertUnwindSafe(|| wait(&mut self.child, &self.shown, LIMIT));
        let stopped = std::panic::catch_unwind(stopped);
        end(&mut self.child);
        if !std::thread::panicking() {
            stopped.expect("a daemon ends by its stop signal");
        }
    }
}
