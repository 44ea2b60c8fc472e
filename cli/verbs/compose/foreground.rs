//! `up` in the foreground: logs until all containers have ended; Ctrl-C stops them, a second Ctrl-C kills them.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use lighter_compose::{observe, plan};
use lighter_engine::{Container, Engine, LogQuery, Status};
use nix::libc::SIGKILL;

use super::follower::{Follower, News};
use super::interrupt::Interrupt;
use super::logs::Prefixes;
use super::{outcome, select};
use crate::context::Context;
use crate::error::{Failure, INTERRUPTED};

/// What the end of one container means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing.
    Alone,
    /// They are stopped.
    WithAny,
    /// They are stopped if it failed.
    WithFailure,
}

/// What is followed.
pub(super) struct Foreground<'a> {
    pub(super) project: &'a str,
    /// The services that were started.
    pub(super) services: &'a [String],
    /// All their containers.
    pub(super) containers: Vec<Container>,
    /// Services whose lines are shown.
    pub(super) attached: Vec<String>,
    /// Services that others wait for to have done their work: that one of these ends well ends nothing.
    pub(super) one_shots: Vec<String>,
    /// Lines from before are not ours to show.
    pub(super) since: Timestamp,
    pub(super) timestamps: bool,
    pub(super) prefixes: Prefixes,
    pub(super) ending: Ending,
    pub(super) exit_code_from: Option<&'a str>,
    pub(super) grace: Option<Duration>,
    /// Whether it goes on when nothing runs: somebody is about to start something.
    pub(super) stays: bool,
}

impl Foreground<'_> {
    pub(super) fn run(&self, ctx: &Context, engine: &Engine, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
        let mut follower = Follower::new(engine, self.prefixes.clone(), &self.containers);
        for container in &self.containers {
            follower.add(container, self.query(container, Some(self.since)))?;
        }
        follower.await_others(self.project, &self.containers);
        let done = Arc::new(AtomicBool::new(false));
        self.stop_when_interrupted(ctx, engine, interrupt, &done);
        let mut ended = None;
        let mean = |container: &Container| self.services.iter().any(|name| name == select::service_of(container));
        let is_over = |follower: &Follower| match interrupt.count() {
            0 => !self.stays && follower.is_over(self.project, mean),
            _ => follower.is_idle(),
        };
        while !is_over(&follower) {
            match follower.next() {
                Some(News::Line(id, entry)) => follower.write(&id, &entry, self.timestamps)?,
                Some(News::Began(container)) if mean(&container) => {
                    follower.add(&container, self.query(&container, container.state.started_at))?;
                }
                Some(News::Ended(container)) => {
                    let end = report_end(engine, &container)?;
                    if let Some(code) = end.filter(|code| ended.is_none() && self.ends_all(&container, *code)) {
                        ended = Some(code);
                        self.stop_others(ctx, engine, interrupt);
                    }
                }
                Some(News::Began(_)) | None => {}
            }
        }
        done.store(true, Ordering::SeqCst);
        if interrupt.count() > 0 {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        let code = self.code_from(engine)?.or(ended).unwrap_or(0);
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
    }

    /// Returns which lines of a container are shown; `None` if none are.
    fn query(&self, container: &Container, since: Option<Timestamp>) -> Option<LogQuery> {
        let is_shown = self.attached.iter().any(|service| service == select::service_of(container));
        is_shown.then(|| LogQuery { since, ..LogQuery::default() })
    }

    fn ends_all(&self, container: &Container, code: i32) -> bool {
        let service = select::service_of(container);
        match self.ending {
            Ending::Alone => false,
            Ending::WithAny => code != 0 || !self.one_shots.iter().any(|one_shot| one_shot == service),
            Ending::WithFailure => code != 0,
        }
    }

    fn stop_others(&self, ctx: &Context, engine: &Engine, interrupt: &Interrupt) {
        note("Stopping the others … (Ctrl-C to kill)");
        let (engine, project, grace, color) = (engine.clone(), self.project.to_owned(), self.grace, ctx.ui.color);
        kill_all_at(1, &engine, &project, interrupt);
        thread::spawn(move || {
            if let Err(failure) = stop_quietly(&engine, &project, grace) {
                failure.print(color);
            }
        });
    }

    fn stop_when_interrupted(&self, ctx: &Context, engine: &Engine, interrupt: &Interrupt, done: &Arc<AtomicBool>) {
        let (project, grace, color) = (self.project.to_owned(), self.grace, ctx.ui.color);
        let (engine, interrupt, done) = (engine.clone(), interrupt.clone(), done.clone());
        // ends with the process: it waits for signals that may never come
        thread::spawn(move || {
            interrupt.wait_for(1);
            if done.load(Ordering::SeqCst) {
                return;
            }
            note("Stopping … (Ctrl-C again to kill)");
            if let Err(failure) = stop_quietly(&engine, &project, grace) {
                failure.print(color);
            }
        });
    }

    /// Returns how the container ended whose exit code is asked for.
    fn code_from(&self, engine: &Engine) -> Result<Option<i32>, Failure> {
        let Some(service) = self.exit_code_from else { return Ok(None) };
        let Some(container) = self.containers.iter().find(|c| select::service_of(c) == service) else {
            return Err(Failure::text(format!("--exit-code-from `{service}`: no container of it was started")));
        };
        let container = engine.load(&container.id)?;
        Ok(container.and_then(|container| container.state.exit_code))
    }
}

/// Says how a container has ended; `None` if it is gone altogether.
fn report_end(engine: &Engine, container: &Container) -> Result<Option<i32>, Failure> {
    let container = engine.load(&container.id)?;
    let Some(container) = container.filter(|container| container.state.status == Status::Exited) else {
        return Ok(None);
    };
    let code = container.state.exit_code.unwrap_or(0);
    let cause = container.out_of_memory().map(|text| format!(" ({text})")).unwrap_or_default();
    note(&format!("{} exited with code {code}{cause}", select::display_name(&container)));
    Ok(Some(code))
}

/// Stops the project's containers in the reverse of their start order, and shows how it goes.
pub(super) fn stop_all(ctx: &Context, engine: &Engine, project: &str, grace: Option<Duration>) -> Result<(), Failure> {
    let turn = outcome::turn(ctx, engine, project)?;
    let observed = observe(project, engine)?;
    outcome::apply_plan(ctx, engine, &turn, &plan::control::stop(&observed, &[], grace))
}

fn stop_quietly(engine: &Engine, project: &str, grace: Option<Duration>) -> Result<(), Failure> {
    let plan = plan::control::stop(&observe(project, engine)?, &[], grace);
    Ok(outcome::apply_silently(engine, &plan)?)
}

/// Has all containers of the project killed once there were `count` signals; ends with the process.
pub(super) fn kill_all_at(count: usize, engine: &Engine, project: &str, interrupt: &Interrupt) {
    let (engine, project, interrupt) = (engine.clone(), project.to_owned(), interrupt.clone());
    thread::spawn(move || {
        interrupt.wait_for(count);
        let _ = kill_all(&engine, &project); // what still lives is said by `ps`
    });
}

fn kill_all(engine: &Engine, project: &str) -> Result<(), Failure> {
    let plan = plan::control::kill(&observe(project, engine)?, &[], SIGKILL);
    Ok(outcome::apply_silently(engine, &plan)?)
}

fn note(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{}", crate::ui::printable(text));
}
