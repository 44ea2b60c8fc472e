//! What a user at a terminal sees, and what goes through pipes.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use sha2::{Digest, Sha256};

use crate::harness::{Scenario, Terminal, eventually};

const LIMIT: Duration = Duration::from_secs(60);

/// Starts a container with a terminal of 24 rows and 80 columns.
fn at_terminal(host: &Scenario, more: &[&str]) -> Terminal {
    host.run(["pull", "-q", "busybox:1"]).ok(); // its progress would be on the terminal
    let words = ["run", "-it", "--name", "t", "--network", "none"].into_iter().chain(more.iter().copied());
    Terminal::start(&host.command(words), 24, 80)
}

/// Waits until a program runs in the container.
fn runs(host: &Scenario, program: &str) {
    eventually(&format!("`{program}` runs"), LIMIT, || {
        let listed = host.run(["top", "t"]);
        if listed.stdout.contains(program) { Ok(()) } else { Err(listed) }
    });
}

#[test]
#[ignore = "needs root"]
fn an_editor_writes_what_is_typed() {
    let host = Scenario::new("vi moves the cursor, takes keys one by one, and saves");
    let mut terminal =
        at_terminal(&host, &["busybox:1", "sh", "-c", "vi /tmp/note; echo; sed 's/^/saved: /' /tmp/note"]);
    // an escape and a letter at once would be a key of its own, so each mode is waited for
    terminal.shows("- /tmp/note").types("ione\rthree").shows("three").types("\x1b").shows("- /tmp/note [Modified] 2/2");
    terminal
        .types("Otwo")
        .shows("I /tmp/note [Modified] 2/3")
        .types("\x1b")
        .shows("- /tmp/note [Modified] 2/3")
        .types(":wq\r");
    terminal.shows("saved: one").shows("saved: two").shows("saved: three").ends_with(0);
    host.run(["rm", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn top_draws_itself_again_and_ends_by_a_key() {
    let host = Scenario::new("full-screen programs that poll the keyboard must work");
    let mut terminal = at_terminal(&host, &["busybox:1", "top", "-d", "1"]);
    terminal.shows("COMMAND");
    eventually("top has drawn twice", LIMIT, || match terminal.text().matches("COMMAND").count() {
        0 | 1 => Err("once"),
        _ => Ok(()),
    });
    terminal.types("q").ends_with(0);
    host.run(["rm", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn ctrl_c_and_ctrl_z_are_for_what_runs_in_the_shell() {
    let host = Scenario::new("job control is the container's own");
    let mut terminal = at_terminal(&host, &["busybox:1", "sh"]);
    terminal.shows("# ").types("sleep 1000\r");
    runs(&host, "sleep 1000");
    terminal.types("\x03").types("echo code=$?\r").shows("code=130");
    terminal.types("sleep 2000\r");
    runs(&host, "sleep 2000");
    terminal.types("\x1a").shows("Stopped").types("fg\r");
    eventually("sleep runs again", LIMIT, || match terminal.text().matches("sleep 2000").count() {
        0..=2 => Err(terminal.text()),
        _ => Ok(()),
    });
    terminal.types("\x03").types("exit 7\r").ends_with(7);
    host.run(["rm", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn the_size_is_right_from_the_first_look_and_follows_the_users() {
    let host = Scenario::new("a program lays its screen out by the size it finds");
    let script = "stty size; trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done";
    host.run(["pull", "-q", "busybox:1"]).ok();
    let words = ["run", "-it", "--rm", "--network", "none", "busybox:1", "sh", "-c", script];
    let command = host.command(words);
    let mut terminal = Terminal::start(&command, 33, 99);
    terminal.shows("ready");
    assert!(terminal.text().starts_with("33 99"), "{}", terminal.text());
    terminal.resize(40, 120).shows("40 120").types("\x03").ends_with(130);
}

#[test]
#[ignore = "needs root"]
fn the_detach_keys_leave_the_container_running_and_attach_comes_back() {
    let host = Scenario::new("leaving is not ending");
    let mut terminal = at_terminal(&host, &["busybox:1", "sh"]);
    terminal.shows("# ").types("v=kept\r").types("\x10").types("x\x7f").types("\x10\x11").ends_with(0);
    assert_eq!(host.inspect("t")["State"]["Running"], true);
    let attach = host.command(["attach", "--detach-keys", "ctrl-x,q", "t"]);
    let mut terminal = Terminal::start(&attach, 24, 80);
    terminal.types("\recho is-$v\r").shows("is-kept").types("\x18q").ends_with(0);
    assert_eq!(host.inspect("t")["State"]["Running"], true);
    host.run(["rm", "-f", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn what_fills_the_screen_fills_it_again_for_who_attaches() {
    let host = Scenario::new("an editor that was left with the detach keys must not be an empty screen afterwards");
    let script = "trap 'echo drawn; stty size' WINCH; echo begun; while :; do sleep 0.1; done";
    let mut terminal = at_terminal(&host, &["--sig-proxy=false", "busybox:1", "sh", "-c", script]);
    terminal.shows("begun").types("\x10\x11").shows("read escape sequence").ends_with(0);
    let mut again = Terminal::start(&host.command(["attach", "--sig-proxy", "t"]), 24, 80);
    again.shows("drawn").shows("24 80").types("\x10\x11").ends_with(0);
    host.run(["rm", "-f", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn the_detach_keys_leave_a_process_of_exec_running_with_its_terminal() {
    let host = Scenario::new("what was left alone is neither hung up nor stuck");
    host.run(["run", "-d", "--name", "t", "--network", "none", "busybox:1", "sleep", "1000"]).ok();
    let script = "echo here; while [ ! -e /end ]; do echo on; usleep 1000; done; test -t 1 && echo on > /still";
    let exec = host.command(["exec", "-it", "--detach-keys", "ctrl-x,q", "t", "sh", "-c", script]);
    Terminal::start(&exec, 24, 80).shows("here").types("\x18q").shows("read escape sequence").ends_with(0);
    runs(&host, "usleep");
    host.run(["exec", "t", "touch", "/end"]).ok();
    eventually("it has gone on to its end", LIMIT, || match host.run(["exec", "t", "cat", "/still"]) {
        shown if shown.stdout == "on\n" => Ok(()),
        shown => Err(shown),
    });
    host.run(["rm", "-f", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_pasted_mebibyte_arrives_whole() {
    let host = Scenario::new("a paste is faster than any program reads");
    let script = "stty raw -echo; printf ready; head -c 1048576 | sha256sum; stty sane";
    let mut terminal = at_terminal(&host, &["busybox:1", "sh", "-c", script]);
    let paste: Vec<u8> = (0..1u32 << 20).map(|at| b' ' + u8::try_from(at * 7 % 94).expect("it is below 94")).collect();
    terminal.shows("ready").types(&paste).shows(&hex::encode(Sha256::digest(&paste))).ends_with(0);
    host.run(["rm", "t"]).ok();
}

/// Bytes without a pattern that a lost or doubled piece would keep.
fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Runs lighter with `input` on a pipe; returns its exit code and output.
fn piped(host: &Scenario, words: &[&str], input: Vec<u8>) -> (Option<i32>, Vec<u8>) {
    let mut child = host.command(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it is there");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let writer = std::thread::spawn(move || _ = stdin.write_all(&input));
    let mut output = Vec::new();
    child.stdout.take().expect("it is a pipe").read_to_end(&mut output).expect("a pipe can be read");
    let status = child.wait().expect("it is ours");
    writer.join().expect("it only writes");
    (status.code(), output)
}

#[test]
#[ignore = "needs root"]
fn a_hundred_megabytes_go_through_a_pipe_both_ways_without_loss() {
    let host = Scenario::new("`run -i` is part of pipelines");
    host.run(["pull", "-q", "busybox:1"]).ok();
    let input = pattern(100_000_000);
    let (code, output) = piped(&host, &["run", "-i", "--rm", "busybox:1", "cat"], input.clone());
    assert_eq!((code, output.len()), (Some(0), input.len()));
    assert!(output == input, "the bytes differ");
}

#[test]
#[ignore = "needs root"]
fn exec_passes_a_pipe_on_both_ways_without_loss() {
    let host = Scenario::new("`exec -i` is part of pipelines");
    host.run(["run", "-d", "--name", "t", "busybox:1", "sleep", "1000"]).ok();
    let input = pattern(20_000_000);
    let (code, output) = piped(&host, &["exec", "-i", "t", "cat"], input.clone());
    assert_eq!((code, output.len()), (Some(0), input.len()));
    assert!(output == input, "the bytes differ");
    host.run(["rm", "-f", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn the_end_of_input_arrives_and_output_goes_on() {
    let host = Scenario::new("a pipe has two ends, and one may close first");
    let (code, output) =
        piped(&host, &["run", "-i", "--rm", "busybox:1", "sh", "-c", "wc -c; echo after"], pattern(5000));
    assert_eq!((code, String::from_utf8_lossy(&output).into_owned()), (Some(0), "5000\nafter\n".to_owned()));
    // the other way round: the container closes its input, and nobody waits for it to read on
    let script = "exec 0<&-; echo closed; exit 3";
    let (code, output) = piped(&host, &["run", "-i", "--rm", "busybox:1", "sh", "-c", script], pattern(3_000_000));
    assert_eq!((code, output.as_slice()), (Some(3), b"closed\n".as_slice()));
}

#[test]
#[ignore = "needs root"]
fn signals_reach_the_container_unless_told_otherwise() {
    let host = Scenario::new("a supervisor that stops `lighter run` means the container");
    let script = "trap 'echo usr1' USR1; trap 'echo term; exit 9' TERM; echo ready; while :; do sleep 0.1; done";
    let run = host.start(["run", "--rm", "--name", "t", "busybox:1", "sh", "-c", script]);
    run.shows("ready", LIMIT);
    run.signal(Signal::SIGUSR1);
    run.shows("usr1", LIMIT);
    run.signal(Signal::SIGTERM);
    run.shows("term", LIMIT);
    run.finish(LIMIT).code(9);
    let run = host.start(["run", "--sig-proxy=false", "--name", "t", "busybox:1", "sh", "-c", script]);
    run.shows("ready", LIMIT);
    run.signal(Signal::SIGTERM);
    drop(run);
    assert_eq!(host.inspect("t")["State"]["Running"], true);
    host.run(["rm", "-f", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_command_of_exec_has_the_users_terminal() {
    let host = Scenario::new("`exec -it … sh` is how people look around");
    host.run(["run", "-d", "--name", "t", "busybox:1", "sleep", "1000"]).ok();
    let mut terminal = Terminal::start(&host.command(["exec", "-it", "t", "sh"]), 30, 100);
    terminal.shows("# ").types("stty size\r").shows("30 100");
    terminal.resize(41, 121);
    eventually("the size has followed", LIMIT, || {
        terminal.types("stty size\r");
        if terminal.text().contains("41 121") { Ok(()) } else { Err(terminal.text()) }
    });
    terminal.types("sleep 4321\r");
    runs(&host, "sleep 4321");
    terminal.types("\x03").types("echo code=$?\r").shows("code=130").types("exit 5\r").ends_with(5);
    host.run(["rm", "-f", "t"]).ok();
}
