//! `vm-testbed`: boots a stock Debian kernel in QEMU, runs a program inside as root, and ends with that program's status.
//!
//! Nothing is installed on the host: QEMU, kernels and the guest's userland are unpacked from packages of the Debian archive
//! into `target/vm-testbed`. Which ones is said in `images.toml`.
//!
//! ```text
//! images.toml ─▶ apt ─▶ parts in the cache ─▶ disks of a run ─▶ QEMU ─▶ messages, output, artifacts ─▶ status, report
//! ```

mod accelerator;
mod apt;
mod arguments;
mod bzimage;
mod cache;
mod command;
mod control;
mod cpio;
mod disk;
mod emulator;
mod files;
mod guest;
mod images;
mod interrupts;
mod kernel;
mod matrix;
mod record;
mod report;
mod session;
mod tree;
mod userland;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::arguments::{Cli, GuestArgs, MatrixArgs, RunArgs, Verb};
use crate::cache::Cache;
use crate::guest::{Finished, Parts, Use, Wanted};
use crate::images::Images;
use crate::record::Record;
use crate::session::Ended;

/// Status for what went wrong before a program could run, as of docker(1).
const OWN_FAILURE: u8 = 125;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::from(OWN_FAILURE)
        }
    }
}

/// Says something beside the guest's output: on standard error.
fn say(text: &str) {
    let _nobody_listens = writeln!(std::io::stderr(), "vm-testbed: {text}");
}

fn dispatch(cli: Cli) -> Result<u8> {
    let images = Images::load()?;
    let cache = Cache::open(cache_directory())?;
    match cli.verb {
        Verb::Run(run) => run_program(&cache, &images, run),
        Verb::Shell(guest) => shell(&cache, &images, &guest),
        Verb::Prepare(guest) => prepare(&cache, &images, &guest),
        Verb::Matrix(matrix) => run_matrix(&cache, &images, &matrix),
        Verb::Doctor(guest) => doctor(&cache, &images, &guest),
    }
}

/// `target/vm-testbed`, wherever this build's target directory is.
fn cache_directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")));
    target.join("vm-testbed")
}

fn run_program(cache: &Cache, images: &Images, run: RunArgs) -> Result<u8> {
    let wanted = run.guest.wanted();
    let mut files = run.guest.files()?;
    let program = run.program.first().context("no program")?;
    // A name without a slash is one of the guest's own programs.
    if program.contains('/') {
        files.add_program(program)?;
    }
    files.command = run.program.clone();
    if program.contains('/') {
        files.command[0] = std::path::absolute(program)?.canonicalize()?.display().to_string();
    }
    files.command.extend(run.filter);
    let parts = Parts::prepare(cache, images, &wanted)?;
    let how = Use { out: run.guest.machine.out, ..Use::default() };
    let finished = guest::run(cache, &parts, &wanted, files, &how)?;
    summarise(&parts, &wanted, &finished);
    Ok(finished.outcome.ended.status())
}

/// Says which guest it was and how it ended.
fn summarise(parts: &Parts, wanted: &Wanted, finished: &Finished) {
    let outcome = &finished.outcome;
    for note in &outcome.notes {
        say(note);
    }
    for (test, why) in &outcome.not_applicable {
        say(&format!("not applicable: {test}: {why}"));
    }
    if outcome.ended == Ended::Died {
        say(&format!("the guest ended before its program; its console:\n{}", finished.last_words));
    } else if outcome.ended == Ended::TimedOut {
        say(&format!("not within {:?}; the console of the guest:\n{}", wanted.limit, finished.last_words));
    }
    let stages: Vec<_> = outcome.stages.iter().map(|(name, seconds)| format!("{name} {seconds:.1}")).collect();
    say(&format!(
        "{}, cgroup {}, {}, {}, {} boot(s) in {:.1} s; since the kernel's start: {}",
        parts.kernel.versions.join(", "),
        wanted.cgroups.name(),
        if wanted.systemd { "systemd" } else { "busybox init" },
        finished.accelerator.name(),
        outcome.boots,
        outcome.took.as_secs_f64(),
        stages.join(", "),
    ));
}

fn run_matrix(cache: &Cache, images: &Images, args: &MatrixArgs) -> Result<u8> {
    let out = args.machine.out.as_deref();
    // What every change has to pass leaves the report of all the rest alone.
    let usual = if args.selection().ci { "report-ci" } else { "report" };
    let mut record = Record::open(&out.map_or_else(|| cache.path(usual), Path::to_owned), args.resume)?;
    let ran = matrix::run(cache, images, args, &mut record);
    let report = record.report();
    writeln!(std::io::stdout(), "{}\n{}", report.text(), record.json().display())?;
    ran?;
    Ok(u8::from(!report.is_good()))
}

fn shell(cache: &Cache, images: &Images, guest: &GuestArgs) -> Result<u8> {
    let wanted = guest.wanted_by_a_person();
    let mut files = guest.files()?;
    files.command = ["bash", "-l"].map(str::to_owned).into();
    let parts = Parts::prepare(cache, images, &wanted)?;
    let how = Use { interactive: true, out: guest.machine.out.clone(), ..Use::default() };
    say("`exit` ends the guest");
    let finished = guest::run(cache, &parts, &wanted, files, &how)?;
    summarise(&parts, &wanted, &finished);
    Ok(finished.outcome.ended.status())
}

fn prepare(cache: &Cache, images: &Images, guest: &GuestArgs) -> Result<u8> {
    let parts = Parts::prepare(cache, images, &guest.wanted())?;
    for version in parts.kernel.versions.iter().chain(&parts.emulator.versions).chain(&parts.userland.versions) {
        writeln!(std::io::stdout(), "{version}")?;
    }
    Ok(0)
}

fn doctor(cache: &Cache, images: &Images, guest: &GuestArgs) -> Result<u8> {
    let wanted = guest.wanted();
    let parts = Parts::prepare(cache, images, &wanted)?;
    let choice = parts.choose_accelerator(cache, &wanted)?;
    let qemu = parts.emulator.versions.iter().find(|version| version.starts_with("qemu-system-x86 "));
    let starts = if kernel::is_unpacked(&parts.kernel.image) { "unpacked, by PVH" } else { "packed, by firmware" };
    let mut out = std::io::stdout().lock();
    writeln!(out, "accelerator  {}: {}", choice.accelerator.name(), choice.why)?;
    writeln!(out, "slowness     tests get {} times their limits", choice.accelerator.slowness())?;
    writeln!(out, "emulator     {}", qemu.map_or("unknown", String::as_str))?;
    writeln!(out, "kernel       {} ({starts})", parts.kernel.versions.join(", "))?;
    writeln!(out, "userland     {} packages of {}", parts.userland.versions.len(), images.userland.suite)?;
    writeln!(out, "cache        {}", cache.path("").display())?;
    Ok(0)
}
