//! `images.toml`: what guests are made of, and which programs run in which guest.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

/// The file, as it was when this program was built: a testbed and its guests belong together.
const TEXT: &str = include_str!("../images.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Images {
    pub(crate) emulator: Packages,
    pub(crate) userland: Userland,
    pub(crate) kernels: BTreeMap<String, KernelPackage>,
    pub(crate) programs: BTreeMap<String, Program>,
    pub(crate) matrix: Vec<Cell>,
}

/// Packages of one suite.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Packages {
    pub(crate) suite: String,
    pub(crate) packages: Vec<String>,
}

/// The root file system: `base` and what is added to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Userland {
    pub(crate) suite: String,
    pub(crate) sets: BTreeMap<String, Vec<String>>,
}

/// A package that depends on the newest kernel of its suite.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KernelPackage {
    pub(crate) suite: String,
    pub(crate) package: String,
}

/// A test program of this workspace.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    /// Cargo's name of the integration test; no two packages have one of the same name.
    pub(crate) test: String,
    /// It pulls the images that `tests/images/build.sh` makes, and uses the tools of the set `e2e`.
    #[serde(default)]
    pub(crate) needs_images: bool,
    /// How many of its tests run at once.
    #[serde(default = "one")]
    pub(crate) threads: u32,
    /// Memory of its guests, in MiB, where that is more than is asked for.
    #[serde(default)]
    pub(crate) memory: u32,
    /// Parts of names of tests, with further sets of packages that such tests use.
    #[serde(default)]
    sets: BTreeMap<String, Vec<String>>,
    /// Names of tests that cannot hold in any guest, with the reason.
    #[serde(default)]
    pub(crate) not_applicable: BTreeMap<String, String>,
    /// Names of tests that can only hold where controllers are those of cgroup version 1.
    #[serde(default)]
    pub(crate) version_1: Vec<String>,
    /// Names of tests that need controllers in the hierarchy of version 2.
    #[serde(default)]
    pub(crate) version_2: Vec<String>,
}

fn one() -> u32 {
    1
}

impl Program {
    /// Returns the sets of packages, beside `base`, that a guest needs for `tests`.
    pub(crate) fn sets(&self, tests: &[String]) -> Vec<String> {
        let is_used = |part: &str| tests.iter().any(|test| test.contains(part));
        let of_tests = self.sets.iter().filter(|(part, _)| is_used(part)).flat_map(|(_, sets)| sets.iter().cloned());
        self.needs_images.then(|| "e2e".to_owned()).into_iter().chain(of_tests).collect()
    }

    /// Returns why a test cannot hold in a guest with these cgroups, if it cannot.
    pub(crate) fn why_not(&self, test: &str, cgroups: Cgroups) -> Option<String> {
        let names = |tests: &[String]| tests.iter().any(|name| name == test);
        let why = match cgroups {
            Cgroups::V2 if names(&self.version_1) => Some("it is about the controllers of cgroup version 1"),
            Cgroups::V1 | Cgroups::Hybrid if names(&self.version_2) => Some("it needs controllers of cgroup version 2"),
            _ => None,
        };
        self.not_applicable.get(test).cloned().or_else(|| why.map(str::to_owned))
    }
}

/// Cgroup hierarchies of a guest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cgroups {
    /// One hierarchy for each controller
    V1,
    /// The same, and beside them a unified one without controllers
    Hybrid,
    /// One hierarchy
    #[default]
    V2,
}

impl Cgroups {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::Hybrid => "hybrid",
            Self::V2 => "v2",
        }
    }
}

/// One program in one guest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cell {
    pub(crate) program: String,
    pub(crate) kernel: String,
    #[serde(default)]
    pub(crate) cgroup: Cgroups,
    #[serde(default)]
    pub(crate) systemd: bool,
    /// Only tests whose name contains one of these; all, if there are none.
    #[serde(default)]
    pub(crate) only: Vec<String>,
    /// The same for the subset that is run for every change, where this cell is part of it.
    pub(crate) ci: Option<Vec<String>>,
}

impl Cell {
    /// "runtime 6.1 v2 systemd"
    pub(crate) fn name(&self) -> String {
        let init = if self.systemd { " systemd" } else { "" };
        format!("{} {} {}{init}", self.program, self.kernel, self.cgroup.name())
    }
}

impl Images {
    pub(crate) fn load() -> Result<Self> {
        Self::parse(TEXT)
    }

    fn parse(text: &str) -> Result<Self> {
        let images: Self = toml::from_str(text).context("read images.toml")?;
        anyhow::ensure!(images.userland.sets.contains_key("base"), "read images.toml: no set `base`");
        let mut names = BTreeSet::new();
        for cell in &images.matrix {
            images.kernel(&cell.kernel)?;
            images.program(&cell.program)?;
            // A report has one column of each.
            anyhow::ensure!(names.insert(cell.name()), "read images.toml: `{}` is there twice", cell.name());
        }
        Ok(images)
    }

    pub(crate) fn kernel(&self, name: &str) -> Result<&KernelPackage> {
        let known = || self.kernels.keys().cloned().collect::<Vec<_>>().join(", ");
        self.kernels.get(name).with_context(|| format!("no kernel `{name}` in images.toml; there are: {}", known()))
    }

    pub(crate) fn program(&self, name: &str) -> Result<&Program> {
        let known = || self.programs.keys().cloned().collect::<Vec<_>>().join(", ");
        self.programs.get(name).with_context(|| format!("no program `{name}` in images.toml; there are: {}", known()))
    }

    /// Returns the packages of `base` and of `sets`.
    pub(crate) fn packages(&self, sets: &[&str]) -> Result<Vec<&str>> {
        let mut packages = Vec::new();
        for name in std::iter::once(&"base").chain(sets) {
            let set = self.userland.sets.get(*name).with_context(|| format!("no set `{name}` in images.toml"))?;
            packages.extend(set.iter().map(String::as_str));
        }
        Ok(packages)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_file_of_this_checkout_is_whole() {
        let images = Images::load().unwrap();
        assert!(images.kernels.len() >= 3);
        for set in images.userland.sets.keys() {
            assert!(!images.packages(&[set]).unwrap().is_empty());
        }
        assert!(images.matrix.iter().any(|cell| cell.ci.is_some()));
        assert!(images.matrix.iter().any(|cell| cell.systemd));
    }

    #[test]
    fn what_is_not_named_in_it_is_refused_with_what_is() {
        let images = Images::load().unwrap();
        let said = images.kernel("2.4").unwrap_err().to_string();
        assert!(said.contains("`2.4`") && said.contains("6.1, 6.12"), "{said}");
        assert!(images.packages(&["nosuch"]).is_err());
    }

    #[test]
    fn a_cell_needs_a_kernel_and_a_program_that_exist() {
        let with = |cell: &str| Images::parse(&TEXT.replace("matrix = [", &format!("matrix = [{cell},")));
        assert!(with("{ program = \"vm\", kernel = \"2.4\" }").unwrap_err().to_string().contains("`2.4`"));
        assert!(with("{ program = \"nosuch\", kernel = \"6.1\" }").unwrap_err().to_string().contains("`nosuch`"));
        assert!(with("{ program = \"vm\" }").is_err());
        assert!(
            with("{ program = \"vm\", kernel = \"6.1\" }")
                .unwrap_err()
                .to_string()
                .contains("`vm 6.1 v2` is there twice")
        );
        assert!(Images::parse(&format!("unknown = 1\n{TEXT}")).is_err());
    }

    #[test]
    fn a_test_of_version_1_applies_where_its_controllers_are() {
        let text = "test = \"t\"\nversion_1 = [\"a\"]\nversion_2 = [\"d\"]\n[not_applicable]\nb = \"two disks\"\n";
        let program: Program = toml::from_str(text).unwrap();
        assert!(program.why_not("a", Cgroups::V2).unwrap().contains("version 1"));
        assert_eq!(program.why_not("a", Cgroups::Hybrid), None);
        assert_eq!(program.why_not("b", Cgroups::Hybrid).as_deref(), Some("two disks"));
        assert_eq!(program.why_not("c", Cgroups::V2), None);
        assert!(program.why_not("d", Cgroups::V1).is_some() && program.why_not("d", Cgroups::V2).is_none());
    }

    #[test]
    fn packages_that_no_selected_test_uses_are_left_out() {
        let text = "test = \"t\"\nneeds_images = true\nsets = {\"a::\" = [\"x\", \"y\"]}\n";
        let program: Program = toml::from_str(text).unwrap();
        let sets = |test: &str| program.sets(&[test.to_owned()]).join(" ");
        assert_eq!([sets("a::b"), sets("b::c")], ["e2e x y", "e2e"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _either = Images::parse(&text);
        }
    }
}
