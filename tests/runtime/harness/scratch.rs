//! What a test that leaves nothing behind starts from: a name of its own, and what was mounted before.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// Returns a name that no test has, nor one that failed earlier and was kept, and its directory; `suite` is that of the tests.
pub(crate) fn unused(suite: &str) -> (String, PathBuf) {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    // as mountinfo has it: dockerd unmounts what it has mounted on its data root only where it finds that path
    let scratch = env!("CARGO_TARGET_TMPDIR");
    fs::create_dir_all(scratch).expect("the target directory is ours"); // cargo has made it here, and not in a guest
    let scratch = fs::canonicalize(scratch).expect("it was made");
    loop {
        let name = format!("{suite}-{}-{:03}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let directory = scratch.join(suite).join(&name);
        if !directory.exists() {
            return (name, directory);
        }
    }
}

/// The mounts of the calling thread's namespace, without the numbers that differ from namespace to namespace.
pub(crate) fn mounts() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/thread-self/mountinfo").expect("procfs is mounted");
    text.lines().map(|line| line.split(' ').skip(3).collect::<Vec<_>>().join(" ")).collect()
}
