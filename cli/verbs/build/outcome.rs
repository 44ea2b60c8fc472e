//! How a build's end is told: findings of `--check`, and what a failed step leaves to look at.

use std::process::ExitCode;

use lighter_engine::Engine;
use lighter_engine::images::build::{self, BuildError, BuildRequest, FailedRun};

use super::shell;
use crate::context::Context;
use crate::error::{Failure, INTERRUPTED};

/// Why a build ended without a result.
pub(crate) enum Stopped {
    /// A RUN has failed.
    Run(Box<FailedRun>),
    /// The user has given up.
    Cancelled,
    /// Anything else.
    Other(Failure),
}

impl From<BuildError> for Stopped {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Failed(failed) => Stopped::Run(failed),
            BuildError::Cancelled => Stopped::Cancelled,
            other => Stopped::Other(other.into()),
        }
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Stopped::Other(failure)
    }
}

impl From<lighter_engine::BuildSessionError> for Stopped {
    fn from(error: lighter_engine::BuildSessionError) -> Self {
        Stopped::Other(error.into())
    }
}

impl From<lighter_engine::images::store::StoreError> for Stopped {
    fn from(error: lighter_engine::images::store::StoreError) -> Self {
        Stopped::Other(error.into())
    }
}

impl Stopped {
    /// Says what happened, and opens a shell in the state before the failed step if that is wanted.
    pub(crate) fn explain(self, ctx: &Context, engine: &Engine, wants_shell: bool) -> Result<ExitCode, Failure> {
        match self {
            Stopped::Cancelled => Err(Failure::silent(INTERRUPTED)),
            Stopped::Other(failure) => Err(failure),
            Stopped::Run(failed) => {
                let failure = failed_run(&failed);
                if !wants_shell {
                    return Err(failure.hint("look inside with --debug-shell"));
                }
                failure.print(ctx.ui.color);
                shell::open(ctx, engine, &failed.process)?;
                Err(Failure::silent(crate::error::FAILED))
            }
        }
    }

    /// Returns the failure, for who builds several images.
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Stopped::Cancelled => Failure::silent(INTERRUPTED),
            Stopped::Other(failure) => failure,
            Stopped::Run(failed) => failed_run(&failed),
        }
    }
}

/// The place, the instruction, the end of its output, the code.
fn failed_run(failed: &FailedRun) -> Failure {
    let output = String::from_utf8_lossy(&failed.output);
    let lines: Vec<&str> = output.lines().collect();
    let last = &lines[lines.len().saturating_sub(10)..];
    let mut text = format!("{}: {}\n", failed.place, failed.step.lines().next().unwrap_or_default());
    last.iter().for_each(|line| text.push_str(&format!("  | {line}\n")));
    text.push_str(&format!(
        "process `{}` did not complete successfully: exit code: {}",
        failed.command, failed.exit_code
    ));
    Failure::text(text)
}

/// Warns of arguments that the file does not take. What is wrong with the file itself is said by the build.
pub(super) fn warn_of_unused(ctx: &Context, request: &BuildRequest) {
    for name in build::unused_arguments(request).unwrap_or_default() {
        ctx.ui.warn(format!("--build-arg `{name}`: no ARG of `{}` takes it", request.file_name));
    }
}

/// Prints the findings; they make the command fail.
pub(crate) fn check(ctx: &Context, request: &BuildRequest) -> Result<ExitCode, Failure> {
    let file = &request.file_name;
    let (warnings, _) =
        build::check(request).map_err(|fault| Failure::text(format!("{file}:{}: {}", fault.line, fault.problem)))?;
    if warnings.is_empty() {
        ctx.ui.line("Check complete, no warnings found.")?;
        return Ok(ExitCode::SUCCESS);
    }
    for warning in &warnings {
        ctx.ui.line(format!("{file}:{}: {}: {}", warning.line, warning.rule, warning.text))?;
    }
    let count = warnings.len();
    ctx.ui.line(format!("Check complete, {count} {} found.", if count == 1 { "warning" } else { "warnings" }))?;
    Ok(ExitCode::from(crate::error::FAILED))
}
