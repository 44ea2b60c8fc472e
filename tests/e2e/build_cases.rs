//! Every Dockerfile of `tests/build` gives the files and the configuration that it says.
//!
//! A test for each file of Dockerfiles, so that they are built side by side, and each test ends soon on a slow machine too.

use crate::build_suite::{self, Case};
use crate::harness::Scenario;

/// The files of Dockerfiles, without their ending; each has a test.
const FILES: [&str; 9] =
    ["add", "configuration", "copy", "copy_options", "ignore", "mounts", "run", "stages", "variables"];

/// Builds every Dockerfile of a file.
#[track_caller]
fn each_gives_what_it_says(file: &str) {
    let scenario = Scenario::new("a Dockerfile must mean what the reference says");
    scenario.run(["pull", "--quiet", "busybox:1"]).ok();
    let failures: Vec<_> = build_suite::of(file).iter().flat_map(|case| failures(&scenario, case)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    scenario.run(["builder", "prune", "--force"]).ok();
}

fn failures(scenario: &Scenario, case: &Case) -> Vec<String> {
    let folder = scenario.folder().join(&case.name);
    case.write(&folder);
    let archive = scenario.directory().join(format!("{}.tar", case.name));
    let tar = format!("type=tar,dest={}", archive.display());
    let mut command =
        scenario.command(["build", "--quiet", "--tag", &case.name, "--output", &tar, "--output", "type=image"]);
    command.args(&case.flags).arg(".").current_dir(&folder);
    let output = scenario.finish(command);
    if !output.succeeded() {
        return vec![format!("{}: {}", case.name, output.stderr)];
    }
    let inspected = scenario.run(["image", "inspect", &case.name]).ok().stdout;
    let inspected: serde_json::Value = serde_json::from_str(&inspected).expect("it is JSON");
    let differences = case.differences(&build_suite::files(&archive), &inspected[0]);
    differences.into_iter().map(|difference| format!("{}: {difference}", case.name)).collect()
}

#[test]
fn every_file_of_dockerfiles_has_a_test_and_some_are_compared_with_docker() {
    assert_eq!(build_suite::names(), FILES);
    let cases: Vec<_> = FILES.into_iter().flat_map(build_suite::of).collect();
    assert!(cases.len() >= 120, "there are {} cases only", cases.len());
    let is_compared = cases.iter().any(|case| case.is_for_docker) && cases.iter().any(|case| case.is_for_buildkit);
    assert!(is_compared, "nothing is compared with Docker");
}

#[test]
#[ignore = "needs root"]
fn add_unpacks_archives_and_copies_the_rest() {
    each_gives_what_it_says("add");
}

#[test]
#[ignore = "needs root"]
fn instructions_that_only_configure_end_in_the_configuration() {
    each_gives_what_it_says("configuration");
}

#[test]
#[ignore = "needs root"]
fn copy_puts_files_and_folders_where_it_says() {
    each_gives_what_it_says("copy");
}

#[test]
#[ignore = "needs root"]
fn copy_does_what_its_options_and_its_other_sources_say() {
    each_gives_what_it_says("copy_options");
}

#[test]
#[ignore = "needs root"]
fn what_is_ignored_is_not_in_the_context() {
    each_gives_what_it_says("ignore");
}

#[test]
#[ignore = "needs root"]
fn mounts_of_a_step_are_there_and_leave_nothing() {
    each_gives_what_it_says("mounts");
}

#[test]
#[ignore = "needs root"]
fn steps_run_as_their_words_say_and_leave_what_they_did() {
    each_gives_what_it_says("run");
}

#[test]
#[ignore = "needs root"]
fn stages_build_on_images_on_nothing_and_on_each_other() {
    each_gives_what_it_says("stages");
}

#[test]
#[ignore = "needs root"]
fn variables_are_what_their_last_definition_in_reach_says() {
    each_gives_what_it_says("variables");
}
