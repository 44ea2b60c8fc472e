//! Bad input: refused before anything happens, with the place and the reason.

use std::net::TcpListener;

use crate::harness::Scenario;

/// Asserts that no container exists and nothing is on the host.
fn nothing_happened(project: &Scenario) {
    assert_eq!(project.run(["ps", "--all", "--quiet"]).ok().text(), "");
    project.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn a_port_in_use_is_refused_with_the_process_that_holds_it() {
    let project = Scenario::new("who holds the port is what one wants to know");
    // Bound in the scenario's network namespace, by this very process.
    let holder = TcpListener::bind("127.0.0.1:8080").expect("the namespace is new");
    project.file(
        "compose.yaml",
        "services:\n  web:\n    image: busybox:1\n    command: sleep 1000\n    ports: ['127.0.0.1:8080:80']\n",
    );
    project.run(["up", "-d"]).code(1).says(["8080", &std::process::id().to_string(), "e2e"]);
    assert_ne!(project.containers().get("web").map(|web| web.state.as_str()), Some("running"));

    drop(holder);
    project.run(["up", "-d"]).ok();
    assert_eq!(project.containers()["web"].state, "running");
}

#[test]
#[ignore = "needs root"]
fn a_port_that_another_container_has_is_refused_with_its_name() {
    let project = Scenario::new("the other container must be named");
    project.run(["run", "--detach", "--name", "first", "--publish", "8080:80", "busybox:1", "sleep", "1000"]).ok();
    project
        .run(["run", "--detach", "--name", "second", "--publish", "8080:80", "busybox:1", "sleep", "1000"])
        .code(125)
        .says(["8080", "first"]);
}

#[test]
#[ignore = "needs root"]
fn a_range_of_ports_that_are_all_taken_is_refused_as_a_range() {
    let host = Scenario::new("that one port is taken is not why a range cannot be had");
    let run = |name: &str| {
        host.run(["run", "-d", "--name", name, "-p", "127.0.0.1:8000-8001:80", "busybox:1", "sleep", "1000"])
    };
    run("first").ok();
    run("second").ok();
    run("third").code(125).says(["publish one of the ports 8000-8001, which are all in use", "8000/tcp", "`first`"]);
}

#[test]
#[ignore = "needs root"]
fn an_unknown_key_is_refused_with_file_line_and_column() {
    let project = Scenario::new("a key must never be ignored");
    project.file("compose.yaml", "services:\n  web:\n    image: busybox:1\n    imagee: typo\n");
    project.run(["up", "-d"]).code(1).says(["compose.yaml:4:5", "imagee"]);
    nothing_happened(&project);
}

#[test]
#[ignore = "needs root"]
fn a_missing_variable_is_refused_with_its_message() {
    let project = Scenario::new("${X:?message} is for the user to read");
    project.file("compose.yaml", "services:\n  web:\n    image: busybox:${TAG:?set TAG to a version}\n");
    project.run(["config"]).code(1).says(["compose.yaml:3:", "TAG", "set TAG to a version"]);
    project.run(["up", "-d"]).code(1).says(["set TAG to a version"]);
    nothing_happened(&project);
}

#[test]
#[ignore = "needs root"]
fn a_dependency_cycle_is_refused_with_the_cycle() {
    let project = Scenario::new("the cycle must be shown, not only its existence");
    let service = |name: &str, needs: &str| format!("  {name}:\n    image: busybox:1\n    depends_on: [{needs}]\n");
    let text = ["services:\n".to_owned(), service("a", "b"), service("b", "c"), service("c", "a")].concat();
    project.file("compose.yaml", &text);
    project.run(["up", "-d"]).code(1).says(["a → b → c → a"]);
    nothing_happened(&project);
}

#[test]
#[ignore = "needs root"]
fn a_service_that_does_not_exist_is_refused_by_name() {
    let project = Scenario::new("a typo on the command line must not start everything");
    project.file("compose.yaml", "services:\n  web:\n    image: busybox:1\n    command: sleep 1000\n");
    project.run(["up", "-d", "wbe"]).code(1).says(["wbe"]);
    nothing_happened(&project);
}

#[test]
#[ignore = "needs root"]
fn a_folder_without_a_compose_file_is_refused() {
    let project = Scenario::new("the file that is missing must be named");
    project.run(["up", "-d"]).code(1).says(["find a compose file", project.project()]);
    nothing_happened(&project);
}

#[test]
#[ignore = "needs root"]
fn a_bind_source_that_is_missing_is_refused_or_made_as_docker_does() {
    let project = Scenario::new("the short syntax creates the folder, as Docker does");
    project.file(
        "compose.yaml",
        "services:\n  web:\n    image: busybox:1\n    command: sleep 1000\n    volumes: ['./absent:/mnt']\n",
    );
    project.run(["up", "-d"]).ok();
    assert!(project.folder().join("absent").is_dir());
}

#[test]
#[ignore = "needs root"]
fn a_flag_of_docker_that_is_not_there_is_answered_with_the_reason_and_what_to_do() {
    let host = Scenario::new("who finds a flag missing must learn why, and what else there is");
    for (line, reason, hint) in [
        ("network create --ingress lan", "a swarm", "lighter run -p"),
        ("network create --ipam-opt a=b lan", "has no options", "--subnet"),
        ("start --checkpoint one web", "not started from checkpoints", "lighter runtime restore"),
        ("container start --checkpoint one web", "not started from checkpoints", "lighter runtime restore"),
        ("update --cpu-rt-runtime 1 web", "when a container is made", "lighter run --cpu-rt-runtime"),
        ("volume create --type block", "a swarm", "type=nfs"),
        ("volume ls --cluster", "a swarm", "lighter volume ls"),
        ("build --resource memory=1g .", "a limit of memory", "systemd-run"),
        ("--tlsverify ps", "no daemon", "ssh://"),
    ] {
        let flag = line.split(' ').find(|word| word.starts_with("--")).expect("there is a flag");
        host.run(line.split(' ')).code(2).says([flag, "is not supported", reason, hint]);
    }
    host.leaves_nothing();
}
