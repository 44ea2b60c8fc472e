//! A person at a terminal.

use crate::harness::{Containerd, Engine, Terminal};

/// Says what its terminal is, waits until that has the size of the one it is shown on, then for an interrupt.
const SCRIPT: &str = "tty; until [ \"$(stty size)\" = '33 77' ]; do sleep 0.05; done; echo si''zed; \
    trap 'echo inter''rupted; exit 9' INT; echo re''ady; while :; do sleep 0.05; done";

fn is_a_terminal(mut terminal: Terminal) {
    terminal.shows("/dev/pts/0");
    terminal.shows("sized");
    terminal.shows("ready");
    terminal.types("\x03");
    terminal.shows("interrupted");
    terminal.exits(9);
}

#[test]
#[ignore = "needs root"]
fn podmans_terminal_has_the_callers_size_and_interrupts() {
    let engine = Engine::podman();
    is_a_terminal(engine.on_terminal("--network none", SCRIPT));
}

#[test]
#[ignore = "needs root"]
fn dockers_terminal_has_the_callers_size_and_interrupts() {
    let engine = Engine::docker();
    is_a_terminal(engine.on_terminal("--network none", SCRIPT));
}

#[test]
#[ignore = "needs root"]
fn containerds_terminal_has_the_callers_size_and_interrupts() {
    let containerd = Containerd::new();
    is_a_terminal(containerd.on_terminal("", SCRIPT));
}

fn exec_is_a_terminal(engine: &Engine) {
    engine.up("--name box --network none", "sleep 1000");
    let words = ["exec", "--interactive", "--tty", "box", "sh", "-c", SCRIPT];
    is_a_terminal(Terminal::start(&engine.command(words), 33, 77));
}

#[test]
#[ignore = "needs root"]
fn podmans_exec_has_a_terminal_of_its_own() {
    exec_is_a_terminal(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_exec_has_a_terminal_of_its_own() {
    exec_is_a_terminal(&Engine::docker());
}

#[test]
#[ignore = "needs root"]
fn containerds_exec_has_a_terminal_of_its_own() {
    let containerd = Containerd::new();
    let id = containerd.up("", "sleep 1000");
    is_a_terminal(Terminal::start(&containerd.exec_command(&id, "--tty", &["sh", "-c", SCRIPT]), 33, 77));
}
