//! The machine goes down with containers running.

use crate::guest::{self, Lighter, sh};
use crate::registry::{Content, IMAGE};

#[test]
#[ignore = "needs a virtual machine"]
fn a_container_that_ran_has_ended_and_starts_again() {
    let content = Content::make(guest::state().join("registry"));
    let lighter = Lighter::new(&guest::state().join("lighter"));
    if guest::boot() == 1 {
        content.serve(|_, _, _| {});
        let script = "echo boot >> /log; cat /log; sleep 1000";
        lighter.said(["run", "-d", "--name", "box", "--network", "none", IMAGE, "sh", "-c", script]).ok();
        assert_eq!(lighter.said(["ps", "--format", "{{.Names}}"]).ok(), "box");
        guest::reboot();
    }
    assert_eq!(lighter.said(["ps", "--format", "{{.Names}}"]).ok(), "", "what cannot run is listed as running");
    assert_eq!(lighter.said(["ps", "--all", "--format", "{{.Names}}"]).ok(), "box");
    lighter.said(["start", "box"]).ok();
    assert_eq!(lighter.said(["exec", "box", "cat", "/log"]).ok(), "boot\nboot", "its file system is not as it was");
    lighter.said(["rm", "--force", "box"]).ok();
    assert_eq!(sh("ls /sys/fs/cgroup | grep -c ^lighter$ || true"), "0", "a cgroup is left");
}
