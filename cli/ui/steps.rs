//! How the application of a plan is shown: a live line for each thing on a terminal, a line for each step otherwise, JSON for
//! programs, nothing when quiet. Always on standard error.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lighter_compose::apply::{Event, Progress, Silent};
use lighter_compose::plan::{Condition, Op};
use lighter_engine::Holder;
use serde_json::json;

use super::printable;
use super::progress::Style;

/// Pause between two pictures of a spinner.
const TICK: Duration = Duration::from_millis(100);

/// Returns what shows the steps of a plan for `project`; `interactive` says whether standard error is a terminal.
pub(crate) fn of(style: Style, interactive: bool, color: bool, project: &str) -> Box<dyn Progress> {
    let project = project.to_owned();
    match (style, interactive) {
        (Style::Quiet, _) => Box::new(Silent),
        (Style::Json, _) => Box::new(Json),
        (Style::Tty | Style::Auto, true) => Box::new(Tree::new(project)),
        (Style::Github, _) => Box::new(Group::new(project)),
        (Style::Plain, _) | (Style::Tty | Style::Auto, false) => Box::new(Lines { color, project }),
    }
}

/// Says for whom we wait.
pub(crate) fn queued(project: &str, holder: Option<&Holder>) -> String {
    let who = holder.map_or("another command".to_owned(), ToString::to_string);
    format!("wait for {who}, which changes project {project}")
}

/// What a step is about: the thing, what is being done to it, and what it is then.
fn described(op: &Op) -> (String, &'static str, &'static str) {
    match op {
        Op::CreateNetwork(spec) => (format!("network {}", spec.name), "creating", "created"),
        Op::DeleteNetwork { name, .. } => (format!("network {name}"), "removing", "removed"),
        Op::CreateVolume(spec) => (format!("volume {}", spec.name), "creating", "created"),
        Op::DeleteVolume { name } => (format!("volume {name}"), "removing", "removed"),
        Op::WriteFiles(_) => ("configs and secrets".to_owned(), "writing", "written"),
        Op::DeleteFiles(_) => ("configs and secrets".to_owned(), "removing", "removed"),
        Op::CreateContainer { spec, .. } => (spec.name.clone(), "creating", "created"),
        Op::Start(container) => (container.name.clone(), "starting", "running"),
        Op::Wait { container, condition: Condition::Running, .. } => (container.name.clone(), "waiting", "running"),
        Op::Wait { container, condition: Condition::Healthy, .. } => (container.name.clone(), "waiting", "healthy"),
        Op::Wait { container, condition: Condition::Completed, .. } => (container.name.clone(), "waiting", "done"),
        Op::Stop { container, .. } => (container.name.clone(), "stopping", "stopped"),
        Op::Kill { container, .. } => (container.name.clone(), "killing", "killed"),
        Op::Delete { container, .. } => (container.name.clone(), "removing", "removed"),
    }
}

/// A line on the screen for each thing, with its state and the seconds that it has taken.
struct Tree {
    all: MultiProgress,
    lines: Mutex<BTreeMap<String, ProgressBar>>,
    project: String,
}

impl Tree {
    fn new(project: String) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self { all, lines: Mutex::default(), project }
    }

    /// Returns the line of a thing; the first step about it makes it.
    fn line(&self, name: &str) -> ProgressBar {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let line = self.all.add(ProgressBar::new_spinner());
            line.set_prefix(printable(name));
            line.enable_steady_tick(TICK);
            line
        };
        lines.entry(name.to_owned()).or_insert_with(new).clone()
    }

    /// Shows what a thing is; its seconds go on as long as something is done about it.
    fn show(&self, op: &Op, mark: &str, state: &str, is_over: bool) {
        let line = self.line(&described(op).0);
        let elapsed = if is_over { format!("{:.1}s", line.elapsed().as_secs_f32()) } else { "{elapsed}".to_owned() };
        let template = format!(" {mark} {{prefix:<40}} {{msg:<10}} {elapsed}");
        line.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
        line.set_message(state.to_owned());
    }
}

impl Progress for Tree {
    fn report(&self, event: Event<'_>) {
        match event {
            Event::Began { step, .. } => self.show(&step.op, "{spinner}", described(&step.op).1, false),
            Event::Done { step, .. } => self.show(&step.op, "✔", described(&step.op).2, true),
            Event::Failed { step, .. } => self.show(&step.op, "✘", "failed", true),
            Event::Passed { step, why, .. } => {
                let _ = self.all.println(format!("warning: {}", printable(why)));
                self.show(&step.op, "!", "left", true);
            }
            Event::Warning(text) => _ = self.all.println(format!("warning: {}", printable(text))),
            Event::Queued(holder) => _ = self.all.println(printable(&queued(&self.project, holder))),
        }
    }
}

impl Drop for Tree {
    /// The last picture stays on the screen, standing still.
    fn drop(&mut self) {
        for line in self.lines.lock().unwrap_or_else(PoisonError::into_inner).values() {
            line.abandon();
        }
    }
}

/// A line for each step.
struct Lines {
    color: bool,
    project: String,
}

impl Lines {
    fn write(mark: &str, text: &str) {
        // the text may hold names from a file: made harmless; the mark is ours
        let _ = writeln!(io::stderr().lock(), " {mark}  {}", printable(text));
    }
}

impl Progress for Lines {
    fn report(&self, event: Event<'_>) {
        match event {
            Event::Done { step, .. } => {
                Self::write(if self.color { "\u{1b}[32m✔\u{1b}[0m" } else { "✔" }, &step.op.to_string());
            }
            // Only what takes its time is announced.
            Event::Began { step, .. } if matches!(step.op, Op::Wait { .. } | Op::Stop { .. }) => {
                Self::write("…", &step.op.to_string());
            }
            Event::Warning(text) | Event::Passed { why: text, .. } => {
                let _ = writeln!(io::stderr().lock(), "warning: {}", printable(text));
            }
            Event::Queued(holder) => Self::write("…", &queued(&self.project, holder)),
            Event::Began { .. } | Event::Failed { .. } => {} // a failure is the result
        }
    }
}

/// Lines between two workflow commands of GitHub, which fold them, and a failure as one that marks the run: "Workflow commands for
/// GitHub Actions", docs.github.com.
struct Group(Lines);

impl Group {
    fn new(project: String) -> Self {
        let _ = writeln!(io::stderr().lock(), "::group::project {}", printable(&project));
        Self(Lines { color: false, project })
    }
}

impl Progress for Group {
    fn report(&self, event: Event<'_>) {
        match event {
            Event::Failed { step, error, .. } => {
                let text = format!("{}: {}", step.op, crate::error::chain(error));
                let _ = writeln!(io::stderr().lock(), "::error::{}", command_value(&text));
            }
            Event::Warning(text) | Event::Passed { why: text, .. } => {
                let _ = writeln!(io::stderr().lock(), "::warning::{}", command_value(text));
            }
            event => self.0.report(event),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = writeln!(io::stderr().lock(), "::endgroup::");
    }
}

/// Writes a value of a workflow command, which ends with its line.
fn command_value(text: &str) -> String {
    printable(&text.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D"))
}

/// An object a line: `{"id":"web-1","status":"Working","text":"starting"}`, as docker compose has them.
struct Json;

impl Progress for Json {
    fn report(&self, event: Event<'_>) {
        let object = match event {
            Event::Began { step, .. } => {
                let (id, working, _) = described(&step.op);
                json!({"id": id, "status": "Working", "text": working})
            }
            Event::Done { step, .. } => {
                let (id, _, done) = described(&step.op);
                json!({"id": id, "status": "Done", "text": done})
            }
            Event::Failed { step, error, .. } => {
                let text = crate::error::chain(error);
                json!({"id": described(&step.op).0, "status": "Error", "text": "failed", "details": text})
            }
            Event::Passed { step, why, .. } => {
                json!({"id": described(&step.op).0, "status": "Warning", "text": "left", "details": why})
            }
            Event::Warning(text) => json!({"status": "Warning", "text": text}),
            Event::Queued(holder) => json!({"status": "Waiting", "text": holder.map(ToString::to_string)}),
        };
        let _ = writeln!(io::stderr().lock(), "{object}");
    }
}
