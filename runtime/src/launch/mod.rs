//! Making a container's first process: set up, waiting, then started.
//!
//! Runs in the container's monitor, from then on the parent of the container's init, or in a command that
//! makes a container for another to start ([`crate::oci`]): one thread, from a sealed copy of the program.
//!
//! ```text
//! Launch ──plan──▶ Planned ──create──▶ Created ──start──▶ Init     the creator starts it
//!                                         ├─────leave───▶ Init     it waits at its start socket
//!                                         └─ dropped: init killed and reaped, cgroup removed
//! ```

mod clone;
mod created;
mod error;
mod joins;
mod net_devices;
mod outside;
mod passage;
mod placement;
mod rtnetlink;
mod stdio;
mod users;

use std::os::fd::OwnedFd;
use std::path::Path;

use oci_spec::runtime::{ContainerState, Spec};

use crate::cgroup::{Cgroup, Driver};
use crate::hooks::{self, Hooks, Subject};
use crate::init::{self, CgroupView, Channel, ContainerStart, Stage, Trees};
use crate::plan::{self, ContainerPlan};
use crate::sealed;
use crate::sys::namespace::CLONE_NEWTIME;
use crate::sys::process::Child;

pub use created::{Created, Init};
pub use error::LaunchError;
pub use stdio::Stdio;
pub use users::{HeldUsers, mapped_tree, mount_mapped};

pub use crate::plan::PlanError;
pub use crate::seccomp::SeccompError;

use clone::clone_through;
pub(crate) use clone::{Birth, clone, clone_beyond, end, release, wait_until_ready};
pub(crate) use joins::PidNamespace;
pub(crate) use passage::Passage;
pub(crate) use placement::Placement;
pub(crate) use users::hand_over;

/// A container to make.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The container's id; names the cgroup when the spec does not.
    pub id: &'a str,
    /// What the container shall be (OCI runtime specification, config.md).
    pub spec: &'a Spec,
    /// Where relative paths of the spec start; absolute.
    pub bundle: &'a Path,
    /// Its standard streams.
    pub stdio: Stdio,
    /// How it is made, apart from what it shall be.
    pub options: LaunchOptions,
}

/// What a caller may want of the making of a container that its spec cannot say.
#[derive(Debug, Default)]
pub struct LaunchOptions {
    /// Let lighter's own init be pid 1: it hands signals on and reaps (`docker run --init`).
    pub reaper: bool,
    /// How many of the caller's descriptors from 3 on the program inherits.
    pub preserve_fds: u32,
    /// A listening socket of type `SOCK_SEQPACKET` at which init waits for whoever starts it, once its
    /// creator has [left](Created::leave) it.
    pub start_socket: Option<OwnedFd>,
    /// Move the root filesystem to `/` instead of pivoting: a root on an initramfs cannot be left otherwise,
    /// but the host's mounts stay within reach of a privileged container.
    pub no_pivot: bool,
    /// Share the caller's session keyring.
    pub no_new_keyring: bool,
    /// Who makes the container's cgroup.
    pub driver: Driver,
}

/// A container whose spec was checked; nothing is made yet.
#[derive(Debug)]
pub struct Planned<'a> {
    launch: Launch<'a>,
    plan: ContainerPlan,
}

/// Makes a container up to the point where its program would be executed.
///
/// The caller must have one thread and run from a sealed copy ([`sealed::ensure`]); it becomes the parent
/// of the container's init, and non-dumpable: a child inherits its memory for a moment.
///
/// # Errors
/// [`LaunchError`] names the step, the object and the cause. Nothing is left behind then.
pub fn create(launch: Launch<'_>) -> Result<Created, LaunchError> {
    plan(launch)?.create()
}

/// Checks a container's spec; changes nothing.
///
/// # Errors
/// [`LaunchError::Plan`] names the field, its value and what is wrong with it.
pub fn plan(launch: Launch<'_>) -> Result<Planned<'_>, LaunchError> {
    let plan = plan::container(launch.id, launch.spec, launch.bundle, launch.options.driver)?;
    Ok(Planned { launch, plan })
}

impl Planned<'_> {
    /// Returns the cgroup the container will be in.
    #[must_use]
    pub fn cgroup(&self) -> &Cgroup {
        &self.plan.cgroup
    }

    /// Lets init wait at this socket for whoever starts it; see [`LaunchOptions::start_socket`].
    pub(crate) fn start_at(&mut self, socket: OwnedFd) {
        self.launch.options.start_socket = Some(socket);
    }

    pub(crate) fn has_own_pid_namespace(&self) -> bool {
        self.plan.namespaces.is_new(libc::CLONE_NEWPID)
    }

    pub(crate) fn rootfs(&self) -> &Path {
        &self.plan.root.path
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.plan.hooks
    }

    /// Makes the container; see [`create`].
    ///
    /// # Errors
    /// As [`create`].
    pub fn create(self) -> Result<Created, LaunchError> {
        if !sealed::is_sealed() {
            return Err(LaunchError::NotSealed);
        }
        let Self { launch, mut plan } = self;
        let joins = joins::open(&plan)?;
        let is_made_outside = joins.pid.as_ref().is_some_and(|pids| outside::prepare(&mut plan, pids));
        let (mut placement, mut warnings) = Placement::prepare(&plan, launch.spec.annotations().as_ref())?;
        let (child, channel) = clone_init(&plan, &joins, is_made_outside, &launch)?;
        warnings.extend(placement.limit().inspect_err(|_| {
            end(&child);
        })?);
        let annotations = launch.spec.annotations().clone();
        let subject = Subject { version: launch.spec.version(), id: launch.id, bundle: launch.bundle, annotations };
        let (terminal, said) = wait_until_ready(&child, &channel, |stage| {
            let state = subject.state(ContainerState::Creating, Some(child.pid));
            if stage == Stage::Born {
                warnings.extend(placement.settle(child.pid)?);
                return Ok(state);
            }
            hooks::run_all(&plan.hooks.prestart, &state, Some(launch.bundle))?;
            hooks::run_all(&plan.hooks.create_runtime, &state, Some(launch.bundle))?;
            Ok(state)
        })?;
        net_devices::move_in(&plan.net_devices, child.pid).inspect_err(|_| {
            end(&child);
        })?;
        let state = subject.state(ContainerState::Created, Some(child.pid));
        // The child has its copies of the streams: whoever reads them must see when the last is closed.
        drop(launch);
        warnings.extend(said);
        let cgroup = (plan.cgroup, placement);
        Created::new(child, channel, cgroup, terminal, warnings, state)
    }
}

/// Clones init, which sets itself up meanwhile.
fn clone_init(
    plan: &ContainerPlan,
    joins: &joins::Joins,
    is_made_outside: bool,
    launch: &Launch<'_>,
) -> Result<(Child, Channel), LaunchError> {
    let attachment = plan.cgroup.attachment()?;
    // What systemd is to make is not there yet.
    let cgroups = plan.unit.is_none().then(|| CgroupView::of(&plan.cgroup, &plan.namespaces));
    let (namespaces, pid_namespace) = (plan.namespaces.clone_flags(), joins.pid.as_ref());
    let (attachment, cgroups) = (&attachment, cgroups.as_deref());
    let (stdio, options) = (&launch.stdio, &launch.options);
    let start = |channel: Channel, joins, trees: &Trees| {
        init::run_container(&ContainerStart { plan, attachment, joins, cgroups, trees, stdio, options }, &channel)
    };
    if let (Some(pids), true) = (pid_namespace, is_made_outside) {
        let (joins, trees) = (joins.others.as_slice(), &Trees::default());
        let start = ContainerStart { plan, attachment, joins, cgroups, trees, stdio, options };
        return clone_beyond(
            (attachment, None),
            |kept| {
                passage::join(pids, libc::CLONE_NEWPID)?;
                init::cross_container(&start, kept)
            },
            |channel, ready, pid| init::run_ready(&start, &channel, ready, pid),
        );
    }
    let new_time = plan.namespaces.is_new(CLONE_NEWTIME);
    let maps = users::of_mounts(plan, joins.users.as_ref())?;
    if joins.users.is_none() && !new_time && maps.is_empty() {
        return clone(&Birth { namespaces, pid_namespace, attachment }, |channel| {
            start(channel, joins.others.as_slice(), &Trees::default())
        });
    }
    let (users, time) = (joins.users.as_ref(), new_time.then_some(plan.time_offsets.as_deref()));
    let passage = Passage { joins: &joins.others, pid_namespace, users, time, namespaces };
    let prepare = || init::prepare(plan, &maps);
    let (child, channel) = clone_through(&passage, attachment, prepare, |channel, trees| start(channel, &[], trees))?;
    if users.is_some() {
        hand_over(stdio, child.pid, plan.process.user.uid.as_raw()).inspect_err(|_| {
            end(&child);
        })?;
    }
    Ok((child, channel))
}
