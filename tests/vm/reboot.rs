//! The machine goes down with containers running. Guests of this module keep their root over a reboot.

use std::path::Path;
use std::time::Duration;

use crate::eventually::eventually;
use crate::guest::{self, Lighter, said, sh};
use crate::registry::{Content, IMAGE};

/// Time that the host's init may take until it has started what is wanted, on a machine without haste.
const LIMIT: Duration = Duration::from_secs(30);

const POLICIES: [&str; 4] = ["no", "always", "unless-stopped", "on-failure"];

/// What docker starts of [`run_each_policy`]'s after a reboot.
const WANTED: [&str; 4] = ["always", "on-failure", "stopped-always", "unless-stopped"];

/// Runs a container of each policy that goes on, one that its user stops, and one that has used up its attempts.
fn run_each_policy(lighter: &Lighter) {
    Content::make(guest::state().join("registry")).serve(|_, _, _| {});
    let run = |name: &str, policy: &str, script: &str| {
        let flags = ["run", "-d", "--name", name, "--restart", policy, "--network", "none", IMAGE];
        lighter.said(flags.into_iter().chain(["sh", "-c", script])).ok();
    };
    for policy in POLICIES {
        run(policy, policy, "sleep 1000");
        let stopped = format!("stopped-{policy}");
        run(&stopped, policy, "sleep 1000");
        lighter.said(["stop", "-t", "0", &stopped]).ok();
    }
    run("failed", "on-failure:1", "exit 3");
    lighter.said(["wait", "failed"]).ok();
}

/// Names what runs, in order.
fn running(lighter: &Lighter) -> Vec<String> {
    let shown = lighter.said(["ps", "--format", "{{.Names}}"]).ok();
    let mut names: Vec<String> = shown.lines().map(str::to_owned).collect();
    names.sort();
    names
}

fn remove_all(lighter: &Lighter) {
    let all = lighter.said(["ps", "--all", "--quiet"]).ok();
    lighter.said(["rm", "--force"].into_iter().chain(all.lines())).ok();
}

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
    let lighter = Lighter::new(&guest::state().join("lighter"));
    if guest::boot() == 1 {
        run_each_policy(&lighter);
        guest::reboot();
    }
    assert_eq!(running(&lighter), Vec::<String>::new(), "nothing starts before the host's init says so");
    lighter.said(["boot"]).ok();
    assert_eq!(running(&lighter), WANTED);
    lighter.said(["stop", "-t", "0", "always"]).ok();
    lighter.said(["boot"]).ok();
    assert_eq!(running(&lighter), WANTED[1..], "once a boot");
    remove_all(&lighter);
}

#[test]
#[ignore = "needs a virtual machine"]
fn what_boot_enable_wrote_lets_the_hosts_init_start_and_stop_what_is_wanted() {
    // Where hosts have them: all that is there when the init looks for services is the root.
    let (program, lighter) = ("/usr/local/bin/lighter", Lighter::new(Path::new("/var/lib/lighter")));
    let is_wanted = || match running(&lighter) {
        names if names == WANTED => Ok(()),
        names => Err(format!("{names:?} run")),
    };
    match guest::boot() {
        1 => {
            run_each_policy(&lighter);
            sh(&format!("install -D {} {program}", env!("CARGO_BIN_EXE_lighter")));
            said(&mut lighter.command_of(program, ["boot", "enable"])).ok();
            guest::reboot();
        }
        2 => {
            eventually("what is wanted runs after a reset", LIMIT, is_wanted);
            lighter.said(["stop", "-t", "0", "always"]).ok();
            guest::reboot_by_init();
        }
        _ => eventually("what is wanted runs after an orderly reboot", LIMIT, is_wanted),
    }
    remove_all(&lighter);
}
