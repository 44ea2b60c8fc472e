//! containerd, with its test client `ctr`.

use std::cell::Cell;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::daemon::Daemon;
use super::world::World;
use super::{BUSYBOX, LIMIT, Output, Runtime, Terminal, eventually, run, tool};

/// Below the test's own `/run`; names of sockets are short (unix(7)).
const SOCKET: &str = "/run/ctr.sock";

/// A containerd with images and containers of its own, which all go with it.
pub(crate) struct Containerd {
    daemon: Option<Daemon>,
    containers: Cell<u32>,
    world: World,
}

impl Containerd {
    /// Starts a daemon with the image [`BUSYBOX`].
    #[track_caller]
    pub(crate) fn new() -> Self {
        let world = World::new();
        let config = world.file("config.toml", "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n");
        let root = world.path("root");
        let arguments = ["--config", &config, "--root", &root, "--state", "/run/ctr", "--address", SOCKET];
        let mut daemon = Daemon::start(tool("containerd", arguments), &world.directory);
        let mut containerd = Self { daemon: None, containers: Cell::new(0), world };
        daemon.serves(|| containerd.call(["version"]).code() == Some(0));
        containerd.daemon = Some(daemon);
        containerd.with(BUSYBOX)
    }

    /// Imports another image.
    #[track_caller]
    pub(crate) fn with(self, image: &str) -> Self {
        self.call(["images", "import", &self.world.archive(image)]).ok();
        self
    }

    /// Returns an id that no container has.
    pub(crate) fn id(&self) -> String {
        self.containers.set(self.containers.get() + 1);
        format!("{}-{}", self.world.name, self.containers.get())
    }

    /// Returns a command of `ctr`, not yet started. Its namespace is also the cgroup that the containers' cgroups are in.
    pub(crate) fn command<'a>(&'a self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command =
            tool("ctr", ["--address", SOCKET, "--namespace", &self.world.name].into_iter().chain(arguments));
        command.current_dir(&self.world.directory);
        command
    }

    /// Runs a command of `ctr` to its end.
    #[track_caller]
    pub(crate) fn call<'a>(&'a self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        run(self.command(arguments), &self.world.directory)
    }

    /// Returns the command that runs `program` as the container `id` of `image`, with `options` split at white space.
    pub(crate) fn run_command(
        &self,
        runtime: Runtime,
        options: &str,
        image_and_id: [&str; 2],
        program: &[&str],
    ) -> Command {
        let runtime = match runtime {
            Runtime::Lighter => self.world.runtime(),
            Runtime::Runc => "runc".to_owned(),
        };
        let words = vec!["run", "--runc-binary", &runtime, "--runc-root", "/run/states"];
        let options = options.split_whitespace().collect();
        self.command([words, options, image_and_id.to_vec(), program.to_vec()].concat())
    }

    /// Runs `program` in a container of [`BUSYBOX`] that is removed at its end, with `options` split at white space.
    #[track_caller]
    pub(crate) fn run(&self, runtime: Runtime, options: &str, program: &[&str]) -> Output {
        let command = self.run_command(runtime, &format!("--rm {options}"), [BUSYBOX, &self.id()], program);
        run(command, &self.world.directory)
    }

    /// Runs a shell script to its end, which must be a success, and returns what it printed.
    #[track_caller]
    pub(crate) fn inside(&self, runtime: Runtime, options: &str, script: &str) -> String {
        let (name, script) = self.printing(script);
        self.run(runtime, &format!("{} {options}", self.folder()), &["sh", "-c", &script]).ok();
        self.printed(&name)
    }

    /// The option that mounts the folder where scripts print to: `ctr` loses the output of a short program now and then,
    /// whatever the runtime.
    fn folder(&self) -> String {
        let folder = self.path("printed");
        fs::create_dir_all(&folder).expect("the test's directory is ours");
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("the test's directory is ours");
        format!("--mount type=bind,src={folder},dst=/printed,options=rbind:rw")
    }

    /// Returns a script that prints to a file of that folder, and the file's name.
    fn printing(&self, script: &str) -> (String, String) {
        let name = self.id();
        let script = format!("{{ {script}\n}} >/printed/{name}");
        (name, script)
    }

    fn printed(&self, name: &str) -> String {
        let text = fs::read_to_string(self.world.directory.join("printed").join(name));
        text.expect("the script has printed").trim().to_owned()
    }

    /// Starts a shell script in a container that stays, and returns its id.
    #[track_caller]
    pub(crate) fn up(&self, options: &str, script: &str) -> String {
        let (id, options) = (self.id(), format!("--detach {} {options}", self.folder()));
        let command = self.run_command(Runtime::Lighter, &options, [BUSYBOX, &id], &["sh", "-c", script]);
        run(command, &self.world.directory).ok();
        id
    }

    /// Runs a shell script on a terminal of 33 rows and 77 columns.
    pub(crate) fn on_terminal(&self, options: &str, script: &str) -> Terminal {
        let (id, options) = (self.id(), format!("--rm --tty {options}"));
        let command = self.run_command(Runtime::Lighter, &options, [BUSYBOX, &id], &["sh", "-c", script]);
        Terminal::start(&command, 33, 77)
    }

    /// Runs `program` beside the one of a container, with `options` split at white space.
    #[track_caller]
    pub(crate) fn exec(&self, id: &str, options: &str, program: &[&str]) -> Output {
        run(self.exec_command(id, options, program), &self.world.directory)
    }

    /// Returns the command for [`Containerd::exec`].
    pub(crate) fn exec_command(&self, id: &str, options: &str, program: &[&str]) -> Command {
        let (exec, options) = (self.id(), options.split_whitespace().collect());
        self.command([vec!["task", "exec", "--exec-id", &exec], options, vec![id], program.to_vec()].concat())
    }

    /// Runs a shell script beside the program of a container, which must be a success, and returns what it printed.
    #[track_caller]
    pub(crate) fn beside(&self, id: &str, options: &str, script: &str) -> String {
        let (name, script) = self.printing(script);
        self.exec(id, options, &["sh", "-c", &script]).ok();
        self.printed(&name)
    }

    /// Asserts that a script prints the same under both runtimes, and returns that.
    #[track_caller]
    pub(crate) fn as_with_runc(&self, options: &str, script: &str) -> String {
        let [ours, theirs] = [Runtime::Lighter, Runtime::Runc].map(|runtime| self.inside(runtime, options, script));
        assert_eq!(ours, theirs, "under lighter and runc: {options}");
        ours
    }

    /// Waits until the task of a container has the status `expected`.
    #[track_caller]
    pub(crate) fn becomes(&self, id: &str, expected: &str) {
        eventually(&format!("{id} is {expected}"), LIMIT, || {
            let tasks = self.call(["task", "ls"]).ok().stdout;
            let row = tasks.lines().find(|row| row.split_whitespace().next() == Some(id)).unwrap_or("gone");
            if row.ends_with(expected) { Ok(()) } else { Err(row.to_owned()) }
        });
    }

    /// Returns the path of something in the test's directory.
    pub(crate) fn path(&self, name: &str) -> String {
        self.world.path(name)
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        // The first failure is the one to show, so a second one here must not end the process.
        let removed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let all = self.call(["containers", "ls", "--quiet"]).ok().stdout;
            for id in all.split_whitespace() {
                self.call(["task", "rm", "--force", id]);
                self.call(["containers", "rm", id]).ok();
            }
        }));
        self.daemon = None;
        if !std::thread::panicking() {
            removed.expect("containerd can remove its containers by force");
        }
    }
}
