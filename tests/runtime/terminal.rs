//! config.md, "Process": `terminal` and `consoleSize`.

use std::io::Read;

use serde_json::json;

use crate::harness::{Config, Container, Listener, inside};

/// Runs a container with a terminal to its end and returns what its program printed there.
fn on_a_terminal(configure: impl FnOnce(&mut Config) -> &mut Config) -> String {
    let container = Container::new(|config| configure(config.set("/process/terminal", json!(true))));
    let console = Listener::new(&container.bundle());
    let mut create = container.command("create", ["--console-socket", console.path(), &container.id]);
    create.current_dir(container.bundle());
    container.finish(create).ok();
    let mut terminal = console.receive().descriptor();
    container.start().ok();
    let mut bytes = Vec::new();
    // The end of the other side is EIO (pty(7)).
    let _ = terminal.read_to_end(&mut bytes);
    container.becomes("stopped");
    String::from_utf8_lossy(&bytes).replace('\r', "").trim().to_owned()
}

#[test]
#[ignore = "needs root"]
fn the_standard_streams_are_one_terminal() {
    let text = on_a_terminal(|config| config.script("tty <&0; tty <&1; tty <&2; readlink /proc/self/fd/0"));
    assert_eq!(text, "/dev/pts/0\n".repeat(4).trim());
}

#[test]
#[ignore = "needs root"]
fn the_terminal_is_the_controlling_one() {
    assert_eq!(on_a_terminal(|config| config.script("echo yes >/dev/tty")), "yes");
}

#[test]
#[ignore = "needs root"]
fn the_console_is_the_terminal() {
    let numbers =
        "stat -c %t:%T /dev/console /dev/pts/0; grep -c ' /dev/console ' /proc/self/mountinfo; echo yes >/dev/console";
    let text = on_a_terminal(|config| config.script(numbers));
    assert_eq!(text, "88:0\n88:0\n1\nyes");
}

#[test]
#[ignore = "needs root"]
fn the_terminal_has_the_size_of_the_config() {
    let size = json!({"height": 33, "width": 111});
    assert_eq!(on_a_terminal(|config| config.script("stty size").set("/process/consoleSize", size)), "33 111");
}

#[test]
#[ignore = "needs root"]
fn a_size_without_a_terminal_is_ignored() {
    let size = json!({"height": 33, "width": 111});
    assert_eq!(
        inside(|config| config.script("test ! -e /dev/console; echo $?").set("/process/consoleSize", size)),
        "0"
    );
}

#[test]
#[ignore = "needs root"]
fn there_is_no_terminal_by_default() {
    assert_eq!(inside(|config| config.script("[ -t 0 ] || [ -t 1 ] || [ -t 2 ] || echo none")), "none");
}

#[test]
#[ignore = "needs root"]
fn who_runs_a_container_in_the_foreground_serves_its_terminal() {
    let container = Container::new(|config| config.script("tty").set("/process/terminal", json!(true)));
    assert!(container.run().ok().text().starts_with("/dev/pts/"));
}
