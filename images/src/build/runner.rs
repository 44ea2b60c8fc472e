//! What a build needs of whoever can run containers.
//!
//! Runs in the shell command's process.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Runs the command of a RUN in a container.
pub trait StepRunner: Sync {
    /// Runs a step to its end; `output` gets what it writes, as it is written.
    ///
    /// Returns its exit code. What it changed is at [`RunStep::changes`] then, whatever the code; of a step that was
    /// cancelled, or could not be run, nothing is left anywhere.
    ///
    /// # Errors
    /// What kept the step from running.
    fn run(&self, step: &RunStep<'_>, output: &mut dyn FnMut(&[u8])) -> Result<i32, Box<dyn Error + Send + Sync>>;
}

/// A step to run.
#[derive(Debug)]
pub struct RunStep<'a> {
    /// The root file system, and who runs what in it.
    pub process: StepProcess,
    /// What is mounted besides the usual.
    pub mounts: Vec<StepMount>,
    /// The network.
    pub network: StepNetwork,
    /// `--security=insecure`: all capabilities and devices.
    pub is_privileged: bool,
    /// What holds for every step of the build.
    pub options: &'a RunOptions,
    /// Where the step's changes go: a path on the file system of the layers, at which nothing is yet.
    pub changes: &'a Path,
    /// Set when the build is given up.
    pub cancelled: &'a AtomicBool,
}

/// A command and the state that it runs in; also what a shell after a failure needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepProcess {
    /// The layers' directories, topmost first; at least one.
    pub lowers: Vec<PathBuf>,
    /// The directory whose owner and mode the root has; `None` = root's, 0755.
    pub root: Option<PathBuf>,
    /// The program and its arguments.
    pub args: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Absolute.
    pub working_dir: String,
    /// `user[:group]`; empty is root.
    pub user: String,
    /// What the step is called, for people.
    pub title: String,
}

/// Something mounted into a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepMount {
    /// Absolute path inside.
    pub target: String,
    /// Refuse writes.
    pub is_read_only: bool,
    /// What appears there.
    pub kind: StepMountKind,
}

/// What a mount shows.
#[derive(Clone, PartialEq, Eq)]
pub enum StepMountKind {
    /// A file, directory or socket of the host.
    Bind(PathBuf),
    /// Memory of at most so many bytes.
    Tmpfs(Option<u64>),
    /// Bytes that must not reach a disk, as a file of this mode and owner.
    Secret {
        /// The bytes.
        content: Vec<u8>,
        /// Permissions.
        mode: u32,
        /// Owner and group.
        owner: (u32, u32),
    },
}

impl std::fmt::Debug for StepMountKind {
    /// Shows no secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StepMountKind::Bind(path) => write!(formatter, "Bind({})", path.display()),
            StepMountKind::Tmpfs(size) => write!(formatter, "Tmpfs({size:?})"),
            StepMountKind::Secret { .. } => formatter.write_str("Secret"),
        }
    }
}

/// The network of a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StepNetwork {
    /// That of containers that name none.
    #[default]
    Default,
    /// The host's.
    Host,
    /// None at all.
    None,
    /// A network by its name.
    Named(String),
}

/// What holds for every RUN of a build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// The network of a RUN that says nothing else.
    pub network: StepNetwork,
    /// `host, address` lines of /etc/hosts.
    pub extra_hosts: Vec<(String, String)>,
    /// Bytes of /dev/shm.
    pub shm_size: Option<u64>,
    /// Name, soft and hard limit of setrlimit(2).
    pub ulimits: Vec<(String, u64, u64)>,
    /// Parent cgroup.
    pub cgroup_parent: Option<String>,
    /// Limit of memory in bytes.
    pub memory: Option<u64>,
    /// Host name; `None` is the same for every step, too.
    pub hostname: Option<String>,
}
