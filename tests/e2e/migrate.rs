//! A database, its migration and the application after it: `tests/projects/migrate`.

use std::time::Duration;

use crate::harness::{Scenario, eventually};

const LIMIT: Duration = Duration::from_secs(60);

fn logs(project: &Scenario, service: &str) -> String {
    project.run(["compose", "logs", "--no-log-prefix", service]).ok().stdout
}

#[test]
#[ignore = "needs root"]
fn an_application_starts_after_its_migration_and_ends_by_the_images_stop_signal() {
    let project = Scenario::new("the project of every team: database, migration, application");
    project.copy("tests/projects/migrate");
    project.run(["up", "-d"]).ok();

    let containers = project.containers();
    let state = |service: &str| (containers[service].state.as_str(), containers[service].health.as_str());
    assert_eq!(state("db"), ("running", "healthy"));
    assert_eq!((state("migrate"), containers["migrate"].exit_code), (("exited", ""), 0));
    assert_eq!(state("app"), ("running", ""));
    eventually("the application has read its tables", LIMIT, || {
        let said = logs(&project, "app");
        if said.contains("2 notes, schema 2") { Ok(()) } else { Err(said) }
    });
    assert!(logs(&project, "migrate").ends_with("applied 1\napplied 2\n"));

    let printenv = |name: &str| project.run(["exec", "db", "printenv", name]).ok().text().to_owned();
    assert_eq!(["POSTGRES_DB", "POSTGRES_PASSWORD", "EXPORTED"].map(printenv), ["notes", "pa$$ word#1", "yes"]);

    project.run(["stop", "app"]).ok();
    assert!(logs(&project, "app").ends_with("SIGINT, as the image says\n"), "{}", logs(&project, "app"));
    assert_eq!(project.containers()["app"].exit_code, 0);
}

#[test]
#[ignore = "needs root"]
fn a_failed_migration_keeps_the_application_from_starting_until_it_is_repaired() {
    let project = Scenario::new("an application must not run on a half-migrated database");
    project.copy("tests/projects/migrate");
    let mut failing = project.command(["up", "-d"]);
    failing.env("MIGRATE_FAIL", "1");
    project.finish(failing).code(1).says(["migrate", "exit code 3"]);
    let containers = project.containers();
    assert_eq!((containers["migrate"].state.as_str(), containers["migrate"].exit_code), ("exited", 3));
    assert_ne!(containers.get("app").map(|app| app.state.as_str()), Some("running"));

    project.run(["up", "-d"]).ok();
    assert_eq!(project.containers()["app"].state, "running");
}
