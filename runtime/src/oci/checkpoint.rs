//! `checkpoint`: the processes of a container, saved to files from which [`restore`](super::Root::restore) makes them.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::container::{Container, Status};
use super::criu::options::{self, Folders};
use super::criu::{Criu, Message, Notice, Request, mounts};
use super::{CriuOptions, OciError, Root, record};
use crate::launch::LaunchError;
use crate::plan::{self, ContainerPlan, namespace_name};

/// The verb, as failures name it.
const ACT: &str = "checkpoint";
/// The log of a dump, in the directory of the work.
const LOG: &str = "dump.log";
/// What the first three descriptors of the first process were, in the directory of the images: a list of the links
/// below `/proc/PID/fd`, as runc writes it.
pub(super) const DESCRIPTORS: &str = "descriptors.json";

/// What a caller says about a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct CheckpointOptions {
    /// What concerns the way back as well.
    pub criu: CriuOptions,
    /// The directory of an earlier checkpoint, relative to that of the images: only what changed since is saved.
    pub parent_path: Option<PathBuf>,
    /// Let the container run on.
    pub leave_running: bool,
    /// Save the memory only, and let the container run on: the checkpoint that follows has less to save.
    pub pre_dump: bool,
    /// Pass over TCP connections that are being made.
    pub tcp_skip_in_flight: bool,
    /// Where the memory is sent to, or with lazy pages served.
    pub page_server: Option<PageServer>,
    /// The descriptor of the caller that gets a NUL once lazy pages are served.
    pub status_fd: Option<i32>,
}

/// The address of a server of memory pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageServer {
    /// Its host.
    pub address: String,
    /// Its TCP port.
    pub port: u16,
}

impl Root {
    /// Saves a container to files; unless it is to run on, it is then ended and deleted.
    ///
    /// Returns what the user should be told.
    ///
    /// # Errors
    /// [`OciError::Status`] unless it runs or is paused; [`OciError::Criu`], after which it runs on.
    pub fn checkpoint(&self, id: &str, options: &CheckpointOptions) -> Result<Vec<String>, OciError> {
        let container = self.lock(id)?;
        container.require(ACT, &[Status::Running, Status::Paused])?;
        let criu = Criu::start(ACT, &[], false)?;
        let folders = Folders::open(&options.criu, true)?;
        check(options)?;
        let dump = container.dump(options, folders.fds())?;
        if !options.pre_dump {
            container.write_descriptors(dump.pid, &options.criu.image_path)?;
        }
        let request = if options.pre_dump { Request::PreDump } else { Request::Dump };
        criu.ask(request, dump.message(), &folders.log(LOG), |notice| attend(&notice, options))?;
        if options.leave_running || options.pre_dump { Ok(Vec::new()) } else { container.delete() }
    }
}

/// Refuses what criu would only misunderstand.
fn check(options: &CheckpointOptions) -> Result<(), OciError> {
    let refused = |why: &str| Err(OciError::Options(why.to_owned()));
    if let Some(parent) = &options.parent_path {
        if parent.is_absolute() {
            return refused("the path of the parent must be relative to that of the images");
        }
        let parent = options.criu.image_path.join(parent);
        if !parent.is_dir() {
            return Err(OciError::file("open the parent", &parent)(std::io::ErrorKind::NotFound.into()));
        }
    }
    match (options.criu.lazy_pages, options.status_fd) {
        (true, None) | (_, None) => Ok(()),
        (true, Some(fd)) if Path::new("/proc/self/fd").join(fd.to_string()).exists() => Ok(()),
        (true, Some(fd)) => refused(&format!("the status descriptor {fd} is not open")),
        (false, Some(_)) => refused("a status descriptor is told of lazy pages only"),
    }
}

fn attend(notice: &Notice<'_>, options: &CheckpointOptions) -> Result<(), OciError> {
    let Some(fd) = options.status_fd.filter(|_| notice.at == "status-ready") else { return Ok(()) };
    let path = Path::new("/proc/self/fd").join(fd.to_string());
    let told = OpenOptions::new().write(true).open(&path).and_then(|mut file| file.write_all(b"\0"));
    told.map_err(OciError::file("write", &path))
}

impl Container {
    fn dump<'a>(&'a self, options: &'a CheckpointOptions, folders: (i32, i32)) -> Result<Dump<'a>, OciError> {
        let record = &self.record;
        let stopped = || OciError::Status { act: ACT, id: record.id.clone(), status: Status::Stopped };
        let pid = self.live_init().ok_or_else(stopped)?.pid;
        let spec = self.spec()?;
        let plan = plan::container(&record.id, &spec, &record.bundle, record.driver).map_err(LaunchError::from)?;
        let mounts = if options.pre_dump { Vec::new() } else { mounted(pid, &plan, self)? };
        let external = mounts.into_iter().chain(namespaces(pid, &plan)?).collect();
        Ok(Dump {
            options,
            folders,
            pid,
            rootfs: &record.rootfs,
            annotations: &record.annotations,
            freezer: self.cgroup().freezer_directory(),
            external,
        })
    }

    /// Writes down what the standard streams are, so that a restore can put others in the place of pipes.
    fn write_descriptors(&self, pid: i32, images: &Path) -> Result<(), OciError> {
        let link = |fd: i32| std::fs::read_link(format!("/proc/{pid}/fd/{fd}"));
        // One that is closed keeps its place in the list.
        let links: Vec<String> = (0..3).map(|fd| link(fd).unwrap_or_default().display().to_string()).collect();
        let text = serde_json::to_vec(&links).expect("texts can be written as JSON");
        record::replace(&images.join(DESCRIPTORS), &text)
    }
}

/// Returns the mounts from outside that are there; the container may have unmounted some.
fn mounted(pid: i32, plan: &ContainerPlan, container: &Container) -> Result<Vec<String>, OciError> {
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let mut external = Vec::new();
    for mount in mounts::external(plan, container.cgroup()) {
        let found = mounts::resolve(&root, &mount.destination);
        if let Some(point) = found.map_err(OciError::file("look for the mount", &mount.destination))? {
            // By its own name: so runc has it, and either can restore what the other saved.
            external.push(format!("mnt[{0}]:{0}", point.display()));
        }
    }
    Ok(external)
}

/// Returns the joined namespaces that are to be left out.
fn namespaces(pid: i32, plan: &ContainerPlan) -> Result<Vec<String>, OciError> {
    let mut external = Vec::new();
    for join in &plan.namespaces.join {
        let Some(key) = options::namespace_key(join.kind) else { continue };
        let name = namespace_name(join.kind);
        let file = PathBuf::from(format!("/proc/{pid}/ns/{name}"));
        let inode = std::fs::metadata(&file).map_err(OciError::file("look at", &file))?.ino();
        external.push(format!("{name}[{inode}]:{key}"));
    }
    Ok(external)
}

/// A dump, complete.
struct Dump<'a> {
    options: &'a CheckpointOptions,
    folders: (i32, i32),
    pid: i32,
    rootfs: &'a Path,
    annotations: &'a BTreeMap<String, String>,
    /// The cgroup directory by which the processes are stopped meanwhile; else criu traces each.
    freezer: Option<PathBuf>,
    external: Vec<String>,
}

impl Dump<'_> {
    /// Returns the options of the request.
    fn message(&self) -> Message {
        let options = self.options;
        let message = options
            .criu
            .message(self.folders, LOG, self.annotations)
            .number(options::PID, self.pid as u64)
            .text(options::ROOT, self.rootfs.display().to_string())
            .flag(options::LEAVE_RUNNING, options.leave_running)
            .flag(options::TCP_SKIP_IN_FLIGHT, options.tcp_skip_in_flight);
        let message = self.external.iter().fold(message, |message, one| message.text(options::EXTERNAL, one));
        let message = match &self.freezer {
            Some(freezer) => message.text(options::FREEZE_CGROUP, freezer.display().to_string()),
            None => message,
        };
        let message = match &options.parent_path {
            Some(parent) => {
                message.text(options::PARENT_IMG, parent.display().to_string()).flag(options::TRACK_MEM, true)
            }
            None => message,
        };
        match &options.page_server {
            Some(PageServer { address, port }) => {
                message.message(options::PAGE_SERVER, Message::default().text(1, address).number(2, *port))
            }
            None => message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::CgroupMode;
    use crate::oci::criu::Value::{self, Number, Text};

    fn fields(options: &CheckpointOptions) -> Vec<(u32, Value)> {
        let annotations = BTreeMap::from([("org.criu.config".to_owned(), String::new())]);
        let external = vec!["mnt[/data]:/data".to_owned(), "net[77]:extRootNetNS".to_owned()];
        let freezer = Some("/sys/fs/cgroup/lighter/box".into());
        let dump = Dump {
            options,
            folders: (5, 6),
            pid: 70,
            rootfs: Path::new("/b/rootfs"),
            annotations: &annotations,
            freezer,
            external,
        };
        dump.message().0
    }

    fn text(text: &str) -> Value {
        Text(text.to_owned())
    }

    #[test]
    fn a_plain_dump_ends_the_container_and_leaves_the_hosts_out() {
        let expected = [
            (1, Number(5)),
            (17, Number(6)),
            (9, Number(4)),
            (10, text("dump.log")),
            (12, Number(1)),
            (50, Number(1)),
            (24, Number(1)),
            (34, Number(3)),
            (38, Number(0x4000_0000)),
            (2, Number(70)),
            (13, text("/b/rootfs")),
            (37, text("mnt[/data]:/data")),
            (37, text("net[77]:extRootNetNS")),
            (44, text("/sys/fs/cgroup/lighter/box")),
        ];
        assert_eq!(fields(&CheckpointOptions::default()), expected);
    }

    #[test]
    fn every_option_reaches_criu() {
        let plain = fields(&CheckpointOptions::default());
        let criu = CriuOptions {
            tcp_established: true,
            ext_unix_sk: true,
            shell_job: true,
            file_locks: true,
            auto_dedup: true,
            lazy_pages: true,
            cgroups: CgroupMode::Ignore,
            ..CriuOptions::default()
        };
        let options = CheckpointOptions {
            criu,
            parent_path: Some("../before".into()),
            leave_running: true,
            tcp_skip_in_flight: true,
            page_server: Some(PageServer { address: "10.0.0.1".into(), port: 9876 }),
            ..CheckpointOptions::default()
        };
        let more: Vec<_> = fields(&options).into_iter().filter(|field| !plain.contains(field)).collect();
        let server = Message(vec![(1, text("10.0.0.1")), (2, Number(9876))]);
        let flag = |field| (field, Number(1));
        let expected = [
            (34, Number(0)),
            flag(5),
            flag(4),
            flag(7),
            flag(8),
            flag(16),
            flag(48),
            flag(3),
            flag(46),
            (14, text("../before")),
            flag(15),
            (11, Value::Message(server)),
        ];
        assert_eq!(more, expected);
    }

    #[test]
    fn options_that_cannot_be_meant_are_refused() {
        let options = |parent: Option<&str>, status_fd, lazy_pages| CheckpointOptions {
            criu: CriuOptions { lazy_pages, ..CriuOptions::default() },
            parent_path: parent.map(PathBuf::from),
            status_fd,
            ..CheckpointOptions::default()
        };
        assert!(check(&options(None, None, false)).is_ok());
        assert!(check(&options(None, Some(2), true)).is_ok());
        for wrong in [
            options(Some("/tmp"), None, false),
            options(Some("nowhere"), None, false),
            options(None, Some(2), false),
            options(None, Some(999), true),
        ] {
            assert!(check(&wrong).is_err(), "{wrong:?}");
        }
    }
}
