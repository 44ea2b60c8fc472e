//! `post_start` and `pre_stop`: commands at the turns of a container's life.

use std::time::Duration;

use crate::harness::{Scenario, eventually};

const LIMIT: Duration = Duration::from_secs(60);

/// A service that notes what happens to it, in the order in which it does.
const NOTED: &str = r#"
services:
  web:
    image: busybox:1
    command: sh -c "trap 'echo stopped >> /out/notes; exit 0' TERM; while :; do sleep 0.1; done"
    environment: {WORD: own}
    volumes: ["./out:/out"]
    post_start:
      - {command: [sh, -c, "echo started $$WORD >> /out/notes"], environment: [WORD=hook]}
      - {command: "sh -c 'echo second >> /out/notes'"}
    pre_stop:
      - {command: [sh, -c, "echo stopping $$WORD >> /out/notes"]}
"#;

fn notes(project: &Scenario) -> Vec<String> {
    let text = std::fs::read_to_string(project.folder().join("out/notes")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs root"]
fn hooks_run_in_their_order_at_each_turn_and_before_the_verb_returns() {
    let project = Scenario::new("who waits for `up` may rely on its hooks");
    project.file("compose.yaml", NOTED);
    let started = ["started hook", "second"];
    let stopped = ["stopping own", "stopped"];
    project.run(["up", "-d"]).ok();
    assert_eq!(notes(&project), started);
    project.run(["compose", "restart"]).ok();
    assert_eq!(notes(&project), [&started[..], &stopped, &started].concat());
    project.run(["compose", "stop"]).ok();
    project.run(["compose", "start"]).ok();
    assert_eq!(notes(&project), [&started[..], &stopped, &started, &stopped, &started].concat());
    std::fs::remove_file(project.folder().join("out/notes")).expect("it was written");
    project.run(["down"]).ok();
    assert_eq!(notes(&project), stopped);
}

#[test]
#[ignore = "needs root"]
fn a_kill_asks_no_hook_and_a_restart_by_policy_runs_them_again() {
    let project = Scenario::new("a crash is no stop, but a start is a start");
    project.file("compose.yaml", &NOTED.replace("environment: {WORD", "restart: always\n    environment: {WORD"));
    project.run(["up", "-d"]).ok();
    let web = format!("{}-web-1", project.project());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(project.pid(&web)), nix::sys::signal::Signal::SIGKILL)
        .expect("it runs");
    let again = ["started hook", "second", "started hook", "second"];
    eventually("the hooks have run again", LIMIT, || {
        let notes = notes(&project);
        if notes == again { Ok(()) } else { Err(format!("{notes:?}")) }
    });
    project.run(["compose", "kill"]).ok();
    project.run(["rm", "--force", &web]).ok();
    assert_eq!(notes(&project), again);
}

#[test]
#[ignore = "needs root"]
fn a_hook_has_the_user_folder_and_rights_that_it_is_given() {
    let project = Scenario::new("a hook may be what its service is not");
    project.file(
        "compose.yaml",
        r#"
services:
  web:
    image: busybox:1
    command: sleep 1000
    stop_grace_period: 0s
    user: "1000:1000"
    cap_drop: [ALL]
    volumes: ["./out:/out"]
    post_start:
      - {command: [sh, -c, "{ id -u; pwd; grep CapEff /proc/self/status; } > /out/root"], user: root, working_dir: /tmp, privileged: true}
      - {command: [sh, -c, "chmod 777 /out"], user: root, privileged: true}
      - {command: [sh, -c, "{ id -u; pwd; grep CapEff /proc/self/status; } > /out/own"]}
"#,
    );
    project.run(["up", "-d"]).ok();
    let read = |name: &str| std::fs::read_to_string(project.folder().join("out").join(name)).expect("it was written");
    let (root, own) = (read("root"), read("own"));
    assert!(root.starts_with("0\n/tmp\n") && !root.contains("0000000000000000"), "{root}");
    assert!(own.starts_with("1000\n/\n") && own.contains("0000000000000000"), "{own}");
}

#[test]
#[ignore = "needs root"]
fn a_hook_that_fails_fails_the_verb_with_its_words_and_the_container_goes_on() {
    let project = Scenario::new("as Docker Compose has it");
    let service = "services:\n  web:\n    image: busybox:1\n    command: sleep 1000\n    stop_grace_period: 0s\n";
    let hook = |turn: &str| format!("    {turn}: [{{command: [sh, -c, 'echo no luck >&2; exit 3']}}]\n");
    project.file("compose.yaml", &format!("{service}{}", hook("post_start")));
    project.run(["up", "-d"]).code(1).says(["web-1", "post_start hook", "exit code 3", "no luck"]);
    assert_eq!(project.containers()["web"].state, "running");
    project.run(["down"]).ok();

    project.file("compose.yaml", &format!("{service}{}", hook("pre_stop")));
    project.run(["up", "-d"]).ok();
    project.run(["compose", "stop"]).code(1).says(["web-1", "pre_stop hook", "exit code 3", "no luck"]);
    assert_eq!(project.containers()["web"].state, "running");
    project.run(["down"]).code(1);
    project.run(["compose", "kill"]).ok();
    project.run(["down"]).ok();
    project.file("compose.yaml", &format!("{service}    post_start: [{{command: /nowhere/prog}}]\n"));
    project.run(["up", "-d"]).code(1).says(["post_start hook `/nowhere/prog` was not run"]);
}

#[test]
#[ignore = "needs root"]
fn a_second_interrupt_ends_a_hook_that_does_not_end() {
    let project = Scenario::new("nobody is held up by a hook");
    let service = "services:\n  web:\n    image: busybox:1\n    command: sleep 1000\n    stop_grace_period: 0s\n";
    project.file("compose.yaml", &format!("{service}    post_start: [{{command: [sleep, '999']}}]\n"));
    let up = project.start(["up"]);
    eventually("the hook runs", LIMIT, || {
        let top = project.run(["compose", "top"]);
        if top.stdout.contains("sleep 999") { Ok(()) } else { Err(format!("{top}\n{}", up.stderr())) }
    });
    // meanwhile the container is anybody's
    project.run(["network", "create", "other"]).ok();
    project.run(["network", "connect", "other", &format!("{}-web-1", project.project())]).ok();
    up.signal(nix::sys::signal::Signal::SIGINT);
    up.signal(nix::sys::signal::Signal::SIGTERM); // another one: two of a kind at once are one (signal(7))
    up.finish(LIMIT).code(130);
    assert_eq!(project.containers()["web"].state, "exited");
    project.run(["down"]).ok();
    project.run(["network", "rm", "other"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_hook_goes_on_though_the_command_and_the_monitor_are_killed() {
    let project = Scenario::new("a hook is run once, whoever is killed meanwhile");
    let service = "services:\n  web:\n    image: busybox:1\n    command: sleep 1000\n    stop_grace_period: 0s\n    volumes: ['./out:/out']\n";
    let hook = "    post_start: [{command: [sh, -c, 'echo begun >> /out/notes; sleep 3; echo done >> /out/notes']}]\n";
    project.file("compose.yaml", &format!("{service}{hook}"));
    let web = format!("{}-web-1", project.project());
    let begun = |times: usize| {
        eventually("the hook has begun", LIMIT, || {
            let count = notes(&project).iter().filter(|note| *note == "begun").count();
            if count == times { Ok(()) } else { Err(count) }
        });
    };
    let up = project.start(["up", "-d"]);
    begun(1);
    up.signal(nix::sys::signal::Signal::SIGKILL);
    project.run(["up", "-d"]).ok();
    eventually("the hook is done", LIMIT, || {
        let notes = notes(&project);
        if notes == ["begun", "done"] { Ok(()) } else { Err(format!("{notes:?}")) }
    });
    project.run(["compose", "stop"]).ok();
    let up = project.start(["up", "-d"]);
    begun(2);
    let monitor = nix::unistd::Pid::from_raw(crate::lifecycle::monitor_of(&project, &web));
    nix::sys::signal::kill(monitor, nix::sys::signal::Signal::SIGKILL).expect("it runs");
    up.finish(LIMIT).ok();
    assert_eq!(notes(&project), ["begun", "done", "begun", "done"]);
    assert_eq!(project.containers()["web"].state, "running");
}

#[test]
#[ignore = "needs root"]
fn what_depends_on_a_service_starts_after_its_hooks() {
    let project = Scenario::new("a hook may make what others need");
    project.file(
        "compose.yaml",
        r#"
services:
  db:
    image: busybox:1
    command: sleep 1000
    stop_grace_period: 0s
    volumes: ["./out:/out"]
    post_start: [{command: [sh, -c, "sleep 0.5; echo made > /out/schema"]}]
  web:
    image: busybox:1
    command: cat /out/schema
    volumes: ["./out:/out"]
    depends_on: [db]
"#,
    );
    project.run(["up", "-d"]).ok();
    eventually("it has ended", LIMIT, || match project.containers()["web"].state.as_str() {
        "exited" => Ok(()),
        other => Err(other.to_owned()),
    });
    assert_eq!(project.run(["compose", "logs", "--no-log-prefix", "web"]).ok().stdout, "made\n");
}
