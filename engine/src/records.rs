//! The lock on the records of all containers, and what is remembered with it. Runs in the command and in the monitor.
//!
//! Whoever changes records notes it in the lock's file first, and crosses it out when nothing is half done. So who comes after a
//! process that was killed finds the note, and looks through all records for what that has left; nobody else does.

use std::os::unix::fs::FileExt;

use crate::durable::FileError;
use crate::{Engine, Lock};

/// What the file says when nothing is half done. A file that says nothing is new, as after a boot.
const WHOLE: &[u8] = b"whole";
const CHANGING: &[u8] = b"begun";

/// The lock, held.
pub(crate) struct Records<'a> {
    engine: &'a Engine,
    lock: Lock,
}

impl Engine {
    pub(crate) fn lock_containers(&self) -> Result<Records<'_>, FileError> {
        Ok(Records { engine: self, lock: Lock::take(&self.layout.lock("containers"))? })
    }
}

impl Records<'_> {
    /// Returns whether nobody has left anything half done, and nobody is removing files at this moment.
    pub(crate) fn are_whole(&self) -> bool {
        let mut said = [0; WHOLE.len()];
        self.lock.file().read_exact_at(&mut said, 0).is_ok() && said == WHOLE
    }

    /// Notes that records are about to change.
    pub(crate) fn begin(&self) -> Result<(), FileError> {
        let written = self.lock.file().write_all_at(CHANGING, 0);
        written.map_err(FileError::io("write", &self.engine.layout.lock("containers")))
    }

    /// Crosses the note out. Where that cannot be written, the next one looks through all records.
    pub(crate) fn finish(&self) {
        let _ = self.lock.file().write_all_at(WHOLE, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_whole_when_whoever_began_has_finished() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path().join("root"), dir.path().join("run")).unwrap();
        assert!(!engine.lock_containers().unwrap().are_whole(), "a boot may have cut something short");
        engine.lock_containers().unwrap().finish();
        let records = engine.lock_containers().unwrap();
        assert!(records.are_whole());
        records.begin().unwrap();
        drop(records); // as when its process is killed
        assert!(!engine.lock_containers().unwrap().are_whole());
    }
}
