//! Which ids of a container stand for which of the host (user_namespaces(7), "User and group ID mappings").
//!
//! *Pure.*

use std::fmt::Write as _;

use oci_spec::runtime::LinuxIdMapping;

use super::PlanError;

/// Most lines of a map (user_namespaces(7)).
const MOST_LINES: usize = 340;

/// The two maps of a user namespace, each line checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdMappings {
    uids: Vec<Line>,
    gids: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    inside: u32,
    outside: u32,
    size: u32,
}

impl IdMappings {
    /// Reads two maps, of which neither may be empty; `at` is where they stand: `linux`, `mounts[3]`.
    pub(crate) fn read(
        at: &str,
        uids: Option<&Vec<LinuxIdMapping>>,
        gids: Option<&Vec<LinuxIdMapping>>,
    ) -> Result<Self, PlanError> {
        let map = |name: &str, lines: Option<&Vec<LinuxIdMapping>>| {
            read(&format!("{at}.{name}"), lines.map(Vec::as_slice).unwrap_or_default())
        };
        Ok(Self { uids: map("uidMappings", uids)?, gids: map("gidMappings", gids)? })
    }

    /// What is written to `uid_map`.
    pub(crate) fn uid_map(&self) -> String {
        text(&self.uids)
    }

    /// What is written to `gid_map`.
    pub(crate) fn gid_map(&self) -> String {
        text(&self.gids)
    }

    /// Returns the host's id of a user of the container.
    pub(crate) fn outside_uid(&self, uid: u32) -> Option<u32> {
        outside(&self.uids, uid)
    }

    /// Returns the host's id of a group of the container.
    pub(crate) fn outside_gid(&self, gid: u32) -> Option<u32> {
        outside(&self.gids, gid)
    }
}

fn outside(lines: &[Line], id: u32) -> Option<u32> {
    let line = lines.iter().find(|line| id >= line.inside && id - line.inside < line.size)?;
    Some(line.outside + (id - line.inside))
}

fn read(field: &str, mappings: &[LinuxIdMapping]) -> Result<Vec<Line>, PlanError> {
    if mappings.is_empty() {
        return Err(PlanError::invalid(field.to_owned(), "", "a user namespace needs it"));
    }
    if mappings.len() > MOST_LINES {
        return Err(PlanError::invalid(field.to_owned(), mappings.len(), "the kernel takes 340 lines"));
    }
    let mut lines: Vec<Line> = Vec::new();
    for mapping in mappings {
        let line = Line { inside: mapping.container_id(), outside: mapping.host_id(), size: mapping.size() };
        let refused = |why| {
            let shown = format!("{} {} {}", line.inside, line.outside, line.size);
            Err(PlanError::invalid(field.to_owned(), shown, why))
        };
        // The kernel keeps id -1 for "none" (user_namespaces(7)).
        if line.size == 0 || [line.inside, line.outside].iter().any(|first| first.checked_add(line.size).is_none()) {
            return refused("its size must be at least 1, and its last id below 4294967295");
        }
        let overlap = |first: u32, other: u32, size: u32| first < other + size && other < first + line.size;
        let doubled = |known: &Line| {
            overlap(line.inside, known.inside, known.size) || overlap(line.outside, known.outside, known.size)
        };
        if lines.iter().any(doubled) {
            return refused("it maps an id that another line maps");
        }
        lines.push(line);
    }
    Ok(lines)
}

fn text(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        let _cannot_fail = writeln!(text, "{} {} {}", line.inside, line.outside, line.size);
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn planned(json: &str) -> Result<IdMappings, PlanError> {
        let lines: Vec<LinuxIdMapping> = serde_json::from_str(json).unwrap();
        IdMappings::read("linux", Some(&lines), Some(&lines))
    }

    #[test]
    fn a_map_is_written_as_the_kernel_reads_it() {
        let json = r#"[{"containerID":0,"hostID":100000,"size":1000},{"containerID":1000,"hostID":5,"size":1}]"#;
        let map = planned(json).unwrap();
        assert_eq!(map.uid_map(), "0 100000 1000\n1000 5 1\n");
        assert_eq!(
            (map.outside_uid(999), map.outside_gid(1000), map.outside_uid(1001)),
            (Some(100_999), Some(5), None)
        );
    }

    #[test]
    fn what_the_kernel_would_refuse_is_refused_by_name() {
        for json in [
            "[]",
            r#"[{"containerID":0,"hostID":1,"size":0}]"#,
            r#"[{"containerID":0,"hostID":4294967295,"size":1}]"#,
            r#"[{"containerID":4294967290,"hostID":0,"size":10}]"#,
            r#"[{"containerID":0,"hostID":1,"size":10},{"containerID":9,"hostID":100,"size":1}]"#,
            r#"[{"containerID":0,"hostID":1,"size":10},{"containerID":20,"hostID":10,"size":1}]"#,
        ] {
            let error = planned(json).unwrap_err().to_string();
            assert!(error.contains("linux.uidMappings"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_numbers_make_it_fail(lines in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u32>()), 0..4), id: u32) {
            let json: Vec<_> = lines
                .iter()
                .map(|(c, h, s)| serde_json::json!({"containerID": c, "hostID": h, "size": s}))
                .collect();
            if let Ok(map) = planned(&serde_json::Value::from(json).to_string()) {
                map.outside_uid(id);
            }
        }
    }
}
