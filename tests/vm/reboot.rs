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

#[test]
#[ignore = "needs a virtual machine"]
fn each_restart_policy_does_after_a_reset_what_dockers_does() {
    let content = Content::make(guest::state().join("registry"));
    let lighter = Lighter::new(&guest::state().join("lighter"));
    let running = || {
        let shown = lighter.said(["ps", "--format", "{{.Names}}"]).ok();
        let mut names: Vec<String> = shown.lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    if guest::boot() == 1 {
        content.serve(|_, _, _| {});
        let run = |name: &str, policy: &str, script: &str| {
            let flags = ["run", "-d", "--name", name, "--restart", policy, "--network", "none", IMAGE];
            lighter.said(flags.into_iter().chain(["sh", "-c", script])).ok();
        };
        for policy in ["no", "always", "unless-stopped", "on-failure"] {
            run(policy, policy, "sleep 1000");
            let stopped = format!("stopped-{policy}");
            run(&stopped, policy, "sleep 1000");
            lighter.said(["stop", "-t", "0", &stopped]).ok();
        }
        run("failed", "on-failure:1", "exit 3");
        lighter.said(["wait", "failed"]).ok();
        guest::reboot();
    }
    assert_eq!(running(), Vec::<String>::new(), "nothing starts before the host's init says so");
    lighter.said(["boot"]).ok();
    assert_eq!(running(), ["always", "on-failure", "stopped-always", "unless-stopped"]);
    lighter.said(["stop", "-t", "0", "always"]).ok();
    lighter.said(["boot"]).ok();
    assert_eq!(running(), ["on-failure", "stopped-always", "unless-stopped"], "once a boot");
    let all = lighter.said(["ps", "--all", "--quiet"]).ok();
    lighter.said(["rm", "--force"].into_iter().chain(all.lines())).ok();
}
