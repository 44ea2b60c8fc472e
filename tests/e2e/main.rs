//! End-to-end scenarios: the real binary, real images from a real registry, real kernel objects.
//!
//! Every test is one obligation, stated by its name, and has a world of its own: a network namespace and a mount namespace,
//! a registry on 127.0.0.1:5000, a data root, a run directory (see [`harness::Scenario`]). They need root and the images of
//! `tests/images/build.sh`; `make test` sees to both.

#[path = "../build/mod.rs"]
mod build_suite;
mod harness;

mod archive;
mod build;
mod build_cases;
mod build_outputs;
mod build_platforms;
mod build_projects;
mod build_software;
mod build_sources;
mod commit;
mod completion;
mod container_verbs;
mod containers;
mod dependencies;
mod events;
mod exit_codes;
mod explain;
mod follow;
mod format;
mod full_disk;
mod grammar;
mod hits;
mod hooks;
mod host_mounts;
mod hostile;
mod images;
mod interruptions;
mod isolation;
mod lent;
mod lifecycle;
mod login;
mod logs;
mod migrate;
mod nested;
mod network;
mod networks;
mod project;
mod pull_failures;
mod pull_faults;
mod pull_policy;
mod push;
mod refusals;
mod remote;
mod run_flags;
mod runtimes;
mod search;
mod serve;
mod servers;
mod store;
mod terminal;
mod torture;
mod users;
mod verbs;

#[test]
fn a_scenario_is_told_from_one_whose_number_begins_with_its_own() {
    use harness::names;
    assert!(names("LIGHTER_RUN=/run/lt-7-2\0A=b", "/run/lt-7-2") && names("/run/lt-7-20 /run/lt-7-2/x", "/run/lt-7-2"));
    assert!(!names("LIGHTER_RUN=/run/lt-7-20", "/run/lt-7-2"));
}
