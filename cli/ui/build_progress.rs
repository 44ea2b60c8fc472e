//! How a build is shown: a line for each step in work on a terminal, plain lines otherwise, JSON for programs.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lighter_engine::images::build::{BuildEvent, BuildProgress, Silent};
use serde_json::json;

use super::printable;
use crate::error::Failure;

/// How often a step in work is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// A way to show a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Tree,
    Plain,
    Json,
    Quiet,
}

impl Style {
    /// Reads a style's name; `auto` is the tree on a terminal.
    pub(crate) fn of(name: &str, interactive: bool) -> Result<Style, Failure> {
        match name {
            "auto" => Ok(if interactive { Style::Tree } else { Style::Plain }),
            "tty" => Ok(Style::Tree),
            "plain" => Ok(Style::Plain),
            "rawjson" | "json" => Ok(Style::Json),
            "quiet" | "none" => Ok(Style::Quiet),
            _ => Err(Failure::text(format!("progress `{name}` is none of auto, tty, plain, rawjson, quiet"))),
        }
    }

    /// Returns whatever shows a build so.
    pub(crate) fn progress(self) -> Box<dyn BuildProgress> {
        match self {
            Style::Tree => Box::new(Tree::new()),
            Style::Plain => Box::new(Plain::default()),
            Style::Json => Box::new(Json),
            Style::Quiet => Box::new(Silent),
        }
    }
}

/// Splits what a step writes into lines; the rest waits for its end.
#[derive(Default)]
struct Lines {
    rest: BTreeMap<usize, Vec<u8>>,
}

impl Lines {
    fn push(&mut self, step: usize, bytes: &[u8]) -> Vec<String> {
        let rest = self.rest.entry(step).or_default();
        rest.extend_from_slice(bytes);
        let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let whole: Vec<u8> = rest.drain(..=end).collect();
        String::from_utf8_lossy(&whole).lines().map(shown).collect()
    }

    fn finish(&mut self, step: usize) -> Option<String> {
        let rest = self.rest.remove(&step).filter(|rest| !rest.is_empty())?;
        Some(shown(&String::from_utf8_lossy(&rest)))
    }
}

/// What a carriage return has overwritten is not shown.
fn shown(line: &str) -> String {
    printable(line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default())
}

/// Lines like BuildKit's: `#4 [build 2/3] RUN make`, `#4 0.8 s`.
#[derive(Default)]
struct Plain {
    lines: Mutex<Lines>,
}

impl BuildProgress for Plain {
    fn report(&self, event: BuildEvent<'_>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut err = std::io::stderr().lock();
        let text = match event {
            BuildEvent::Begun { step, name } => format!("#{step} {}\n", printable(name)),
            BuildEvent::Output { step, bytes } => {
                lines.push(step, bytes).iter().map(|line| format!("#{step} {line}\n")).collect()
            }
            BuildEvent::Done { step, is_cached, took } => {
                let rest = lines.finish(step).map(|line| format!("#{step} {line}\n")).unwrap_or_default();
                let end = if is_cached { "CACHED".to_owned() } else { format!("DONE {:.1}s", took.as_secs_f64()) };
                format!("{rest}#{step} {end}\n")
            }
            BuildEvent::Failed { step } => {
                let rest = lines.finish(step).map(|line| format!("#{step} {line}\n")).unwrap_or_default();
                format!("{rest}#{step} ERROR\n")
            }
            BuildEvent::Warning { text } => format!("warning: {}\n", printable(text)),
            _ => return,
        };
        let _ = err.write_all(text.as_bytes()); // nobody to tell when stderr is gone
    }
}

/// A JSON object a line.
struct Json;

impl BuildProgress for Json {
    fn report(&self, event: BuildEvent<'_>) {
        let value = match event {
            BuildEvent::Begun { step, name } => json!({"step": step, "event": "begun", "name": name}),
            BuildEvent::Output { step, bytes } => {
                json!({"step": step, "event": "output", "text": String::from_utf8_lossy(bytes)})
            }
            BuildEvent::Done { step, is_cached, took } => {
                json!({"step": step, "event": "done", "cached": is_cached, "seconds": took.as_secs_f64()})
            }
            BuildEvent::Failed { step } => json!({"step": step, "event": "failed"}),
            BuildEvent::Warning { text } => json!({"event": "warning", "text": text}),
            _ => return,
        };
        let _ = writeln!(std::io::stderr().lock(), "{value}");
    }
}

/// A line for each step; one in work shows the last line it has written.
struct Tree {
    all: MultiProgress,
    steps: Mutex<Steps>,
}

/// The steps in work.
#[derive(Default)]
struct Steps {
    lines: Lines,
    /// With their names.
    bars: BTreeMap<usize, (ProgressBar, String)>,
}

impl Tree {
    fn new() -> Self {
        Self { all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()), steps: Mutex::default() }
    }

    fn begin(&self, name: &str) -> (ProgressBar, String) {
        let bar = self.all.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed:>5} {wide_msg:.dim}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let name = printable(name);
        bar.set_prefix(name.clone());
        bar.enable_steady_tick(TICK);
        (bar, name)
    }
}

impl BuildProgress for Tree {
    fn report(&self, event: BuildEvent<'_>) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let Steps { lines, bars } = &mut *steps;
        let mut end = |step: usize, sign: &str, how: String| {
            lines.finish(step);
            if let Some((bar, name)) = bars.remove(&step) {
                bar.finish_and_clear();
                let _ = self.all.println(format!("{sign} {name} {how}"));
            }
        };
        match event {
            BuildEvent::Begun { step, name } => _ = bars.insert(step, self.begin(name)),
            BuildEvent::Output { step, bytes } => {
                if let (Some(line), Some((bar, _))) = (lines.push(step, bytes).pop(), bars.get(&step)) {
                    bar.set_message(line);
                }
            }
            BuildEvent::Done { step, is_cached: true, .. } => end(step, "=", "cached".to_owned()),
            BuildEvent::Done { step, took, .. } => end(step, "✔", format!("{:.1}s", took.as_secs_f64())),
            BuildEvent::Failed { step } => end(step, "✘", "failed".to_owned()),
            BuildEvent::Warning { text } => _ = self.all.println(format!("warning: {}", printable(text))),
            _ => {}
        }
    }
}

/// Several builds shown as one: no two steps have the same number, and each says whose it is.
pub(crate) struct Together<'a> {
    progress: &'a dyn BuildProgress,
    steps: AtomicUsize,
}

/// One of them.
pub(crate) struct Part<'a> {
    all: &'a Together<'a>,
    name: &'a str,
    /// The numbers of its own steps among all of them.
    numbers: Mutex<BTreeMap<usize, usize>>,
}

impl Together<'_> {
    pub(crate) fn new(progress: &dyn BuildProgress) -> Together<'_> {
        Together { progress, steps: AtomicUsize::new(1) }
    }

    /// Returns what the build called `name` is to tell.
    pub(crate) fn part<'a>(&'a self, name: &'a str) -> Part<'a> {
        Part { all: self, name, numbers: Mutex::default() }
    }
}

impl Part<'_> {
    fn number(&self, step: usize) -> usize {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        *numbers.entry(step).or_insert_with(|| self.all.steps.fetch_add(1, Ordering::Relaxed))
    }
}

impl BuildProgress for Part<'_> {
    fn report(&self, event: BuildEvent<'_>) {
        let all = self.all.progress;
        match event {
            BuildEvent::Begun { step, name } => {
                let name = match name.strip_prefix('[') {
                    Some(rest) => format!("[{} {rest}", self.name),
                    None => format!("[{}] {name}", self.name),
                };
                all.report(BuildEvent::Begun { step: self.number(step), name: &name });
            }
            BuildEvent::Output { step, bytes } => all.report(BuildEvent::Output { step: self.number(step), bytes }),
            BuildEvent::Done { step, is_cached, took } => {
                all.report(BuildEvent::Done { step: self.number(step), is_cached, took });
            }
            BuildEvent::Failed { step } => all.report(BuildEvent::Failed { step: self.number(step) }),
            other => all.report(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_at_once_share_no_number_and_say_whose_a_step_is() {
        struct Kept(Mutex<Vec<String>>);
        impl BuildProgress for &'static Kept {
            fn report(&self, event: BuildEvent<'_>) {
                self.0.lock().unwrap().push(format!("{event:?}"));
            }
        }
        let kept: &'static Kept = Box::leak(Box::new(Kept(Mutex::default())));
        let together = Together::new(&kept);
        let (web, db) = (together.part("web"), together.part("db"));
        web.report(BuildEvent::Begun { step: 1, name: "[1/2] FROM a" });
        db.report(BuildEvent::Begun { step: 1, name: "FROM b" });
        web.report(BuildEvent::Failed { step: 1 });
        let expected = [
            "Begun { step: 1, name: \"[web 1/2] FROM a\" }",
            "Begun { step: 2, name: \"[db] FROM b\" }",
            "Failed { step: 1 }",
        ];
        assert_eq!(*kept.0.lock().unwrap(), expected);
    }

    #[test]
    fn output_is_shown_line_by_line() {
        let mut lines = Lines::default();
        assert!(lines.push(1, b"a").is_empty());
        assert_eq!(lines.push(1, b"b\nc 1%\rc 2%\nd"), ["ab", "c 2%"]);
        assert_eq!(lines.finish(1).as_deref(), Some("d"));
        assert_eq!(lines.finish(1), None);
    }
}
