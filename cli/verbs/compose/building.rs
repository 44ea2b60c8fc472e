//! Builds of several services at once.
//!
//! Runs in the command: a thread for each build. One begins when those whose images it stands on are done and there is room; when
//! one has failed, the others are given up.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::{panic, thread};

use lighter_compose::model::{Build, Service};

use crate::verbs::build::Stopped;

/// How many builds have come how far.
#[derive(Default)]
struct State<'a> {
    running: usize,
    done: BTreeSet<&'a str>,
    /// How the first has failed.
    failure: Option<Stopped>,
}

struct Schedule<'a> {
    state: Mutex<State<'a>>,
    changed: Condvar,
    /// How many run at once.
    limit: usize,
}

/// A build of several.
pub(super) struct Target<'a> {
    /// The service.
    pub(super) name: &'a str,
    /// The services whose images it stands on.
    below: Vec<&'a str>,
}

impl<'a> Target<'a> {
    pub(super) fn of(service: &'a Service) -> Target<'a> {
        Target { name: &service.name, below: service.build.iter().flat_map(Build::services).collect() }
    }
}

/// Calls `build` for every target, those that others stand on first; `limit` at once, 0 is as many as there are.
///
/// # Errors
/// The first failure. `cancelled` is set then.
pub(super) fn all(
    targets: &[Target<'_>],
    limit: usize,
    cancelled: &AtomicBool,
    build: &(dyn Fn(&str) -> Result<(), Stopped> + Sync),
) -> Result<(), Stopped> {
    let limit = if limit == 0 { targets.len() } else { limit };
    let schedule = Schedule { state: Mutex::default(), changed: Condvar::new(), limit };
    let names: BTreeSet<&str> = targets.iter().map(|target| target.name).collect();
    thread::scope(|scope| {
        for target in targets {
            let below: Vec<&str> = target.below.iter().copied().filter(|name| names.contains(name)).collect();
            let schedule = &schedule;
            scope.spawn(move || {
                if schedule.begin(&below) {
                    // Whoever waits for this one must hear even of a panic.
                    let result = panic::catch_unwind(panic::AssertUnwindSafe(|| build(target.name)));
                    let is_done = matches!(result, Ok(Ok(())));
                    cancelled.fetch_or(!is_done, Ordering::SeqCst);
                    let failure = match result {
                        Ok(result) => result.err(),
                        Err(_) => Some(Stopped::Cancelled),
                    };
                    schedule.end(target.name, failure);
                }
            });
        }
    });
    let state = schedule.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.failure.map_or(Ok(()), Err)
}

impl<'a> Schedule<'a> {
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a build may begin; `false` if it need not any more.
    fn begin(&self, below: &[&str]) -> bool {
        let must_wait = |state: &mut State<'_>| {
            let is_ready = state.running < self.limit && below.iter().all(|name| state.done.contains(name));
            state.failure.is_none() && !is_ready
        };
        let mut state = self.changed.wait_while(self.lock(), must_wait).unwrap_or_else(PoisonError::into_inner);
        state.running += 1;
        state.failure.is_none()
    }

    fn end(&self, name: &'a str, failure: Option<Stopped>) {
        let mut state = self.lock();
        state.running -= 1;
        state.done.insert(name);
        state.failure = state.failure.take().or(failure);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    fn target<'a>(name: &'a str, below: &[&'a str]) -> Target<'a> {
        Target { name, below: below.to_vec() }
    }

    #[test]
    fn what_others_stand_on_is_built_first_and_the_rest_beside_it() {
        let targets = [target("a", &[]), target("b", &["a"]), target("c", &["a", "b"]), target("d", &["elsewhere"])];
        for limit in [0, 1] {
            let order = Mutex::new(Vec::new());
            let build = |name: &str| {
                order.lock().unwrap().push(name.to_owned());
                Ok(())
            };
            assert!(all(&targets, limit, &AtomicBool::new(false), &build).is_ok());
            let mut order = order.into_inner().unwrap();
            order.retain(|name| name != "d");
            assert_eq!(order, ["a", "b", "c"]);
        }
    }

    #[test]
    fn after_a_failure_nothing_more_begins() {
        let targets = [target("a", &[]), target("b", &["a"])];
        let (cancelled, built) = (AtomicBool::new(false), Mutex::new(0));
        let build = |_: &str| {
            *built.lock().unwrap() += 1;
            Err(Stopped::Other(Failure::text("no")))
        };
        assert!(matches!(all(&targets, 0, &cancelled, &build), Err(Stopped::Other(_))));
        assert_eq!((cancelled.into_inner(), built.into_inner().unwrap()), (true, 1));
    }
}
