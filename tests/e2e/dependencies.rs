//! `depends_on`: who waits for whom, and what happens when the wait is in vain.

use std::time::Duration;

use crate::harness::{Scenario, eventually};

#[test]
#[ignore = "needs root"]
fn a_dependent_starts_only_when_what_it_needs_is_healthy() {
    let project = Scenario::new("service_healthy means healthy, not started");
    project.file(
        "compose.yaml",
        r#"
services:
  slow:
    image: busybox:1
    command: sh -c "sleep 1; touch /shared/ready; exec sleep 1000"
    volumes: ["shared:/shared"]
    healthcheck: {test: ["CMD", "test", "-e", "/shared/ready"], interval: 200ms, retries: 100}
  fast:
    image: busybox:1
    command: sh -c "ls /shared; exec sleep 1000"
    volumes: ["shared:/shared"]
    depends_on:
      slow: {condition: service_healthy}
volumes:
  shared:
"#,
    );
    project.run(["up", "-d"]).ok();
    eventually("it has looked", Duration::from_secs(30), || {
        let logs = project.run(["compose", "logs", "--no-log-prefix", "fast"]).ok();
        if logs.text() == "ready" { Ok(()) } else { Err(logs.stdout) }
    });
}

#[test]
#[ignore = "needs root"]
fn a_dependency_that_fails_its_probe_ends_up_with_the_probes_last_words() {
    let project = Scenario::new("the reason for an unhealthy dependency must be in the error");
    project.file(
        "compose.yaml",
        r#"
services:
  ill:
    image: busybox:1
    command: sleep 1000
    healthcheck: {test: "echo the disk is on fire; exit 3", interval: 100ms, retries: 2}
  waiting:
    image: busybox:1
    command: sleep 1000
    depends_on:
      ill: {condition: service_healthy}
"#,
    );
    project.run(["up", "-d"]).code(1).says(["ill", "unhealthy", "the disk is on fire"]);
    let containers = project.containers();
    assert_eq!(containers["ill"].health, "unhealthy");
    assert_ne!(containers.get("waiting").map(|waiting| waiting.state.as_str()), Some("running"));
}

#[test]
#[ignore = "needs root"]
fn a_one_shot_that_fails_stops_up_with_its_status() {
    let project = Scenario::new("service_completed_successfully means status 0");
    project.file(
        "compose.yaml",
        r#"
services:
  migrate:
    image: busybox:1
    command: sh -c "echo no such table; exit ${STATUS:-3}"
  app:
    image: busybox:1
    command: sleep 1000
    depends_on:
      migrate: {condition: service_completed_successfully}
"#,
    );
    project.run(["up", "-d"]).code(1).says(["migrate", "exit code 3", "no such table"]);
    assert_ne!(project.containers().get("app").map(|app| app.state.as_str()), Some("running"));

    let mut repaired = project.command(["up", "-d"]);
    repaired.env("STATUS", "0");
    project.finish(repaired).ok();
    let containers = project.containers();
    assert_eq!((containers["migrate"].state.as_str(), containers["migrate"].exit_code), ("exited", 0));
    assert_eq!(containers["app"].state, "running");
}

/// Returns a service that writes its start and, after `goodbye` seconds, its end to `shared/order`.
fn chronicler(name: &str, goodbye: &str, more: &str) -> String {
    let script = format!(
        "trap 'sleep {goodbye}; echo {name} ends >> /shared/order; exit' TERM; echo {name} starts >> /shared/order; while :; do sleep 0.05; done"
    );
    format!(
        "  {name}:\n    image: busybox:1\n    command: [sh, -c, \"{script}\"]\n    volumes: ['./shared:/shared']\n{more}"
    )
}

/// Waits until so many services have started, and returns the lines since the last time.
fn order(project: &Scenario, starts: usize) -> Vec<String> {
    let path = project.folder().join("shared/order");
    let lines = eventually("all have started", Duration::from_secs(30), || {
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        if text.matches("starts").count() == starts { Ok(text) } else { Err(text) }
    });
    project.file("shared/order", "");
    lines.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs root"]
fn down_stops_dependents_before_what_they_depend_on() {
    let project = Scenario::new("an application must be able to say goodbye to its database");
    let text = [
        "services:\n".to_owned(),
        chronicler("db", "0", ""),
        chronicler("app", "0", "    depends_on: [db]\n"),
        chronicler("web", "0", "    depends_on: [app]\n"),
    ];
    project.file("compose.yaml", &text.concat()).file("shared/order", "");
    project.run(["up", "-d"]).ok();
    order(&project, 3);
    project.run(["down"]).ok();
    assert_eq!(order(&project, 0), ["web ends", "app ends", "db ends"]);
}

#[test]
#[ignore = "needs root"]
fn what_restarts_with_its_dependency_has_ended_before_it_and_starts_after_it() {
    let project =
        Scenario::new("an application must be able to say goodbye to its database, also when that is made anew");
    let on = |name: &str| format!("    depends_on: {{{name}: {{condition: service_started, restart: true}}}}\n");
    let text = [
        "services:\n".to_owned(),
        chronicler("db", "0", "    environment: {LEVEL: low}\n"),
        chronicler("app", "0.5", &on("db")),
        chronicler("web", "0.5", &on("app")),
        chronicler("aside", "0", "    depends_on: [db]\n"),
    ];
    project.file("compose.yaml", &text.concat()).file("shared/order", "");
    project.run(["up", "-d"]).ok();
    order(&project, 4);
    let before = project.containers();
    let again = |words: &[&str]| {
        project.run(words).ok();
        assert_eq!(order(&project, 3)[..3], ["web ends", "app ends", "db ends"], "{words:?}");
        let started = |name: &str| project.inspect(&project.containers()[name].id)["State"]["StartedAt"].to_string();
        assert!(started("db") < started("app") && started("app") < started("web"), "{words:?}");
    };
    project.edit("compose.yaml", "LEVEL: low", "LEVEL: high");
    again(&["up", "-d"]);
    let after = project.containers();
    assert_ne!(after["db"].id, before["db"].id);
    assert!(["app", "web", "aside"].iter().all(|name| after[*name].id == before[*name].id), "{after:?}");
    again(&["compose", "restart", "db"]);
}
