//! What runs in a container, and what it uses. Runs in the command; reads procfs and cgroup files only.

use std::fs;
use std::io;

use lighter_runtime::cgroup::{Cgroup, CgroupError, Stats};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Container, Engine};

/// One process of a container, as the host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEntry {
    /// Its pid on the host.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// The first process of its session.
    pub session: i32,
    /// Its effective user, a number of the host.
    pub uid: u32,
    /// Processor time it has used, in clock ticks (USER_HZ, 100 a second).
    pub ticks: u64,
    /// When it started, in clock ticks since boot.
    pub start: u64,
    /// Its terminal as `ps` writes it: `?` or `pts/0`.
    pub terminal: String,
    /// Its command line, or its name in brackets.
    pub command: String,
}

/// Bytes and packets' bytes that went through a container's interfaces, loopback left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

/// What a container uses at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Memory, processor time, processes, block devices.
    pub cgroup: Stats,
    /// Network.
    pub network: Traffic,
}

impl Engine {
    /// Returns the processes of a container, by pid; none when it does not run.
    pub fn processes(&self, container: &Container) -> Result<Vec<ProcessEntry>, CgroupError> {
        let Some(cgroup) = self.cgroup_of(&container.id) else { return Ok(Vec::new()) };
        let mut pids = cgroup.pids()?;
        pids.sort_unstable();
        // one that has ended since is none of it
        Ok(pids.into_iter().filter_map(|pid| read_process(pid).ok()).collect())
    }

    /// Returns what a container uses now; `None` when it does not run.
    pub fn usage(&self, container: &Container) -> Result<Option<Usage>, CgroupError> {
        let (Some(cgroup), Some(init)) = (self.cgroup_of(&container.id), container.state.init) else { return Ok(None) };
        let network = fs::read_to_string(format!("/proc/{}/net/dev", init.pid)).unwrap_or_default();
        Ok(Some(Usage { cgroup: cgroup.stats()?, network: traffic(&network) }))
    }
}

/// Kills a process of `exec` and all it has started, as far as they are in `cgroup` and can be told from others: its children
/// and theirs, and what is left of its session when their parents have ended.
pub(crate) fn kill_tree(cgroup: &Cgroup, root: i32) {
    let entries: Vec<_> =
        cgroup.pids().unwrap_or_default().into_iter().filter_map(|pid| read_process(pid).ok()).collect();
    for pid in tree(&entries, root) {
        // by pid: it was in the cgroup a moment ago, and a pid is not given out again that soon
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// Returns `root`, its descendants and its session.
fn tree(entries: &[ProcessEntry], root: i32) -> Vec<i32> {
    let mut found = vec![root];
    let mut grown = true;
    while grown {
        let new: Vec<i32> = entries
            .iter()
            .filter(|entry| entry.session == root || found.contains(&entry.parent))
            .map(|entry| entry.pid)
            .filter(|pid| !found.contains(pid))
            .collect();
        grown = !new.is_empty();
        found.extend(new);
    }
    found
}

fn read_process(pid: i32) -> io::Result<ProcessEntry> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let words = fs::read(format!("/proc/{pid}/cmdline"))?;
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let name = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map(|(name, _)| name);
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1)?.parse().ok());
    let fields = fields(&stat).ok_or_else(malformed)?;
    let command = String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned();
    Ok(ProcessEntry {
        pid,
        uid: uid.unwrap_or(0),
        command: if command.is_empty() { format!("[{}]", name.unwrap_or_default()) } else { command },
        ..fields
    })
}

/// Reads /proc/PID/stat (proc(5)): fields are counted from behind the name, which may hold anything; the third is first.
fn fields(stat: &str) -> Option<ProcessEntry> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let terminal: i64 = fields.get(4)?.parse().ok()?;
    Some(ProcessEntry {
        pid: 0,
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        uid: 0,
        ticks: number(11)? + number(12)?,
        start: number(19)?,
        terminal: terminal_name(terminal),
        command: String::new(),
    })
}

/// Device numbers of pseudo-terminals have the majors 136 to 143 (Documentation/admin-guide/devices.txt).
fn terminal_name(device: i64) -> String {
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    match major {
        0 => "?".to_owned(),
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        _ => format!("{major}:{minor}"),
    }
}

/// Sums the lines of /proc/PID/net/dev: `eth0: bytes packets … (8 of reception) bytes …`.
fn traffic(text: &str) -> Traffic {
    let mut sum = Traffic::default();
    for (name, figures) in text.lines().filter_map(|line| line.split_once(':')) {
        let figures: Vec<u64> = figures.split_whitespace().map(|figure| figure.parse().unwrap_or(0)).collect();
        if name.trim() != "lo" && figures.len() >= 9 {
            sum.received += figures[0];
            sum.sent += figures[8];
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let text = "7 (a) b (c)) S 1 7 7 34816 7 4194560 1 0 0 0 20 5 0 0 20 0 1 0 12345 1 1";
        let process = fields(text).unwrap();
        assert_eq!((process.parent, process.ticks, process.start), (1, 25, 12345));
        assert_eq!(process.terminal, "pts/0");
        assert_eq!(fields("7 (x) S"), None);
    }

    #[test]
    fn a_tree_is_what_descends_from_its_root_or_shares_its_session() {
        let entry = |pid, parent, session| ProcessEntry {
            pid,
            parent,
            session,
            uid: 0,
            ticks: 0,
            start: 0,
            terminal: "?".to_owned(),
            command: String::new(),
        };
        // 1 is the container's init; 12 has lost its parent, 13 has made a session of its own
        let entries = [entry(1, 0, 1), entry(10, 0, 10), entry(11, 10, 10), entry(12, 1, 10), entry(13, 11, 13)];
        assert_eq!(tree(&entries, 10), [10, 11, 12, 13]);
    }

    #[test]
    fn traffic_is_summed_without_loopback() {
        let text = "Inter-| Receive\n face |bytes\n    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n  eth0: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n eth1:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n";
        assert_eq!(traffic(text), Traffic { received: 11, sent: 22 });
    }

    #[test]
    fn our_own_process_is_found() {
        let process = read_process(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(process.start > 0 && !process.command.is_empty());
    }
}
