//! A second program in a running container.

use crate::harness::{Containerd, Engine, LIMIT, Output, Runtime, eventually};

fn runs_beside(engine: &Engine) {
    engine.up("--name box --network none --env FROM=run --workdir /tmp", "sleep 1000");
    let exec = |options: &[&str], program: &[&str]| -> Output {
        engine.call([&["exec"], options, &["box"], program].concat())
    };
    assert_eq!(exec(&[], &["sh", "-c", "echo $FROM; pwd"]).ok().text(), "run\n/tmp");
    assert_eq!(exec(&[], &["sh", "-c", "echo wrong >&2; exit 7"]).exits(7).stderr.trim(), "wrong");
    assert_eq!(exec(&["--user", "7:8"], &["sh", "-c", "id -u; id -g"]).ok().text(), "7\n8");
    assert_eq!(exec(&["--workdir", "/etc"], &["pwd"]).ok().text(), "/etc");
    assert_eq!(exec(&["--env", "FROM=exec"], &["sh", "-c", "echo $FROM"]).ok().text(), "exec");
    assert_eq!(exec(&[], &["sh", "-c", "tr '\\0' ' ' </proc/1/cmdline"]).ok().text(), "sleep 1000");
    let privileged = exec(&["--privileged"], &["grep", "CapEff", "/proc/self/status"]).ok().text();
    assert_ne!(privileged, exec(&[], &["grep", "CapEff", "/proc/self/status"]).ok().text());
    engine.run(Runtime::Runc, "--detach --name theirs --network none", &["sleep", "1000"]).ok();
    for program in ["no-such-program", "/no/such/program", "/etc/passwd", "/etc"] {
        let [ours, theirs] = ["box", "theirs"].map(|container| engine.call(["exec", container, program]));
        assert_eq!(ours.code(), theirs.code(), "under lighter and runc: {program}\n{ours}\n{theirs}");
        assert!(matches!(ours.code(), Some(126 | 127)), "{ours}");
    }
    exec(&["--detach"], &["touch", "/tmp/detached"]).ok();
    eventually("the detached program has run", LIMIT, || {
        let output = exec(&[], &["ls", "/tmp/detached"]);
        if output.code() == Some(0) { Ok(()) } else { Err(output) }
    });
}

#[test]
#[ignore = "needs root"]
fn podmans_exec_runs_beside_the_containers_program() {
    runs_beside(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_exec_runs_beside_the_containers_program() {
    runs_beside(&Engine::docker());
}

#[test]
#[ignore = "needs root"]
fn containerds_exec_runs_beside_the_containers_program() {
    let containerd = Containerd::new();
    let id = containerd.up("--env FROM=run", "sleep 1000");
    let beside = |options: &str, script: &str| containerd.beside(&id, options, script);
    assert_eq!(beside("", "echo $FROM"), "run");
    assert_eq!(beside("--user 7:8", "id -u; id -g"), "7\n8");
    assert_eq!(beside("--cwd /etc", "pwd"), "/etc");
    assert_eq!(beside("", "tr '\\0' ' ' </proc/1/cmdline"), "sleep 1000");
    containerd.exec(&id, "", &["sh", "-c", "exit 7"]).exits(7);
    containerd.exec(&id, "", &["no-such-program"]).exits(1);
}
