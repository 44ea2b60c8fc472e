//! The table of exit codes in docs/reference.md: a row, a test.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Output, Scenario};

const LIMIT: Duration = Duration::from_secs(60);

/// A service that runs `script`.
fn service(name: &str, script: &str, more: &str) -> String {
    format!("  {name}:\n    image: busybox:1\n    command: [sh, -c, '{script}']\n    stop_grace_period: 1s\n{more}")
}

/// A project of these services.
fn project(purpose: &'static str, services: &[String]) -> Scenario {
    let scenario = Scenario::new(purpose);
    scenario.file("compose.yaml", &format!("services:\n{}", services.concat()));
    scenario
}

/// Ends well on SIGTERM.
const LASTING: &str = "trap \"exit 0\" TERM; while :; do sleep 0.1; done";

fn none_runs(project: &Scenario) {
    assert_eq!(project.run(["compose", "ps", "--quiet"]).ok().text(), "");
}

#[test]
#[ignore = "needs root"]
fn up_in_the_foreground_is_0_when_all_have_ended_however_they_did() {
    let project = project("without --abort-* a failure is a line, not a code", &[service("a", "exit 3", "")]);
    project.run(["up"]).code(0).says(["a-1 exited with code 3"]);
}

#[test]
#[ignore = "needs root"]
fn abort_on_container_exit_has_the_code_of_the_first_that_ended() {
    for (script, code) in [("exit 0", 0), ("exit 3", 3)] {
        let services = [service("first", script, ""), service("other", LASTING, "")];
        let project = project("the first end decides", &services);
        project.run(["up", "--abort-on-container-exit"]).code(code).says(["Stopping the others"]);
        none_runs(&project);
    }
}

#[test]
#[ignore = "needs root"]
fn an_end_by_a_signal_is_128_and_its_number() {
    for (signal, code) in [("KILL", 137), ("TERM", 143), ("USR1", 138)] {
        let lasting = "exec sleep 1000";
        let services = [service("first", lasting, "    init: true\n"), service("other", LASTING, "")];
        let project = project("the signal is in the code", &services);
        let up = project.start(["up", "--abort-on-container-exit"]);
        crate::harness::eventually("both run", LIMIT, || {
            let running = project.run(["compose", "ps", "--quiet"]).stdout.lines().count();
            if running == 2 { Ok(()) } else { Err(running) }
        });
        project.run(["compose", "kill", "--signal", signal, "first"]).ok();
        up.finish(LIMIT).code(code);
    }
}

#[test]
#[ignore = "needs root"]
fn abort_on_container_failure_passes_over_what_ends_well() {
    let services =
        [service("good", "exit 0", ""), service("bad", "sleep 1; exit 4", ""), service("other", LASTING, "")];
    let project = project("only a failure ends the others", &services);
    project.run(["up", "--abort-on-container-failure"]).code(4).says(["good-1 exited with code 0", "bad-1 exited"]);
    none_runs(&project);
}

#[test]
#[ignore = "needs root"]
fn exit_code_from_has_the_code_of_that_service_whoever_ended_first() {
    let services = [service("tests", "exit 7", ""), service("db", LASTING, "")];
    let project = project("the code of the tests is the code of the job", &services);
    project.run(["up", "--exit-code-from", "tests"]).code(7);
    none_runs(&project);
    // As docker compose: the end of any other container stops it, and its code is then that of its end.
    project.edit("compose.yaml", "exit 7", "trap \"exit 9\" TERM; while :; do sleep 0.1; done").edit(
        "compose.yaml",
        LASTING,
        "exit 1",
    );
    project.run(["up", "--exit-code-from", "tests"]).code(9);
    project.run(["up", "--exit-code-from", "absent"]).code(1).says(["absent"]);
}

#[test]
#[ignore = "needs root"]
fn a_one_shot_that_others_wait_for_ends_nothing_when_it_ends_well() {
    let dependent = "    depends_on: {migrate: {condition: service_completed_successfully}}\n";
    let services = [service("migrate", "exit 0", ""), service("tests", "sleep 0.5; exit 5", dependent)];
    let project = project("a migration that is done is no reason to stop the tests", &services);
    project.run(["up", "--abort-on-container-exit"]).code(5);
    project.run(["up", "--exit-code-from", "tests"]).code(5);
    project.edit("compose.yaml", "[sh, -c, 'exit 0']", "[sh, -c, 'echo broken; exit 2']");
    project.run(["up", "--exit-code-from", "tests"]).code(1).says(["migrate", "exit code 2", "broken"]);
}

#[test]
#[ignore = "needs root"]
fn a_one_shot_that_fails_before_what_waits_for_it_is_1_whatever_ends_the_rest() {
    let dependent = "    depends_on: {migrate: {condition: service_completed_successfully}}\n";
    let services = [service("migrate", "echo broken; exit 2", ""), service("tests", LASTING, dependent)];
    let project = project("up has not come to its foreground", &services);
    for flags in [
        &["--abort-on-container-exit"][..],
        &["--abort-on-container-failure"],
        &["--exit-code-from", "tests"],
        &["--exit-code-from", "migrate"],
        &["--wait"],
        &["--detach"],
        &[],
    ] {
        project.run([&["up"], flags].concat()).code(1).says(["migrate", "exit code 2", "broken"]);
    }
}

/// What `up` is called with, how the service of the test ends, how the other one does, and the code of `up`.
///
/// `None` is one that goes on until it is stopped, which it survives with 9.
type Row = (&'static [&'static str], Option<&'static str>, Option<&'static str>, i32);

const ROWS: [Row; 16] = [
    (&["--abort-on-container-exit"], Some("exit 0"), None, 0),
    (&["--abort-on-container-exit"], Some("exit 3"), None, 3),
    (&["--abort-on-container-exit"], Some("kill -9 $$$$"), None, 137),
    (&["--abort-on-container-failure"], Some("exit 0"), Some("exit 0"), 0),
    (&["--abort-on-container-failure"], Some("exit 0"), Some("exit 4"), 4),
    (&["--abort-on-container-failure"], Some("exit 3"), None, 3),
    (&["--abort-on-container-failure"], Some("kill -TERM $$$$"), None, 143),
    (&["--exit-code-from", "tests"], Some("exit 0"), None, 0),
    (&["--exit-code-from", "tests"], Some("kill -9 $$$$"), None, 137),
    (&["--exit-code-from", "other"], Some("exit 3"), None, 9),
    (&["--exit-code-from", "other", "--abort-on-container-exit"], Some("exit 3"), None, 9),
    (&["--exit-code-from", "tests", "--abort-on-container-failure"], Some("exit 3"), None, 3),
    (&["--exit-code-from", "tests", "--abort-on-container-failure"], None, Some("exit 4"), 9),
    (&["--exit-code-from", "tests", "--abort-on-container-failure"], Some("exit 0"), Some("exit 0"), 0),
    (&["--exit-code-from", "tests", "--no-attach", "tests"], Some("exit 3"), None, 3),
    (&["--exit-code-from", "tests", "--attach", "other"], Some("exit 3"), None, 3),
];

#[test]
#[ignore = "needs root"]
fn every_way_to_end_has_the_code_that_the_table_says() {
    let project = Scenario::new("each row of the table");
    for (flags, tests, other, code) in ROWS {
        // Who ends waits for one that lasts: stopped before its trap is set, it would not survive it.
        let waits = tests.is_none() || other.is_none();
        let lasting = "trap \"exit 9\" TERM; touch /shared/ready; while :; do sleep 0.1; done".to_owned();
        let ending = |script| match waits {
            true => format!("until [ -e /shared/ready ]; do sleep 0.1; done; {script}"),
            false => String::from(script),
        };
        let services = [("tests", tests), ("other", other)].map(|(name, script)| {
            let extra = "    init: true\n    volumes: ['shared:/shared']\n";
            service(name, &script.map_or_else(|| lasting.clone(), ending), extra)
        });
        project.file("compose.yaml", &format!("services:\n{}volumes: {{shared: {{}}}}\n", services.concat()));
        project.run([&["up"], flags].concat()).code(code);
        none_runs(&project);
        project.run(["down", "-v"]).ok();
    }
}

#[test]
#[ignore = "needs root"]
fn interrupted_is_130_whatever_else_would_decide() {
    for flags in [&["--abort-on-container-exit"][..], &["--abort-on-container-failure"], &["--exit-code-from", "a"]] {
        let project = project("Ctrl-C", &[service("a", &format!("echo began; {LASTING}"), "")]);
        let up = project.start([&["up"], flags].concat());
        up.shows("began", LIMIT);
        up.signal(Signal::SIGINT);
        up.finish(LIMIT).code(130);
        none_runs(&project);
    }
}

#[test]
#[ignore = "needs root"]
fn what_contradicts_itself_is_2_before_anything_is_made() {
    let project = project("one of both", &[service("a", LASTING, "")]);
    for flags in [
        &["--abort-on-container-exit", "--abort-on-container-failure"][..],
        &["--abort-on-container-exit", "--detach"],
        &["--abort-on-container-failure", "--detach"],
        &["--exit-code-from", "a", "--detach"],
        &["--exit-code-from", "a", "--wait"],
        &["--abort-on-container-exit", "--wait"],
        &["--abort-on-container-failure", "--wait"],
        &["--wait-timeout", "1"],
    ] {
        project.run([&["up"], flags].concat()).code(2);
    }
    assert!(project.containers().is_empty());
}

#[test]
#[ignore = "needs root"]
fn wait_is_0_when_all_run_or_are_healthy_or_have_done_their_work() {
    let check = "    healthcheck: {test: [CMD, test, -e, /ready], interval: 200ms, retries: 50}\n";
    let dependent = "    depends_on: {once: {condition: service_completed_successfully}}\n";
    let services = [
        service("once", "exit 0", ""),
        service("slow", "sleep 1; touch /ready; exec sleep 1000", check),
        service("plain", LASTING, dependent),
    ];
    let project = project("--wait means ready", &services);
    project.run(["up", "--wait"]).code(0);
    let containers = project.containers();
    assert_eq!(containers["slow"].health, "healthy");
    assert_eq!((containers["once"].state.as_str(), containers["plain"].state.as_str()), ("exited", "running"));
}

#[test]
#[ignore = "needs root"]
fn wait_is_1_with_the_reason_when_it_cannot_come_any_more_or_not_in_time() {
    let check = |test: &str| format!("    healthcheck: {{test: {test}, interval: 100ms, retries: 2}}\n");
    let ill = project("an ill service", &[service("a", "echo last words; exec sleep 1000", &check("[CMD, 'false']"))]);
    ill.run(["up", "--wait"]).code(1).says(["a-1", "unhealthy", "last words"]);
    let gone = project("a service that ends", &[service("a", "echo last words; exit 0", &check("[CMD, 'true']"))]);
    gone.run(["up", "--wait"]).code(1).says(["a-1", "exit code 0", "last words"]);
    let never = "    healthcheck: {test: [CMD, 'false'], interval: 100ms, start_period: 1h}\n";
    let late = project("a service that takes too long", &[service("a", LASTING, never)]);
    late.run(["up", "--wait", "--wait-timeout", "1"]).code(1).says(["not ready in time", "a-1 is healthy"]);
    late.run(["up", "--wait", "--abort-on-container-exit"]).code(2);
}

#[test]
#[ignore = "needs root"]
fn an_end_for_want_of_memory_is_137_and_says_so_with_the_limit() {
    let hungry = "    mem_limit: 16m\n    memswap_limit: 16m\n";
    let project = project("a kill by the kernel is no mystery", &[service("hungry", "tail /dev/zero", hungry)]);
    project.run(["up", "--abort-on-container-exit"]).code(137).says(["out of memory, limit 16 MiB"]);
    let run = ["run", "--name", "eats", "--memory", "16m", "--memory-swap", "16m", "busybox:1", "tail", "/dev/zero"];
    project.run(run).code(137).says(["out of memory, limit 16 MiB"]);
    assert_eq!(project.inspect("eats")["State"]["OOMKilled"], true);
}

#[test]
#[ignore = "needs root"]
fn interrupted_in_the_foreground_is_130_and_nothing_runs_on() {
    let project = project("Ctrl-C", &[service("a", &format!("echo began; {LASTING}"), "")]);
    let up = project.start(["up"]);
    up.shows("began", LIMIT);
    up.signal(Signal::SIGINT);
    up.finish(LIMIT).code(130).says(["Stopping"]);
    none_runs(&project);
}

#[test]
#[ignore = "needs root"]
fn a_second_interrupt_kills() {
    let deaf = "    stop_grace_period: 10m\n";
    let services = [service("a", "trap \"\" TERM; echo began; while :; do sleep 1; done", "")];
    let project = project("who does not want to wait need not", &services);
    project.edit("compose.yaml", "    stop_grace_period: 1s\n", deaf);
    let up = project.start(["up"]);
    up.shows("began", LIMIT);
    up.signal(Signal::SIGINT);
    crate::harness::eventually("it says that it stops", LIMIT, || {
        if up.stderr().contains("Stopping") { Ok(()) } else { Err(up.stderr()) }
    });
    up.signal(Signal::SIGINT);
    up.finish(LIMIT).code(130);
    none_runs(&project);
}

#[test]
#[ignore = "needs root"]
fn run_and_exec_have_the_commands_own_code() {
    let project = project("the command's code is ours", &[service("web", LASTING, "")]);
    let run = |script: &str| -> Output { project.run(["run", "--rm", "--init", "busybox:1", "sh", "-c", script]) };
    run("exit 42").code(42);
    run("kill -TERM $$; sleep 9").code(143);
    project.run(["run", "--rm", "busybox:1", "/etc"]).code(126);
    project.run(["run", "--rm", "busybox:1", "absent"]).code(127);
    project.run(["run", "--rm", "--memory", "nonsense", "busybox:1", "true"]).code(125);
    project.run(["run", "--rm", "--memory", "5", "busybox:1", "true"]).code(125).says(["6 MiB"]);
    project.run(["up", "-d"]).ok();
    for (command, code) in [("exit 42", 42), ("sh -c 'kill -9 $$'; exit $?", 137)] {
        project.run(["compose", "exec", "-T", "web", "sh", "-c", command]).code(code);
        project.run(["compose", "run", "--rm", "-T", "web", "sh", "-c", command]).code(code);
    }
    project.run(["compose", "exec", "-T", "web", "/etc"]).code(126);
    project.run(["compose", "exec", "-T", "web", "absent"]).code(127);
    project.run(["compose", "run", "--rm", "-T", "web", "absent"]).code(127);
    project.run(["compose", "exec", "-T", "absent", "true"]).code(1);
}

#[test]
#[ignore = "needs root"]
fn compose_wait_has_the_code_of_the_first_that_ended() {
    let services = [service("job", "sleep 1; exit 6", ""), service("web", LASTING, "")];
    let project = project("wait tells how it ended", &services);
    project.run(["up", "-d"]).ok();
    let waited = project.run(["compose", "wait", "job"]).code(6);
    assert!(waited.text().ends_with("exited with status code 6"), "{waited}");
    project.run(["compose", "start", "job"]).ok();
    project.run(["compose", "wait", "--down-project", "job"]).code(6);
    assert!(project.containers().is_empty());
}

#[test]
#[ignore = "needs root"]
fn a_call_of_the_runtime_that_is_none_ends_with_1_as_runcs_does() {
    let host = Scenario::new("engines read the exit code of a runtime as they read runc's");
    for words in [&["create"][..], &["--nope", "list"], &["frob"], &["state"], &["exec", "--nope", "one", "true"]] {
        host.run([&["runtime"], words].concat()).code(1).says(["Usage: lighter runtime"]);
    }
    host.run(["runtime", "create", "--help"]).ok();
    host.run(["create", "--nope"]).code(2);
}
