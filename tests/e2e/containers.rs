//! Single containers: `run`, `ps`, `logs`, `exec`, `stop`, `start`, `rm`, `inspect`.

use std::time::{Duration, Instant};

use crate::harness::{Scenario, eventually, patient, seconds};

const LIMIT: Duration = Duration::from_secs(20);

#[test]
#[ignore = "needs root"]
fn run_rm_hands_on_output_and_status_and_leaves_nothing() {
    let host = Scenario::new("a program in a container must look like a program");
    let ran =
        host.run(["run", "--rm", "busybox:1", "sh", "-c", "echo out; echo err >&2; exit 7"]).code(7).says(["err"]);
    assert_eq!(ran.text(), "out");
    assert_eq!(host.run(["ps", "--all", "--quiet"]).ok().text(), "");
    host.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn run_says_126_127_and_125_apart() {
    let host = Scenario::new("scripts tell what went wrong from the status");
    host.run(["run", "--rm", "busybox:1", "no-such-program"]).code(127).says(["no-such-program"]);
    host.run(["run", "--rm", "busybox:1", "/etc/passwd"]).code(126).says(["/etc/passwd"]);
    host.run(["run", "--rm", "busybox:no-such-tag", "true"]).code(125).says(["no-such-tag"]);
    assert_eq!(host.run(["ps", "--all", "--quiet"]).ok().text(), "", "a container that never ran must not stay");
}

#[test]
#[ignore = "needs root"]
fn a_signal_in_the_container_is_128_plus_its_number() {
    let host = Scenario::new("a killed program must be told from one that failed");
    host.run(["run", "--rm", "busybox:1", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"]).code(137);
}

#[test]
#[ignore = "needs root"]
fn stop_start_and_rm_keep_the_container_and_its_files() {
    let host = Scenario::new("a stopped container must come back as it was");
    let script = "echo once >> /count; cat /count; exec sleep 1000";
    host.run(["run", "--detach", "--name", "keeper", "busybox:1", "sh", "-c", script]).ok();
    host.run(["stop", "--time", "0", "keeper"]).ok();
    assert_eq!(host.inspect("keeper")["State"]["Status"], "exited");
    assert_eq!(host.inspect("keeper")["State"]["ExitCode"], 137);
    host.run(["start", "keeper"]).ok();
    eventually("the file of the first run is there", LIMIT, || {
        let lines = host.run(["exec", "keeper", "wc", "-l", "/count"]).stdout;
        if lines.starts_with('2') { Ok(()) } else { Err(lines) }
    });
    host.run(["rm", "keeper"]).code(1).says(["running"]);
    host.run(["rm", "--force", "keeper"]).ok();
    host.run(["inspect", "keeper"]).code(1);
    host.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn stop_sends_the_stop_signal_and_waits_for_the_program_to_end() {
    let host = Scenario::new("a program must be able to end in order");
    let script = "trap 'sleep 1; echo ended in order; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    host.run(["run", "--detach", "--name", "c", "busybox:1", "sh", "-c", script]).ok();
    eventually("it is ready", LIMIT, || {
        let logs = host.run(["logs", "c"]).stdout;
        if logs.contains("ready") { Ok(()) } else { Err(logs) }
    });
    let started = Instant::now();
    host.run(["stop", "--time", &seconds(10), "c"]).ok();
    assert!(started.elapsed() < patient(Duration::from_secs(9)), "stop waited for the whole grace period");
    assert_eq!(host.inspect("c")["State"]["ExitCode"], 3);
    assert!(host.run(["logs", "c"]).ok().stdout.ends_with("ended in order\n"));
}

#[test]
#[ignore = "needs root"]
fn logs_follow_ends_with_the_container_and_keeps_the_streams_apart() {
    let host = Scenario::new("no line may be lost, and each belongs to its stream");
    let script = "for n in 1 2 3; do echo out $n; echo err $n >&2; sleep 0.2; done";
    host.run(["run", "--detach", "--name", "c", "busybox:1", "sh", "-c", script]).ok();
    let logs = host.start(["logs", "--follow", "c"]).finish(LIMIT).ok();
    assert_eq!(logs.stdout, "out 1\nout 2\nout 3\n");
    assert_eq!(logs.stderr, "err 1\nerr 2\nerr 3\n");
}

#[test]
#[ignore = "needs root"]
fn exec_enters_every_namespace_and_hands_on_the_status() {
    let host = Scenario::new("exec must be inside, entirely");
    host.run(["run", "--detach", "--name", "c", "--hostname", "inside", "busybox:1", "sleep", "1000"]).ok();
    host.run(["exec", "c", "sh", "-c", "exit 5"]).code(5);
    assert_eq!(host.run(["exec", "c", "hostname"]).ok().text(), "inside");
    assert_eq!(
        host.run(["exec", "-e", "X=y", "-w", "/tmp", "-u", "33", "c", "sh", "-c", "echo $X $(pwd) $(id -u)"])
            .ok()
            .text(),
        "y /tmp 33"
    );
    for namespace in ["pid", "mnt", "net", "uts", "ipc", "cgroup"] {
        let link = format!("/proc/self/ns/{namespace}");
        let inside = host.run(["exec", "c", "readlink", &link]).ok();
        let of_init = host.run(["exec", "c", "readlink", &link.replace("self", "1")]).ok();
        let of_host = std::fs::read_link(format!("/proc/thread-self/ns/{namespace}")).expect("procfs is mounted");
        assert_eq!(inside.text(), of_init.text());
        assert_ne!(inside.text(), of_host.to_string_lossy(), "{namespace} is the host's");
    }
}

#[test]
#[ignore = "needs root"]
fn a_policy_restarts_what_failed_and_leaves_what_succeeded() {
    let host = Scenario::new("restart: on-failure means on failure");
    let failing = "echo x >> /runs; [ $(wc -l < /runs) -ge 3 ] && exit 0; exit 1";
    host.run(["run", "--detach", "--name", "c", "--restart", "on-failure", "busybox:1", "sh", "-c", failing]).ok();
    eventually("it has succeeded at the third attempt", LIMIT, || {
        let state = host.inspect("c");
        let seen =
            (state["State"]["Status"].clone(), state["State"]["ExitCode"].clone(), state["RestartCount"].clone());
        if seen == ("exited".into(), 0.into(), 2.into()) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
}

#[test]
#[ignore = "needs root"]
fn a_container_outlives_its_monitor_which_is_replaced_without_losing_a_line() {
    let host = Scenario::new("no process of ours may be the one that everything hangs on");
    let script = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.1; done";
    host.run(["run", "--detach", "--name", "c", "busybox:1", "sh", "-c", script]).ok();
    let init = host.pid("c");
    crate::harness::run(crate::harness::tool("kill", ["-9", &parent_of(init)]), LIMIT).ok();
    assert_eq!(host.inspect("c")["State"]["Pid"], init, "the container goes on");
    let last =
        |text: &str| text.lines().last().and_then(|line| line.split(' ').nth(1)?.parse::<usize>().ok()).unwrap_or(0);
    let before = last(&host.run(["logs", "c"]).ok().stdout);
    eventually("its lines are written again", LIMIT, || {
        let text = host.run(["logs", "c"]).ok().stdout;
        if last(&text) > before + 5 { Ok(()) } else { Err(text) }
    });
    let text = host.run(["logs", "c"]).ok().stdout;
    let numbers: Vec<_> = text.lines().map(last).collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>(), "every line, once");
}

#[test]
#[ignore = "needs root"]
fn what_is_to_be_removed_at_its_end_is_gone_after_a_power_loss_whatever_was_on_the_disk() {
    let host = Scenario::new("half a record would be in everybody's way, and a name would be taken by nobody");
    host.run(["run", "--detach", "--rm", "--name", "first", "--network", "none", "busybox:1", "sleep", "1000"]).ok();
    host.run(["run", "--detach", "--name", "kept", "--network", "none", "busybox:1", "sleep", "1000"]).ok();
    host.run(["rename", "first", "lost"]).ok();
    let id = host.inspect("lost")["Id"].as_str().expect("it has an id").to_owned();
    let record = host.root().join("containers").join(&id);
    let spec = std::fs::read_link(record.join("spec.json")).expect("what is known of it is not on the disk");
    assert!(spec.starts_with(host.run_directory()), "{}", spec.display());
    for container in ["lost", "kept"] {
        let init = host.pid(container);
        crate::harness::run(crate::harness::tool("kill", ["-9", &parent_of(init), &init.to_string()]), LIMIT).ok();
    }
    // the host comes up again: what was in memory is gone, and what nobody had flushed is empty
    std::fs::remove_dir_all(spec.parent().expect("it lies in a directory")).expect("the run directory is ours");
    std::fs::write(record.join("state.json"), "").expect("the root is ours");
    assert_eq!(host.run(["ps", "--all", "--format", "{{.Names}}"]).ok().text(), "kept");
    host.run(["system", "check"]).ok();
    assert!(!record.exists(), "the first command of a boot removes it");
    host.run(["run", "--rm", "--name", "lost", "--network", "none", "busybox:1", "true"]).ok();
    assert_eq!(std::fs::read_dir(spec.parent().expect("it lies in a directory")).expect("made anew").count(), 0);
}

#[test]
#[ignore = "needs root"]
fn a_killed_container_has_ended_when_the_verb_returns() {
    let host = Scenario::new("`kill` and then `rm` is what scripts say");
    for _ in 0..5 {
        host.run(["run", "--detach", "--name", "c", "--restart", "always", "busybox:1", "sleep", "1000"]).ok();
        host.run(["kill", "c"]).ok();
        assert_eq!(host.inspect("c")["State"]["Status"], "exited");
        host.run(["rm", "c"]).ok();
    }
}

#[test]
#[ignore = "needs root"]
fn what_changes_a_container_leaves_its_record_where_it_is() {
    let host =
        Scenario::new("a record that moves to the disk, and its state that does not, make half a container of it");
    host.run(["network", "create", "lan"]).ok();
    for name in ["db", "web"] {
        host.run(["run", "--detach", "--rm", "--name", name, "busybox:1", "sleep", "1000"]).ok();
    }
    let id = host.inspect("web")["Id"].as_str().expect("it has an id").to_owned();
    let spec = host.root().join("containers").join(id).join("spec.json");
    host.run(["network", "connect", "--link", "db:base", "lan", "web"]).ok();
    host.run(["update", "--memory", "64m", "web"]).ok();
    host.run(["rename", "web", "site"]).ok();
    let text = std::fs::read_to_string(&spec).expect("it is there");
    assert!(spec.is_symlink() && text.contains("base") && text.contains("site"), "{text}");
    host.run(["rm", "--force", "site", "db"]).ok();
    host.run(["network", "rm", "lan"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_stop_counts_although_a_removal_was_cut_short_before_it() {
    let host = Scenario::new("what the user has stopped must be stopped after a power loss, too");
    host.run([
        "run",
        "--detach",
        "--name",
        "c",
        "--restart",
        "unless-stopped",
        "--network",
        "none",
        "busybox:1",
        "top",
    ])
    .ok();
    let id = host.inspect("c")["Id"].as_str().expect("it has an id").to_owned();
    let request = host.root().join("containers").join(id).join("stopped-by-user");
    // as `rm --force` leaves it that is killed before it has sent a signal
    std::fs::write(&request, "removed\n").expect("the root is ours");
    host.run(["stop", "--time", "0", "c"]).ok();
    assert_eq!(std::fs::read_to_string(&request).expect("it asks for the stop"), "", "a wish to be kept");
}

/// The parent of a process, in the host's numbers.
fn parent_of(pid: i32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
    parent.expect("field 4 is the parent").to_owned()
}
