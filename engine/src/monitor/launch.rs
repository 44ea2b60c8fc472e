//! From a record to a running container: everything the monitor does before its event loop, and undoing it.
//!
//! 1 run directory and the cgroup's name, so that whatever follows can be found and undone; 2 network; 3 root filesystem;
//! 4 volumes; 5 /etc files; 6 runtime configuration; 7 output and input; 8 the process. 1–6 are done once for all
//! restarts of this monitor's container, 7 and 8 for each.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use nix::sys::signalfd::SignalFd;
use oci_spec::runtime::Spec;

use super::Beginning;
use super::attachments::Attachments;
use super::health::Prober;
use super::held::Held;
use super::input::Input;
use super::output::{Output, container_end};
use super::restart::Backoff;
use crate::cdi::{self, CdiError};
use crate::control;
use crate::durable::{self, FileError};
use crate::etc::{self, EtcFiles};
use crate::foreign::{Foreign, ForeignError, InitError, init};
use crate::images::store::Image;
use crate::joined::JoinError;
use crate::layout::ContainerPaths;
use crate::living::Life;
use crate::logs::LogWriter;
use crate::netns::AttachError;
use crate::network::{Connection, NetworkError};
use crate::oci::{self, ConfigError};
use crate::propagation::{self, PropagationError};
use crate::rootfs::{self, Mounted, RootfsError};
use crate::runtime::cgroup::Cgroup;
use crate::runtime::launch::{self as runtime, Init, Launch, LaunchOptions, Stdio};
use crate::runtime::process;
use crate::runtime::trace::{self, Effect};
use crate::spec::{ContainerSpec, MountKind};
use crate::state::{Process, State, Status};
use crate::user::{self, UserError};
use crate::users::{OwnUsers, UsersError};
use crate::volume::{self, VolumeError};
use crate::{Engine, RemoveOptions, Stream, exit_code};

/// Rows and columns of a terminal that nobody has looked at yet: those of a VT100.
const TERMINAL: (u16, u16) = (24, 80);

/// Why a container could not be launched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("{act}")]
    Io {
        act: String,
        #[source]
        source: io::Error,
    },
    #[error("image `{0}` is not in the store any more: pull it again")]
    NoImage(String),
    #[error("bind source path does not exist: `{0}`")]
    NoBindSource(String),
    #[error(transparent)]
    Propagation(#[from] PropagationError),
    #[error(transparent)]
    Record(#[from] FileError),
    #[error(transparent)]
    Image(#[from] crate::images::store::StoreError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Rootfs(#[from] RootfsError),
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error(transparent)]
    ImageMount(#[from] crate::ImageMountError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Users(#[from] UsersError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error(transparent)]
    Cdi(#[from] CdiError),
    #[error(transparent)]
    Runtime(#[from] runtime::LaunchError),
    #[error(transparent)]
    Runtimes(#[from] crate::RuntimesError),
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    #[error(transparent)]
    Init(#[from] InitError),
}

impl LaunchError {
    pub(super) fn io(act: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let act = act.into();
        move |source| Self::Io { act, source }
    }

    /// Returns docker-run(1)'s exit code for this failure.
    pub(crate) fn exit_code(&self) -> i32 {
        match self {
            Self::Runtime(error) => error.exit_code(),
            Self::Foreign(error) => error.exit_code(),
            _ => exit_code::OURS,
        }
    }

    /// Returns the port of the host that could not be published, if that is what failed.
    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Self::Network(NetworkError::Attach(AttachError::Port(error))) => Some(error.port()),
            _ => None,
        }
    }
}

/// One container and what its monitor holds for it.
pub(super) struct Monitor {
    pub(super) engine: Engine,
    pub(super) id: String,
    pub(super) spec: ContainerSpec,
    pub(super) paths: ContainerPaths,
    pub(super) config: Spec,
    /// The other runtime that makes its processes.
    pub(super) foreign: Option<Box<Foreign>>,
    pub(super) state: State,
    pub(super) connection: Connection,
    pub(super) signals: SignalFd,
    pub(super) attachments: Attachments,
    pub(super) log: LogWriter,
    pub(super) outputs: Vec<Output>,
    pub(super) input: Input,
    /// Rows and columns that its terminal begins with.
    terminal: (u16, u16),
    pub(super) init: Option<Init>,
    pub(super) started: Instant,
    pub(super) prober: Option<Prober>,
    pub(super) backoff: Backoff,
    /// When the next start is due.
    pub(super) restart_at: Option<Instant>,
    /// Where post_start hooks that nobody waits for are heard of.
    pub(super) hooks: Option<OwnedFd>,
    pub(super) held: Held,
    /// Says that this process lives, to every command that looks for containers without a monitor.
    _lives: Life,
}

impl Monitor {
    /// Starts the container; on failure everything is undone.
    pub(super) fn start(
        engine: Engine,
        id: &str,
        signals: SignalFd,
        beginning: Beginning,
    ) -> Result<(Self, Vec<String>), LaunchError> {
        let Beginning { attached, terminal, restarts } = beginning;
        let started = Self::prepare(engine.clone(), id, signals, attached).and_then(|(mut monitor, mut warnings)| {
            monitor.state.restart_count = restarts;
            monitor.terminal = terminal.unwrap_or(monitor.terminal);
            warnings.append(&mut monitor.connection.notes);
            warnings.extend(monitor.launch()?);
            Ok((monitor, warnings))
        });
        if started.is_err() {
            let _ = engine.tear_down(id); // what stays is found by its run directory and undone by the next command
        }
        started
    }

    /// Makes everything the container needs but its process; returns what the user should know of that.
    fn prepare(
        engine: Engine,
        id: &str,
        signals: SignalFd,
        attached: Option<UnixStream>,
    ) -> Result<(Self, Vec<String>), LaunchError> {
        let paths = engine.layout().container(id);
        let spec = read_spec(&paths)?;
        let cgroup = cgroup_path(id, &spec);
        let effect = || Effect::MakeDirectory { path: paths.run().display().to_string() };
        trace::step(effect, || durable::create_dir(paths.run()))?;
        let lives = Life::begin(engine.layout(), id)?;
        durable::write_json(&paths.cgroup(), &cgroup, false)?;
        let users = if spec.isolation.own_users { Some(engine.make_users(&paths)?) } else { None };
        let made = users.as_ref().map(OwnUsers::network);
        let connection = engine.connect(id, &spec, made.as_deref())?;
        let Mounted { path: rootfs, warning } = mount_rootfs(&engine, &paths, &spec)?;
        let sources = mount_sources(&engine, &paths, &spec, &rootfs)?;
        let user = user::resolve(&rootfs, &spec.user, &spec.group_add)?;
        if let Some(users) = &users {
            // only now: until here the files have the owners that they have on disk
            rootfs::map_ids(&paths, &lowers(&engine, &spec)?, users.range.of_mounts()?.as_fd())?;
        }
        let etc = etc_files(&engine, id, &spec, &paths, &connection)?;
        let joined = engine.joined(&paths, &spec)?;
        let foreign = foreign(&engine, id, &paths, &spec)?;
        let mut config = oci::config(&oci::Context {
            spec: &spec,
            rootfs: &rootfs,
            hostname: &engine.hostname(id, &spec),
            network: connection.namespace.as_deref(),
            joined: &joined,
            cgroup: &cgroup,
            etc: &etc,
            users: users.as_ref().map(|users| (users.range, paths.users())),
            user: &user,
            sources: &sources,
        })?;
        cdi::apply(&mut config, &spec.cdi_devices)?;
        if spec.init && foreign.is_some() {
            init::add(&mut config, &engine.runtimes().init()?, paths.dir())?;
        }
        durable::write_json(&paths.run().join("config.json"), &config, false)?;
        let state = State::read(&paths.state())?.unwrap_or_default();
        let attachments =
            Attachments::new(&paths.attach(), attached).map_err(LaunchError::io("open the attach socket"))?;
        let log = LogWriter::open(id, &spec, &paths).map_err(LaunchError::io("open the log"))?;
        let monitor = Self {
            engine,
            id: id.to_owned(),
            spec,
            paths,
            config,
            foreign,
            state,
            connection,
            signals,
            attachments,
            log,
            outputs: Vec::new(),
            input: Input::default(),
            terminal: TERMINAL,
            init: None,
            started: Instant::now(),
            prober: None,
            backoff: Backoff::default(),
            restart_at: None,
            hooks: None,
            held: Held::default(),
            _lives: lives,
        };
        Ok((monitor, warning.into_iter().collect()))
    }

    /// Starts the container's process once; returns what could not be applied in full.
    pub(super) fn launch(&mut self) -> Result<Vec<String>, LaunchError> {
        self.put_back().map_err(LaunchError::io("mount what the container begins with"))?;
        let stdio = self.stdio().map_err(LaunchError::io("open the container's stdio"))?;
        let (init, warnings) = match self.foreign.take() {
            Some(foreign) => {
                let init = self.launch_by(&foreign, stdio);
                self.foreign = Some(foreign);
                (init?, oci::warnings(&self.spec))
            }
            None => self.launch_ourselves(stdio)?,
        };
        self.tell("start", &[]);
        self.started = Instant::now();
        self.init = Some(init);
        self.prober = self.spec.health.clone().map(|check| Prober::new(check, self.paths.health()));
        Ok(warnings)
    }

    fn launch_ourselves(&mut self, stdio: Stdio) -> Result<(Init, Vec<String>), LaunchError> {
        let options = LaunchOptions { reaper: self.spec.init, ..LaunchOptions::default() };
        let launch = Launch { id: &self.id, spec: &self.config, bundle: self.paths.run(), stdio, options };
        let mut created = runtime::create(launch)?;
        if let Some(master) = created.terminal.take() {
            self.use_terminal(master).map_err(LaunchError::io("use the container's terminal"))?;
        }
        let init = Process { pid: created.init.pid, start_time: created.init.start_time };
        self.record_running(init)?;
        let mut warnings = std::mem::take(&mut created.warnings);
        warnings.extend(oci::warnings(&self.spec));
        Ok((created.start()?, warnings))
    }

    fn stdio(&mut self) -> io::Result<Stdio> {
        self.outputs.clear();
        self.input = Input::default();
        if self.spec.tty {
            let (rows, cols) = self.terminal;
            return Ok(Stdio::Terminal { rows, cols }); // until a client says otherwise
        }
        let owner = self.config.process().as_ref().map_or(0, |process| process.user().uid());
        let owner = self.paths.id_range().map_or(owner, |ids| ids.uid(owner));
        self.outputs.push(Output::fifo(Stream::Stdout, &self.paths.stdout())?);
        self.outputs.push(Output::fifo(Stream::Stderr, &self.paths.stderr())?);
        for path in [self.paths.stdout(), self.paths.stderr()] {
            // the container's user may open /dev/stdout again, as nginx and others do for their logs
            std::os::unix::fs::chown(path, Some(owner), None)?;
        }
        let stdin = if self.spec.open_stdin {
            let (ours, theirs) = Input::fifo(&self.paths.stdin())?;
            self.input = ours;
            theirs
        } else {
            fs::File::open("/dev/null")?.into()
        };
        let (stdout, stderr) = (container_end(&self.paths.stdout())?, container_end(&self.paths.stderr())?);
        Ok(Stdio::Fds { stdin, stdout, stderr })
    }

    pub(super) fn use_terminal(&mut self, master: OwnedFd) -> io::Result<()> {
        self.input = Input::terminal(master.try_clone()?)?;
        self.outputs = vec![Output::terminal(master)?];
        Ok(())
    }

    pub(super) fn record_running(&mut self, init: Process) -> Result<(), LaunchError> {
        let kernel = LaunchError::io("read the start time of the monitor");
        self.state = State {
            status: Status::Running,
            boot_id: process::boot_id().map_err(LaunchError::io("read the boot id"))?,
            init: Some(init),
            monitor: Some(Process::current().map_err(kernel)?),
            cgroup: Some(cgroup_path(&self.id, &self.spec)),
            exit_code: None,
            oom_killed: false,
            cut_off: false,
            error: None,
            started_at: Some(Timestamp::now()),
            finished_at: None,
            endpoints: self.connection.endpoints.clone(),
            ports: self.connection.ports.clone(),
            ..std::mem::take(&mut self.state)
        };
        Ok(self.write_state(false)?)
    }

    pub(super) fn write_state(&self, durable: bool) -> Result<(), FileError> {
        durable::write_json(&self.paths.state(), &self.state, durable && !control::is_passing(&self.paths))
    }

    /// Takes over a container whose monitor has died.
    pub(super) fn adopt(engine: Engine, id: &str, signals: SignalFd) -> Result<Self, LaunchError> {
        let paths = engine.layout().container(id);
        let lives = Life::begin(engine.layout(), id)?;
        let spec = read_spec(&paths)?;
        let mut state = State::read(&paths.state())?.unwrap_or_default();
        let init = open_init(&state)?;
        let config = durable::read_json::<Spec>(&paths.run().join("config.json"))?.unwrap_or_default();
        let foreign = engine.foreign(id)?.map(Box::new);
        let open = |act: &'static str| LaunchError::io(act);
        let process = Process { pid: init.pid, start_time: init.start_time };
        let held = match foreign {
            Some(_) => Held::default(), // it has it mounted all the time
            None => Held::of(&engine, id, &paths, process).map_err(open("take over the container's mounts"))?,
        };
        let connection = engine.reconnect(id, &spec, &state)?;
        let attachments = Attachments::new(&paths.attach(), None).map_err(open("open the attach socket"))?;
        let log = LogWriter::open(id, &spec, &paths).map_err(open("open the log"))?;
        let mut outputs = Vec::new();
        let mut input = Input::default();
        if !spec.tty {
            // a terminal's controlling end has died with its monitor
            outputs.push(Output::fifo(Stream::Stdout, &paths.stdout()).map_err(open("open stdout"))?);
            outputs.push(Output::fifo(Stream::Stderr, &paths.stderr()).map_err(open("open stderr"))?);
            if spec.open_stdin {
                input = Input::reopen(&paths.stdin()).unwrap_or_default(); // its reader may have closed it
            }
        }
        state.monitor = Some(Process::current().map_err(open("read the start time of the monitor"))?);
        let health = durable::read_json(&paths.health())?.unwrap_or_default();
        let run = state.started_at.map(|then| Timestamp::now().duration_since(then).unsigned_abs()).unwrap_or_default();
        let prober = spec.health.clone().map(|check| Prober::resume(check, paths.health(), health, run));
        let monitor = Self {
            engine,
            id: id.to_owned(),
            spec,
            paths,
            config,
            foreign,
            state,
            connection,
            signals,
            attachments,
            log,
            outputs,
            input,
            terminal: TERMINAL,
            init: Some(init),
            started: Instant::now(),
            prober,
            backoff: Backoff::default(),
            restart_at: None,
            hooks: None,
            held,
            _lives: lives,
        };
        monitor.write_state(false)?;
        Ok(monitor)
    }
}

/// Finds the other runtime that shall make the container, and takes note of it; `None` = our own.
fn foreign(
    engine: &Engine,
    id: &str,
    paths: &ContainerPaths,
    spec: &ContainerSpec,
) -> Result<Option<Box<Foreign>>, LaunchError> {
    let runtime = spec.runtime.as_deref().map(|name| engine.runtimes().find(name)).transpose()?.flatten();
    Ok(runtime.map(|runtime| Foreign::begin(runtime, id, paths)).transpose()?.map(Box::new))
}

pub(super) fn read_spec(paths: &ContainerPaths) -> Result<ContainerSpec, LaunchError> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let spec = durable::read_json(&paths.spec())?;
    spec.ok_or_else(|| LaunchError::Io { act: format!("read `{}`", paths.spec().display()), source: missing() })
}

fn open_init(state: &State) -> Result<Init, LaunchError> {
    let gone = || LaunchError::io("adopt the container")(io::Error::from(io::ErrorKind::NotFound));
    let process = state.init.ok_or_else(gone)?;
    let pidfd = process.reference().open().map_err(LaunchError::io("adopt the container"))?.ok_or_else(gone)?;
    let path = state.cgroup.clone().unwrap_or_default();
    let cgroup = Cgroup::open(&path).map_err(|error| LaunchError::io("open the cgroup")(io::Error::other(error)))?;
    Ok(Init { pid: process.pid, start_time: process.start_time, pidfd, cgroup })
}

/// `/lighter/<project>/<container>`, or without the project; below another place of the host's if one is given.
fn cgroup_path(id: &str, spec: &ContainerSpec) -> String {
    match &spec.cgroup_parent {
        Some(parent) if parent.starts_with('/') => format!("{}/{id}", parent.trim_end_matches('/')),
        Some(parent) => format!("/lighter/{parent}/{id}"),
        None => format!("/lighter/{id}"),
    }
}

fn mount_rootfs(engine: &Engine, paths: &ContainerPaths, spec: &ContainerSpec) -> Result<Mounted, LaunchError> {
    match &spec.layers {
        Some(layers) => Ok(rootfs::mount_stack(paths, layers)?),
        None => Ok(rootfs::mount(paths, engine.images(), &image(engine, spec)?)?),
    }
}

fn image(engine: &Engine, spec: &ContainerSpec) -> Result<Image, LaunchError> {
    let image = engine.images().find(&spec.image.id)?;
    image.ok_or_else(|| LaunchError::NoImage(spec.image.reference.clone()))
}

/// Returns the directories of the layers that a container stands on, topmost first.
fn lowers(engine: &Engine, spec: &ContainerSpec) -> Result<Vec<PathBuf>, LaunchError> {
    match &spec.layers {
        Some(layers) => Ok(layers.lowers.clone()),
        None => Ok(engine.images().layers(&image(engine, spec)?)?),
    }
}

/// Returns where each mount's content is on the host; makes what is to be made, and fills empty volumes.
fn mount_sources(
    engine: &Engine,
    paths: &ContainerPaths,
    spec: &ContainerSpec,
    rootfs: &std::path::Path,
) -> Result<Vec<Option<PathBuf>>, LaunchError> {
    let mut sources = Vec::with_capacity(spec.mounts.len());
    for (number, mount) in spec.mounts.iter().enumerate() {
        sources.push(match &mount.kind {
            MountKind::Tmpfs { .. } => None,
            MountKind::Image { id, subpath, .. } => {
                Some(engine.mount_image_for(paths, (number, id), subpath.as_deref())?)
            }
            MountKind::Bind { source, create, propagation } => {
                if !source.exists() {
                    if !create {
                        return Err(LaunchError::NoBindSource(source.display().to_string()));
                    }
                    let act = format!("create bind source `{}`", source.display());
                    let effect = || Effect::MakeDirectory { path: source.display().to_string() };
                    trace::step(effect, || fs::create_dir_all(source)).map_err(LaunchError::io(act))?;
                }
                propagation::check(source, *propagation, spec.isolation.own_users)?;
                Some(source.clone())
            }
            MountKind::Volume { name, anonymous, no_copy, subpath } => {
                let volume =
                    engine.ready_volume(&volume::named(name, *anonymous), *no_copy, (rootfs, &mount.target))?;
                Some(match subpath {
                    Some(subpath) => volume::mount_part(&volume, subpath, (paths, number))?,
                    None => volume.mountpoint,
                })
            }
        });
    }
    Ok(sources)
}

fn etc_files(
    engine: &Engine,
    id: &str,
    spec: &ContainerSpec,
    paths: &ContainerPaths,
    connection: &Connection,
) -> Result<EtcFiles, LaunchError> {
    if let Some(other) = &connection.shared_with {
        // one network, one set of names: the files of the container whose network it is
        let shared = engine.layout().container(other).etc();
        return Ok(EtcFiles {
            hosts: shared.join("hosts"),
            hostname: shared.join("hostname"),
            resolv_conf: shared.join("resolv.conf"),
        });
    }
    Ok(etc::write(&paths.etc(), id, spec, (&connection.endpoints, &connection.gateways))?)
}

/// Notes on disk why a container did not start: it is what it was before, and says why.
pub(super) fn record_failure(engine: &Engine, id: &str, mut before: State, exit_code: i32, message: &str) {
    before.end();
    before.exit_code = Some(exit_code);
    before.error = Some(message.to_owned());
    // failing to say so leaves the record as it was, which is no lie
    let paths = engine.layout().container(id);
    let _ = durable::write_json(&paths.state(), &before, !paths.is_ephemeral());
}

/// Deletes a container that was to be deleted at its end, with its anonymous volumes.
pub(super) fn remove_if_asked(engine: &Engine, id: &str) {
    if let Ok(Some(container)) = engine.load(id)
        && container.spec.auto_remove
    {
        // what cannot be deleted now stays visible as an ended container
        let _ = engine.remove(&container, RemoveOptions { force: false, volumes: true });
    }
}
