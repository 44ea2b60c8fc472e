//! Every program of `images.toml` in every guest it is meant for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::arguments::MatrixArgs;
use crate::cache::{self, Cache};
use crate::command::{output, program, text};
use crate::files::Files;
use crate::guest::{self, Finished, Parts, Use, Wanted};
use crate::images::{Cell, Images, Program};
use crate::record::Record;
use crate::report::{self, Column, Verdict};
use crate::session::Ended;

/// Modules whose tests end or cripple the guest they run in, so that each needs one of its own.
const ALONE: [&str; 4] = ["bare::", "firewalls::", "power_loss::", "reboot::"];

/// The module whose guests keep their root: the host's init finds there what a test gave it to run.
const KEEPS_ROOT: &str = "reboot::";

/// Tests that share a guest, at most: one that ends its guest, or never ends, takes no more than these along, and what was seen
/// stands in the report after each guest.
const BATCH: usize = 24;

/// Time for the tests that share a guest, for the subset that every change has to pass, and for a test that has a guest for itself.
const BATCH_LIMIT: Duration = Duration::from_secs(2 * 60 * 60);
const CI_LIMIT: Duration = Duration::from_secs(20 * 60);
const ALONE_LIMIT: Duration = Duration::from_secs(10 * 60);

/// What the report says of a test whose guest has not been started.
const NOT_YET: &str = "the run ended before its turn";

/// Which part of the matrix.
pub(crate) struct Selection {
    pub(crate) ci: bool,
    pub(crate) program: Option<String>,
    pub(crate) kernel: Option<String>,
    /// Part of the name that the report has for a guest.
    pub(crate) guest: Option<String>,
    /// Parts of names of tests, of which one is enough; all tests, if there are none.
    pub(crate) filter: Vec<String>,
}

impl Selection {
    fn has(&self, cell: &Cell) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        let is_named = self.guest.as_deref().is_none_or(|part| cell.name().contains(part));
        (cell.ci.is_some() || !self.ci)
            && is(&self.program, &cell.program)
            && is(&self.kernel, &cell.kernel)
            && is_named
    }

    /// Cargo's profile. The part that every change has to pass takes what the other tests were built with; all of it runs for so
    /// long that another build pays.
    fn profile(&self) -> &'static str {
        if self.ci { "dev" } else { "guest" }
    }

    fn wants(&self, cell: &Cell, test: &str) -> bool {
        let is_among = |parts: &[String]| parts.is_empty() || parts.iter().any(|part| test.contains(part));
        let in_ci = !self.ci || cell.ci.as_deref().is_some_and(is_among);
        in_ci && is_among(&cell.only) && is_among(&self.filter)
    }
}

/// A test program that is built.
struct Built {
    path: PathBuf,
    /// A hash of it and of the programs it was built with.
    identity: String,
    tests: Vec<String>,
}

/// Runs what is asked for, and writes it to `record` after each guest. Logs go to the folder `--out`, if that is given.
pub(crate) fn run(cache: &Cache, images: &Images, args: &MatrixArgs, record: &mut Record) -> Result<()> {
    let selection = &args.selection();
    let cells: Vec<_> = images.matrix.iter().filter(|cell| selection.has(cell)).collect();
    if cells.is_empty() {
        bail!("no guest of images.toml is selected");
    }
    let mut built = BTreeMap::new();
    for cell in &cells {
        if !built.contains_key(cell.program.as_str()) {
            built.insert(cell.program.as_str(), build(images.program(&cell.program)?, selection.profile())?);
        }
    }
    let is_wanted = |cell: &&Cell| built[cell.program.as_str()].tests.iter().any(|test| selection.wants(cell, test));
    if !cells.iter().any(&is_wanted) {
        bail!("no test of the selected guests is wanted");
    }
    let mut failed = Vec::new();
    for cell in cells.into_iter().filter(is_wanted) {
        let built = &built[cell.program.as_str()];
        match (CellRun { cache, images, cell, args, built }).run(selection, record) {
            Ok(ControlFlow::Break(())) => break,
            Ok(ControlFlow::Continue(())) => {}
            // others may have more luck
            Err(error) => {
                crate::say(&format!("{}: {error:#}", cell.name()));
                failed.push(cell.name());
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("no guest could be run of: {}", failed.join(", ")) }
}

struct CellRun<'a> {
    cache: &'a Cache,
    images: &'a Images,
    cell: &'a Cell,
    args: &'a MatrixArgs,
    built: &'a Built,
}

impl CellRun<'_> {
    /// Returns the guest for `tests`.
    fn wanted(&self, program: &Program, tests: &[String]) -> Wanted {
        let mut wanted = self.args.machine.wanted(&self.cell.kernel);
        wanted.cgroups = self.cell.cgroup;
        wanted.systemd = self.cell.systemd;
        wanted.memory = wanted.memory.max(program.memory);
        wanted.sets.extend(program.sets(tests));
        wanted
    }

    /// Runs the tests of this cell that are selected, but for those that `record` has behind it; says whether others shall follow.
    fn run(&self, selection: &Selection, record: &mut Record) -> Result<ControlFlow<()>> {
        let program = self.images.program(&self.cell.program)?;
        let (excluded, tests): (Vec<_>, Vec<_>) = self
            .built
            .tests
            .iter()
            .filter(|test| selection.wants(self.cell, test))
            .cloned()
            .partition(|test| program.why_not(test, self.cell.cgroup).is_some());
        let guest = self.wanted(program, &tests);
        let parts = Parts::prepare(self.cache, self.images, &guest)?;
        let mut column = self.column(&parts, record);
        let excluded = excluded.into_iter().map(|test| {
            let why = program.why_not(&test, self.cell.cgroup).unwrap_or_default();
            (self.full(&test), Verdict::NotApplicable(why))
        });
        column.extend(&today(), excluded);
        let open: Vec<_> = tests.into_iter().filter(|test| column.is_open(&self.full(test))).collect();
        let unseen = open.iter().map(|test| self.full(test)).filter(|test| !column.results.contains_key(test));
        let unseen: Vec<_> = unseen.map(|test| (test, Verdict::NotRun(NOT_YET.to_owned()))).collect();
        column.extend(&today(), unseen);
        record.put(column.clone())?;
        let limit = if selection.ci { CI_LIMIT } else { BATCH_LIMIT };
        for (number, (tests, limit)) in groups(open, limit).into_iter().enumerate() {
            let started = Instant::now();
            let wanted = Wanted { limit, ..guest.clone() };
            let finished = match self.run_group(&parts, wanted, &tests, number) {
                Ok(finished) => finished,
                Err(error) => {
                    let why = format!("{error:#}");
                    crate::say(&why);
                    column.extend(&today(), tests.iter().map(|test| (self.full(test), Verdict::NotRun(why.clone()))));
                    record.put(column.clone())?;
                    continue;
                }
            };
            let named = verdicts(&finished, &tests).into_iter().map(|(test, verdict)| (self.full(&test), verdict));
            column.extend(&today(), named);
            column.accelerator = finished.accelerator.name().to_owned();
            column.seconds += started.elapsed().as_secs_f64();
            record.put(column.clone())?;
            if finished.outcome.ended == Ended::Interrupted {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Runs `tests` in a guest of their own, the cell's `number`th.
    fn run_group(&self, parts: &Parts, mut wanted: Wanted, tests: &[String], number: usize) -> Result<Finished> {
        wanted.keeps_root |= tests.iter().all(|test| test.starts_with(KEEPS_ROOT));
        let out = self.args.machine.out.as_ref();
        let out = out.map(|out| out.join(self.cell.name().replace(' ', "-")).join(number.to_string()));
        let finished = guest::run(self.cache, parts, &wanted, self.files(tests)?, &Use { out, ..Use::default() })?;
        crate::summarise(parts, &wanted, &finished);
        Ok(finished)
    }

    /// "e2e::hits::hits_counts"
    fn full(&self, test: &str) -> String {
        format!("{}::{test}", self.cell.program)
    }

    /// Returns the column of this cell, with what `record` has of it and of tests that there still are.
    fn column(&self, parts: &Parts, record: &Record) -> Column {
        let mut column = record.earlier(&self.cell.name()).cloned().unwrap_or_default();
        let tests: BTreeSet<_> = self.built.tests.iter().map(|test| self.full(test)).collect();
        column.results.retain(|test, _| tests.contains(test));
        column.guest = self.cell.name();
        if column.accelerator.is_empty() {
            column.accelerator = "none".to_owned();
        }
        let tested: Vec<&str> =
            std::iter::once(&self.built.identity).chain(&parts.kernel.versions).map(String::as_str).collect();
        let build = cache::hash(&tested);
        if column.build != build {
            (column.build, column.seconds) = (build, 0.0);
            column.versions.clear();
        }
        for version in parts.kernel.versions.iter().chain(&parts.emulator.versions).chain(&parts.userland.versions) {
            if !column.versions.contains(version) {
                column.versions.push(version.clone());
            }
        }
        column
    }

    fn files(&self, tests: &[String]) -> Result<Files> {
        let program = self.images.program(&self.cell.program)?;
        let mut files = Files::default();
        files.working_directory = workspace();
        let path = self.built.path.display().to_string();
        files.add_program(&path)?;
        if program.needs_images {
            let images = workspace().join("target/images");
            if !images.join("key").exists() {
                bail!("`{}` is missing: run tests/images/build.sh", images.display());
            }
            files.share(&images)?;
            for folder in ["examples", "tests/build/cases", "tests/projects"] {
                files.share(&workspace().join(folder))?;
            }
        }
        let threads = format!("--test-threads={}", program.threads);
        files.command = vec![path, "--ignored".into(), threads, "--exact".into()];
        files.command.extend(tests.iter().cloned());
        Ok(files)
    }
}

/// Puts tests together that share a guest, with the time for all of them.
fn groups(tests: Vec<String>, limit: Duration) -> Vec<(Vec<String>, Duration)> {
    let needs_its_own = |test: &String| ALONE.iter().any(|module| test.starts_with(module));
    let (alone, together): (Vec<_>, Vec<_>) = tests.into_iter().partition(needs_its_own);
    let together = together.chunks(BATCH).map(|tests| (tests.to_vec(), limit));
    together.chain(alone.into_iter().map(|test| (vec![test], ALONE_LIMIT))).collect()
}

fn verdicts(finished: &Finished, tests: &[String]) -> BTreeMap<String, Verdict> {
    let outcome = &finished.outcome;
    let ending = match outcome.ended {
        Ended::Exit(status) => format!("the program ended with {status}"),
        Ended::TimedOut => "the time was over".to_owned(),
        Ended::Interrupted => "the run was interrupted".to_owned(),
        Ended::Died => format!("the guest ended: {}", finished.last_words),
    };
    report::results(&finished.output, tests, &outcome.not_applicable, &ending)
}

/// "2026-11-27", by universal time.
fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// The checkout.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/")).to_owned()
}

/// Builds a test program with all it uses, and lists its tests that need root.
fn build(wanted: &Program, profile: &str) -> Result<Built> {
    let cargo = |verb| {
        let mut cargo = program("cargo");
        // All of the workspace: each choice of packages has features of its own in what they share, and compiles it anew.
        cargo.current_dir(workspace()).args([verb, "--workspace", "--locked", "--profile", profile]);
        cargo
    };
    // The runtime's tests run an example.
    output(cargo("build").args(["--example", "launch"]))?;
    let messages = text(cargo("test").args(["--no-run", "--message-format=json", "--test", &wanted.test]))?;
    let path =
        executable(&messages, &wanted.test).with_context(|| format!("cargo builds no test `{}`", wanted.test))?;
    let listed = text(program(&path).args(["--list", "--ignored"]))?;
    let tests = listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect();
    let mut files = Files::default();
    files.add_program(&path.display().to_string())?;
    Ok(Built { path, identity: files.fingerprint()?, tests })
}

/// Finds the program of the test `name` in cargo's messages (cargo(1), "--message-format").
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut tests =
        messages.filter(|message| message["target"]["name"] == name && message["target"]["kind"][0] == "test");
    tests.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_test_is_found_in_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"vm\",\"kind\":[\"lib\"]},\"executable\":null}\n\
                        not json\n\
                        {\"target\":{\"name\":\"vm\",\"kind\":[\"test\"]},\"executable\":\"/target/deps/vm-1\"}\n";
        assert_eq!(executable(messages, "vm"), Some(PathBuf::from("/target/deps/vm-1")));
        assert_eq!(executable(messages, "e2e"), None);
    }

    #[test]
    fn tests_share_guests_of_which_none_has_too_many_but_those_that_need_their_own() {
        let mut tests: Vec<_> = (0..=BATCH).map(|number| format!("limits::{number}")).collect();
        tests.push("power_loss::x".to_owned());
        let sizes: Vec<_> = groups(tests, BATCH_LIMIT).iter().map(|(tests, limit)| (tests.len(), *limit)).collect();
        assert_eq!(sizes, [(BATCH, BATCH_LIMIT), (1, BATCH_LIMIT), (1, ALONE_LIMIT)]);
        assert!(groups(Vec::new(), BATCH_LIMIT).is_empty());
    }

    #[test]
    fn a_test_is_wanted_where_every_part_of_the_selection_has_it() {
        let mut images = Images::load().unwrap();
        let mut cell = images.matrix.remove(0);
        (cell.only, cell.ci) = (vec![], Some(vec!["limits::".to_owned()]));
        let wants = |cell: &Cell, ci, filter: Option<&str>, test: &str| {
            let filter = filter.map(str::to_owned).into_iter().collect();
            Selection { ci, program: None, kernel: None, guest: None, filter }.wants(cell, test)
        };
        assert!(wants(&cell, false, None, "mounts::x"));
        assert!(!wants(&cell, true, None, "mounts::x"));
        assert!(wants(&cell, true, Some("x"), "limits::x"));
        assert!(!wants(&cell, true, Some("y"), "limits::x"));
        cell.ci = Some(vec![]);
        assert!(wants(&cell, true, None, "mounts::x"));
        cell.only = vec!["reboot::".to_owned()];
        assert!(!wants(&cell, true, None, "mounts::x"));
    }

    #[test]
    fn a_selection_is_the_intersection_of_its_parts() {
        let images = Images::load().unwrap();
        let guests = |ci, program: Option<&str>, guest: Option<&str>| {
            let [program, guest] = [program, guest].map(|part| part.map(str::to_owned));
            let selection = Selection { ci, program, kernel: None, guest, filter: vec![] };
            images.matrix.iter().filter(|cell| selection.has(cell)).map(Cell::name).collect::<Vec<_>>()
        };
        let count = |ci, program: Option<&str>| guests(ci, program, None).len();
        assert_eq!(guests(false, Some("runtime"), Some("6.1 hybrid")), ["runtime 6.1 hybrid"]);
        assert_eq!(count(false, None), images.matrix.len());
        assert!(count(true, None) < count(false, None));
        assert!(count(true, Some("runtime")) <= count(true, None));
        assert_eq!(count(false, Some("nosuch")), 0);
    }
}
