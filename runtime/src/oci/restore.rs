//! `restore`: a container as it was when [`checkpoint`](super::Root::checkpoint) saved it.
//!
//! Its processes are made by criu, not by us: the first as a child of the caller, who attends to it as after `run`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use oci_spec::runtime::{ContainerState, Spec};

use super::checkpoint::DESCRIPTORS;
use super::container::Container;
use super::create::{later_hooks, streams};
use super::criu::mounts::{self, ExternalMount};
use super::criu::options::{self, Folders};
use super::criu::{Criu, Message, Notice, Request};
use super::record::{self, Record};
use super::{CreateOptions, CriuOptions, OciError, Root, Running, console, source};
use crate::hooks;
use crate::launch::{Init, LaunchError, Placement};
use crate::plan::{self, ContainerPlan, Join, namespace_name};
use crate::process;
use crate::sys;

/// The verb, as failures name it.
const ACT: &str = "restore";
/// The log of a restore, in the directory of the work.
const LOG: &str = "restore.log";

/// What a caller says about a restore.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// What concerns the way there as well.
    pub criu: CriuOptions,
    /// What concerns the container as when it was made: its bundle, who gets its terminal and its pid, its cgroup.
    pub create: CreateOptions,
    /// The security profile it runs under from now on, `apparmor:NAME` or `selinux:LABEL`.
    pub lsm_profile: Option<String>,
    /// The SELinux context of its mounts from now on.
    pub lsm_mount_context: Option<String>,
}

impl Root {
    /// Makes a container from the files of a checkpoint; its processes go on.
    ///
    /// `attended`: the caller stays until it ends, and serves its terminal. `warnings` gets what the user should be told,
    /// also after an error.
    ///
    /// # Errors
    /// [`OciError`]; nothing is left of the container then.
    pub fn restore(
        &self,
        id: &str,
        options: &RestoreOptions,
        attended: bool,
        warnings: &mut Vec<String>,
    ) -> Result<Running, OciError> {
        let bundle = &options.create.bundle;
        let bundle = bundle.canonicalize().map_err(OciError::file("open the bundle", bundle))?;
        let (spec, text) = source::load_spec(&bundle, warnings)?;
        let plan = plan::container(id, &spec, &bundle, options.create.driver).map_err(LaunchError::from)?;
        streams(&spec, &options.create, attended)?;
        let joins = Joins::open(&plan)?;
        let criu = Criu::start(ACT, &joins.inherited(), true)?;
        let folders = Folders::open(&options.criu, false)?;
        let pipes = pipes(&options.criu.image_path)?;
        let claim = self.claim(id)?;
        let boot_id =
            process::boot_id().map_err(OciError::file("read", Path::new("/proc/sys/kernel/random/boot_id")))?;
        let record = Record {
            oci_version: spec.version().clone(),
            rootfs: plan.root.path.clone(),
            annotations: spec.annotations().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect(),
            own_pid_namespace: plan.namespaces.is_new(libc::CLONE_NEWPID),
            driver: options.create.driver,
            hooks: later_hooks(&plan.hooks),
            bundle,
            ..Record::new(id, plan.cgroup.clone(), boot_id)
        };
        // Before anything is made that would have to be found again if we were killed.
        record.write(claim.path())?;
        record::replace(&claim.path().join(Container::CONFIG), text.as_bytes())?;
        let container = Container { directory: claim.path().to_owned(), record, claim: Some(claim) };
        Making { spec: &spec, plan: &plan, options, folders: &folders, joins: &joins, pipes: &pipes }
            .restore(container, criu, warnings)
    }
}

/// Everything that is known before there is a process.
struct Making<'a> {
    spec: &'a Spec,
    plan: &'a ContainerPlan,
    options: &'a RestoreOptions,
    folders: &'a Folders,
    joins: &'a Joins,
    pipes: &'a [(String, i32)],
}

impl Making<'_> {
    fn restore(&self, mut container: Container, criu: Criu, warnings: &mut Vec<String>) -> Result<Running, OciError> {
        let (mut placement, said) = Placement::prepare(self.plan, self.spec.annotations().as_ref())?;
        warnings.extend(said);
        warnings.extend(placement.limit()?);
        // What it makes is born where it is, whatever the images say of cgroups.
        match self.options.create.driver {
            crate::cgroup::Driver::Systemd => warnings.extend(placement.settle(criu.pid())?),
            crate::cgroup::Driver::Cgroupfs => self.plan.cgroup.adopt(criu.pid())?,
        }
        let cgroups = PathBuf::from(format!("/proc/{}/cgroup", criu.pid()));
        let cgroups = std::fs::read_to_string(&cgroups).map_err(OciError::file("read", &cgroups))?;
        mounts::make_places(self.plan)?;
        let root = MountedRoot::of(&self.plan.root.path, &container.directory)?;
        let mut found = Found::default();
        let message = self.message(root.path(), &cgroups)?;
        criu.ask(Request::Restore, message, &self.folders.log(LOG), |notice| found.attend(notice, self, &container))?;
        drop(root);
        let init = found.init(self.plan)?;
        container.record.init = Some(init.process());
        container.record.write(&container.directory)?;
        // A failure from here on ends it, with its cgroup.
        self.tell(&init, &mut found.terminal)?;
        container.run_poststart()?;
        placement.keep();
        container.keep();
        Ok(Running { init, terminal: found.terminal })
    }

    /// Gives the caller what it asked for.
    fn tell(&self, init: &Init, terminal: &mut Option<OwnedFd>) -> Result<(), OciError> {
        let create = &self.options.create;
        if let Some(path) = &create.console_socket
            && let Some(terminal) = terminal.take()
        {
            console::send(path, &terminal)?;
        }
        if let Some(path) = &create.pidfd_socket {
            console::send_pidfd(path, "standard", &init.pidfd)?;
        }
        match &create.pid_file {
            Some(path) => record::replace(path, init.pid.to_string().as_bytes()),
            None => Ok(()),
        }
    }

    fn message(&self, root: &Path, cgroups: &str) -> Result<Message, OciError> {
        let annotations: BTreeMap<String, String> =
            self.spec.annotations().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut external = Vec::new();
        for mount in mounts::external(self.plan, &self.plan.cgroup) {
            let point = mounts::resolve(&self.plan.root.path, &mount.destination);
            let point = point.map_err(OciError::file("look for the place of", &mount.destination))?;
            external.push(ExternalMount { destination: point.unwrap_or(mount.destination), ..mount });
        }
        if !self.plan.masked.is_empty() {
            // runc saves what hides a file by this name.
            external.push(ExternalMount { destination: "/dev/null".into(), source: "/dev/null".into() });
        }
        Ok(Restore {
            options: self.options,
            folders: self.folders.fds(),
            root,
            annotations: &annotations,
            cgroups: cgroup_roots(cgroups),
            external,
            joined: &self.joins.joined,
            inherited: self.joins.keyed().chain(self.pipes.iter().cloned()).collect(),
        }
        .message())
    }
}

/// What criu tells of in the course of its work.
#[derive(Debug, Default)]
struct Found {
    pid: Option<i32>,
    terminal: Option<OwnedFd>,
}

impl Found {
    fn attend(&mut self, notice: Notice<'_>, making: &Making<'_>, container: &Container) -> Result<(), OciError> {
        self.pid = notice.pid.filter(|pid| *pid > 0).or(self.pid);
        self.terminal = notice.terminal.or(self.terminal.take());
        if notice.at != "setup-namespaces" {
            return Ok(());
        }
        // Nobody lives in the namespaces yet: it is the time to set up the network, for one.
        let state = container.subject().state(ContainerState::Creating, self.pid);
        let (hooks, bundle) = (&making.plan.hooks, Some(container.record.bundle.as_path()));
        hooks::run_all(&hooks.prestart, &state, bundle)?;
        Ok(hooks::run_all(&hooks.create_runtime, &state, bundle)?)
    }

    fn init(&self, plan: &ContainerPlan) -> Result<Init, OciError> {
        let failed = || OciError::file("look for its process in", Path::new("/proc"));
        let pid = self.pid.ok_or_else(|| failed()(io::ErrorKind::NotFound.into()))?;
        let pidfd = sys::process::pidfd_open(pid).map_err(|errno| failed()(errno.into()))?;
        let start_time = process::start_time(pid).map_err(failed())?;
        Ok(Init { pid, start_time, pidfd, cgroup: plan.cgroup.clone() })
    }
}

/// Namespaces that exist.
#[derive(Debug)]
struct Joins {
    /// Those criu is handed open, with the name the images have for each.
    inherited: Vec<(&'static str, OwnedFd)>,
    /// Those it opens itself: kind and path.
    joined: Vec<(&'static str, PathBuf)>,
}

impl Joins {
    fn open(plan: &ContainerPlan) -> Result<Self, OciError> {
        let mut joins = Self { inherited: Vec::new(), joined: Vec::new() };
        for Join { kind, path } in &plan.namespaces.join {
            let name = namespace_name(*kind);
            match options::namespace_key(*kind) {
                Some(key) => {
                    let file = File::open(path).map_err(OciError::file("open the namespace", path))?;
                    joins.inherited.push((key, file.into()));
                }
                None if matches!(*kind, libc::CLONE_NEWNS | libc::CLONE_NEWCGROUP) => {
                    let why = format!("`criu` cannot restore into the {name} namespace `{}`", path.display());
                    return Err(OciError::Options(why));
                }
                None => joins.joined.push((name, path.clone())),
            }
        }
        Ok(joins)
    }

    fn inherited(&self) -> Vec<&OwnedFd> {
        self.inherited.iter().map(|(_, file)| file).collect()
    }

    fn keyed(&self) -> impl Iterator<Item = (String, i32)> {
        self.inherited.iter().map(|(key, file)| ((*key).to_owned(), file.as_raw_fd()))
    }
}

/// The root filesystem, bound to a place of its own: criu wants one that is a mount and not covered (criu(8),
/// "--root").
#[derive(Debug)]
struct MountedRoot {
    path: PathBuf,
}

impl MountedRoot {
    const NAME: &'static str = "criu-root";

    fn of(rootfs: &Path, container: &Path) -> Result<Self, OciError> {
        let path = container.join(Self::NAME);
        std::fs::create_dir(&path).map_err(OciError::file("make directory", &path))?;
        // From here on dropping it removes it. Without links: criu compares it with the names of mounts.
        let root = Self { path: path.canonicalize().unwrap_or(path) };
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        let bound = mount(Some(rootfs), &root.path, None::<&str>, bind, None::<&str>);
        bound.map_err(|errno| OciError::file("bind the root filesystem to", &root.path)(errno.into()))?;
        Ok(root)
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for MountedRoot {
    fn drop(&mut self) {
        // The container has mounts of its own by now, and what could not be mounted need not be unmounted.
        let _unmounted = umount2(&self.path, MntFlags::MNT_DETACH);
        let _removed = std::fs::remove_dir(&self.path);
    }
}

/// Returns the pipes among the standard streams that were saved, by name, and which of ours takes the place of each.
fn pipes(images: &Path) -> Result<Vec<(String, i32)>, OciError> {
    let links: Vec<String> = source::read_json(&images.join(DESCRIPTORS))?;
    Ok((0..).zip(links).filter(|(_, link)| link.starts_with("pipe:")).map(|(fd, link)| (link, fd)).collect())
}

/// Reads `/proc/PID/cgroup`: controller and path of each hierarchy (cgroups(7)).
fn cgroup_roots(text: &str) -> Vec<(String, String)> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1).map(str::to_owned);
        Some((fields.next()?, fields.next()?))
    };
    let split = |(controllers, path): (String, String)| {
        let each = |controller: &str| (controller.to_owned(), path.clone());
        controllers.split(',').map(each).collect::<Vec<_>>()
    };
    text.lines().filter_map(of_line).flat_map(split).collect()
}

/// A restore, complete.
struct Restore<'a> {
    options: &'a RestoreOptions,
    folders: (i32, i32),
    root: &'a Path,
    annotations: &'a BTreeMap<String, String>,
    /// Controllers, and the cgroup that takes the place of the container's old one.
    cgroups: Vec<(String, String)>,
    external: Vec<ExternalMount>,
    joined: &'a [(&'static str, PathBuf)],
    /// What the images know by a name, and the descriptor of criu's that it is.
    inherited: Vec<(String, i32)>,
}

impl Restore<'_> {
    /// Returns the options of the request.
    fn message(&self) -> Message {
        let mut message = self
            .options
            .criu
            .message(self.folders, LOG, self.annotations)
            .flag(options::EVASIVE_DEVICES, true)
            // The first process becomes a child of ours, as after `run`.
            .flag(options::RST_SIBLING, true)
            .text(options::ROOT, self.root.display().to_string());
        for (controller, path) in &self.cgroups {
            message = message.message(options::CG_ROOT, Message::default().text(1, controller).text(2, path));
        }
        for ExternalMount { destination, source } in &self.external {
            let mount = format!("mnt[{}]:{}", destination.display(), source.display());
            message = message.text(options::EXTERNAL, mount);
        }
        for (kind, path) in self.joined {
            let join = Message::default().text(1, *kind).text(2, path.display().to_string());
            message = message.message(options::JOIN_NS, join);
        }
        for (key, fd) in &self.inherited {
            message = message.message(options::INHERIT_FD, Message::default().text(1, key).number(2, *fd as u64));
        }
        let optional = [
            (options::LSM_PROFILE, &self.options.lsm_profile),
            (options::LSM_MOUNT_CONTEXT, &self.options.lsm_mount_context),
        ];
        let given = optional.into_iter().filter_map(|(field, text)| text.as_ref().map(|text| (field, text)));
        given.fold(message, |message, (field, text)| message.text(field, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::criu::Value::{self, Number, Text};

    fn text(text: &str) -> Value {
        Text(text.to_owned())
    }

    fn pair(one: Value, other: Value) -> Value {
        Value::Message(Message(vec![(1, one), (2, other)]))
    }

    #[test]
    fn a_restore_is_asked_for_whole() {
        let options = RestoreOptions {
            lsm_profile: Some("apparmor:mine".into()),
            lsm_mount_context: Some("system_u:object_r:t:s0".into()),
            ..RestoreOptions::default()
        };
        let annotations = BTreeMap::from([("org.criu.config".to_owned(), String::new())]);
        let restore = Restore {
            options: &options,
            folders: (5, 6),
            root: Path::new("/run/box/criu-root"),
            annotations: &annotations,
            cgroups: cgroup_roots("4:cpu,cpuacct:/lighter/box\n0::/lighter/box\n"),
            external: vec![ExternalMount { destination: "/data".into(), source: "/srv/a".into() }],
            joined: &[("ipc", "/proc/9/ns/ipc".into())],
            inherited: vec![("extRootNetNS".into(), 7), ("pipe:[12]".into(), 1)],
        };
        let expected = [
            (1, Number(5)),
            (17, Number(6)),
            (9, Number(4)),
            (10, text("restore.log")),
            (12, Number(1)),
            (50, Number(1)),
            (24, Number(1)),
            (34, Number(3)),
            (38, Number(0x4000_0000)),
            (6, Number(1)),
            (26, Number(1)),
            (13, text("/run/box/criu-root")),
            (25, pair(text("cpu"), text("/lighter/box"))),
            (25, pair(text("cpuacct"), text("/lighter/box"))),
            (25, pair(text(""), text("/lighter/box"))),
            (37, text("mnt[/data]:/srv/a")),
            (39, pair(text("ipc"), text("/proc/9/ns/ipc"))),
            (27, pair(text("extRootNetNS"), Number(7))),
            (27, pair(text("pipe:[12]"), Number(1))),
            (53, text("apparmor:mine")),
            (63, text("system_u:object_r:t:s0")),
        ];
        assert_eq!(restore.message().0, expected);
    }

    #[test]
    fn pipes_of_the_saved_streams_are_replaced_by_ours() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(DESCRIPTORS), r#"["/dev/null","pipe:[5]","pipe:[6]"]"#).unwrap();
        assert_eq!(pipes(directory.path()).unwrap(), [("pipe:[5]".to_owned(), 1), ("pipe:[6]".to_owned(), 2)]);
        assert!(pipes(Path::new("/nowhere")).is_err());
    }
}
