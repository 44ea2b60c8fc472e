//! `--trace FILE`: what is recorded of a call.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::Container;

fn file(container: &Container) -> PathBuf {
    container.bundle().join("trace")
}

/// Creates the container with its steps recorded.
#[track_caller]
fn create(container: &Container) {
    let (file, bundle) = (file(container), container.bundle());
    let words: [OsString; 5] =
        [file.into(), "create".into(), "--bundle".into(), bundle.into(), container.id.clone().into()];
    container.finish(container.command("--trace", words)).ok();
}

fn steps(container: &Container) -> Vec<Value> {
    let text = fs::read_to_string(file(container)).expect("the file is there");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

fn has(steps: &[Value], wanted: &Value) -> bool {
    let wanted = wanted.as_object().expect("an object");
    steps.iter().any(|step| wanted.iter().all(|(field, value)| step[field] == *value))
}

#[test]
#[ignore = "needs root"]
fn trace_appends_each_step_of_the_call_and_of_the_container_it_makes() {
    let container = Container::new(|config| {
        config.set("/linux/resources", json!({"pids": {"limit": 77}})).set("/hostname", json!("told")).stays()
    });
    fs::write(file(&container), "{\"earlier\":true}\n").unwrap();
    create(&container);
    let created = steps(&container);
    assert_eq!(created[0], json!({"earlier": true}), "what was there stays");
    let config: Value = serde_json::from_slice(&fs::read(container.bundle().join("config.json")).unwrap()).unwrap();
    for mount in config["mounts"].as_array().expect("mounts") {
        assert!(has(&created, &json!({"target": {"in_root": mount["destination"]}})), "{mount} in {created:#?}");
    }
    assert!(has(&created, &json!({"process": "init", "effect": "pivot_root"})), "{created:#?}");
    assert!(has(&created, &json!({"process": "init", "effect": "set_host_name", "name": "told"})), "{created:#?}");
    assert!(has(&created, &json!({"process": "command", "effect": "write", "value": "77"})), "{created:#?}");
    assert!(!has(&created, &json!({"effect": "execute"})), "it is not started yet");

    container.start().ok();
    container.becomes("running");
    let started = steps(&container);
    assert_eq!(started.last().expect("steps")["effect"], "execute", "init goes on with the record of its creator");
    let open = fs::read_dir(format!("/proc/{}/fd", container.pid())).unwrap().flatten();
    assert!(open.filter_map(|entry| fs::read_link(entry.path()).ok()).all(|link| link != file(&container)));
}

#[test]
#[ignore = "needs root"]
fn trace_makes_a_file_for_root_only_and_without_it_there_is_none() {
    let container = Container::new(|config| config.stays());
    container.create().ok();
    assert!(!file(&container).exists());
    container.call("delete", ["--force", &container.id]).ok();
    create(&container);
    assert_eq!(fs::metadata(file(&container)).unwrap().mode() & 0o777, 0o600);
    let before = steps(&container).len();
    container.call("delete", ["--force", &container.id]).ok();
    assert_eq!(steps(&container).len(), before, "a call without the option records nothing");
}

#[test]
#[ignore = "needs root"]
fn trace_ends_where_a_limit_of_file_sizes_would_end_the_process() {
    let limit = json!([{"type": "RLIMIT_FSIZE", "soft": 1, "hard": 1}]);
    let container = Container::new(|config| config.set("/process/rlimits", limit).stays());
    create(&container);
    container.start().ok();
    container.becomes("running");
    assert!(has(&steps(&container), &json!({"effect": "pivot_root"})));
}

#[test]
#[ignore = "needs root"]
fn a_trace_that_cannot_be_written_is_an_error_before_anything_is_made() {
    let container = Container::new(|config| config);
    let missing = container.bundle().join("missing/trace");
    let words: [OsString; 5] =
        [missing.into(), "create".into(), "--bundle".into(), container.bundle().into(), container.id.clone().into()];
    container.finish(container.command("--trace", words)).fails().says("missing/trace");
    container.leaves_nothing();
}
