//! Handing the controllers of version 2 down to the cgroups we make.
//!
//! Where we are root of the host that is a write a level. Where a part of the tree was delegated to us, by a
//! container's cgroup namespace or by systemd's `Delegate=`, we live in the very cgroup that shall hand on,
//! which must not have processes then (cgroups(7), "no internal processes"): they move to a leaf.

use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::CgroupError;
use super::error::{make, read, write};

/// The leaf for the processes of a cgroup that was delegated to us.
const LEAF: &str = "init";

/// Tells whether the cgroup at `directory` has every controller that the root of the hierarchy has.
pub(super) fn has_all_controllers(directory: &Path, root: &Path) -> bool {
    let (own, all) = (words(directory, "cgroup.controllers"), words(root, "cgroup.controllers"));
    all.split_whitespace().all(|controller| own.split_whitespace().any(|known| known == controller))
}

/// Hands the controllers of the cgroup at `directory` on to its children, as far as it lets us.
///
/// One that cannot be handed on is missed where a limit needs it, and said there.
pub(super) fn enable_controllers(directory: &Path, root: &Path) {
    let (available, enabled) = (words(directory, "cgroup.controllers"), words(directory, "cgroup.subtree_control"));
    let missing = |controller: &&str| enabled.split_whitespace().all(|known| known != *controller);
    let missing: Vec<String> =
        available.split_whitespace().filter(missing).map(|controller| format!("+{controller}")).collect();
    if missing.is_empty() {
        return;
    }
    let control = directory.join("cgroup.subtree_control");
    let busy = |result: Result<(), CgroupError>| result.is_err_and(|error| error.errno() == Some(Errno::EBUSY));
    // All or none: some alone would be taken while processes are in the way (`cpu`, `cpuset`, `pids`), and would make this
    // the root of a threaded tree, where a leaf takes no process (cgroups(7)).
    if busy(write(&control, &missing.join(" "))) && is_ours(directory, root) {
        // What stands in the way of that is missed by a limit, and said there.
        let _stays = move_to_leaf(directory);
    }
    if write(&control, &missing.join(" ")).is_err() {
        // One by one if one is refused, as realtime tasks do to `cpu`.
        missing.iter().for_each(|one| drop(write(&control, one)));
    }
}

fn words(directory: &Path, file: &str) -> String {
    std::fs::read_to_string(directory.join(file)).unwrap_or_default()
}

/// Tells whether the processes at `directory` are ours to move: it is the root of what we see, or our own.
fn is_ours(directory: &Path, root: &Path) -> bool {
    let own = || std::fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| unified_path(&text, root));
    directory == root || own().is_some_and(|own| own == directory)
}

/// Returns the version 2 cgroup that a `/proc/PID/cgroup` names (cgroups(7)), below the mount `root`.
///
/// `None` when there is none, or it is outside of what the mount shows.
pub(super) fn unified_path(text: &str, root: &Path) -> Option<PathBuf> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?.trim_start_matches('/');
    let inside = path.split('/').all(|component| component != "..") && !path.ends_with(" (deleted)");
    inside.then(|| if path.is_empty() { root.to_owned() } else { root.join(path) })
}

fn move_to_leaf(directory: &Path) -> Result<(), CgroupError> {
    let leaf = directory.join(LEAF);
    match make(&leaf) {
        Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(CgroupError::Create { path: leaf, source });
        }
        _ => {}
    }
    for pid in read(&directory.join("cgroup.procs"))?.split_whitespace() {
        // A process that has ended meanwhile needs no moving; kernel threads cannot be moved.
        let _gone = write(&leaf.join("cgroup.procs"), pid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> Option<PathBuf> {
        unified_path(text, Path::new("/sys/fs/cgroup"))
    }

    #[test]
    fn the_line_of_version_2_names_the_cgroup() {
        assert_eq!(path("4:memory:/a\n0::/b/c\n"), Some("/sys/fs/cgroup/b/c".into()));
        assert_eq!(path("0::/\n"), Some("/sys/fs/cgroup".into()));
        assert_eq!(path("1:name=systemd:/a\n"), None);
    }

    #[test]
    fn what_is_outside_or_gone_is_no_place() {
        assert_eq!(path("0::/../x\n"), None);
        assert_eq!(path("0::/lighter/x (deleted)\n"), None);
    }

    proptest! {
        #[test]
        fn no_path_leads_out(text in "(0::/|1:cpu:/)[a-z./\n ]{0,12}") {
            if let Some(path) = path(&text) {
                prop_assert!(path.starts_with("/sys/fs/cgroup"));
                prop_assert!(!path.components().any(|part| part.as_os_str() == ".."));
            }
        }
    }
}
