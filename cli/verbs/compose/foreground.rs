//! `up` in the foreground: logs until all containers have ended; Ctrl-C stops them, a second Ctrl-C kills them.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use lighter_compose::{observe, plan};
use lighter_engine::{Container, Engine, LogQuery};
use nix::libc::SIGKILL;

use super::interrupt::Interrupt;
use super::logs::{LogLines, Prefixes};
use super::{outcome, select};
use crate::context::Context;
use crate::error::{Failure, INTERRUPTED};

/// What is followed.
pub(super) struct Foreground<'a> {
    pub(super) project: &'a str,
    pub(super) containers: Vec<Container>,
    /// Lines from before are not ours to show.
    pub(super) since: Timestamp,
    pub(super) timestamps: bool,
    pub(super) prefixes: Prefixes,
    pub(super) abort_on_exit: bool,
    pub(super) exit_code_from: Option<&'a str>,
    pub(super) grace: Option<Duration>,
}

impl Foreground<'_> {
    pub(super) fn run(&self, ctx: &Context, engine: &Engine, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
        let query = LogQuery { follow: true, since: Some(self.since), ..LogQuery::default() };
        let lines = LogLines::new(engine, &self.containers, &query, self.prefixes)?;
        let ended = Arc::new(AtomicBool::new(false));
        thread::scope(|scope| {
            // these threads end with the process: they wait for signals that may never come
            self.stop_when_interrupted(ctx, engine, interrupt, &ended);
            if self.abort_on_exit {
                scope.spawn(|| self.stop_when_one_ends(ctx, engine, &ended));
            }
            for (prefix, entry) in lines.receiver {
                prefix.write(&entry, self.timestamps)?;
            }
            ended.store(true, Ordering::SeqCst);
            Ok::<_, Failure>(())
        })?;
        if interrupt.count() > 0 {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        self.exit_code(engine)
    }

    fn stop_when_interrupted(&self, ctx: &Context, engine: &Engine, interrupt: &Interrupt, ended: &Arc<AtomicBool>) {
        let (project, grace, color) = (self.project.to_owned(), self.grace, ctx.ui.color);
        let (engine, interrupt, ended) = (engine.clone(), interrupt.clone(), ended.clone());
        thread::spawn(move || {
            interrupt.wait_for(1);
            if ended.load(Ordering::SeqCst) {
                return;
            }
            note("Stopping … (Ctrl-C again to kill)");
            let killer = (engine.clone(), project.clone());
            thread::spawn(move || {
                interrupt.wait_for(2);
                let _ = kill_all(&killer.0, &killer.1); // what still lives is said by `ps`
            });
            if let Err(failure) = stop_quietly(&engine, &project, grace) {
                failure.print(color);
            }
        });
    }

    fn stop_when_one_ends(&self, ctx: &Context, engine: &Engine, ended: &Arc<AtomicBool>) {
        let (sender, receiver) = std::sync::mpsc::channel();
        for container in &self.containers {
            let watched = self.exit_code_from.is_none_or(|service| service == select::service_of(container));
            if watched {
                let (engine, container, sender) = (engine.clone(), container.clone(), sender.clone());
                thread::spawn(move || {
                    let ended = engine.wait(&container, None).map(|_| container);
                    let _ = sender.send(ended); // another one ended first
                });
            }
        }
        drop(sender);
        if let Ok(Ok(container)) = receiver.recv()
            && !ended.load(Ordering::SeqCst)
        {
            note(&format!("{} ended: stopping the others", select::display_name(&container)));
            if let Err(failure) = stop_quietly(engine, self.project, self.grace) {
                failure.print(ctx.ui.color);
            }
        }
    }

    fn exit_code(&self, engine: &Engine) -> Result<ExitCode, Failure> {
        if !self.abort_on_exit {
            return Ok(ExitCode::SUCCESS);
        }
        let mut ended: Vec<_> = Vec::new();
        for container in &self.containers {
            ended.extend(engine.load(&container.id)?);
        }
        ended.retain(|container| self.exit_code_from.is_none_or(|service| service == select::service_of(container)));
        let first = ended.iter().min_by_key(|container| container.state.finished_at);
        let code = first.and_then(|container| container.state.exit_code).unwrap_or(0);
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
    }
}

/// Stops the project's containers in the reverse of their start order, and shows how it goes.
pub(super) fn stop_all(ctx: &Context, engine: &Engine, project: &str, grace: Option<Duration>) -> Result<(), Failure> {
    let observed = observe(project, engine)?;
    outcome::apply_plan(ctx, engine, &plan::control::stop(&observed, &[], grace))
}

fn stop_quietly(engine: &Engine, project: &str, grace: Option<Duration>) -> Result<(), Failure> {
    let plan = plan::control::stop(&observe(project, engine)?, &[], grace);
    Ok(outcome::apply_silently(engine, &plan)?)
}

fn kill_all(engine: &Engine, project: &str) -> Result<(), Failure> {
    let plan = plan::control::kill(&observe(project, engine)?, &[], SIGKILL);
    Ok(outcome::apply_silently(engine, &plan)?)
}

fn note(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
