//! `lighter top`

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lighter_engine::{Container, Engine, ProcessEntry, Status};
use nix::unistd::{Uid, User};

use super::runtime::ps as processes;
use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::table;

/// Clock ticks a second: USER_HZ is 100 on every supported machine (time(7)).
const TICKS: u64 = 100;

/// Show the processes of a container
#[derive(clap::Args)]
pub(crate) struct TopArgs {
    /// Container, or service of the project in this folder
    container: String,
    /// Options of the host's `ps`: `-o pid,args`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTION")]
    options: Vec<String>,
}

pub(crate) fn run(ctx: &Context, args: &TopArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let container = target::find_one(ctx, &engine, &args.container)?;
    if !matches!(container.state.status, Status::Running | Status::Paused) {
        return Err(Failure::text(format!("container `{}` is not running", container.spec.name)));
    }
    if args.options.is_empty() {
        return ctx.ui.line(table(&engine, &container)?);
    }
    let pids = engine.processes(&container)?.iter().map(|process| process.pid).collect();
    ctx.ui.write(processes::of_ps(&args.options, &pids)?.as_bytes())
}

/// Returns the processes of a container as `ps -ef` shows them.
pub(crate) fn table(engine: &Engine, container: &Container) -> Result<String, Failure> {
    let uptime = std::fs::read_to_string("/proc/uptime")?;
    let uptime: f64 = uptime.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0.0);
    let rows: Vec<_> = engine.processes(container)?.iter().map(|process| row(process, uptime)).collect();
    Ok(table::table(&["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"], &rows))
}

fn row(process: &ProcessEntry, uptime: f64) -> Vec<String> {
    let used = process.ticks / TICKS;
    let age = (uptime - process.start as f64 / TICKS as f64).max(0.0);
    let share = if age > 0.0 { (used as f64 * 100.0 / age).min(99.0) } else { 0.0 };
    let started = Timestamp::now() - jiff::SignedDuration::from_secs(age as i64);
    vec![
        user(process.uid),
        process.pid.to_string(),
        process.parent.to_string(),
        format!("{share:.0}"),
        started.to_zoned(TimeZone::system()).strftime("%H:%M").to_string(),
        process.terminal.clone(),
        format!("{:02}:{:02}:{:02}", used / 3600, used / 60 % 60, used % 60),
        process.command.clone(),
    ]
}

/// Returns the host's name for a user, as ps(1) has it, or its number where it has none.
fn user(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}
