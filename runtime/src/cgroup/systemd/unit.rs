//! The unit a container runs in: its name, its slice, its place in the tree.
//!
//! *Pure.* The rules are those of runc (docs/systemd.md): `cgroupsPath` is `slice:prefix:name`.

use crate::cgroup::CgroupError;

/// The slice of containers that name none.
const DEFAULT_SLICE: &str = "system.slice";

/// Characters of unit names (systemd.unit(5)) but for the `@` of instances, which a transient unit cannot be.
const NAME_CHARACTERS: &str = ":-_.\\";

/// The longest name (UNIT_NAME_MAX, 256 with the final NUL).
const LONGEST: usize = 255;

/// A unit that is to be, or is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnitName {
    /// `lighter-web.scope`, or a slice.
    pub(super) name: String,
    /// The slice it is in; `-.slice` is the root.
    pub(super) slice: String,
}

impl UnitName {
    /// Reads `linux.cgroupsPath`; without it, the unit is `lighter-ID.scope` in `system.slice`.
    pub(super) fn read(cgroups_path: Option<&str>, id: &str) -> Result<Self, CgroupError> {
        let path = cgroups_path.filter(|path| !path.is_empty());
        let (slice, prefix, name) = match path.map(|path| path.split(':').collect::<Vec<_>>()).as_deref() {
            None => ("", "lighter", id),
            Some([slice, prefix, name]) => (*slice, *prefix, *name),
            Some(_) => return Err(refused(path.unwrap_or_default(), "it is not of the form `slice:prefix:name`")),
        };
        let slice = match slice {
            "" => DEFAULT_SLICE,
            "-" => "-.slice",
            slice => slice,
        };
        let name = if name.ends_with(".slice") { name.to_owned() } else { format!("{prefix}-{name}.scope") };
        let unit = Self { name, slice: slice.to_owned() };
        let whole = path.unwrap_or(id);
        if !is_name(&unit.name) || unit.name.starts_with("-.") {
            return Err(refused(whole, "`name` makes no name of a unit"));
        }
        if !is_name(&unit.slice) || slice_path(&unit.slice).is_none() {
            return Err(refused(whole, "`slice` is no slice"));
        }
        if unit.is_slice() && slice_path(&unit.name).is_none() {
            return Err(refused(whole, "`name` is no slice"));
        }
        Ok(unit)
    }

    pub(super) fn is_slice(&self) -> bool {
        self.name.ends_with(".slice")
    }

    /// Returns the path of the unit's cgroup below systemd's own, without a slash in front.
    pub(super) fn path(&self) -> String {
        // A slice is where its name says, whatever was given for its parent.
        let above = slice_path(&self.slice).unwrap_or_default();
        match self.is_slice() {
            true => slice_path(&self.name).unwrap_or_default(),
            false if above.is_empty() => self.name.clone(),
            false => format!("{above}/{}", self.name),
        }
    }
}

/// Expands `a-b.slice` to `a.slice/a-b.slice` (systemd.slice(5)); the root slice is the empty path.
fn slice_path(slice: &str) -> Option<String> {
    let stem = slice.strip_suffix(".slice")?;
    if stem == "-" {
        return Some(String::new());
    }
    let parts: Vec<&str> = stem.split('-').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    let levels = (1..=parts.len()).map(|count| format!("{}.slice", parts[..count].join("-")));
    Some(levels.collect::<Vec<_>>().join("/"))
}

fn is_name(name: &str) -> bool {
    let known = |character: char| character.is_ascii_alphanumeric() || NAME_CHARACTERS.contains(character);
    name.len() <= LONGEST && name.chars().all(known)
}

/// Returns the cgroup of systemd itself, `/` on a host: pid 1 is in `init.scope` below it.
///
/// `cgroup` is the text of `/proc/1/cgroup`; `None` when pid 1 is somewhere else.
pub(super) fn root(cgroup: &str) -> Option<String> {
    // Version 2, alone or beside version 1, or the named hierarchy of version 1.
    let path = |prefix: &str| {
        let line =
            cgroup.lines().find(|line| line.split_once(':').is_some_and(|(_, rest)| rest.starts_with(prefix)))?;
        line.splitn(3, ':').nth(2)?.strip_suffix("/init.scope").map(str::to_owned)
    };
    path("name=systemd:").or_else(|| path(":"))
}

fn refused(path: &str, why: &str) -> CgroupError {
    CgroupError::Refused { key: "linux.cgroupsPath".to_owned(), why: format!("`{}`: {why}", path.escape_default()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(path: &str) -> (String, String) {
        let unit = UnitName::read(Some(path), "id").unwrap();
        (unit.name.clone(), unit.path())
    }

    #[test]
    fn a_path_names_slice_prefix_and_name() {
        for (path, name, place) in [
            ("system.slice:docker:1234", "docker-1234.scope", "system.slice/docker-1234.scope"),
            (":lighter:web", "lighter-web.scope", "system.slice/lighter-web.scope"),
            ("-:p:n", "p-n.scope", "p-n.scope"),
            ("-.slice:p:n", "p-n.scope", "p-n.scope"),
            ("a-b-c.slice:p:n", "p-n.scope", "a.slice/a-b.slice/a-b-c.slice/p-n.scope"),
            ("a.slice:p:a-b.slice", "a-b.slice", "a.slice/a-b.slice"),
        ] {
            assert_eq!(unit(path), (name.to_owned(), place.to_owned()));
        }
        let unnamed = UnitName::read(None, "web").unwrap();
        assert_eq!(unnamed.path(), "system.slice/lighter-web.scope");
    }

    #[test]
    fn what_makes_no_unit_is_refused() {
        for path in [
            "/lighter/web",
            "a:b",
            "a.slice/b.slice:p:n",
            "a:p:n",
            "a--b.slice:p:n",
            "-a.slice:p:n",
            ".slice:p:n",
            "a.slice:p:n/..",
            "a.slice:p:n m",
            "a.slice:p:-.slice",
            "a.slice:p:a--b.slice",
        ] {
            let error = UnitName::read(Some(path), "id").unwrap_err().to_string();
            assert!(error.starts_with("limit `linux.cgroupsPath`: "), "{error}");
        }
    }

    #[test]
    fn systemd_is_found_where_pid_1_is() {
        assert_eq!(root("0::/init.scope\n"), Some(String::new()));
        assert_eq!(root("1:name=systemd:/init.scope\n0::/init.scope\n"), Some(String::new()));
        assert_eq!(root("0::/machine.slice/box/init.scope\n"), Some("/machine.slice/box".to_owned()));
        assert_eq!(root("9:name=systemd:/\n8:pids:/init.scope\n0::/\n"), None);
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_a_path_without_surprises(path in "[a-z./:\\\\ -]{0,8}:[a-z./-]{0,6}:[a-z./-]{0,6}(\\.slice)?") {
            if let Ok(unit) = UnitName::read(Some(&path), "id") {
                prop_assert!(unit.path().split('/').all(|part| !matches!(part, "" | "." | "..")), "{}", unit.path());
                prop_assert!(unit.path().ends_with(&unit.name));
            }
        }
    }
}
