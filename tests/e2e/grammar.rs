//! The command line itself.

use std::time::Duration;

use crate::harness::{Scenario, run, tool};

#[test]
#[ignore = "needs root"]
fn an_unknown_verb_or_flag_is_refused_with_a_suggestion_and_status_2() {
    let host = Scenario::new("a typo must be answered with what was meant");
    host.run(["imagse"]).code(2).says(["imagse", "images"]);
    host.run(["ps", "--al"]).code(2).says(["--al", "--all"]);
    host.run(["compose", "donw"]).code(2).says(["donw", "down"]);
}

#[test]
#[ignore = "needs root"]
fn help_is_everywhere() {
    let host = Scenario::new("every verb must explain itself");
    let verbs = [
        "pull", "images", "rmi", "run", "ps", "logs", "exec", "stop", "start", "rm", "inspect", "restart", "up",
        "down", "config",
    ];
    let compose = ["config", "up", "down", "ps", "logs", "exec", "stop", "start", "restart"];
    let paths = verbs.map(|verb| vec![verb]).into_iter().chain(compose.map(|verb| vec!["compose", verb]));
    for path in paths {
        let help = host.run(path.iter().copied().chain(["--help"])).ok();
        assert!(help.stdout.contains("Usage: lighter"), "{help}");
    }
}

#[test]
#[ignore = "needs root"]
fn without_root_one_line_says_so_and_gives_the_sudo_command() {
    let host = Scenario::new("nobody should have to guess");
    // Where another user may run it from: target directories are often below a home that is closed.
    let binary = format!("/run/lighter-e2e-unprivileged-{}", std::process::id());
    // By another process: a fork of a neighbouring test would inherit our open descriptor, and the file would be busy.
    run(tool("cp", [env!("CARGO_BIN_EXE_lighter"), &binary]), Duration::from_secs(20)).ok();
    let words = ["--reuid=65534", "--clear-groups", "--inh-caps=-all", &binary, "ps", "--all"];
    let refused = run(tool("setpriv", words), Duration::from_secs(20));
    std::fs::remove_file(&binary).expect("it was just made");
    let refused = refused.code(1).says(["root", "sudo", "ps --all"]);
    assert_eq!(refused.stderr.lines().count(), 1, "{refused}");
    drop(host);
}
