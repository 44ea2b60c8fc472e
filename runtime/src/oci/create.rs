//! `create`: everything but the program (runtime-spec, runtime.md, "Create").

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use oci_spec::runtime::Spec;

use super::container::Container;
use super::record::{self, Record};
use super::root::open_directory;
use super::{OciError, Root, console, source};
use crate::cgroup::Driver;
use crate::hooks::Hooks;
use crate::launch::{self, Created, Launch, LaunchOptions, Planned};
use crate::process;

/// What a caller says beside the configuration.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions {
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// The socket that gets the container's terminal.
    pub console_socket: Option<PathBuf>,
    /// The socket that gets a pidfd of the container's process.
    pub pidfd_socket: Option<PathBuf>,
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
    /// `warnings` gets what the user should be told, also after an error. The caller must have one thread and run from
    /// a sealed copy.
    ///
    /// # Errors
    /// [`OciError`]; nothing is left of the container then, and its poststop hooks have run.
    pub fn create(&self, id: &str, options: &CreateOptions, warnings: &mut Vec<String>) -> Result<(), OciError> {
        let (mut container, created) = self.make(id, options, Starter::Another, warnings)?;
        match created.leave() {
            Ok(_) => container.keep(),
            Err(error) => {
                warnings.extend(container.abandon());
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Makes a container that `starter` will start.
    pub(super) fn make(
        &self,
        id: &str,
        options: &CreateOptions,
        starter: Starter,
        warnings: &mut Vec<String>,
    ) -> Result<(Container, Created), OciError> {
        let bundle = options.bundle.canonicalize().map_err(OciError::file("open the bundle", &options.bundle))?;
        let (spec, text) = source::load_spec(&bundle, warnings)?;
        let planned = launch::plan(Launch {
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
        if options.driver == Driver::Cgroupfs {
            // Who deletes what is left of us, if we are killed, kills whoever is in the cgroup that we wrote down.
            planned.cgroup().require_vacant()?;
        }
        let boot_id =
            process::boot_id().map_err(OciError::file("read", Path::new("/proc/sys/kernel/random/boot_id")))?;
        let record = Record {
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
        let mut container = Container { directory: claim.path().to_owned(), record, claim: Some(claim) };
        container.write_down(&text)?;
        match container.fill(planned, options, starter) {
            Ok(mut created) => {
                warnings.append(&mut created.warnings);
                Ok((container, created))
            }
            Err(error) => {
                warnings.extend(container.abandon());
                Err(error)
            }
        }
    }
}

impl Container {
    /// Writes down what there will be: before anything is made that would have to be found again if we were killed.
    fn write_down(&self, config: &str) -> Result<(), OciError> {
        self.record.write(&self.directory)?;
        record::replace(&self.directory.join(Self::CONFIG), config.as_bytes())
    }

    /// Makes what was planned, and hands it over.
    fn fill(
        &mut self,
        mut planned: Planned<'_>,
        options: &CreateOptions,
        starter: Starter,
    ) -> Result<Created, OciError> {
        if starter == Starter::Another {
            planned.start_at(start_socket(&self.directory)?);
        }
        let mut created = planned.create()?;
        self.record.init = Some(created.init.process());
        self.record.write(&self.directory)?;
        // Taken only if it is sent: it is the caller's who attends.
        if let Some(path) = &options.console_socket
            && let Some(terminal) = created.terminal.take()
        {
            console::send(path, &terminal)?;
        }
        if let Some(path) = &options.pidfd_socket {
            console::send_pidfd(path, "standard", &created.init.pidfd)?;
        }
        if let Some(path) = &options.pid_file {
            record::replace(path, created.init.pid.to_string().as_bytes())?;
        }
        Ok(created)
    }

    /// Gives up what could not be made and is unmade by now: its directory goes, and its poststop hooks run
    /// (runtime-spec, runtime.md, "Lifecycle", 3 to 5).
    ///
    /// Returns which of them failed.
    pub(super) fn abandon(mut self) -> Vec<String> {
        self.claim = None;
        self.run_poststop()
    }

    /// Lets the directory of a container that was made stay.
    pub(super) fn keep(&mut self) {
        if let Some(claim) = &mut self.claim {
            claim.keep();
        }
    }
}

pub(super) fn streams(spec: &Spec, options: &CreateOptions, attended: bool) -> Result<launch::Stdio, OciError> {
    let process = spec.process().as_ref();
    let terminal = process.and_then(|process| process.terminal()).unwrap_or(false);
    let cells = |cells: u64| u16::try_from(cells).unwrap_or(u16::MAX);
    let size = process.and_then(|process| process.console_size());
    let size = size.map(|size| (cells(size.height()), cells(size.width())));
    console::streams(terminal, size, options.console_socket.as_deref(), attended)
}

/// Hooks of the commands that follow.
pub(super) fn later_hooks(hooks: &Hooks) -> Hooks {
    Hooks { poststart: hooks.poststart.clone(), poststop: hooks.poststop.clone(), ..Hooks::default() }
}

/// Makes the socket at which init waits. Named by way of the directory's descriptor: a path of a socket has at
/// most 107 bytes, whatever the root is (unix(7)).
fn start_socket(directory: &Path) -> Result<OwnedFd, OciError> {
    let path = directory.join(Container::START_SOCKET);
    let listening = || -> std::io::Result<OwnedFd> {
        let directory = open_directory(directory)?;
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
