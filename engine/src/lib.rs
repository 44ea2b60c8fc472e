//! One container: image, root filesystem, network, volumes, process, monitor.
//!
//! [`Engine`] is the only way to make, start, stop and delete a container; `run` and Compose both end here.
//!
//! | call | what it does |
//! |---|---|
//! | [`Engine::open`] | takes the two roots; nothing resident is needed |
//! | [`ContainerSpec::from_image`] | image configuration + the front end's choices → specification |
//! | [`Engine::create`] | records a container from a [`ContainerSpec`]; no process, no mount |
//! | [`Engine::start`] | spawns its monitor, which mounts, plugs in, launches, and says how that went |
//! | [`Engine::stop`], [`Engine::kill`], [`Engine::wait`] | signals and waits; the monitor tears down |
//! | [`Engine::pause`], [`Engine::unpause`] | freezes and thaws |
//! | [`Engine::processes`], [`Engine::usage`] | what runs inside, and what it uses |
//! | [`Engine::remove`] | deletes the record and everything that belongs to it |
//! | [`Engine::exec`], [`Engine::execute`] | runs a second process inside, joined to us or to its end |
//! | [`Engine::rename`], [`Engine::update`] | another name, other limits |
//! | [`Engine::commit`], [`Engine::export`], [`Engine::diff`] | makes an image, or an archive, of a container's files; what it has changed |
//! | [`Engine::mount_image`] | shows an image's files to the host |
//! | [`Engine::containers`], [`Engine::find`] | what is there, corrected by what the kernel says |
//! | [`Engine::events`], [`Engine::tell`] | what happens, from a journal; adding to it |
//! | [`Engine::volumes`] …, [`Engine::network`] … | volumes and networks |
//!
//! All of it runs in the command, except `monitor`, which runs in the process of that name.

mod as_root;
mod attach;
mod boot;
mod build;
mod cdi;
mod check;
mod commit;
mod container;
mod container_copy;
mod control;
mod create;
mod diff;
mod durable;
mod ephemeral;
mod etc;
mod events;
mod exec;
pub mod exit_code;
mod export;
mod foreign;
mod freeze;
mod hooks;
mod id;
mod image_copy;
mod image_mount;
mod image_users;
mod joined;
mod layout;
mod living;
mod lock;
mod logs;
pub mod monitor;
mod network;
mod oci;
mod pause;
mod processes;
mod propagation;
mod records;
mod remove;
mod rename;
mod rootfs;
mod runtimes;
pub mod signal;
mod spawn;
mod spawner;
mod spec;
mod start;
mod state;
mod stopped;
mod sys;
mod update;
mod usage;
mod user;
mod users;
mod view;
mod volume;
mod watch;

use std::path::PathBuf;

pub use attach::{AttachClient, Frame, FrameReader, write_frame};
pub use build::{BuildSession, BuildSessionError};
pub use cdi::{CdiError, DeviceRequest, DeviceRequestError, is_name as is_cdi_name};
pub use check::{CheckError, Checked};
pub use commit::{CommitError, CommitOptions};
pub use container::Container;
pub use container_copy::{ContainerCopyError, CopyOptions};
pub use control::ControlError;
pub use create::CreateError;
pub use diff::{Change, ChangeKind};
pub use durable::FileError;
pub use events::{Event, EventKind, EventStream, EventsError, EventsQuery};
pub use exec::{Exec, ExecError, ExecSpec};
pub use export::ExportError;
pub use foreign::{ForeignError, InitError};
pub use freeze::FreezeError;
pub use hooks::HookError;
pub use image_copy::CopyError;
pub use image_mount::{ImageMount, ImageMountError};
pub use image_users::ImageUsers;
pub use layout::{ContainerPaths, Layout};
pub use lighter_images as images;
use lighter_images::remove_tree;
pub use lighter_netns as netns;
pub use lighter_runtime as runtime;
pub use lock::{Holder, Lock};
pub use logs::{LogEntry, LogQuery, LogReader, Stream};
pub use network::{ConnectError, DEFAULT_NETWORK, NetworkError};
pub use oci::{ConfigError, check_seccomp as check_seccomp_profile};
pub use pause::PauseError;
pub use processes::{ProcessEntry, Traffic, Usage};
pub use remove::{RemoveError, RemoveOptions};
pub use rename::RenameError;
pub use runtimes::{OciRuntime, Runtimes, RuntimesError};
pub use spec::*;
pub use start::{StartError, StartOptions, Started};
pub use state::{EXIT_CODE_UNKNOWN, Health, HealthStatus, ProbeResult, Process, State, Status};
pub use update::{ContainerUpdate, UpdateError};
pub use users::UsersError;
pub use view::ViewError;
pub use volume::{
    Volume, VolumeError, VolumeOptionError, VolumeSpec, check_volume_options, is_anonymous as is_anonymous_volume,
};
pub use watch::Watch;

/// Returns a name that nobody has: 64 random hexadecimal digits.
///
/// # Panics
/// If the kernel gives no random numbers, without which no id could be made either.
pub fn random_name() -> String {
    id::random().expect("getrandom(2) gives random numbers once the system has booted")
}

/// Returns rows and columns of the terminal behind a descriptor; `None` if it is none.
pub fn terminal_size(fd: std::os::fd::RawFd) -> Option<(u16, u16)> {
    sys::terminal_size(fd)
}

/// Why the engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory of ours could not be made or is not safe to use.
    #[error(transparent)]
    File(#[from] FileError),
    /// The image store could not be opened.
    #[error("open the image store")]
    Images(#[from] images::store::StoreError),
}

/// A container was asked for that is not there, or not clearly.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No container has that name or id.
    #[error("no such container `{0}`")]
    NotFound(String),
    /// Several ids begin like that.
    #[error("`{prefix}` is the beginning of several container ids: {candidates}")]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// The short ids.
        candidates: String,
    },
    /// The record could not be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// One lighter installation on this host.
#[derive(Debug, Clone)]
pub struct Engine {
    layout: Layout,
    images: images::store::Store,
    net: netns::Host,
    runtimes: Runtimes,
}

impl Engine {
    /// Opens the installation below `root` (durable) and `run` (gone at reboot); makes the directories if need be.
    pub fn open(root: PathBuf, run: PathBuf) -> Result<Self, OpenError> {
        let layout = Layout::new(root, run);
        for directory in [layout.root().to_owned(), layout.run().to_owned(), layout.containers(), layout.volumes()] {
            durable::create_dir(&directory)?;
        }
        let images = images::store::Store::open(layout.root())?;
        let net = netns::Host::new(layout.root(), layout.run());
        Ok(Self { layout, images, net, runtimes: Runtimes::default() })
    }

    /// Applies what the host's owner has decided about its network.
    #[must_use]
    pub fn with_network(self, settings: netns::Settings) -> Self {
        Self { net: self.net.with_settings(settings), ..self }
    }

    /// Says which other OCI runtimes there are.
    #[must_use]
    pub fn with_runtimes(self, runtimes: Runtimes) -> Self {
        Self { runtimes, ..self }
    }

    /// Returns the other OCI runtimes that there are.
    pub fn runtimes(&self) -> &Runtimes {
        &self.runtimes
    }

    /// Returns where this installation keeps its files.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the image store.
    pub fn images(&self) -> &images::store::Store {
        &self.images
    }

    /// Returns the host's networks.
    pub fn net(&self) -> &netns::Host {
        &self.net
    }

    /// Takes the lock of a project, or returns who holds it: two commands never plan for it at once.
    ///
    /// Never hold it while waiting for a container.
    pub fn lock_project(&self, project: &str) -> Result<Result<Lock, Option<Holder>>, FileError> {
        Lock::take_or_holder(&self.layout.lock(&format!("project-{project}")))
    }

    pub(crate) fn lock_container(&self, id: &str) -> Result<Lock, FileError> {
        Lock::take(&self.layout.container_lock(id))
    }

    pub(crate) fn lock_volume(&self, name: &str) -> Result<Lock, FileError> {
        Lock::take(&self.layout.lock(&format!("volume-{name}")))
    }
}
