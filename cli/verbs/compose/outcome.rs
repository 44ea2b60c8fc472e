//! Applying a plan and showing how it goes.

use std::sync::atomic::AtomicBool;

use lighter_compose::apply::{ApplyError, ApplyOptions, DEFAULT_PARALLEL, Event, Progress, Silent};
use lighter_compose::plan::{Op, Plan};
use lighter_compose::{Diagnostic, apply};
use lighter_engine::Engine;

use crate::context::Context;
use crate::error::{Failure, INTERRUPTED};

/// Applies a plan, a line on stderr for each step.
pub(super) fn apply_plan(ctx: &Context, engine: &Engine, plan: &Plan) -> Result<(), Failure> {
    apply_until(ctx, engine, plan, &AtomicBool::new(false))
}

/// As [`apply_plan`]; no further step begins once `interrupted` is set.
pub(super) fn apply_until(
    ctx: &Context,
    engine: &Engine,
    plan: &Plan,
    interrupted: &AtomicBool,
) -> Result<(), Failure> {
    let options = ApplyOptions { parallel: parallel_limit(ctx)?, interrupted };
    match apply(plan, engine, options, &Steps { ctx }) {
        Ok(_) => Ok(()),
        Err(ApplyError::Interrupted) => Err(Failure::silent(INTERRUPTED)),
        Err(error) => Err(error.into()),
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

fn parallel_limit(ctx: &Context) -> Result<usize, Failure> {
    let Some(text) = ctx.variable("COMPOSE_PARALLEL_LIMIT") else { return Ok(DEFAULT_PARALLEL) };
    let limit: i64 =
        text.parse().map_err(|_| Failure::text(format!("COMPOSE_PARALLEL_LIMIT `{text}` is no number")))?;
    Ok(usize::try_from(limit).unwrap_or(0)) // -1 and 0: no limit
}

struct Steps<'a> {
    ctx: &'a Context,
}

impl Progress for Steps<'_> {
    fn report(&self, event: Event<'_>) {
        match event {
            Event::Done { step, .. } => self.done(&step.op),
            Event::Began { step, .. } => self.began(&step.op),
            Event::Warning(text) => self.ctx.ui.warn(text),
            Event::Failed { .. } => {} // it is the result
        }
    }
}

impl Steps<'_> {
    /// Only what takes its time is announced.
    fn began(&self, op: &Op) {
        if matches!(op, Op::Wait { .. } | Op::Stop { .. }) {
            self.ctx.ui.note(format!(" …  {op}"));
        }
    }

    fn done(&self, op: &Op) {
        let mark = if self.ctx.ui.color { "\u{1b}[32m✔\u{1b}[0m" } else { "✔" };
        // the text may hold names from a file: made harmless; the mark is ours
        use std::io::Write;
        let _ = writeln!(std::io::stderr().lock(), " {mark}  {}", crate::ui::printable(&op.to_string()));
    }
}

/// Applies a plan without a word: the logs of what it stops are on the screen.
pub(super) fn apply_silently(engine: &Engine, plan: &Plan) -> Result<(), ApplyError> {
    let interrupted = AtomicBool::new(false);
    let options = ApplyOptions { parallel: 0, interrupted: &interrupted };
    apply(plan, engine, options, &Silent).map(|_| ())
}
