//! Which step runs when.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::execute::Ended;
use super::{ApplyError, ApplyOptions, Event, Outcome, Progress, StepError, Turn};
use crate::plan::{Op, Plan, Step, StepId};

/// How soon an interruption is seen while steps run.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What runs one step; the flag is set when it should give up waiting.
pub(super) type Execute<'a> = dyn Fn(&Step, &AtomicBool) -> Result<Ended, StepError> + Sync + 'a;

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
                run.failure.get_or_insert(ApplyError::Interrupted);
            }
            if options.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                run.time_out();
            }
            let is_our_turn = run.is_our_turn(progress);
            if run.failure.is_some() {
                cancelled.store(true, Ordering::Relaxed);
            }
            while let Some(id) = run.next(is_our_turn) {
                let (step, sender, cancelled) = (&plan.steps[id], sender.clone(), &cancelled);
                progress.report(Event::Began { id, step });
                scope.spawn(move || {
                    // The receiver lives until every step has reported.
                    let _ = sender.send((id, execute(step, cancelled)));
                });
            }
            if run.running.is_empty() && (is_our_turn || run.failure.is_some()) {
                break;
            }
            // Also the pause between two looks at whose turn it is.
            let Ok((id, result)) = results.recv_timeout(LOOK_EVERY) else { continue };
            run.take(id, result, progress);
        }
    });
    if let Some(turn) = options.turn {
        turn.give_up();
    }
    match run.failure {
        Some(failure) => Err(failure),
        None => Ok(run.outcome),
    }
}

/// Where the plan stands.
struct Run<'a> {
    plan: &'a Plan,
    limit: usize,
    turn: Option<&'a Turn>,
    /// Whether it was said that another command goes first.
    queued: bool,
    /// Steps that have not begun.
    waiting: Vec<StepId>,
    running: Vec<StepId>,
    done: Vec<bool>,
    failure: Option<ApplyError>,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, options: ApplyOptions<'a>) -> Self {
        Self {
            plan,
            limit: if options.parallel == 0 { usize::MAX } else { options.parallel },
            turn: options.turn,
            queued: false,
            waiting: (0..plan.steps.len()).collect(),
            running: Vec::new(),
            done: vec![false; plan.steps.len()],
            failure: None,
            outcome: Outcome::default(),
        }
    }

    fn is_wait(&self, id: StepId) -> bool {
        matches!(self.plan.steps[id].op, Op::Wait { .. })
    }

    /// Returns whether a step is one of those of which only so many run at once. A stop is not, nor is the end of a network: most
    /// of it is to wait, until the container ends or the kernel has let the bridge go, and who waits is in nobody's way.
    fn holds_place(&self, id: StepId) -> bool {
        !matches!(self.plan.steps[id].op, Op::Wait { .. } | Op::Stop { .. } | Op::DeleteNetwork { .. })
    }

    fn is_ready(&self, id: StepId) -> bool {
        self.plan.steps[id].after.iter().all(|before| self.done[*before])
    }

    /// Takes the turn if there is something to change, gives it up if all that is left is to wait; returns whether it is ours
    /// or not needed.
    fn is_our_turn(&mut self, progress: &dyn Progress) -> bool {
        let Some(turn) = self.turn else { return true };
        let works = self.running.iter().any(|id| !self.is_wait(*id));
        let has_work = self.failure.is_none() && self.waiting.iter().any(|id| !self.is_wait(*id) && self.is_ready(*id));
        if !works && !has_work {
            turn.give_up();
            return true;
        }
        match turn.take() {
            Ok(Ok(())) => true,
            Ok(Err(holder)) => {
                if !std::mem::replace(&mut self.queued, true) {
                    progress.report(Event::Queued(holder.as_ref()));
                }
                false
            }
            Err(error) => {
                self.failure.get_or_insert(error.into());
                false
            }
        }
    }

    /// Gives up the waits that run.
    fn time_out(&mut self) {
        let waits = self.running.iter().filter(|id| self.is_wait(**id));
        let waits: Vec<_> = waits.map(|id| self.plan.steps[*id].op.to_string().replace("wait ", "waiting ")).collect();
        if !waits.is_empty() {
            self.failure.get_or_insert(ApplyError::TimedOut { waits });
        }
    }

    /// Takes the next step that may begin now; only waits may unless it is our turn.
    fn next(&mut self, is_our_turn: bool) -> Option<StepId> {
        if self.failure.is_some() {
            return None;
        }
        let at_work = self.running.iter().filter(|id| self.holds_place(**id)).count();
        let may_begin = |id: StepId| {
            let has_place = !self.holds_place(id) || at_work < self.limit;
            has_place && (is_our_turn || self.is_wait(id)) && self.is_ready(id)
        };
        let index = self.waiting.iter().position(|id| may_begin(*id))?;
        let id = self.waiting.remove(index);
        self.running.push(id);
        Some(id)
    }

    /// Notes how a step ended.
    fn take(&mut self, id: StepId, result: Result<Ended, StepError>, progress: &dyn Progress) {
        let step = &self.plan.steps[id];
        self.running.retain(|running| *running != id);
        match result {
            Ok(Ended::Passed(why)) => {
                self.done[id] = true;
                progress.report(Event::Passed { id, step, why: &why });
                self.outcome.warnings.push(why);
            }
            Ok(Ended::Done(warnings)) => {
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
