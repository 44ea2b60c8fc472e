//! podman and docker, which understand the same command line but for a few words.

use std::process::Command;

use super::daemon::Daemon;
use super::world::World;
use super::{BUSYBOX, LIMIT, Output, Terminal, docker, eventually, podman, run, tool};

/// What runs a container.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// The one under test.
    Lighter,
    /// The one that engines are made for.
    Runc,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Podman,
    Docker,
    /// The whole program in Docker's place.
    Lighter,
}

/// An engine with images, containers and networks of its own, which all go with it.
pub(crate) struct Engine {
    kind: Kind,
    /// The client's options that lead it to this engine.
    options: Vec<String>,
    environment: Vec<(&'static str, String)>,
    daemon: Option<Daemon>,
    world: World,
}

impl Engine {
    /// Returns podman with the image [`BUSYBOX`].
    #[track_caller]
    pub(crate) fn podman() -> Self {
        let world = World::new();
        let (options, environment) = podman::configure(&world);
        Self { kind: Kind::Podman, options, environment, daemon: None, world }.with(BUSYBOX)
    }

    /// Returns lighter under the name of `docker`, with the image [`BUSYBOX`].
    #[track_caller]
    pub(crate) fn lighter() -> Self {
        let world = World::new();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_lighter"), world.path("docker")).expect("the directory is new");
        let environment = vec![
            ("LIGHTER_ROOT", world.path("lighter")),
            ("LIGHTER_RUN", "/run/lighter".to_owned()),
            ("LIGHTER_CONFIG", world.path("config.toml")),
            ("DOCKER_CONFIG", world.path("docker-config")),
        ];
        Self { kind: Kind::Lighter, options: vec![], environment, daemon: None, world }.with(BUSYBOX)
    }

    /// Returns a docker daemon with the image [`BUSYBOX`].
    #[track_caller]
    pub(crate) fn docker() -> Self {
        Self::docker_with(Runtime::Lighter)
    }

    /// Returns a docker daemon as its package has it, with the image [`BUSYBOX`].
    #[track_caller]
    pub(crate) fn docker_as_packaged() -> Self {
        Self::docker_with(Runtime::Runc)
    }

    #[track_caller]
    fn docker_with(runtime: Runtime) -> Self {
        let world = World::new();
        let mut daemon = docker::start(&world, runtime);
        let (options, environment) = docker::client();
        let mut engine = Self { kind: Kind::Docker, options, environment, daemon: None, world };
        daemon.serves(|| engine.call(["version"]).code() == Some(0));
        engine.daemon = Some(daemon);
        engine.with(BUSYBOX)
    }

    /// Loads another image.
    #[track_caller]
    pub(crate) fn with(self, image: &str) -> Self {
        self.call(["load", "--quiet", "--input", &self.world.archive(image)]).ok();
        self
    }

    /// Returns a command of the client, not yet started.
    pub(crate) fn command<'a>(&'a self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let program = match self.kind {
            Kind::Podman => "podman",
            Kind::Docker => "docker",
            Kind::Lighter => &self.world.path("docker"),
        };
        let mut command = tool(program, self.options.iter().map(String::as_str).chain(arguments));
        command.current_dir(&self.world.directory).env("HOME", &self.world.directory);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command of the client to its end.
    #[track_caller]
    pub(crate) fn call<'a>(&'a self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        run(self.command(arguments), &self.world.directory)
    }

    /// Returns the command that runs `program` in a container of [`BUSYBOX`], with `options` split at white space.
    pub(crate) fn run_command(&self, runtime: Runtime, options: &str, program: &[&str]) -> Command {
        let runtime = match runtime {
            Runtime::Lighter => vec![],
            Runtime::Runc => vec!["--runtime", "runc"],
        };
        let words = match self.kind {
            Kind::Podman => [runtime, vec!["run"]].concat(),
            Kind::Docker | Kind::Lighter => [vec!["run"], runtime].concat(),
        };
        let parent = self.cgroup_parent();
        let parent = if options.contains("--pod ") { vec![] } else { vec!["--cgroup-parent", &parent] };
        let options = options.split_whitespace().collect();
        self.command([words, parent, options, vec![BUSYBOX], program.to_vec()].concat())
    }

    /// Runs `program` in a container of [`BUSYBOX`], with `options` split at white space.
    #[track_caller]
    pub(crate) fn run(&self, runtime: Runtime, options: &str, program: &[&str]) -> Output {
        run(self.run_command(runtime, options, program), &self.world.directory)
    }

    /// Runs a shell script to its end in a container that is removed then, which must be a success; returns what it printed.
    #[track_caller]
    pub(crate) fn inside(&self, options: &str, script: &str) -> String {
        self.run(Runtime::Lighter, &format!("--rm {options}"), &["sh", "-c", script]).ok().text()
    }

    /// Starts a shell script in a container that stays, by the name that is in `options`.
    #[track_caller]
    pub(crate) fn up(&self, options: &str, script: &str) {
        self.run(Runtime::Lighter, &format!("--detach {options}"), &["sh", "-c", script]).ok();
    }

    /// Runs a shell script on a terminal of 33 rows and 77 columns, in a container that is removed at its end.
    pub(crate) fn on_terminal(&self, options: &str, script: &str) -> Terminal {
        let options = format!("--rm --interactive --tty {options}");
        Terminal::start(&self.run_command(Runtime::Lighter, &options, &["sh", "-c", script]), 33, 77)
    }

    /// Asserts that a script prints the same under both runtimes, and returns that.
    #[track_caller]
    pub(crate) fn as_with_runc(&self, options: &str, script: &str) -> String {
        let options = format!("--rm {options}");
        let [ours, theirs] =
            [Runtime::Lighter, Runtime::Runc].map(|runtime| self.run(runtime, &options, &["sh", "-c", script]));
        assert_eq!(ours.text(), theirs.ok().text(), "under lighter and runc: {options}\n{ours}");
        ours.ok().text()
    }

    /// Returns a value of a container's record, by a path of the template that `inspect` takes.
    #[track_caller]
    pub(crate) fn inspect(&self, container: &str, path: &str) -> String {
        self.call(["inspect", "--format", &format!("{{{{.{path}}}}}"), container]).ok().text()
    }

    /// Waits until a value of a container's record is `expected`.
    #[track_caller]
    pub(crate) fn becomes(&self, container: &str, path: &str, expected: &str) {
        eventually(&format!("{path} of {container} is {expected}"), LIMIT, || {
            let value = self.inspect(container, path);
            if value == expected { Ok(()) } else { Err(value) }
        });
    }

    /// Waits until the log of a container contains `text`.
    #[track_caller]
    pub(crate) fn logs(&self, container: &str, text: &str) {
        eventually(&format!("{container} prints `{text}`"), LIMIT, || {
            let output = self.call(["logs", container]);
            if output.stdout.contains(text) { Ok(()) } else { Err(output) }
        });
    }

    /// The cgroup that this engine's containers are to be in.
    pub(crate) fn cgroup_parent(&self) -> String {
        format!("/{}", self.world.name)
    }

    /// Returns the path of something in the test's directory.
    pub(crate) fn path(&self, name: &str) -> String {
        self.world.path(name)
    }

    fn is_docker(&self) -> bool {
        self.kind != Kind::Podman
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The first failure is the one to show, so a second one here must not end the process.
        let removed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if self.is_docker() {
                let all = self.call(["ps", "--all", "--quiet"]).ok().stdout;
                if !all.is_empty() {
                    self.call(["rm", "--force"].into_iter().chain(all.split_whitespace())).ok();
                }
                if self.kind == Kind::Lighter {
                    // the one that containers have when they name none stays otherwise
                    let networks = self.call(["network", "ls", "--quiet"]).ok().stdout;
                    self.call(["network", "rm", "--force"].into_iter().chain(networks.split_whitespace())).ok();
                }
            } else {
                self.call(["pod", "rm", "--all", "--force", "--time", "0"]).ok();
                // Where a container had users of its own, podman finds its shm busy in one of ten removals, with runc as well;
                // the next removes it.
                eventually("podman removes its containers", LIMIT, || {
                    let removed = self.call(["rm", "--all", "--force", "--time", "0"]);
                    if removed.code() == Some(0) { Ok(()) } else { Err(removed) }
                });
            }
        }));
        self.daemon = None;
        if !std::thread::panicking() {
            removed.expect("an engine can remove its containers by force");
        }
    }
}
