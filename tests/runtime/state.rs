//! runtime.md, "State" and "Query State".

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::Container;

#[test]
#[ignore = "needs root"]
fn state_has_all_that_it_must_have() {
    let container =
        Container::new(|config| config.stays().set("/annotations", json!({"com.example.key": "value", "empty": ""})));
    container.create().ok();
    let state = container.state();
    let version = state["ociVersion"].as_str().expect("`ociVersion` is a string");
    assert_eq!(version.split('.').count(), 3, "{version}");
    assert_eq!(state["id"], container.id.as_str());
    assert_eq!(state["status"], "created");
    assert!(Path::new(&format!("/proc/{}", state["pid"])).exists(), "{state}");
    assert_eq!(state["bundle"], container.bundle().to_str().unwrap());
    assert_eq!(state["annotations"], json!({"com.example.key": "value", "empty": ""}));
}

#[test]
#[ignore = "needs root"]
fn state_has_an_absolute_bundle_whatever_create_was_given() {
    let container = Container::new(|config| config.stays());
    let mut command = container.command("create", ["--bundle", ".", &container.id]);
    command.current_dir(container.bundle());
    container.finish(command).ok();
    assert_eq!(container.state()["bundle"], container.bundle().to_str().unwrap());
}

#[test]
#[ignore = "needs root"]
fn state_without_annotations_has_none_or_an_empty_map() {
    let container = Container::new(|config| config.stays());
    container.create().ok();
    let annotations = container.state()["annotations"].clone();
    assert!(annotations == Value::Null || annotations == json!({}), "{annotations}");
}

#[test]
#[ignore = "needs root"]
fn the_pid_is_the_same_before_and_after_start() {
    let container = Container::new(|config| config.stays());
    container.create().ok();
    let created = container.pid();
    container.start().ok();
    assert_eq!(container.pid(), created);
}

#[test]
#[ignore = "needs root"]
fn two_containers_have_states_of_their_own() {
    let first = Container::new(|config| config.stays()).up();
    let second = first.beside(|config| config.stays());
    second.create().ok();
    assert_eq!((first.status(), second.status()), ("running".to_owned(), "created".to_owned()));
    assert_ne!(first.pid(), second.pid());
}

#[test]
#[ignore = "needs root"]
fn state_needs_a_container() {
    let container = Container::new(|config| config);
    container.call::<&str>("state", []).fails();
    container.call("state", ["nobody"]).fails();
}
