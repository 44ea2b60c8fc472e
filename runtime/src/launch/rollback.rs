//! Taking back what was made for a container that does not come to be.

use crate::cgroup::Cgroup;

/// A cgroup that is emptied and removed when this is dropped, unless it was kept.
#[derive(Debug)]
pub(super) struct CgroupRollback(Option<Cgroup>);

impl CgroupRollback {
    pub(super) fn new(cgroup: Cgroup) -> Self {
        Self(Some(cgroup))
    }

    /// Lets the cgroup live on.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for CgroupRollback {
    fn drop(&mut self) {
        if let Some(cgroup) = &self.0 {
            // The failure that led here is the one to report.
            let _killed = cgroup.kill_all();
            let _deleted = cgroup.delete();
        }
    }
}
