//! Commands and monitors that are killed or meet each other: the same command again converges, and nothing is lost or doubled.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Scenario, eventually, patient, run as command, seconds, tool};

const LIMIT: Duration = Duration::from_secs(60);

/// A database with a probe and hooks, two replicas that wait for it and see its volume, a secret.
const SHOP: &str = r#"
services:
  db:
    image: busybox:1
    command: sh -c "touch /data/ready; exec sleep 1000"
    stop_grace_period: 0s
    volumes: ["data:/data"]
    secrets: [{source: word, uid: "7", mode: 0400}]
    post_start: [{command: [touch, /data/begun]}]
    pre_stop: [{command: [test, -e, /data/begun]}]
    healthcheck: {test: [CMD, test, -e, /data/ready], interval: 100ms, retries: 50}
  web:
    image: busybox:1
    command: sleep 1000
    stop_grace_period: 0s
    scale: 2
    environment: {LEVEL: low}
    volumes_from: ["db:ro"]
    depends_on: {db: {condition: service_healthy}}
volumes: {data: {}}
secrets: {word: {environment: WORD}}
"#;

/// Returns the names of the project's containers that run, each as often as it is there.
fn running(project: &Scenario) -> Vec<String> {
    let shown = project.run(["ps", "--format", "{{.Names}}"]).ok();
    let mut names: Vec<String> = shown.stdout.lines().map(|name| name.replace(project.project(), "")).collect();
    names.sort();
    names
}

pub(crate) fn monitor_of(project: &Scenario, container: &str) -> i32 {
    process_of(project, project.inspect(container)["Id"].as_str().expect("it has an id"), "monitor")
}

/// Returns the pid of a container's `init` or `monitor`, as its state has it.
fn process_of(project: &Scenario, id: &str, name: &str) -> i32 {
    let state = std::fs::read(project.root().join("containers").join(id).join("state.json")).expect("it has a state");
    let state: serde_json::Value = serde_json::from_slice(&state).expect("it is JSON");
    i32::try_from(state[name]["pid"].as_i64().expect("it has such a process")).expect("a pid fits")
}

fn kill_now(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it lives");
}

/// Kills `verb` once it has told of `steps` steps; returns whether there were so many.
fn killed_after(project: &Scenario, verb: &[&str], steps: usize) -> bool {
    let mut command = project.command(verb.iter());
    command.env("WORD", "secret");
    let running = crate::harness::Running::start(command, project.directory());
    let told = || running.stderr().lines().filter(|line| line.starts_with(" ✔") || line.starts_with(" …")).count();
    eventually("it goes on or ends", LIMIT, || match running.has_ended() || told() >= steps {
        true => Ok(()),
        false => Err("it waits"),
    });
    let ended = running.has_ended();
    running.signal_if_alive(Signal::SIGKILL);
    !ended
}

fn up(project: &Scenario) {
    let mut command = project.command(["up", "-d"]);
    command.env("WORD", "secret");
    project.finish(command).ok();
}

#[test]
#[ignore = "needs root"]
fn up_and_down_killed_after_any_step_converge_when_they_are_called_again() {
    let project = Scenario::new("kill -9 at each step of the plan");
    project.file("compose.yaml", SHOP);
    up(&project); // what is pulled is pulled
    project.run(["down", "-v"]).ok();
    for steps in 0.. {
        let goes_on = killed_after(&project, &["up", "-d"], steps);
        up(&project);
        assert_eq!(running(&project), ["-db-1", "-web-1", "-web-2"], "after {steps} steps");
        killed_after(&project, &["down", "-v"], steps);
        project.run(["down", "-v"]).ok();
        project.leaves_nothing();
        if !goes_on {
            return assert!(steps > 5, "the plan has more steps than {steps}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_recreation_killed_after_any_step_ends_with_one_new_container_each() {
    let project = Scenario::new("a replacement must not be lost between the old and the new one");
    project.file("compose.yaml", SHOP);
    up(&project);
    for steps in 0..6 {
        let (old, new) = if steps % 2 == 0 { ("LEVEL: low", "LEVEL: high") } else { ("LEVEL: high", "LEVEL: low") };
        project.edit("compose.yaml", old, new);
        killed_after(&project, &["up", "-d"], steps);
        up(&project);
        assert_eq!(running(&project), ["-db-1", "-web-1", "-web-2"], "after {steps} steps");
    }
}

#[test]
#[ignore = "needs root"]
fn two_ups_of_one_project_make_one_project_and_the_second_says_for_whom_it_waits() {
    let project = Scenario::new("neither doubled nor failed");
    let slow = "    image: busybox:1\n    command: [sh, -c, 'trap \"\" TERM; while :; do sleep 1; done']\n";
    let grace = seconds(3); // in which the second one comes
    project.file(
        "compose.yaml",
        &format!("services:\n  web:\n{slow}    stop_grace_period: {grace}s\n    labels: {{a: b}}\n"),
    );
    project.run(["up", "-d"]).ok();
    project.edit("compose.yaml", "a: b", "a: c");
    let first = project.start(["up", "-d"]);
    eventually("the first one stops the old container", LIMIT, || {
        if first.stderr().contains("stop") { Ok(()) } else { Err(first.stderr()) }
    });
    project.run(["up", "-d"]).ok().says(["wait for process", "lighter up -d", project.project()]);
    first.finish(LIMIT).ok();
    assert_eq!(running(&project), ["-web-1"]);
}

#[test]
#[ignore = "needs root"]
fn waiting_for_a_container_keeps_nobody_from_the_project() {
    let project = Scenario::new("the turn is given up while a health check takes its time");
    let check = "    healthcheck: {test: [CMD, 'false'], interval: 1s, start_period: 1h}\n";
    let text = "services:\n  a:\n    image: busybox:1\n    command: sleep 1000\n    stop_grace_period: 0s\n";
    project.file("compose.yaml", &format!("{text}{check}"));
    let up = project.start(["up", "--wait"]);
    eventually("it waits", LIMIT, || if up.stderr().contains("is healthy") { Ok(()) } else { Err(up.stderr()) });
    let down = project.run(["down"]).ok();
    assert!(!down.stderr.contains("wait for process"), "{down}");
    up.finish(LIMIT).code(1).says(["a-1"]);
}

#[test]
#[ignore = "needs root"]
fn two_projects_do_not_wait_for_each_other() {
    let project = Scenario::new("another project is nobody's business");
    let slow = "services: {web: {image: 'busybox:1', command: [sh, -c, 'trap \"\" TERM; while :; do sleep 1; done'], stop_grace_period: 5s}}\n";
    project.file("compose.yaml", slow).file("other.yaml", "name: e2e-other\nservices: {web: {image: 'busybox:1'}}\n");
    project.run(["up", "-d"]).ok();
    let down = project.start(["down"]);
    eventually("it stops", LIMIT, || if down.stderr().contains("stop") { Ok(()) } else { Err(down.stderr()) });
    let other = project.run(["-f", "other.yaml", "up", "--no-start"]).ok();
    assert!(!other.stderr.contains("wait for"), "{other}");
    down.finish(LIMIT).ok();
    project.run(["-f", "other.yaml", "down"]).ok();
}

#[test]
#[ignore = "needs root"]
fn monitors_of_one_command_share_the_pages_of_their_program() {
    let project = Scenario::new("what fifty containers cost beside themselves");
    let services: String =
        (1..=3).map(|number| format!("  s{number}: {{image: busybox:1, command: sleep 1000, init: true}}\n")).collect();
    project.file("compose.yaml", &format!("services:\n{services}"));
    project.run(["up", "-d"]).ok();
    for number in 1..=3 {
        let monitor = monitor_of(&project, &format!("{}-s{number}-1", project.project()));
        let usage = std::fs::read_to_string(format!("/proc/{monitor}/smaps_rollup")).expect("it runs");
        let kilobytes = |field| -> u64 {
            let value = usage.lines().find_map(|line| line.strip_prefix(field)).expect("proc(5)");
            value.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        assert!(kilobytes("Shared_Dirty:") >= 100, "{usage}");
        assert!(kilobytes("Private_Dirty:") <= 330, "it keeps what its start has used\n{usage}");
    }
    project.run(["down"]).ok();
}

#[test]
#[ignore = "needs root"]
fn an_idle_monitor_sleeps_without_a_deadline_and_is_woken_by_nothing_of_others() {
    let project = Scenario::new("nothing resident but what sleeps");
    let sleeping = "image: busybox:1, command: sleep 1000, init: true";
    let services = format!("{{a: {{{sleeping}, restart: always, ports: ['8390:80']}}, b: {{{sleeping}}}}}");
    project.file("compose.yaml", &format!("services: {services}\n"));
    project.run(["up", "-d"]).ok();
    let monitors: Vec<i32> = ["a", "b"].map(|n| monitor_of(&project, &format!("{}-{n}-1", project.project()))).into();
    let of = |pid: &i32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("it runs");
    // The call it is in, its number and arguments: poll(2) has its timeout third, ppoll(2), where there is no poll, none at 0.
    let forever = if cfg!(target_arch = "x86_64") { ("7", "0xffffffff") } else { ("73", "0x0") };
    let sleeps = |pid: &i32| {
        let call = of(pid, "syscall");
        let words: Vec<&str> = call.split(' ').collect();
        let is_poll = words.first() == Some(&forever.0);
        if is_poll && words[3].ends_with(forever.1.trim_start_matches("0x")) { Ok(()) } else { Err(call) }
    };
    monitors.iter().for_each(|pid| eventually("it waits for ever", LIMIT, || sleeps(pid)));
    let wakes = |pid: &i32| {
        let status = of(pid, "status");
        status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).map(str::to_owned).expect("proc(5)")
    };
    let before: Vec<_> = monitors.iter().map(wakes).collect();
    for network in ["none", "bridge"] {
        project.run(["run", "--rm", "--network", network, "busybox:1", "true"]).ok();
    }
    project.run(["ps"]).ok();
    assert_eq!(monitors.iter().map(wakes).collect::<Vec<_>>(), before);
    for pid in &monitors {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
        let targets = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        assert_eq!(targets.filter(|target| target.to_string_lossy().contains("timerfd")).count(), 0);
    }
    project.run(["down"]).ok();
}

#[test]
#[ignore = "needs root"]
fn containers_that_all_end_at_once_leave_nothing_of_their_network() {
    let project = Scenario::new("whoever has the lock does it for all");
    let services: String = (1..=12)
        .map(|n| format!("  s{n}: {{image: busybox:1, command: sleep 1000, init: true, ports: ['{}:80']}}\n", 8300 + n))
        .collect();
    project.file("compose.yaml", &format!("services:\n{services}"));
    project.run(["up", "-d"]).ok();
    let pids: Vec<i32> = (1..=12).map(|n| project.pid(&format!("{}-s{n}-1", project.project()))).collect();
    pids.into_iter().for_each(kill_now);
    // The containers and their network are there yet, but not on the host.
    project.leaves_nothing();
    for files in ["ports", "leaving"] {
        let left = std::fs::read_dir(project.run_directory().join(files)).expect("it was made").count();
        assert_eq!(left, 0, "{files}");
    }
    project.run(["up", "-d"]).ok();
    project.run(["down"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_monitor_killed_while_its_container_ends_leaves_nothing_after_the_next_command() {
    let project = Scenario::new("at whatever instruction");
    let services: String =
        (1..=6).map(|n| format!("  s{n}: {{image: busybox:1, command: sleep 1000, init: true}}\n")).collect();
    project.file("compose.yaml", &format!("services:\n{services}"));
    for pause in (0..40).step_by(2) {
        project.run(["up", "-d"]).ok();
        let ids = project.run(["ps", "--quiet", "--no-trunc"]).ok().stdout;
        let pids = ids.split_whitespace().map(|id| ["init", "monitor"].map(|name| process_of(&project, id, name)));
        let pids: Vec<_> = pids.collect();
        assert_eq!(pids.len(), 6, "{ids}");
        pids.iter().for_each(|[init, _]| kill_now(*init));
        let pause = patient(Duration::from_millis(pause));
        let _ = nix::poll::poll(&mut [], nix::poll::PollTimeout::try_from(pause).expect("it is short"));
        for [_, monitor] in pids {
            let _ = kill(Pid::from_raw(monitor), Signal::SIGKILL); // or it was done
        }
        project.run(["down"]).ok();
        project.leaves_nothing();
    }
}

#[test]
#[ignore = "needs root"]
fn the_default_bridge_stays_for_the_next_container_and_goes_after_the_last() {
    let host = Scenario::new("one container after the other");
    let run = || drop(host.run(["run", "--rm", "busybox:1", "true"]).ok());
    run();
    let id = host.run(["network", "inspect", "--format", "{{.Id}}", "bridge"]).ok().text().to_owned();
    let device = format!("lt-{}", &id[..10]);
    // Its number in the kernel, which another one would not have.
    let number = || {
        let shown = command(tool("ip", ["-oneline", "link", "show", &device]), LIMIT);
        if shown.succeeded() { shown.stdout.split(':').next().map(str::to_owned) } else { None }
    };
    eventually("a run finds the bridge of the one before", LIMIT, || {
        run();
        let before = number();
        run();
        if before.is_some() && number() == before { Ok(()) } else { Err("it was another one") }
    });
    eventually("the bridge is gone", LIMIT, || number().map_or(Ok(()), Err));
}

#[test]
#[ignore = "needs root"]
fn a_killed_monitor_is_replaced_and_no_line_of_its_container_is_lost() {
    let project = Scenario::new("the container is not the monitor's to take along");
    let script = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); printf 'line '; sleep 0.005; echo $i; done; sleep 1000";
    project.run(["run", "--detach", "--name", "c", "busybox:1", "sh", "-c", script]).ok();
    let init = project.pid("c");
    for _ in 0..5 {
        kill_now(monitor_of(&project, "c"));
        project.run(["ps"]).ok(); // any command sees to it
        assert_eq!(project.pid("c"), init);
    }
    eventually("all lines are there", LIMIT, || {
        let logs = project.run(["logs", "c"]).ok();
        if logs.stdout.ends_with("line 200\n") { Ok(()) } else { Err(logs.stdout) }
    });
    let expected: String = (1..=200).map(|number| format!("line {number}\n")).collect();
    assert_eq!(project.run(["logs", "c"]).ok().stdout, expected);
}

#[test]
#[ignore = "needs root"]
fn a_container_that_waits_for_its_next_start_gets_it_although_its_monitor_was_killed() {
    let project = Scenario::new("a restart policy outlives the process that keeps it");
    let run =
        ["run", "--detach", "--name", "c", "--restart", "always", "busybox:1", "sh", "-c", "echo started; exit 1"];
    project.run(run).ok();
    eventually("it waits between two starts", LIMIT, || {
        let status = project.inspect("c")["State"]["Status"].clone();
        if status == "restarting" { Ok(()) } else { Err(status) }
    });
    let starts = || project.run(["logs", "c"]).ok().stdout.lines().count();
    kill_now(monitor_of(&project, "c"));
    let before = starts(); // the command that asks has made another monitor
    eventually("it starts again", LIMIT, || if starts() > before + 1 { Ok(()) } else { Err(starts()) });
}

#[test]
#[ignore = "needs root"]
fn restarts_back_off_and_a_stop_by_the_user_ends_them() {
    let project = Scenario::new("Docker's pauses: 100 ms, 200 ms, 400 ms …");
    let script = "cat /proc/uptime; exit 1";
    project.run(["run", "-d", "--name", "c", "--restart", "on-failure:4", "busybox:1", "sh", "-c", script]).ok();
    project.run(["wait", "c"]).ok();
    let logs = project.run(["logs", "c"]).ok();
    let times: Vec<f64> = logs.stdout.split_whitespace().step_by(2).map(|time| time.parse().unwrap_or(0.0)).collect();
    assert_eq!(times.len(), 5, "one start and four by the policy: {times:?}");
    let pauses: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().zip([0.1, 0.2, 0.4, 0.8]).all(|(pause, least)| *pause >= least), "{pauses:?}");
    assert_eq!(project.inspect("c")["RestartCount"], 4);

    project.run(["run", "-d", "--name", "d", "--restart", "always", "busybox:1", "sh", "-c", "exit 1"]).ok();
    project.run(["stop", "d"]).ok();
    assert_eq!(project.inspect("d")["State"]["Status"], "exited");
}

#[test]
#[ignore = "needs root"]
fn a_probe_that_times_out_ends_with_all_that_it_has_started() {
    let project = Scenario::new("a hanging probe must not fill the container with processes");
    let probe = "sleep 777 & setsid sleep 777 & sleep 777";
    // long enough for the probe to start what is to be ended
    let limit = format!("{}ms", patient(Duration::from_millis(300)).as_millis());
    let run = ["run", "-d", "--name", "c", "--health-interval", "100ms", "--health-timeout", &limit];
    let rest = ["--health-retries", "2", "--health-cmd", probe, "busybox:1", "sleep", "1000"];
    project.run(run.into_iter().chain(rest)).ok();
    eventually("it is unhealthy", LIMIT, || {
        let health = project.inspect("c")["State"]["Health"].clone();
        if health["Status"] == "unhealthy" { Ok(()) } else { Err(health) }
    });
    let sleeping = || project.run(["top", "c"]).ok().stdout.lines().filter(|line| line.contains("sleep 777")).count();
    // between two probes there is none
    eventually("no process of a probe is left", LIMIT, || if sleeping() == 0 { Ok(()) } else { Err(sleeping()) });
}

#[test]
#[ignore = "needs root"]
fn a_probe_that_the_container_stops_before_it_has_begun_has_timed_out() {
    let project = Scenario::new("a container keeps its monitor from its work, for good");
    // It goes first on every processor, so there is time to hit.
    let script = "renice -n -20 1; while :; do for at in /proc/[0-9]*; do \
                    test $at = /proc/1 || kill -STOP ${at#/proc/} 2>/dev/null; done; done";
    let run =
        ["run", "-d", "--name", "c", "--cap-add", "SYS_NICE", "--health-interval", "100ms", "--health-timeout", "1s"];
    let rest = ["--health-retries", "1", "--health-cmd", "true", "busybox:1", "sh", "-c", script];
    project.run(run.into_iter().chain(rest)).ok();
    eventually("the monitor goes on", LIMIT, || {
        let health = project.inspect("c")["State"]["Health"].clone();
        if health.to_string().contains("it is not ready in time") { Ok(()) } else { Err(health) }
    });
}

#[test]
#[ignore = "needs root"]
fn a_container_that_is_well_is_healthy_at_once_and_not_after_an_interval() {
    let project = Scenario::new("a chain of dependents must not wait for clocks");
    let run = ["run", "-d", "--name", "c", "--health-interval", "1h", "--health-cmd", "true"];
    project.run(run.into_iter().chain(["busybox:1", "sleep", "1000"])).ok();
    eventually("it is healthy", Duration::from_secs(10), || {
        let health = project.inspect("c")["State"]["Health"]["Status"].clone();
        if health == "healthy" { Ok(()) } else { Err(health) }
    });
}

#[test]
#[ignore = "needs root"]
fn after_the_host_has_gone_down_each_restart_policy_does_what_dockers_does() {
    let project = Scenario::new("a reboot is no user's stop");
    let run = |name: &str, policy: &str, script: &str| {
        project.run(["run", "-d", "--name", name, "--restart", policy, "busybox:1", "sh", "-c", script]).ok();
    };
    let lasting = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
    for policy in ["no", "always", "unless-stopped", "on-failure"] {
        run(policy, policy, lasting);
    }
    for policy in ["always", "unless-stopped", "on-failure"] {
        let name = format!("stopped-{policy}");
        run(&name, policy, lasting);
        project.run(["stop", &name]).ok();
    }
    run("failed", "on-failure:1", "exit 3");
    project.run(["wait", "failed"]).ok();
    project.run(["boot", "stop"]).ok();
    assert_eq!(running(&project), Vec::<String>::new());
    project.run(["boot"]).ok();
    assert_eq!(running(&project), ["always", "on-failure", "stopped-always", "unless-stopped"]);
    // once a boot: what a user stops from now on stays stopped
    project.run(["stop", "always"]).ok();
    project.run(["boot"]).ok().says(["nothing to do"]);
    assert_eq!(running(&project), ["on-failure", "stopped-always", "unless-stopped"]);
}

#[test]
#[ignore = "needs root"]
fn boot_enable_writes_what_each_init_reads_and_disable_takes_it_back() {
    let project = Scenario::new("nobody wants to write units by hand");
    let root = project.directory().join("sysroot");
    for level in [0, 2, 3, 6] {
        std::fs::create_dir_all(root.join(format!("etc/rc{level}.d"))).expect("the folder is ours");
    }
    let root_argument = root.to_str().expect("the path is text");
    for (init, file, link) in [
        (
            "systemd",
            "etc/systemd/system/lighter-boot.service",
            "etc/systemd/system/multi-user.target.wants/lighter-boot.service",
        ),
        ("openrc", "etc/init.d/lighter", "etc/runlevels/default/lighter"),
        ("sysv", "etc/init.d/lighter", "etc/rc2.d/S99lighter"),
    ] {
        let boot = |verb: &str| project.run(["boot", verb, "--init", init, "--sysroot", root_argument]);
        boot("status").code(1);
        boot("enable").ok();
        let text = std::fs::read_to_string(root.join(file)).expect("it was written");
        assert!(text.contains(&format!("--root {}", project.root().display())), "{text}");
        assert!(root.join(link).is_symlink(), "{link}");
        boot("status").code(0);
        boot("disable").ok();
        assert!(!root.join(file).exists() && !root.join(link).is_symlink());
        boot("disable").ok();
    }
}

#[test]
#[ignore = "needs root"]
fn a_plan_is_written_shown_and_applied_to_what_it_was_made_for() {
    let project = Scenario::new("who reviews a plan wants that plan to be done, and no other");
    project.file("compose.yaml", SHOP);
    let with_word = |arguments: &[&str]| {
        let mut command = project.command(arguments.iter());
        command.env("WORD", "secret");
        project.finish(command)
    };
    let planned = with_word(&["plan", "-o", "plan.json"]).ok();
    assert!(planned.stdout.contains("create volume") && planned.stdout.contains("needed by web"), "{planned}");
    assert_eq!(running(&project), Vec::<String>::new());
    let mode = std::fs::metadata(project.folder().join("plan.json")).expect("it was written");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    project.run(["apply", "plan.json"]).ok();
    assert_eq!(running(&project), ["-db-1", "-web-1", "-web-2"]);
    assert_eq!(with_word(&["plan"]).ok().text(), "nothing to do");
    project.run(["apply", "plan.json"]).code(1).says(["has changed since"]);
    project.file("plan.json", "{}").run(["apply", "plan.json"]).code(1).says(["no plan"]);
    project.edit("compose.yaml", "LEVEL: low", "LEVEL: high");
    with_word(&["up", "-d", "--explain-plan"]).ok().says(["environment.LEVEL `low` → `high`"]);
}
