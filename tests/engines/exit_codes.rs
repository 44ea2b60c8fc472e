//! What an engine's `run` ends with.

use crate::harness::{Containerd, Engine, Output, Runtime};

/// Programs, and what docker's documentation of `run` says that it ends with.
const PROGRAMS: [(&[&str], i32); 8] = [
    (&["echo", "hello"], 0),
    (&["sh", "-c", "exit 7"], 7),
    (&["sh", "-c", "sh -c 'kill -TERM $$'; exit $?"], 143),
    (&["/etc/passwd"], 126),
    (&["/etc"], 126),
    (&["no-such-program"], 127),
    (&["/no/such/program"], 127),
    (&["/etc/passwd/program"], 127),
];

/// Programs without what the engine's own documentation promises for them: the same as with runc is all there is to say.
const PROMISED: usize = 7;

fn compare(run: impl Fn(Runtime, &[&str]) -> Output) -> Vec<(Output, i32)> {
    let results = PROGRAMS.map(|(program, promised)| {
        let [ours, theirs] = [Runtime::Lighter, Runtime::Runc].map(|runtime| run(runtime, program));
        assert_eq!(ours.code(), theirs.code(), "under lighter and runc: {program:?}\n{ours}\n{theirs}");
        (ours, promised)
    });
    results.into()
}

fn are_documented_and_as_with_runc(engine: &Engine) {
    let results = compare(|runtime, program| engine.run(runtime, "--rm --network none", program));
    assert_eq!(results[0].0.text(), "hello");
    for (output, promised) in results.into_iter().take(PROMISED) {
        output.exits(promised);
    }
}

#[test]
#[ignore = "needs root"]
fn podmans_exit_codes_are_the_documented_ones_and_as_with_runc() {
    are_documented_and_as_with_runc(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_exit_codes_are_the_documented_ones_and_as_with_runc() {
    are_documented_and_as_with_runc(&Engine::docker());
}

#[test]
#[ignore = "needs root"]
fn containerds_exit_codes_are_as_with_runc() {
    let containerd = Containerd::new();
    compare(|runtime, program| containerd.run(runtime, "", program));
}
