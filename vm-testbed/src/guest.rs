//! From what was asked for to a guest that runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::accelerator::{self, Accelerator, Choice};
use crate::cache::Cache;
use crate::command::{output, program};
use crate::disk;
use crate::emulator::{Emulator, Writes};
use crate::files::Files;
use crate::images::{Cgroups, Images};
use crate::kernel::Kernel;
use crate::session::{Outcome, Session};
use crate::userland::Userland;

/// Sizes of the disks for artifacts and for what outlives a boot, in MiB; they take what is written to them.
const OUTPUT_SIZE: u64 = 4 * 1024;
const STATE_SIZE: u64 = 8 * 1024;

/// Tells the guest's tests by which factor to extend their limits.
const SLOWNESS: &str = "LIGHTER_TEST_SLOWNESS";

/// Which guest.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) kernel: String,
    pub(crate) cgroups: Cgroups,
    pub(crate) systemd: bool,
    /// Sets of packages beside `base`.
    pub(crate) sets: Vec<String>,
    pub(crate) cpus: u32,
    /// In MiB.
    pub(crate) memory: u32,
    pub(crate) limit: Duration,
    pub(crate) accelerator: Option<Accelerator>,
    /// The root outlives a crash or reboot of the guest, not only `/state`.
    pub(crate) keeps_root: bool,
}

/// Everything from packages that a guest needs.
pub(crate) struct Parts {
    pub(crate) emulator: Emulator,
    pub(crate) kernel: Kernel,
    pub(crate) userland: Userland,
}

impl Parts {
    /// Prepares what is not in the cache. One at a time: a second one waits and then finds everything there.
    pub(crate) fn prepare(cache: &Cache, images: &Images, wanted: &Wanted) -> Result<Self> {
        let _lock = cache.lock()?;
        let mut sets: Vec<&str> = wanted.sets.iter().map(String::as_str).collect();
        if wanted.systemd {
            sets.push("systemd");
        }
        sets.sort_unstable();
        sets.dedup();
        let userland = Userland::prepare(cache, images, &sets)?;
        let kernel = Kernel::prepare(cache, images, &wanted.kernel, &userland.tree)?;
        let emulator = Emulator::prepare(cache, images)?;
        Ok(Self { emulator, kernel, userland })
    }

    pub(crate) fn choose_accelerator(&self, cache: &Cache, wanted: &Wanted) -> Result<Choice> {
        accelerator::choose(wanted.accelerator, cache, || {
            let work = cache.work()?;
            self.session(Accelerator::Kvm, wanted, work.path()).probe()
        })
    }

    fn session<'a>(&'a self, accelerator: Accelerator, wanted: &Wanted, work: &'a Path) -> Session<'a> {
        Session {
            emulator: &self.emulator,
            kernel: &self.kernel,
            accelerator,
            cpus: wanted.cpus,
            memory: wanted.memory,
            cgroups: wanted.cgroups,
            limit: wanted.limit,
            interactive: false,
            shown: true,
            work,
            disks: Vec::new(),
        }
    }
}

/// What is done with a guest besides running it.
#[derive(Debug, Default)]
pub(crate) struct Use {
    /// The guest has our terminal.
    pub(crate) interactive: bool,
    /// Its output is not shown, only kept.
    pub(crate) quiet: bool,
    /// Where to put logs and what the program leaves in `/out`.
    pub(crate) out: Option<PathBuf>,
}

/// A session that has ended, and its output.
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    pub(crate) output: String,
    pub(crate) accelerator: Accelerator,
    /// The end of the last console, where a guest that died says why.
    pub(crate) last_words: String,
}

/// Runs the program of `files` in a guest made of `parts`.
pub(crate) fn run(cache: &Cache, parts: &Parts, wanted: &Wanted, mut files: Files, how: &Use) -> Result<Finished> {
    let accelerator = parts.choose_accelerator(cache, wanted)?.accelerator;
    files.environment.push((SLOWNESS.to_owned(), accelerator.slowness().to_string()));
    let work = cache.work()?;
    let tools = &parts.userland.tree;
    let (files, shares) = {
        let _lock = cache.lock()?;
        files.disks(cache, tools, work.path())?
    };
    let [root, artifacts, state] = ["root", "output", "state"].map(|name| work.path().join(name));
    disk::blank(&artifacts, OUTPUT_SIZE)?;
    disk::empty(tools, &state, STATE_SIZE)?;
    let root = if wanted.keeps_root {
        output(program("cp").args(["--sparse=always", "--reflink=auto"]).arg(&parts.userland.disk).arg(&root))?;
        (root, Writes::Kept)
    } else {
        (parts.userland.disk.clone(), Writes::Forgotten)
    };
    let mut session = parts.session(accelerator, wanted, work.path());
    session.interactive = how.interactive;
    session.shown = !how.quiet;
    session.disks = vec![
        root,
        (parts.kernel.modules.clone(), Writes::Refused),
        (files, Writes::Refused),
        (artifacts.clone(), Writes::Kept),
        (state, Writes::Kept),
    ];
    session.disks.extend(shares.into_iter().map(|share| (share, Writes::Refused)));
    let outcome = session.run()?;
    if let Some(out) = &how.out {
        bring_back(&session, &outcome, &artifacts, out).with_context(|| format!("write to `{}`", out.display()))?;
    }
    let read = |path: PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let console = read(session.console(outcome.boots));
    let words = console + &read(session.log());
    let last_words = words.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
    Ok(Finished { output: read(session.output()), accelerator, last_words, outcome })
}

/// Copies consoles, output and artifacts to `out`.
fn bring_back(session: &Session<'_>, outcome: &Outcome, artifacts: &Path, out: &Path) -> Result<()> {
    fs::create_dir_all(out)?;
    let logs = (1..=outcome.boots).map(|boot| session.console(boot)).chain([session.output(), session.log()]);
    for log in logs.filter(|log| log.exists()) {
        fs::copy(&log, out.join(log.file_name().unwrap_or_default()))?;
    }
    // A guest that did not come to its end has written no archive; there are only the logs then.
    let _none = output(program("tar").args(["-x", "--no-same-owner", "-C"]).arg(out).arg("-f").arg(artifacts));
    Ok(())
}
