//! `lighter runtime ps`

use std::collections::BTreeSet;
use std::process::Command;

use super::{RuntimeContext, failed};
use crate::error::Failure;

/// List the processes of a container
#[derive(Debug, clap::Args)]
pub(super) struct PsArgs {
    /// As `ps` shows them, or their pids as JSON
    #[arg(short, long, default_value = "table", value_parser = ["table", "json"])]
    format: String,
    /// Name of the container
    id: String,
    /// Options of `ps`; `-ef` if none are given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTION")]
    options: Vec<String>,
}

pub(super) fn run(ctx: &RuntimeContext, args: &PsArgs) -> Result<(), Failure> {
    let container = ctx.root.open(&args.id).map_err(failed("list the processes of", &args.id))?;
    let pids: BTreeSet<i32> =
        container.pids().map_err(failed("list the processes of", &args.id))?.into_iter().collect();
    if args.format == "json" {
        return ctx.print(&format!("{}\n", serde_json::to_string(&pids)?));
    }
    ctx.print(&of_ps(&args.options, &pids)?)
}

/// Returns what the host's `ps` prints with these options about these processes.
pub(in crate::verbs) fn of_ps(options: &[String], pids: &BTreeSet<i32>) -> Result<String, Failure> {
    select(&ps(options)?, pids)
}

/// What the host's `ps` prints: its options and columns are what was asked for by name.
fn ps(options: &[String]) -> Result<String, Failure> {
    #[expect(clippy::disallowed_methods, reason = "the options are those of ps(1), whose output is wanted")]
    let mut command = Command::new("ps");
    if options.is_empty() {
        command.arg("-ef");
    }
    let output = command.args(options).output();
    let output = output.map_err(|error| {
        Failure::text(format!("run `ps`: {error}")).hint("install procps, or use --format json, which needs no `ps`")
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::text(format!("run `ps`: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Keeps the heading and the lines of these processes.
fn select(table: &str, pids: &BTreeSet<i32>) -> Result<String, Failure> {
    let mut lines = table.lines();
    let heading = lines.next().unwrap_or_default();
    let column = heading.split_whitespace().position(|name| name == "PID");
    let column =
        column.ok_or_else(|| Failure::text("run `ps`: what it prints has no column `PID` to choose lines by"))?;
    let pid = |line: &str| line.split_whitespace().nth(column)?.parse::<i32>().ok();
    let chosen = lines.filter(|line| pid(line).is_some_and(|pid| pids.contains(&pid)));
    Ok([heading].into_iter().chain(chosen).map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_chosen_by_the_column_of_the_pid() {
        let table = "UID   PID  PPID CMD\nroot    1     0 init\nroot   12     1 12\nroot  121    12 sh\n";
        let chosen = select(table, &BTreeSet::from([12])).unwrap_or_default();
        assert_eq!(chosen, "UID   PID  PPID CMD\nroot   12     1 12\n");
        assert!(select("CMD\ninit\n", &BTreeSet::new()).is_err());
    }
}
