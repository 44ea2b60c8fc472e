//! Which step runs when.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{ApplyError, ApplyOptions, Event, Outcome, Progress, StepError};
use crate::plan::{Op, Plan, Step, StepId};

/// How soon an interruption is seen while steps run.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What runs one step; the flag is set when it should give up waiting. Returns warnings.
pub(super) type Execute<'a> = dyn Fn(&Step, &AtomicBool) -> Result<Vec<String>, StepError> + Sync + 'a;

/// Runs the steps of `plan`, each after those it needs.
pub(super) fn run(
    plan: &Plan,
    options: ApplyOptions<'_>,
    progress: &dyn Progress,
    execute: &Execute<'_>,
) -> Result<Outcome, ApplyError> {
    let cancelled = AtomicBool::new(false);
    let mut run = Run::new(plan, options);
    thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        loop {
            if options.interrupted.load(Ordering::Relaxed) {
                cancelled.store(true, Ordering::Relaxed);
                run.failure.get_or_insert(ApplyError::Interrupted);
            }
            while let Some(id) = run.next() {
                let (step, sender, cancelled) = (&plan.steps[id], sender.clone(), &cancelled);
                progress.report(Event::Began { id, step });
                scope.spawn(move || {
                    // The receiver lives until every step has reported.
                    let _ = sender.send((id, execute(step, cancelled)));
                });
            }
            if run.running.is_empty() {
                break;
            }
            let Ok((id, result)) = results.recv_timeout(LOOK_EVERY) else { continue };
            run.take(id, result, progress);
            if run.failure.is_some() {
                cancelled.store(true, Ordering::Relaxed);
            }
        }
    });
    match run.failure {
        Some(failure) => Err(failure),
        None => Ok(run.outcome),
    }
}

/// Where the plan stands.
struct Run<'a> {
    plan: &'a Plan,
    limit: usize,
    /// Steps that have not begun.
    waiting: Vec<StepId>,
    running: Vec<StepId>,
    done: Vec<bool>,
    failure: Option<ApplyError>,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, options: ApplyOptions<'_>) -> Self {
        Self {
            plan,
            limit: if options.parallel == 0 { usize::MAX } else { options.parallel },
            waiting: (0..plan.steps.len()).collect(),
            running: Vec::new(),
            done: vec![false; plan.steps.len()],
            failure: None,
            outcome: Outcome::default(),
        }
    }

    /// Takes the next step that may begin now.
    fn next(&mut self) -> Option<StepId> {
        if self.failure.is_some() {
            return None;
        }
        let is_wait = |id: StepId| matches!(self.plan.steps[id].op, Op::Wait { .. });
        let at_work = self.running.iter().filter(|id| !is_wait(**id)).count();
        let may_begin = |id: StepId| {
            let has_place = is_wait(id) || at_work < self.limit;
            has_place && self.plan.steps[id].after.iter().all(|before| self.done[*before])
        };
        let index = self.waiting.iter().position(|id| may_begin(*id))?;
        let id = self.waiting.remove(index);
        self.running.push(id);
        Some(id)
    }

    /// Notes how a step ended.
    fn take(&mut self, id: StepId, result: Result<Vec<String>, StepError>, progress: &dyn Progress) {
        let step = &self.plan.steps[id];
        self.running.retain(|running| *running != id);
        match result {
            Ok(warnings) => {
                self.done[id] = true;
                self.outcome.done += 1;
                warnings.iter().for_each(|warning| progress.report(Event::Warning(warning)));
                self.outcome.warnings.extend(warnings);
                progress.report(Event::Done { id, step });
            }
            Err(StepError::Cancelled) => {}
            Err(error) => {
                progress.report(Event::Failed { id, step, error: &error });
                let failure = ApplyError::Step { act: step.op.to_string(), source: Box::new(error) };
                self.failure.get_or_insert(failure);
            }
        }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
