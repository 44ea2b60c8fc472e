//! What one command leaves for the next: `state.json` of a container's directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::OciError;
use super::source;
use crate::cgroup::{Cgroup, Driver};
use crate::hooks::Hooks;
use crate::process::ProcessRef;

/// The version of the layout of [`Record`] this program writes, and the newest it reads.
const VERSION: u32 = 1;

/// A container, as the command that made it wrote it down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub(super) version: u32,
    /// The container's id.
    pub id: String,
    /// `ociVersion` of its configuration.
    pub oci_version: String,
    /// The bundle's directory, absolute.
    pub bundle: PathBuf,
    /// The root filesystem's directory, absolute.
    pub rootfs: PathBuf,
    /// When it was made, RFC 3339 with nanoseconds, UTC.
    pub created: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its cgroup.
    pub cgroup: Cgroup,
    /// Who made the cgroup, and removes it.
    pub(super) driver: Driver,
    /// The boot in which it was made (random(4), `boot_id`): pids of another one mean nothing.
    pub(super) boot_id: String,
    /// Its first process; `None` until there is one.
    pub(super) init: Option<ProcessRef>,
    /// It has a pid namespace of its own, all of whose processes end with the first.
    pub(super) own_pid_namespace: bool,
    /// It shares the session keyring of its creator.
    pub(super) no_new_keyring: bool,
    /// Hooks still to be run.
    pub(super) hooks: Hooks,
}

impl Record {
    pub(super) const FILE: &'static str = "state.json";

    /// Returns a record of a container that is about to be made, with the rest for its maker to fill in.
    pub(super) fn new(id: &str, cgroup: Cgroup, boot_id: String) -> Self {
        Self {
            version: VERSION,
            id: id.to_owned(),
            oci_version: String::new(),
            bundle: PathBuf::new(),
            rootfs: PathBuf::new(),
            created: jiff::Timestamp::now().to_string(),
            annotations: BTreeMap::new(),
            cgroup,
            driver: Driver::default(),
            boot_id,
            init: None,
            own_pid_namespace: true,
            no_new_keyring: false,
            hooks: Hooks::default(),
        }
    }

    /// Reads the record in `directory`; `None` when there is none (yet).
    pub(super) fn read(directory: &Path) -> Result<Option<Self>, OciError> {
        let path = directory.join(Self::FILE);
        let record = match source::read_json::<Self>(&path) {
            Err(OciError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            result => result?,
        };
        if record.version > VERSION {
            let why = format!("version {} of the record is newer than this program: {VERSION}", record.version);
            return Err(OciError::Malformed { path, why });
        }
        Ok(Some(record))
    }

    /// Replaces the record in `directory`, whole.
    ///
    /// Not made durable: what it tells of ends with the boot.
    pub(super) fn write(&self, directory: &Path) -> Result<(), OciError> {
        let text = serde_json::to_vec(self).expect("texts and numbers can be written as JSON");
        replace(&directory.join(Self::FILE), &text)
    }
}

/// Writes a file beside its name and renames it there: readers see the old text or the new.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), OciError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, text).map_err(OciError::file("write", &beside))?;
    std::fs::rename(&beside, path).map_err(OciError::file("write", path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> Record {
        Record::new("box", Cgroup::open("/lighter/box").unwrap(), "boot".into())
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(directory.path()).unwrap(), None);
        let record = Record { init: Some(ProcessRef { pid: 7, start_time: 9 }), ..record() };
        record.write(directory.path()).unwrap();
        assert_eq!(Record::read(directory.path()).unwrap(), Some(record));
    }

    #[test]
    fn a_record_of_a_newer_version_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        Record { version: 2, ..record() }.write(directory.path()).unwrap();
        let error = Record::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("version 2"), "{error}");
    }

    proptest! {
        #[test]
        fn a_damaged_record_is_an_error_and_no_panic(at in 0usize..400, byte: u8, cut in 0usize..400) {
            let mut text = serde_json::to_vec(&record()).unwrap();
            let length = text.len();
            text[at % length] = byte;
            text.truncate(length - cut % length);
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join(Record::FILE), &text).unwrap();
            let _either = Record::read(directory.path());
        }
    }
}
