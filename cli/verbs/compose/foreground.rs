//! `up` in the foreground: logs until all containers have ended; Ctrl-C stops them, a second Ctrl-C kills them.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use lighter_compose::{observe, plan};
use lighter_engine::{Container, Engine, LogEntry, LogQuery, Status};
use nix::libc::SIGKILL;

use super::interrupt::Interrupt;
use super::logs::Prefixes;
use super::{outcome, select};
use crate::context::Context;
use crate::error::{Failure, INTERRUPTED};
use crate::ui::logs::LinePrefix;

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
    /// All that were started.
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
}

/// News of one container.
enum News {
    Line(usize, LogEntry),
    Ended(usize),
}

impl Foreground<'_> {
    pub(super) fn run(&self, ctx: &Context, engine: &Engine, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
        let (sender, news) = mpsc::sync_channel(1024);
        for index in 0..self.containers.len() {
            self.follow(engine, index, sender.clone())?;
        }
        drop(sender);
        let done = Arc::new(AtomicBool::new(false));
        self.stop_when_interrupted(ctx, engine, interrupt, &done);
        let prefixes = self.prefixes();
        let mut ended = None;
        for news in news {
            match news {
                News::Line(index, entry) => prefixes[index].write(&entry, self.timestamps)?,
                News::Ended(index) => {
                    let end = self.report_end(engine, index)?;
                    if let Some(code) = end.filter(|code| ended.is_none() && self.ends_all(index, *code)) {
                        ended = Some(code);
                        self.stop_others(ctx, engine, interrupt);
                    }
                }
            }
        }
        done.store(true, Ordering::SeqCst);
        if interrupt.count() > 0 {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        let code = self.code_from(engine)?.or(ended).unwrap_or(0);
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
    }

    /// Sends a container's lines, if they are to be shown, and then its end.
    fn follow(&self, engine: &Engine, index: usize, sender: SyncSender<News>) -> Result<(), Failure> {
        let container = self.containers[index].clone();
        let query = LogQuery { follow: true, since: Some(self.since), whole_lines: true, ..LogQuery::default() };
        let is_shown = self.attached.iter().any(|service| service == select::service_of(&container));
        let reader =
            if is_shown && container.spec.log.is_kept() { Some(engine.logs(&container, query)?) } else { None };
        let engine = engine.clone();
        // ends with the container, or when nobody listens any more
        thread::spawn(move || {
            let mut lines = reader.into_iter().flatten().map_while(Result::ok);
            lines.try_for_each(|entry| sender.send(News::Line(index, entry)))?;
            let _ = engine.wait(&container, None); // what cannot be waited for has ended as well
            sender.send(News::Ended(index))
        });
        Ok(())
    }

    fn prefixes(&self) -> Vec<LinePrefix> {
        let names: Vec<_> = self.containers.iter().map(select::display_name).collect();
        self.prefixes.of(&names)
    }

    /// Says how a container has ended; `None` if it is gone altogether.
    fn report_end(&self, engine: &Engine, index: usize) -> Result<Option<i32>, Failure> {
        let container = engine.load(&self.containers[index].id)?;
        let Some(container) = container.filter(|container| container.state.status == Status::Exited) else {
            return Ok(None);
        };
        let code = container.state.exit_code.unwrap_or(0);
        let cause = container.out_of_memory().map(|text| format!(" ({text})")).unwrap_or_default();
        note(&format!("{} exited with code {code}{cause}", select::display_name(&container)));
        Ok(Some(code))
    }

    fn ends_all(&self, index: usize, code: i32) -> bool {
        let service = select::service_of(&self.containers[index]);
        match self.ending {
            Ending::Alone => false,
            Ending::WithAny => code != 0 || !self.one_shots.iter().any(|one_shot| one_shot == service),
            Ending::WithFailure => code != 0,
        }
    }

    fn stop_others(&self, ctx: &Context, engine: &Engine, interrupt: &Interrupt) {
        note("Stopping the others … (Ctrl-C to kill)");
        let (engine, project, grace, color) = (engine.clone(), self.project.to_owned(), self.grace, ctx.ui.color);
        let killer = (engine.clone(), project.clone(), interrupt.clone());
        thread::spawn(move || {
            killer.2.wait_for(1);
            let _ = kill_all(&killer.0, &killer.1); // what still lives is said by `ps`
        });
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

fn kill_all(engine: &Engine, project: &str) -> Result<(), Failure> {
    let plan = plan::control::kill(&observe(project, engine)?, &[], SIGKILL);
    Ok(outcome::apply_silently(engine, &plan)?)
}

fn note(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{}", crate::ui::printable(text));
}
