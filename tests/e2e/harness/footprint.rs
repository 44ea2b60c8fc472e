//! What a scenario has on the host: the leak check compares two of these.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use super::{processes, run, tool};

const TOOL_LIMIT: Duration = Duration::from_secs(20);

/// Everything that outlives a command, one line each.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Footprint(BTreeSet<String>);

impl Footprint {
    /// Looks at mounts, links, firewall and addresses of the calling thread's namespaces, and at the cgroups, processes, sockets
    /// and FIFOs of this scenario; `containers` are ids whose traces to look for.
    pub(crate) fn take(
        directory: &Path,
        run_directory: &Path,
        containers: &BTreeSet<String>,
        project: &str,
        registry: Option<u32>,
    ) -> Self {
        let mut lines = BTreeSet::new();
        lines.extend(mounts().map(|mount| format!("mount {mount}")));
        lines.extend(
            output("ip", &["-oneline", "link"]).lines().filter_map(link_name).map(|name| format!("link {name}")),
        );
        lines.extend(output("nft", &["list", "ruleset"]).lines().map(|line| format!("nft {line}")));
        lines.extend(output("ip", &["route", "show", "table", "all"]).lines().map(|line| format!("route {line}")));
        lines.extend(cgroups(containers, project).into_iter().map(|path| format!("cgroup {path}")));
        let processes = processes::of_scenario(directory, run_directory, registry);
        lines.extend(processes.into_iter().map(|process| format!("process {process:?}")));
        special_files(run_directory, &mut lines);
        Self(lines)
    }

    /// Returns an error that lists what is here and was not in `before`.
    pub(crate) fn beyond(&self, before: &Self) -> Result<(), String> {
        let extra: Vec<_> = self.0.difference(&before.0).cloned().collect();
        if extra.is_empty() { Ok(()) } else { Err(extra.join("\n")) }
    }
}

/// Mount point and source of each mount of this thread's namespace.
fn mounts() -> impl Iterator<Item = String> {
    let text = fs::read_to_string("/proc/thread-self/mountinfo").expect("procfs is mounted");
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.into_iter().map(|line| line.split(' ').skip(3).collect::<Vec<_>>().join(" "))
}

/// `2: eth0@if3: <…>` → `eth0`.
fn link_name(line: &str) -> Option<&str> {
    line.split(": ").nth(1)?.split('@').next()
}

fn output(program: &str, arguments: &[&str]) -> String {
    run(tool(program, arguments), TOOL_LIMIT).ok().stdout
}

/// Directories, in any cgroup hierarchy, that are named after a container or after the project.
fn cgroups(containers: &BTreeSet<String>, project: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(Path::new("/sys/fs/cgroup"), &mut |path, name| {
        if name == project || containers.iter().any(|id| name.contains(id.as_str())) {
            found.push(path.display().to_string());
        }
    });
    found
}

/// Calls `visit` for every directory below `directory`; one that vanishes meanwhile is passed over.
fn walk(directory: &Path, visit: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit(&entry.path(), &entry.file_name().to_string_lossy());
            walk(&entry.path(), visit);
        }
    }
}

/// What only a running container needs: sockets and FIFOs below the run directory, and files named after a container.
fn special_files(directory: &Path, lines: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            special_files(&entry.path(), lines);
        } else if kind.is_socket() || kind.is_fifo() {
            lines.insert(format!("file {}", entry.path().display()));
        }
    }
}
