//! The journal of events.

use std::io::Write;

use serde_json::Value;

use crate::harness::{Scenario, eventually};

fn told(project: &Scenario, more: &[&str]) -> Vec<Value> {
    let words = ["events", "--since", "1h", "--until", "0s", "--format", "json"];
    let output = project.run(words.into_iter().chain(more.iter().copied())).ok();
    output.stdout.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

fn actions(events: &[Value]) -> Vec<String> {
    let action = |event: &Value| format!("{} {}", event["Type"], event["Action"]).replace('"', "");
    events.iter().map(action).collect()
}

#[test]
#[ignore = "needs root"]
fn events_tell_a_containers_life_afterwards_with_nothing_resident() {
    let project = Scenario::new("what has happened can be asked for, docker's way, though no daemon listened");
    project.run(["pull", "--quiet", "busybox:1"]).ok();
    project.run(["volume", "create", "v"]).ok();
    project
        .run(["run", "--rm", "--name", "c", "--label", "a=b", "-v", "v:/v", "busybox:1", "sh", "-c", "exit 3"])
        .code(3);
    let life = told(&project, &["--filter", "container=c"]);
    assert_eq!(actions(&life), ["container create", "container start", "container die", "container destroy"]);
    let attributes = &life[2]["Actor"]["Attributes"];
    assert_eq!(
        (&attributes["exitCode"], &attributes["name"], &attributes["a"]),
        (&"3".into(), &"c".into(), &"b".into())
    );
    assert_eq!((&life[0]["from"], &life[0]["status"]), (&"busybox:1".into(), &"create".into()));
    project.run(["volume", "rm", "v"]).ok();
    project.run(["network", "create", "n"]).ok();
    project.run(["network", "rm", "n"]).ok();
    let others =
        actions(&told(&project, &["--filter", "type=volume", "--filter", "type=network", "--filter", "type=image"]));
    for expected in ["image pull", "volume create", "volume destroy", "network create", "network destroy"] {
        assert!(others.iter().any(|action| action == expected), "{expected} in {others:?}");
    }
    assert_eq!(actions(&told(&project, &["--filter", "label=a=b", "--filter", "event=start"])), ["container start"]);
    let text = project.run(["events", "--since", "1h", "--until", "0s", "--filter", "event=die"]).ok().stdout;
    assert!(text.contains(" container die ") && text.contains("exitCode=3") && text.contains("name=c)"), "{text}");
}

#[test]
#[ignore = "needs root"]
fn who_listens_hears_what_happens_while_a_torn_line_is_passed_over() {
    let project = Scenario::new("a power loss within a line must not deafen who listens");
    let journal = project.root().join("events/journal");
    let listener =
        project.start(["events", "--filter", "type=container", "--format", "{{.Action}} {{.Actor.Attributes.name}}"]);
    let limit = std::time::Duration::from_secs(20);
    eventually("it listens", limit, || {
        project.run(["run", "--rm", "--name", "first", "busybox:1", "true"]).ok();
        if listener.stdout().contains("destroy first") { Ok(()) } else { Err(listener.stdout()) }
    });
    let mut file = std::fs::OpenOptions::new().append(true).open(&journal).expect("it was written");
    file.write_all(b"{\"time\":\"20").expect("the directory is ours");
    project.run(["run", "--rm", "--name", "second", "busybox:1", "true"]).ok();
    for action in ["create", "start", "die", "destroy"] {
        listener.shows(&format!("{action} second"), limit);
    }
}

#[test]
#[ignore = "needs root"]
fn the_journal_stays_bounded() {
    let project = Scenario::new("a journal that grows for ever fills the disk");
    project.run(["volume", "create", "v"]).ok();
    let journal = project.root().join("events/journal");
    let line = std::fs::read(&journal).expect("it was written");
    std::fs::write(&journal, line.repeat((1 << 20) / line.len() + 1)).expect("the directory is ours");
    project.run(["volume", "rm", "v"]).ok();
    assert!(std::fs::metadata(&journal).expect("it was written").len() < 1000);
    assert_eq!(std::fs::read_dir(journal.parent().expect("it has one")).expect("it is there").count(), 2);
    let events = told(&project, &["--filter", "event=destroy"]);
    assert_eq!(actions(&events), ["volume destroy"]);
}
