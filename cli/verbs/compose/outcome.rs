//! Applying a plan and showing how it goes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lighter_compose::apply::{ApplyError, ApplyOptions, DEFAULT_PARALLEL, Silent, Turn};
use lighter_compose::plan::Plan;
use lighter_compose::{Diagnostic, apply};
use lighter_engine::Engine;
use nix::poll::PollTimeout;

use crate::context::Context;
use crate::error::{Failure, INTERRUPTED};
use crate::ui::{progress, steps};

/// How long one look at whose turn it is stands, in milliseconds.
const LOOK_EVERY: u8 = 100;

/// Waits until no other command changes the project, and says for whom.
pub(super) fn turn(ctx: &Context, engine: &Engine, project: &str) -> Result<Turn, Failure> {
    turn_until(ctx, engine, project, &AtomicBool::new(false))
}

/// As [`turn`]; gives up once `interrupted` is set.
pub(super) fn turn_until(
    ctx: &Context,
    engine: &Engine,
    project: &str,
    interrupted: &AtomicBool,
) -> Result<Turn, Failure> {
    let turn = Turn::new(engine, project);
    let mut is_said = false;
    while let Err(holder) = turn.take()? {
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::silent(INTERRUPTED));
        }
        if !std::mem::replace(&mut is_said, true) {
            ctx.ui.note(format!(" …  {}", steps::queued(project, holder.as_ref())));
        }
        let _ = nix::poll::poll(&mut [], PollTimeout::from(LOOK_EVERY)); // a pause; a signal only makes it shorter
    }
    Ok(turn)
}

/// Applies a plan, a line on stderr for each step.
pub(super) fn apply_plan(ctx: &Context, engine: &Engine, turn: &Turn, plan: &Plan) -> Result<(), Failure> {
    apply_until(ctx, engine, plan, Until { turn: Some(turn), interrupted: &AtomicBool::new(false), deadline: None })
}

/// As [`apply_plan`], whoever changes the project meanwhile: for what must never wait.
pub(super) fn apply_at_once(ctx: &Context, engine: &Engine, plan: &Plan) -> Result<(), Failure> {
    apply_until(ctx, engine, plan, Until { turn: None, interrupted: &AtomicBool::new(false), deadline: None })
}

/// What ends the application of a plan early, and whose turn it is.
#[derive(Clone, Copy)]
pub(super) struct Until<'a> {
    pub(super) turn: Option<&'a Turn>,
    /// No further step begins once it is set.
    pub(super) interrupted: &'a AtomicBool,
    /// Waits are given up then.
    pub(super) deadline: Option<Instant>,
}

/// As [`apply_plan`], with an end.
pub(super) fn apply_until(ctx: &Context, engine: &Engine, plan: &Plan, until: Until<'_>) -> Result<(), Failure> {
    apply_hinting(ctx, engine, plan, until, &|_| None)
}

/// As [`apply_until`]; of an error, `hint` says what it has to do with the project's file.
pub(super) fn apply_hinting(
    ctx: &Context,
    engine: &Engine,
    plan: &Plan,
    until: Until<'_>,
    hint: &dyn Fn(&ApplyError) -> Option<String>,
) -> Result<(), Failure> {
    if ctx.manner.dry_run {
        return show_plan(ctx, plan);
    }
    let Until { turn, interrupted, deadline } = until;
    let options = ApplyOptions { parallel: parallel_limit(ctx)?, interrupted, turn, deadline };
    let style = progress::style(ctx, None, false)?;
    let shown = steps::of(style, ctx.ui.interactive, ctx.ui.color, turn.map_or("", Turn::project));
    match apply(plan, engine, options, shown.as_ref()) {
        Ok(_) => Ok(()),
        Err(ApplyError::Interrupted) => Err(Failure::silent(INTERRUPTED)),
        Err(error) => {
            let hint = hint(&error);
            Err(hint.into_iter().fold(Failure::from(error), Failure::hint))
        }
    }
}

/// Shows a plan instead of applying it.
pub(super) fn show_plan(ctx: &Context, plan: &Plan) -> Result<(), Failure> {
    plan.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
    let text = plan.to_string();
    if text.is_empty() { ctx.ui.line("nothing to do") } else { ctx.ui.line(text.trim_end()) }
}

/// A fault of the user's file, drawn; everything else as text.
pub(super) fn fault(diagnostic: Diagnostic) -> Failure {
    Failure::diagnostics(vec![diagnostic])
}

/// Returns how many things are done at once; 0 is no limit.
pub(super) fn parallel_limit(ctx: &Context) -> Result<usize, Failure> {
    let of_environment = ctx
        .variable("COMPOSE_PARALLEL_LIMIT")
        .map(|text| text.parse().map_err(|_| Failure::text(format!("COMPOSE_PARALLEL_LIMIT `{text}` is no number"))));
    let Some(limit) = ctx.manner.parallel.map(Ok).or(of_environment) else { return Ok(DEFAULT_PARALLEL) };
    let limit: i64 = limit?;
    Ok(usize::try_from(limit).unwrap_or(0)) // -1 and 0: no limit
}

/// Applies a plan without a word: the logs of what it stops are on the screen.
pub(super) fn apply_silently(engine: &Engine, plan: &Plan) -> Result<(), ApplyError> {
    let interrupted = AtomicBool::new(false);
    let options = ApplyOptions { parallel: 0, interrupted: &interrupted, turn: None, deadline: None };
    apply(plan, engine, options, &Silent).map(|_| ())
}
