//! Which processes belong to a scenario.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process as procfs shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    pid: i32,
    command: String,
}

/// Returns the processes that were started with the scenario's directories, or have a file system of one of them in their
/// mount namespace: monitors and containers, but neither this process nor `except`.
pub(crate) fn of_scenario(directory: &Path, run_directory: &Path, except: Option<u32>) -> Vec<Process> {
    let marks = [directory.to_string_lossy().into_owned(), run_directory.to_string_lossy().into_owned()];
    let ours = fs::read_link("/proc/thread-self/ns/mnt").ok();
    // The host's own containers, if we are in its mount namespace, are nobody's here.
    let is_alone = ours != fs::read_link("/proc/1/ns/mnt").ok();
    let belongs = |pid: i32| {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let mentions = |bytes: Vec<u8>| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            marks.iter().any(|mark| names(&text, mark))
        };
        let elsewhere = fs::read_link(format!("/proc/{pid}/ns/mnt")).ok() != ours;
        let words = read("cmdline");
        // a monitor has neither words nor an environment of its scenario's, but is in its mount namespace
        let is_monitor = is_alone && !elsewhere && words.starts_with(b"lighter\0__monitor");
        is_monitor || mentions(words) || mentions(read("environ")) || (elsewhere && mentions(read("mountinfo")))
    };
    // One that forks and ends after the list was made is gone when it is looked at, and its child is not on the list.
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    loop {
        let new: Vec<_> = pids().filter(|pid| seen.insert(*pid)).collect();
        if new.is_empty() {
            return found;
        }
        let others = new
            .into_iter()
            .filter(|pid| pid.unsigned_abs() != std::process::id() && Some(pid.unsigned_abs()) != except);
        let ours = others.filter(|pid| belongs(*pid) && !is_test_tool(*pid));
        found.extend(ours.map(|pid| Process { pid, command: command_of(pid) }));
    }
}

/// Whether a text has the path of a scenario's directory in it, and not that of one whose number begins with this one's.
pub(crate) fn names(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| !text[at + path.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

/// Lists the processes there are.
fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
}

/// Whether this is a child of ours that has not yet become the tool it was started as.
fn is_test_tool(pid: i32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| Some(exe) == std::env::current_exe().ok())
}

fn command_of(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ").trim().to_owned()
}

/// Ends what a failed scenario left running.
pub(crate) fn kill_all(directory: &Path, run_directory: &Path, except: Option<u32>) {
    for process in of_scenario(directory, run_directory, except) {
        let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
    }
}
