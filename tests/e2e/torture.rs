//! The torture image: what lighter unpacks must be what umoci unpacks.

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::{Registry, Scenario, Tree, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
#[ignore = "needs root"]
fn the_torture_image_unpacks_as_umoci_unpacks_it() {
    let host = Scenario::new("modes, owners, times, links, devices, xattrs: all of it, exactly");
    let bundle = host.directory().join("umoci");
    let image = format!("{}:torture:1", Registry::images().join("layout").display());
    run(tool("umoci", ["unpack".as_ref(), "--image".as_ref(), image.as_ref(), bundle.as_os_str()]), LIMIT).ok();
    let expected = Tree::read(&bundle.join("rootfs/torture")).expect("umoci has unpacked it");

    host.run(["run", "--detach", "--name", "c", "torture:1", "sleep", "1000"]).ok();
    // What the container itself sees, whatever file system it is put together from.
    let rootfs = PathBuf::from(format!("/proc/{}/root", host.pid("c")));
    let actual = Tree::read(&rootfs.join("torture")).expect("the container runs");

    let differences = expected.differences(&actual);
    let shown: Vec<_> = differences.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "of {} entries (umoci above, lighter below):\n{}", expected.len(), shown.join("\n"));
}

#[test]
#[ignore = "needs root"]
fn old_and_rare_tar_headers_are_read() {
    let host = Scenario::new("umoci cannot read these, Docker can");
    let listed = host
        .run(["run", "--rm", "torture:rare", "sh", "-c", "cd /torture/v7 && stat -c '%a %n' . file && cat file"])
        .ok();
    assert_eq!(listed.text(), "751 .\n640 file\nseventh edition");
}
