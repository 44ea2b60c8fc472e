//! The world of one test.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::containers::by_service;
use super::footprint::Footprint;
use super::namespaces::Namespaces;
use super::{Container, Output, Registry, Running, processes, run, tool};

/// Time a command of lighter may take before the scenario gives up on it; pulling the largest image takes a tenth.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// Time that the kernel may take to finish what `down` started: network namespaces go asynchronously.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// Where scenarios keep their directories: the path that the kernel shows, as messages and mounts have it.
fn scratch() -> &'static Path {
    static SCRATCH: LazyLock<PathBuf> = LazyLock::new(|| {
        let scratch = env!("CARGO_TARGET_TMPDIR");
        fs::create_dir_all(scratch).expect("the target directory is ours"); // cargo has made it here, and not in a guest
        fs::canonicalize(scratch).expect("it was made")
    });
    &SCRATCH
}

/// Returns a name that no scenario has, nor one that failed earlier and was kept.
fn unused_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    loop {
        let name = format!("e2e-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        if !scratch().join(&name).exists() {
            return name;
        }
    }
}

/// A host of its own for one test: network and mount namespace, registry, data root, run directory, a project folder.
///
/// At the end of the test everything is removed *by lighter*, and then nothing may be left: see [`Footprint`]. A test that
/// fails is torn down as well, but keeps its directory and says where it is.
pub(crate) struct Scenario {
    purpose: &'static str,
    directory: PathBuf,
    /// Short, because sockets below it have names of at most 107 bytes (unix(7)).
    run_directory: PathBuf,
    project: String,
    registry: Option<Registry>,
    before: Footprint,
    /// Every container that was ever seen, to look for its traces afterwards.
    seen: RefCell<BTreeSet<String>>,
    /// Last, so that it is dropped last.
    _namespaces: Namespaces,
}

impl Scenario {
    /// Makes the world; `purpose` says in a sentence what would be wrong if the test failed.
    pub(crate) fn new(purpose: &'static str) -> Self {
        Self::with_registry(purpose, &Registry::images().join("registry"))
    }

    /// Like [`Scenario::new`], with a registry that serves the storage `data`.
    pub(crate) fn with_registry(purpose: &'static str, data: &Path) -> Self {
        let project = unused_name();
        let directory = scratch().join(&project);
        let run_directory = PathBuf::from(format!("/run/lt{}", project.trim_start_matches("e2e")));
        for path in [&directory.join(&project), &run_directory] {
            fs::create_dir_all(path).unwrap_or_else(|error| panic!("create `{}`: {error}", path.display()));
        }
        let resolv_conf = directory.join("resolv.conf");
        fs::write(&resolv_conf, "nameserver 127.0.0.1\n").expect("the directory is ours");
        let namespaces = Namespaces::enter(&resolv_conf);
        let registry = Some(Registry::start(data, 5000, &directory));
        let before = Footprint::take(&directory, &run_directory, &BTreeSet::new(), &project, None);
        let seen = RefCell::default();
        let scenario =
            Self { purpose, directory, run_directory, project, registry, before, seen, _namespaces: namespaces };
        scenario.configure("");
        scenario
    }

    /// The data root, `LIGHTER_ROOT`.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// The project's folder; its name is the project's name.
    pub(crate) fn folder(&self) -> PathBuf {
        self.directory.join(&self.project)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The run directory, `LIGHTER_RUN`.
    pub(crate) fn run_directory(&self) -> &Path {
        &self.run_directory
    }

    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// Writes a file of the project.
    pub(crate) fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().expect("it is below the folder")).expect("the folder is ours");
        fs::write(path, text).expect("the folder is ours");
        self
    }

    /// Says in `config.toml` what there is to say about registries, besides where `docker.io` is.
    pub(crate) fn configure(&self, text: &str) -> &Self {
        let text = format!("[registry.\"docker.io\"]\nmirrors = [\"http://127.0.0.1:5000\"]\n{text}");
        fs::write(self.directory.join("config.toml"), text).expect("the directory is ours");
        self
    }

    /// Replaces `old`, which must be there, by `new` in a file of the project.
    pub(crate) fn edit(&self, name: &str, old: &str, new: &str) -> &Self {
        let text = fs::read_to_string(self.folder().join(name)).expect("the file was written before");
        assert!(text.contains(old), "`{old}` is not in {name}");
        self.file(name, &text.replace(old, new))
    }

    /// Copies a folder of the checkout into the project's.
    pub(crate) fn copy(&self, folder: &str) -> &Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(".");
        let copied = tool("cp", ["-a".as_ref(), source.as_os_str(), self.folder().as_os_str()]);
        run(copied, COMMAND_LIMIT).ok();
        self
    }

    /// Returns a command of lighter in the project's folder, not yet started.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = tool(env!("CARGO_BIN_EXE_lighter"), arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("COMPOSE_") || name.to_string_lossy().starts_with("DOCKER_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.folder())
            .env("LIGHTER_ROOT", self.root())
            .env("LIGHTER_RUN", &self.run_directory)
            .env("LIGHTER_CONFIG", self.directory.join("config.toml"))
            .env("DOCKER_CONFIG", self.directory.join("docker"))
            .env_remove("REGISTRY_AUTH_FILE");
        command
    }

    /// Runs lighter to its end.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.finish(self.command(arguments))
    }

    /// Runs a command made with [`Scenario::command`] to its end.
    #[track_caller]
    pub(crate) fn finish(&self, command: Command) -> Output {
        let output = run(command, COMMAND_LIMIT);
        self.remember_containers();
        output
    }

    /// Starts lighter and comes back while it runs.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        Running::start(self.command(arguments), &self.directory)
    }

    /// Returns the project's containers by service; one per service.
    #[track_caller]
    pub(crate) fn containers(&self) -> BTreeMap<String, Container> {
        by_service(&self.run(["compose", "ps", "--all", "--format", "json"]).ok().stdout)
    }

    /// Returns what `inspect` says about a container.
    #[track_caller]
    pub(crate) fn inspect(&self, container: &str) -> Value {
        let text = self.run(["inspect", container]).ok().stdout;
        let all: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        all[0].clone()
    }

    /// Returns the process id of a container's first process, as this host sees it.
    #[track_caller]
    pub(crate) fn pid(&self, container: &str) -> i32 {
        let pid = self.inspect(container)["State"]["Pid"].as_i64().expect("State.Pid is a number");
        i32::try_from(pid).expect("a pid fits")
    }

    /// Returns the container's first IPv4 address.
    #[track_caller]
    pub(crate) fn address(&self, container: &str) -> Ipv4Addr {
        let inspected = self.inspect(container);
        let networks = inspected["NetworkSettings"]["Networks"].as_object().expect("it has networks");
        let address = networks.values().next().and_then(|network| network["IPAddress"].as_str());
        address.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no address in {inspected}"))
    }

    /// Ends the registry: from here on nothing can be pulled.
    pub(crate) fn stop_registry(&mut self) {
        self.registry = None;
    }

    /// Names the folders of `ROOT/containers`, now, so that traces of containers that are gone can be told from others'.
    fn remember_containers(&self) {
        let folders = fs::read_dir(self.root().join("containers")).into_iter().flatten().flatten();
        self.seen.borrow_mut().extend(folders.map(|folder| folder.file_name().to_string_lossy().into_owned()));
    }

    /// What there is of this scenario on the host, now.
    pub(crate) fn footprint(&self) -> Footprint {
        let registry = self.registry.as_ref().map(Registry::pid);
        Footprint::take(&self.directory, &self.run_directory, &self.seen.borrow(), &self.project, registry)
    }

    /// Asserts that nothing is on the host but what was there before the scenario began.
    #[track_caller]
    pub(crate) fn leaves_nothing(&self) {
        super::eventually("nothing is left on the host", SETTLE_LIMIT, || self.footprint().beyond(&self.before));
    }

    /// Removes every container and network by lighter's own verbs.
    fn tear_down(&self) -> Vec<Output> {
        let mut done =
            vec![self.run(["compose", "--project-name", &self.project, "down", "--volumes", "--timeout", "0"])];
        let listed = self.run(["ps", "--all", "--quiet"]);
        let ids: Vec<_> = listed.stdout.split_whitespace().map(str::to_owned).collect();
        if !ids.is_empty() {
            done.push(self.run(["rm".to_owned(), "--force".to_owned()].into_iter().chain(ids)));
        }
        done.push(listed);
        done
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The first failure is the one to show, so a second one here must not end the process.
            let torn_down = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.tear_down()));
            processes::kill_all(&self.directory, &self.run_directory, self.registry.as_ref().map(Registry::pid));
            self.report(torn_down.is_ok());
            return;
        }
        for output in self.tear_down() {
            output.ok();
        }
        self.leaves_nothing();
        for path in [&self.run_directory, &self.directory] {
            fs::remove_dir_all(path).unwrap_or_else(|error| {
                let left = run(tool("find", [path]), SETTLE_LIMIT);
                panic!("remove `{}`: {error}\n{left}", path.display())
            });
        }
    }
}

impl Scenario {
    #[expect(clippy::print_stderr, reason = "where to look after a failure")]
    fn report(&self, torn_down: bool) {
        eprintln!(
            "scenario: {}\nkept: {} and {}",
            self.purpose,
            self.directory.display(),
            self.run_directory.display()
        );
        if !torn_down {
            eprintln!("it could not be torn down: look for what is left");
        }
    }
}
