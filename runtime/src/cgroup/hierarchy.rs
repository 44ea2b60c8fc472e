//! Which cgroup hierarchies this host has, and where they are mounted.
//!
//! Parsing is *pure*; [`host`] reads `/proc/self/mountinfo` once a process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::OnceLock;

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// Its version and controllers.
    pub(crate) kind: Kind,
    /// Where its root is mounted.
    pub(crate) mount: PathBuf,
}

/// The kinds of hierarchies (cgroups(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Version 1, with controllers.
    V1(Vec<String>),
    /// Version 1, without controllers, known by a name: systemd's, for one.
    Named(String),
    /// Version 2.
    V2,
}

impl Hierarchy {
    /// Tells whether this is the version 1 hierarchy of `controller`.
    pub(crate) fn has_v1(&self, controller: &str) -> bool {
        matches!(&self.kind, Kind::V1(controllers) if controllers.iter().any(|known| known == controller))
    }

    /// Returns the names the hierarchy goes by: controllers, `name=…`, or `unified`.
    pub(crate) fn controllers(&self) -> Vec<String> {
        match &self.kind {
            Kind::V1(controllers) => controllers.clone(),
            Kind::Named(name) => vec![format!("name={name}")],
            Kind::V2 => vec!["unified".to_owned()],
        }
    }

    /// Returns the option that names this hierarchy to mount(2); none for version 2.
    pub(crate) fn mount_options(&self) -> Vec<String> {
        match &self.kind {
            Kind::V1(controllers) => controllers.clone(),
            Kind::Named(name) => vec!["none".to_owned(), format!("name={name}")],
            Kind::V2 => Vec::new(),
        }
    }
}

/// Returns the hierarchies of the host, as the calling process first saw them.
pub(crate) fn host() -> &'static [Hierarchy] {
    static HOST: OnceLock<Vec<Hierarchy>> = OnceLock::new();
    HOST.get_or_init(|| {
        // One line each. They are mounted at boot: what containers have mounted since then is not read for them.
        let all = fs::read_to_string("/proc/self/cgroup").map_or(usize::MAX, |text| text.lines().count());
        let lines = File::open("/proc/self/mountinfo").map(|file| BufReader::new(file).lines());
        parse(lines.into_iter().flatten().map_while(Result::ok), all)
    })
}

/// Controllers of version 1; whatever else stands among the options of a mount is no controller.
const V1_CONTROLLERS: [&str; 15] = [
    "blkio",
    "cpu",
    "cpuacct",
    "cpuset",
    "debug",
    "devices",
    "freezer",
    "hugetlb",
    "memory",
    "misc",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
    "rdma",
];

/// Finds the hierarchies in the lines of a mountinfo file (proc_pid_mountinfo(5)); there are `all`, after which no line is read.
///
/// A hierarchy mounted twice counts once, where it was mounted first.
fn parse(lines: impl IntoIterator<Item = impl AsRef<str>>, all: usize) -> Vec<Hierarchy> {
    let mut hierarchies: Vec<Hierarchy> = Vec::new();
    for line in lines {
        if let Some(hierarchy) = parse_line(line.as_ref())
            && hierarchies.iter().all(|known| known.kind != hierarchy.kind)
        {
            hierarchies.push(hierarchy);
            if hierarchies.len() == all {
                break;
            }
        }
    }
    hierarchies
}

/// `31 23 0:28 /root /mount/point rw,relatime opt… - fstype source super,options`
fn parse_line(line: &str) -> Option<Hierarchy> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point) = (mount.next()?, mount.next()?);
    // A root above that of our cgroup namespace: what is there is not ours to name.
    if root.starts_with("/..") {
        return None;
    }
    let mut filesystem = filesystem.split(' ');
    let kind = match filesystem.next()? {
        "cgroup2" => Kind::V2,
        "cgroup" => v1_kind(filesystem.nth(1)?)?,
        _ => return None,
    };
    Some(Hierarchy { kind, mount: unescape(point).into() })
}

fn v1_kind(options: &str) -> Option<Kind> {
    let options = || options.split(',');
    let controllers: Vec<String> = options().filter(|o| V1_CONTROLLERS.contains(o)).map(str::to_owned).collect();
    if !controllers.is_empty() {
        return Some(Kind::V1(controllers));
    }
    options().find_map(|option| option.strip_prefix("name=")).map(|name| Kind::Named(name.to_owned()))
}

/// Undoes the octal escapes of blank, tab, newline and backslash (proc_pid_mountinfo(5)).
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Hierarchy> {
        super::parse(text.lines(), usize::MAX)
    }

    fn v1(controllers: &[&str], mount: &str) -> Hierarchy {
        let controllers = controllers.iter().map(|controller| (*controller).to_owned()).collect();
        Hierarchy { kind: Kind::V1(controllers), mount: mount.into() }
    }

    #[test]
    fn a_legacy_host_has_a_hierarchy_for_each_controller() {
        let found = parse(
            "24 18 0:21 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n\
             26 24 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
             27 24 0:24 / /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory\n\
             28 24 0:25 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/sd,name=systemd\n",
        );
        let named = Hierarchy { kind: Kind::Named("systemd".into()), mount: "/sys/fs/cgroup/systemd".into() };
        let cpu = v1(&["cpu", "cpuacct"], "/sys/fs/cgroup/cpu,cpuacct");
        assert_eq!(found, [cpu, v1(&["memory"], "/sys/fs/cgroup/memory"), named]);
        assert_eq!(found[0].mount_options(), ["cpu", "cpuacct"]);
        assert_eq!(found[2].mount_options(), ["none", "name=systemd"]);
    }

    #[test]
    fn a_hybrid_host_has_version_2_beside_them() {
        let found = parse(
            "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
        );
        assert_eq!(found[1], Hierarchy { kind: Kind::V2, mount: "/sys/fs/cgroup/unified".into() });
        assert!(found[0].has_v1("memory") && !found[1].has_v1("memory"));
    }

    #[test]
    fn a_unified_host_has_one() {
        let found = parse("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
        assert_eq!(found, [Hierarchy { kind: Kind::V2, mount: "/sys/fs/cgroup".into() }]);
    }

    #[test]
    fn a_second_mount_and_one_above_our_namespace_do_not_count() {
        let found = parse(
            "30 23 0:26 /../.. /outer rw - cgroup2 cgroup2 rw\n\
             31 23 0:26 / /sys/fs/cg\\040roup rw - cgroup2 cgroup2 rw\n\
             32 23 0:26 / /mnt rw - cgroup2 cgroup2 rw\n",
        );
        assert_eq!(found, [Hierarchy { kind: Kind::V2, mount: "/sys/fs/cg roup".into() }]);
    }

    #[test]
    fn nothing_is_read_after_the_last_hierarchy() {
        let lines = ["30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"].into_iter();
        let endless = lines.chain(std::iter::repeat("31 23 0:40 / /run/c rw - overlay overlay rw"));
        assert_eq!(super::parse(endless, 1), [Hierarchy { kind: Kind::V2, mount: "/sys/fs/cgroup".into() }]);
    }

    #[test]
    fn lines_that_are_none_are_passed_over() {
        assert_eq!(parse("\n - cgroup2\n1 2 3 - cgroup x\nnonsense"), []);
    }
}
