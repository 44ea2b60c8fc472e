//! `create`: everything but the program (runtime-spec, runtime.md, "Create").

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use oci_spec::runtime::Spec;

use super::claim::Claim;
use super::container::Container;
use super::record::{self, Record};
use super::root::open_directory;
use super::{OciError, Root, console, source};
use crate::cgroup::Driver;
use crate::hooks::Hooks;
use crate::launch::{self, Created, Launch, LaunchOptions};
use crate::process;

/// What a caller says beside the configuration.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions {
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// The socket that gets the container's terminal.
    pub console_socket: Option<PathBuf>,
    /// The file that gets the pid of the container's process.
    pub pid_file: Option<PathBuf>,
    /// Do not use pivot_root(2); see [`LaunchOptions::no_pivot`].
    pub no_pivot: bool,
    /// Share the caller's session keyring.
    pub no_new_keyring: bool,
    /// How many of the caller's descriptors from 3 on the program inherits.
    pub preserve_fds: u32,
    /// Who makes the container's cgroup.
    pub driver: Driver,
}

/// Who starts a container that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Starter {
    /// Another command.
    Another,
    /// Its maker, who then ends.
    Maker,
    /// Its maker, who stays and serves its terminal.
    Attendant,
}

impl Root {
    /// Makes a container; its program runs once [`start`](Self::start) is called, by whomever.
    ///
    /// Returns what the user should be told. The caller must have one thread and run from a sealed copy.
    ///
    /// # Errors
    /// [`OciError`]; nothing is left of the container then.
    pub fn create(&self, id: &str, options: &CreateOptions) -> Result<Vec<String>, OciError> {
        let (mut container, mut created) = self.make(id, options, Starter::Another)?;
        let warnings = std::mem::take(&mut created.warnings);
        created.leave()?;
        container.keep();
        Ok(warnings)
    }

    /// Makes a container that `starter` will start.
    pub(super) fn make(
        &self,
        id: &str,
        options: &CreateOptions,
        starter: Starter,
    ) -> Result<(Container, Created), OciError> {
        let bundle = options.bundle.canonicalize().map_err(OciError::file("open the bundle", &options.bundle))?;
        let (spec, text) = source::load_spec(&bundle)?;
        let mut planned = launch::plan(Launch {
            id,
            spec: &spec,
            bundle: &bundle,
            stdio: streams(&spec, options, starter == Starter::Attendant)?,
            options: LaunchOptions {
                preserve_fds: options.preserve_fds,
                no_pivot: options.no_pivot,
                no_new_keyring: options.no_new_keyring,
                driver: options.driver,
                ..LaunchOptions::default()
            },
        })?;
        let claim = self.claim(id)?;
        let boot_id =
            process::boot_id().map_err(OciError::file("read", Path::new("/proc/sys/kernel/random/boot_id")))?;
        let mut record = Record {
            oci_version: spec.version().clone(),
            rootfs: planned.rootfs().to_owned(),
            bundle: bundle.clone(),
            annotations: spec.annotations().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect(),
            own_pid_namespace: planned.has_own_pid_namespace(),
            no_new_keyring: options.no_new_keyring,
            driver: options.driver,
            hooks: later_hooks(planned.hooks()),
            ..Record::new(id, planned.cgroup().clone(), boot_id)
        };
        // Before anything is made that would have to be found again if we were killed.
        record.write(claim.path())?;
        record::replace(&claim.path().join(Container::CONFIG), text.as_bytes())?;
        if starter == Starter::Another {
            planned.start_at(start_socket(&claim)?);
        }
        let mut created = planned.create()?;
        record.init = Some(created.init.process());
        record.write(claim.path())?;
        if let (Some(path), Some(terminal)) = (&options.console_socket, created.terminal.take()) {
            console::send(path, &terminal)?;
        }
        if let Some(path) = &options.pid_file {
            record::replace(path, created.init.pid.to_string().as_bytes())?;
        }
        let directory = claim.path().to_owned();
        Ok((Container { directory, record, claim: Some(claim) }, created))
    }
}

impl Container {
    /// Lets the directory of a container that was made stay.
    pub(super) fn keep(&mut self) {
        if let Some(claim) = &mut self.claim {
            claim.keep();
        }
    }
}

fn streams(spec: &Spec, options: &CreateOptions, attended: bool) -> Result<launch::Stdio, OciError> {
    let process = spec.process().as_ref();
    let terminal = process.and_then(|process| process.terminal()).unwrap_or(false);
    let cells = |cells: u64| u16::try_from(cells).unwrap_or(u16::MAX);
    let size = process.and_then(|process| process.console_size());
    let size = size.map(|size| (cells(size.height()), cells(size.width())));
    console::streams(terminal, size, options.console_socket.as_deref(), attended)
}

/// Hooks of the commands that follow.
fn later_hooks(hooks: &Hooks) -> Hooks {
    Hooks { poststart: hooks.poststart.clone(), poststop: hooks.poststop.clone(), ..Hooks::default() }
}

/// Makes the socket at which init waits. Named by way of the directory's descriptor: a path of a socket has at
/// most 107 bytes, whatever the root is (unix(7)).
fn start_socket(claim: &Claim) -> Result<OwnedFd, OciError> {
    let path = claim.path().join(Container::START_SOCKET);
    let listening = || -> std::io::Result<OwnedFd> {
        let directory = open_directory(claim.path())?;
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
        bind(socket.as_raw_fd(), &UnixAddr::new(&reachable(&directory))?)?;
        listen(&socket, Backlog::new(1)?)?;
        Ok(socket)
    };
    listening().map_err(OciError::file("make socket", &path))
}

/// Returns a short path of the start socket in an open directory.
pub(super) fn reachable(directory: &File) -> PathBuf {
    Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(Container::START_SOCKET)
}
