//! What `checkpoint` and `restore` both tell criu, and the numbers of its options.
//!
//! *Pure*, apart from [`Folders`].

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Message;
use crate::oci::OciError;
use crate::oci::root::open_directory;

/// Fields of `criu_opts`.
pub(in crate::oci) const IMAGES_DIR_FD: u32 = 1;
pub(in crate::oci) const PID: u32 = 2;
pub(in crate::oci) const LEAVE_RUNNING: u32 = 3;
pub(in crate::oci) const EXT_UNIX_SK: u32 = 4;
pub(in crate::oci) const TCP_ESTABLISHED: u32 = 5;
pub(in crate::oci) const EVASIVE_DEVICES: u32 = 6;
pub(in crate::oci) const SHELL_JOB: u32 = 7;
pub(in crate::oci) const FILE_LOCKS: u32 = 8;
pub(in crate::oci) const LOG_LEVEL: u32 = 9;
pub(in crate::oci) const LOG_FILE: u32 = 10;
pub(in crate::oci) const PAGE_SERVER: u32 = 11;
pub(in crate::oci) const NOTIFY_SCRIPTS: u32 = 12;
pub(in crate::oci) const ROOT: u32 = 13;
pub(in crate::oci) const PARENT_IMG: u32 = 14;
pub(in crate::oci) const TRACK_MEM: u32 = 15;
pub(in crate::oci) const AUTO_DEDUP: u32 = 16;
pub(in crate::oci) const WORK_DIR_FD: u32 = 17;
pub(in crate::oci) const MANAGE_CGROUPS: u32 = 24;
pub(in crate::oci) const CG_ROOT: u32 = 25;
pub(in crate::oci) const RST_SIBLING: u32 = 26;
pub(in crate::oci) const INHERIT_FD: u32 = 27;
pub(in crate::oci) const MANAGE_CGROUPS_MODE: u32 = 34;
pub(in crate::oci) const EXTERNAL: u32 = 37;
pub(in crate::oci) const EMPTY_NS: u32 = 38;
pub(in crate::oci) const JOIN_NS: u32 = 39;
pub(in crate::oci) const FREEZE_CGROUP: u32 = 44;
pub(in crate::oci) const TCP_SKIP_IN_FLIGHT: u32 = 46;
pub(in crate::oci) const LAZY_PAGES: u32 = 48;
pub(in crate::oci) const ORPHAN_PTS_MASTER: u32 = 50;
pub(in crate::oci) const CONFIG_FILE: u32 = 51;
pub(in crate::oci) const LSM_PROFILE: u32 = 53;
pub(in crate::oci) const LSM_MOUNT_CONTEXT: u32 = 63;

/// criu's `-v4`: everything, as the log is looked at only after a failure.
const EVERYTHING: u32 = 4;

/// Settings of the administrator for containers, which override ours; one that is not there is passed over.
const CONFIG: &str = "/etc/criu/runc.conf";
/// Annotation that names another file of settings; empty: none.
const CONFIG_ANNOTATION: &str = "org.criu.config";

/// What criu does about cgroups (criu(8), "--manage-cgroups").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CgroupMode {
    /// Leave them alone.
    Ignore = 0,
    /// Restore the properties of those it makes.
    #[default]
    Soft = 3,
    /// Restore all, with their properties.
    Full = 4,
    /// Restore all, none of which may be there.
    Strict = 5,
}

/// What the caller says to both verbs.
#[derive(Clone, Debug, Default)]
pub struct CriuOptions {
    /// The directory of the image files.
    pub image_path: PathBuf,
    /// The directory of the log and other files of the work; by default that of the images.
    pub work_path: Option<PathBuf>,
    /// Carry established TCP connections over.
    pub tcp_established: bool,
    /// Let unix sockets be connected to processes outside.
    pub ext_unix_sk: bool,
    /// Let the processes belong to a session or terminal outside.
    pub shell_job: bool,
    /// Carry file locks over.
    pub file_locks: bool,
    /// Free pages of images that are of no more use.
    pub auto_dedup: bool,
    /// Leave the memory where it is until it is asked for (userfaultfd(2)).
    pub lazy_pages: bool,
    /// What is done about cgroups.
    pub cgroups: CgroupMode,
}

impl CriuOptions {
    /// Returns the options for a container with these annotations, whose images and log go to these descriptors.
    pub(in crate::oci) fn message(
        &self,
        (images, work): (i32, i32),
        log: &str,
        annotations: &BTreeMap<String, String>,
    ) -> Message {
        let message = Message::default()
            .number(IMAGES_DIR_FD, images as u64)
            .number(WORK_DIR_FD, work as u64)
            .number(LOG_LEVEL, EVERYTHING)
            .text(LOG_FILE, log)
            .flag(NOTIFY_SCRIPTS, true)
            .flag(ORPHAN_PTS_MASTER, true)
            .flag(MANAGE_CGROUPS, true)
            .number(MANAGE_CGROUPS_MODE, self.cgroups as u64)
            // Links and addresses are made by who makes networks, not by criu.
            .number(EMPTY_NS, libc::CLONE_NEWNET as u64)
            .flag(TCP_ESTABLISHED, self.tcp_established)
            .flag(EXT_UNIX_SK, self.ext_unix_sk)
            .flag(SHELL_JOB, self.shell_job)
            .flag(FILE_LOCKS, self.file_locks)
            .flag(AUTO_DEDUP, self.auto_dedup)
            .flag(LAZY_PAGES, self.lazy_pages);
        match annotations.get(CONFIG_ANNOTATION).map_or(CONFIG, String::as_str) {
            "" => message,
            config => message.text(CONFIG_FILE, config),
        }
    }
}

/// The open directories of images and log; criu finds them by our numbers of their descriptors.
#[derive(Debug)]
pub(in crate::oci) struct Folders {
    images: File,
    work: File,
    work_path: PathBuf,
}

impl Folders {
    /// Opens the directories; that of the work is made, and with `make` that of the images.
    pub(in crate::oci) fn open(options: &CriuOptions, make: bool) -> Result<Self, OciError> {
        let work_path = options.work_path.as_ref().unwrap_or(&options.image_path);
        let made = |path: &Path| {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.map_err(OciError::file("make directory", path))
        };
        if make {
            made(&options.image_path)?;
        }
        let open = |path: &Path| open_directory(path).map_err(OciError::file("open", path));
        let images = open(&options.image_path)?;
        made(work_path)?;
        Ok(Self { images, work: open(work_path)?, work_path: work_path.clone() })
    }

    pub(in crate::oci) fn fds(&self) -> (i32, i32) {
        (self.images.as_raw_fd(), self.work.as_raw_fd())
    }

    /// Returns the path of a file of the work.
    pub(in crate::oci) fn log(&self, name: &str) -> PathBuf {
        self.work_path.join(name)
    }
}

/// Returns the name by which a namespace that stays outside of the images is known in them, as runc has it.
pub(in crate::oci) fn namespace_key(kind: i32) -> Option<&'static str> {
    match kind {
        libc::CLONE_NEWNET => Some("extRootNetNS"),
        libc::CLONE_NEWPID => Some("extRootPidNS"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_administrator_are_named_by_an_annotation() {
        let config = |annotation: Option<&str>| {
            let annotations =
                annotation.map(|file| (CONFIG_ANNOTATION.to_owned(), file.to_owned())).into_iter().collect();
            let message = CriuOptions::default().message((5, 6), "a.log", &annotations);
            message.0.into_iter().find(|(field, _)| *field == CONFIG_FILE).map(|(_, value)| value)
        };
        let text = |text: &str| Some(super::super::Value::Text(text.to_owned()));
        assert_eq!(config(None), text("/etc/criu/runc.conf"));
        assert_eq!(config(Some("/etc/mine")), text("/etc/mine"));
        assert_eq!(config(Some("")), None);
    }

    #[test]
    fn images_that_are_not_there_are_not_made_for_a_restore() {
        let directory = tempfile::tempdir().unwrap();
        let options = CriuOptions { image_path: directory.path().join("deep/images"), ..CriuOptions::default() };
        assert!(matches!(Folders::open(&options, false), Err(OciError::File { .. })));
        assert!(!options.image_path.exists());
        let folders = Folders::open(&options, true).unwrap();
        assert_eq!(folders.log("a.log"), options.image_path.join("a.log"));
    }
}
