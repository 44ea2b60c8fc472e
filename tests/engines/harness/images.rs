//! The images of `tests/images/build.sh`, as the archives that engines load.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{run, tool};

/// The name of an image whose programs are one static busybox.
pub(crate) const BUSYBOX: &str = "docker.io/library/busybox:1";

/// The name of an image of redis.
pub(crate) const REDIS: &str = "docker.io/library/redis:7";

/// Returns the archive of an image below the folder `scratch`, made by the first who asks.
#[track_caller]
pub(super) fn archive(image: &str, scratch: &Path) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/images/layout");
    assert!(layout.is_dir(), "there are no test images: run `tests/images/build.sh`");
    let tag = image.rsplit_once('/').expect("names are complete").1;
    let key = std::fs::read_to_string(layout.with_file_name("key")).expect("whole images have a key");
    let archive = scratch.join(format!("{}-{}.tar", tag.replace(':', "-"), &key[..12]));
    if !archive.exists() {
        let new = archive.with_extension(std::process::id().to_string());
        let from = format!("oci:{}:{tag}", layout.display());
        let to = format!("docker-archive:{}:{image}", new.display());
        run(tool("skopeo", ["--insecure-policy", "copy", "--quiet", &from, &to]), scratch).ok();
        std::fs::rename(new, &archive).expect("the scratch folder is ours");
    }
    archive
}
