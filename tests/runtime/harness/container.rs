//! One bundle and one id, and what a caller can do with them.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use super::world::World;
use super::{Config, Output, eventually, rootfs, run, runtime};

/// Time until a program that was told to end has ended.
const LIMIT: Duration = Duration::from_secs(10);

/// A container, made or not; at the end it is deleted by force, and then nothing of it may be left.
pub(crate) struct Container {
    pub(crate) id: String,
    calls: Cell<u32>,
    world: Rc<World>,
}

/// Runs a container to its end, which must be a success, and returns what its program printed.
#[track_caller]
pub(crate) fn inside(configure: impl FnOnce(&mut Config) -> &mut Config) -> String {
    Container::new(configure).run().ok().text()
}

/// Asserts that `create` is an error and leaves nothing; returns what it said.
#[track_caller]
pub(crate) fn refused(configure: impl FnOnce(&mut Config) -> &mut Config) -> Output {
    let container = Container::new(configure);
    let output = container.create().fails();
    container.call("state", [&container.id]).fails();
    container.leaves_nothing();
    output
}

impl Container {
    /// Writes a bundle in a world of its own.
    pub(crate) fn new(configure: impl FnOnce(&mut Config) -> &mut Config) -> Self {
        let world = Rc::new(World::new());
        Self::in_world(world.clone(), format!("{}-a", world.name), configure)
    }

    /// Writes a second bundle beside this one, for the same `--root`.
    pub(crate) fn beside(&self, configure: impl FnOnce(&mut Config) -> &mut Config) -> Self {
        Self::in_world(self.world.clone(), format!("{}-b", self.world.name), configure)
    }

    fn in_world(world: Rc<World>, id: String, configure: impl FnOnce(&mut Config) -> &mut Config) -> Self {
        let container = Self { id, calls: Cell::new(0), world };
        rootfs::fill(&container.rootfs());
        container.configure(configure);
        container
    }

    /// Writes `config.json` anew.
    pub(crate) fn configure(&self, configure: impl FnOnce(&mut Config) -> &mut Config) {
        let mut config = Config::new(&self.bundle(), &self.id);
        configure(&mut config);
        config.write();
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.world.directory.join(&self.id)
    }

    pub(crate) fn rootfs(&self) -> PathBuf {
        self.bundle().join("rootfs")
    }

    /// Returns a command of the runtime with this test's `--root`, not yet started.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, verb: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = runtime();
        command.arg("--root").arg(self.world.root()).arg(verb).args(arguments);
        command
    }

    /// Returns the command that makes the container from its bundle: `create` or `run`.
    pub(crate) fn of_bundle(&self, verb: &str) -> Command {
        self.command(verb, ["--bundle".as_ref(), self.bundle().as_os_str(), self.id.as_ref()])
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn finish(&self, command: Command) -> Output {
        self.calls.set(self.calls.get() + 1);
        run(command, &self.bundle(), &format!("call-{}", self.calls.get()))
    }

    /// Runs a verb of the runtime to its end.
    #[track_caller]
    pub(crate) fn call<S: AsRef<OsStr>>(&self, verb: &str, arguments: impl IntoIterator<Item = S>) -> Output {
        self.finish(self.command(verb, arguments))
    }

    #[track_caller]
    pub(crate) fn create(&self) -> Output {
        self.finish(self.of_bundle("create"))
    }

    #[track_caller]
    pub(crate) fn start(&self) -> Output {
        self.call("start", [&self.id])
    }

    /// Runs the container in the foreground; it is deleted when its program ends.
    #[track_caller]
    pub(crate) fn run(&self) -> Output {
        self.finish(self.of_bundle("run"))
    }

    /// Creates and starts the container.
    #[track_caller]
    pub(crate) fn up(self) -> Self {
        self.create().ok();
        self.start().ok();
        self
    }

    #[track_caller]
    pub(crate) fn kill(&self, signal: &str) -> Output {
        self.call("kill", [&self.id, signal])
    }

    #[track_caller]
    pub(crate) fn delete(&self) -> Output {
        self.call("delete", [&self.id])
    }

    #[track_caller]
    pub(crate) fn state(&self) -> Value {
        let text = self.call("state", [&self.id]).ok().text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    #[track_caller]
    pub(crate) fn status(&self) -> String {
        self.state()["status"].as_str().expect("`status` is a string").to_owned()
    }

    /// Waits until the container has the status `expected`.
    #[track_caller]
    pub(crate) fn becomes(&self, expected: &str) {
        eventually(&format!("the container is {expected}"), LIMIT, || {
            let status = self.status();
            if status == expected { Ok(()) } else { Err(status) }
        });
    }

    /// Returns the pid of the container's process as this host sees it.
    #[track_caller]
    pub(crate) fn pid(&self) -> i64 {
        self.state()["pid"].as_i64().expect("`pid` is a number")
    }

    /// Reads a file of the container's process in the host's procfs.
    #[track_caller]
    pub(crate) fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.pid());
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("read `{path}`: {error}"))
    }

    /// Returns what a link of the container's process in the host's procfs points at.
    #[track_caller]
    pub(crate) fn link(&self, file: &str) -> PathBuf {
        fs::read_link(format!("/proc/{}/{file}", self.pid())).expect("the container runs")
    }

    /// Waits until a file below the root filesystem is there and not empty, and returns it without white space around it.
    #[track_caller]
    pub(crate) fn wrote(&self, file: &str) -> String {
        let path = self.rootfs().join(file);
        eventually(&format!("`{file}` is written"), LIMIT, || match fs::read_to_string(&path) {
            Ok(text) if text.ends_with('\n') => Ok(text.trim().to_owned()),
            Ok(text) => Err(text),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Reads a file of the container's cgroup: `v1` is controller and file of the first version, `v2` a file of the second.
    #[track_caller]
    pub(crate) fn cgroup(&self, v1: &str, v2: &str) -> String {
        let (controller, file) = v1.split_once('/').expect("a controller and a file");
        let v1 = Path::new("/sys/fs/cgroup").join(controller);
        let path = if v1.is_dir() {
            v1.join(&self.id).join(file)
        } else {
            Path::new("/sys/fs/cgroup").join(&self.id).join(v2)
        };
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("read `{}`: {error}", path.display()));
        text.trim().to_owned()
    }

    /// Asserts that nothing of this test's containers is on the host.
    #[track_caller]
    pub(crate) fn leaves_nothing(&self) {
        self.world.leaves_nothing();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The first failure is the one to show, so a second one here must not end the process.
        let delete = std::panic::AssertUnwindSafe(|| self.call("delete", ["--force", &self.id]));
        let deleted = std::panic::catch_unwind(delete);
        if !std::thread::panicking() {
            deleted.expect("a container can be deleted by force");
        }
    }
}
