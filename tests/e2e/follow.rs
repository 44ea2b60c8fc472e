//! What is seen while a project runs: logs of containers that come later, rebuilds, and what a dry run would do.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Running, Scenario, eventually};

const LIMIT: Duration = Duration::from_secs(60);

/// A service that says who it is and goes on.
const TALKER: &str = "services:\n  web:\n    image: busybox:1\n    stop_grace_period: 0s\n    command: sh -c \"echo hello from $$HOSTNAME; exec sleep 1000\"\n";

fn lines(running: &Running, count: usize) {
    eventually(&format!("{count} lines are shown"), LIMIT, || {
        let shown = running.stdout();
        if shown.matches("hello from").count() == count {
            Ok(())
        } else {
            Err(format!("{shown}\n{}", running.stderr()))
        }
    });
}

#[test]
#[ignore = "needs root"]
fn followed_logs_show_containers_that_start_later_and_end_with_the_last() {
    let project = Scenario::new("scale, restart and up again, while somebody looks on");
    project.file("compose.yaml", TALKER);
    project.run(["up", "-d"]).ok();
    let logs = project.start(["compose", "logs", "--follow"]);
    lines(&logs, 1);
    project.run(["compose", "scale", "web=2"]).ok();
    lines(&logs, 2);
    project.run(["compose", "restart", "web"]).ok();
    lines(&logs, 4);
    assert!(logs.stdout().contains("web-1  | ") && logs.stdout().contains("web-2  | "), "{}", logs.stdout());
    assert!(!logs.has_ended());
    project.run(["down"]).ok();
    let shown = logs.finish(LIMIT).ok();
    assert_eq!(shown.stdout.matches("hello from").count(), 4, "{shown}");
    // with nothing that runs there is nothing to wait for
    project.run(["up", "--no-start"]).ok();
    project.run(["compose", "logs", "--follow"]).ok();
}

#[test]
#[ignore = "needs root"]
fn up_shows_containers_of_its_services_that_start_later() {
    let project = Scenario::new("whoever is attached sees the second replica");
    project
        .file("compose.yaml", &format!("{TALKER}  other:\n    image: busybox:1\n    command: echo hello from other\n"));
    let up = project.start(["up", "web"]);
    lines(&up, 1);
    project.run(["compose", "scale", "web=2"]).ok();
    lines(&up, 2);
    // not asked for here
    project.run(["up", "-d", "other"]).ok();
    project.run(["compose", "wait", "other"]).ok();
    project.run(["compose", "stop"]).ok();
    let shown = up.finish(LIMIT).ok();
    assert_eq!(shown.stdout.matches("hello from").count(), 2, "{shown}");
    shown.says(["web-1 exited", "web-2 exited"]);
}

/// A project whose image is built from `page`, and rebuilt when that changes.
fn built(purpose: &'static str) -> Scenario {
    let project = Scenario::new(purpose);
    project
        .file("app/Dockerfile", "FROM busybox:1\nCOPY . /app/\nCMD [\"sh\", \"-c\", \"cat /app/page; exec sleep 1000\"]\n")
        .file("app/.dockerignore", "*.md\n")
        .file("app/page", "hello from one\n")
        .file(
            "compose.yaml",
            "services:\n  web:\n    build: ./app\n    stop_grace_period: 0s\n    develop: {watch: [{action: rebuild, path: ./app}]}\n",
        );
    project
}

#[test]
#[ignore = "needs root"]
fn watch_rebuilds_and_replaces_and_the_old_image_goes() {
    let project = built("a developer saves a file of the image");
    let watch = project.start(["compose", "watch"]);
    eventually("it watches", LIMIT, || if watch.stderr().contains("watching") { Ok(()) } else { Err(watch.stderr()) });
    let before = project.containers()["web"].id.clone();
    project.file("app/notes.md", "no part of the image");
    project.file("app/page", "hello from two\n");
    eventually("the new image runs", LIMIT, || {
        let shown = project.run(["compose", "logs", "--no-log-prefix", "web"]).stdout;
        if shown == "hello from two\n" { Ok(()) } else { Err(format!("{shown}\n{}", watch.stderr())) }
    });
    assert_ne!(project.containers()["web"].id, before);
    eventually("the old image is gone", LIMIT, || {
        let dangling = project.run(["images", "--quiet", "--filter", "dangling=true"]).ok();
        if dangling.text().is_empty() { Ok(()) } else { Err(dangling) }
    });
    watch.signal(Signal::SIGINT);
    project.run(["rmi", &format!("{}-web", project.project()), "--force"]).ok();
}

#[test]
#[ignore = "needs root"]
fn up_with_watch_shows_what_it_rebuilds_until_it_is_ended() {
    let project = built("one command for the whole day");
    let up = project.start(["up", "--watch"]);
    lines(&up, 1);
    eventually("it watches", LIMIT, || if up.stderr().contains("watching") { Ok(()) } else { Err(up.stderr()) });
    project.file("app/page", "hello from two\n");
    lines(&up, 2);
    assert!(up.stdout().contains("hello from two"), "{}", up.stdout());
    up.signal(Signal::SIGINT);
    up.finish(LIMIT).code(130);
    assert_eq!(project.containers()["web"].state, "exited");
    project.run(["rm", "--force", &format!("{}-web-1", project.project())]).ok();
    project.run(["rmi", &format!("{}-web", project.project()), "--force"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_dry_run_neither_pulls_nor_builds() {
    let project = built("who asks what would be done wants nothing done");
    project.edit("compose.yaml", "services:\n", "services:\n  db: {image: 'redis:7'}\n");
    let own = format!("{}-web", project.project());
    let dry = |verb: &[&str]| project.run(["compose", "--dry-run"].iter().chain(verb)).ok().stdout;
    for verb in [&["up", "-d"][..], &["up", "-d", "--build", "--pull", "always"], &["create"], &["run", "web"]] {
        let shown = dry(verb);
        assert!(shown.contains(&format!("build {own}")), "{shown}");
    }
    let shown = dry(&["up"]);
    assert!(shown.contains("pull redis:7") && shown.contains("create") && shown.contains("start"), "{shown}");
    assert_eq!(project.run(["plan"]).ok().stdout, project.run(["up", "--dry-run"]).ok().stdout);
    assert_eq!(dry(&["pull"]), "pull redis:7\n");
    assert_eq!(dry(&["build"]), format!("build {own}\n"));
    project.run(["compose", "--dry-run", "exec", "web", "true"]).code(1).says(["--dry-run"]);
    project.run(["--dry-run", "pull", "busybox:1"]).code(1).says(["--dry-run"]);
    assert_eq!(project.run(["images", "--quiet"]).ok().text(), "");
    assert!(project.containers().is_empty());
    project.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn the_files_of_a_service_become_an_archive_or_an_image() {
    let project = Scenario::new("what a container has made is worth keeping");
    project.file("compose.yaml", &TALKER.replace("stop_grace_period: 0s", "stop_grace_period: 0s\n    scale: 2"));
    project.run(["up", "-d"]).ok();
    project.run(["compose", "exec", "-T", "--index", "2", "web", "sh", "-c", "echo kept > /kept"]).ok();
    project.run(["compose", "export", "--index", "2", "-o", "files.tar", "web"]).ok();
    let listed =
        crate::harness::tool("tar", ["-xOf", &project.folder().join("files.tar").display().to_string(), "kept"]);
    assert_eq!(crate::harness::run(listed, LIMIT).ok().stdout, "kept\n");
    project.run(["compose", "export", "--index", "3", "-o", "none.tar", "web"]).code(1).says(["number 3"]);
    project.run(["compose", "commit", "--index", "2", "-m", "kept", "web", "kept:1"]).ok();
    assert_eq!(project.run(["run", "--rm", "kept:1", "cat", "/kept"]).ok().stdout, "kept\n");
    project.run(["down"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_workflow_of_github_folds_the_steps_and_marks_what_fails() {
    let project = Scenario::new("a log of a thousand lines is read by its headings");
    project.file("compose.yaml", TALKER);
    let up = project.run(["--progress", "github", "up", "-d"]).ok();
    let text = &up.stderr;
    let (begin, end) = (text.find("::group::project"), text.find("::endgroup::"));
    assert!(begin.zip(end).is_some_and(|(begin, end)| text[begin..end].contains("start")), "{text}");
    project.edit("compose.yaml", "command: sh -c", "command: /nowhere/sh -c");
    project.run(["--progress", "github", "up", "-d"]).code(1).says(["::error::start", "/nowhere/sh"]);
}
