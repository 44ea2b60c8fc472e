//! How a pull or push is shown: bars on a terminal, plain lines otherwise, JSON for programs, nothing when quiet.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lighter_engine::images::digest::Digest;
use lighter_engine::images::progress::{Event, Progress, Silent};
use serde_json::{Value, json};

use super::printable;
use crate::context::Context;
use crate::error::Failure;

/// How progress is shown
#[derive(clap::Args)]
pub(crate) struct ProgressArgs {
    /// How progress is shown, on standard error [env: COMPOSE_PROGRESS] [default: auto]
    #[arg(long, value_name = "STYLE", value_enum)]
    progress: Option<Style>,
    /// Only the names of what is done
    #[arg(short, long, conflicts_with = "progress")]
    quiet: bool,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Style {
    /// Bars on a terminal, else lines
    Auto,
    /// Bars
    Tty,
    /// A line for each thing that is done
    Plain,
    /// Lines in groups that the log of a GitHub workflow folds
    Github,
    /// A JSON object a line for each event
    Json,
    /// Nothing
    Quiet,
}

impl ProgressArgs {
    /// Returns what the command line says, or else the environment.
    pub(crate) fn style(&self, ctx: &Context) -> Result<Style, Failure> {
        style(ctx, self.progress, self.quiet)
    }
}

/// Returns the style: the one given, unless it is to be quiet, or else the one of the environment.
pub(crate) fn style(ctx: &Context, given: Option<Style>, quiet: bool) -> Result<Style, Failure> {
    if quiet {
        return Ok(Style::Quiet);
    }
    match (given.or(ctx.manner.progress), ctx.variable("COMPOSE_PROGRESS")) {
        (Some(style), _) => Ok(style),
        (None, Some(text)) => <Style as clap::ValueEnum>::from_str(text, false).map_err(|_| {
            Failure::text(format!("COMPOSE_PROGRESS=`{text}` is none of auto, tty, plain, github, json, quiet"))
        }),
        (None, None) => Ok(Style::Auto),
    }
}

/// Returns the fitting way for this terminal.
pub(crate) fn pull(interactive: bool, quiet: bool) -> Box<dyn Progress> {
    of(if quiet { Style::Quiet } else { Style::Auto }, interactive)
}

/// Returns what shows progress in a style; `interactive` says whether standard error is a terminal.
pub(crate) fn of(style: Style, interactive: bool) -> Box<dyn Progress> {
    match (style, interactive) {
        (Style::Quiet, _) => Box::new(Silent),
        (Style::Json, _) => Box::new(Lines(json_line)),
        (Style::Tty, _) | (Style::Auto, true) => Box::new(Bars::new()),
        (Style::Plain | Style::Github, _) | (Style::Auto, false) => Box::new(Lines(plain_line)),
    }
}

/// A bar for each layer.
struct Bars {
    all: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Bars {
    fn new() -> Self {
        Self { all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()), bars: Mutex::default() }
    }

    fn bar(&self, layer: &Digest) -> ProgressBar {
        let mut bars = self.bars.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let new = || {
            let style = ProgressStyle::with_template("{prefix}: {msg:<12} {bar:30} {bytes:>10}/{total_bytes}");
            let bar = self.all.add(ProgressBar::new(0));
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(layer.short().to_owned());
            bar
        };
        bars.entry(layer.to_string()).or_insert_with(new).clone()
    }

    fn at(&self, layer: &Digest, done: u64, total: u64, message: &'static str) {
        let bar = self.bar(layer);
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(message);
    }

    fn end(&self, layer: &Digest, message: String) {
        let bar = self.bar(layer);
        bar.set_position(bar.length().unwrap_or(0));
        bar.abandon_with_message(message);
    }
}

impl Progress for Bars {
    fn report(&self, event: Event<'_>) {
        match event {
            Event::LayerWaiting { layer, total } => self.at(layer, 0, total, "Waiting"),
            Event::LayerDownload { layer, done, total } => {
                self.at(layer, done, total, if done < total { "Downloading" } else { "Extracting" });
            }
            Event::LayerUpload { layer, done, total } => self.at(layer, done, total, "Pushing"),
            Event::LayerUnpacked { layer } => self.end(layer, "Done".to_owned()),
            Event::LayerPushed { layer } => self.end(layer, "Pushed".to_owned()),
            Event::LayerExists { layer } => self.end(layer, "Already here".to_owned()),
            Event::LayerMounted { layer, source } => self.end(layer, format!("Mounted from {source}")),
            Event::Retry { .. } | Event::Warning { .. } => {
                let _ = plain_line(event).map(|line| self.all.println(line)); // cosmetic
            }
            _ => {}
        }
    }
}

/// A line for each event that the function has one for.
struct Lines(fn(Event<'_>) -> Option<String>);

impl Progress for Lines {
    fn report(&self, event: Event<'_>) {
        if let Some(line) = (self.0)(event) {
            let _ = writeln!(io::stderr().lock(), "{line}"); // nobody to tell when stderr is gone
        }
    }
}

fn plain_line(event: Event<'_>) -> Option<String> {
    let line = match event {
        Event::LayerExists { layer } => format!("{}: already there", layer.short()),
        Event::LayerUnpacked { layer } => format!("{}: unpacked", layer.short()),
        Event::LayerPushed { layer } => format!("{}: pushed", layer.short()),
        Event::LayerMounted { layer, source } => format!("{}: mounted from {source}", layer.short()),
        Event::Retry { host, cause, pause: Some(pause) } => {
            format!("{host}: {cause}: trying again in {:.1} s", pause.as_secs_f64())
        }
        Event::Retry { host, cause, pause: None } => format!("{host}: {cause}: trying the next place"),
        Event::Warning { text } => format!("warning: {text}"),
        _ => return None,
    };
    Some(printable(&line))
}

/// Writes an event as docs/reference.md has it.
fn json_line(event: Event<'_>) -> Option<String> {
    let layer = |name: &str, layer: &Digest| json!({"event": name, "layer": layer.as_str()});
    let moved = |name: &str, layer: &Digest, done: u64, total: u64| json!({"event": name, "layer": layer.as_str(), "done": done, "total": total});
    let value: Value = match event {
        Event::Resolved { reference, digest } => {
            json!({"event": "resolved", "reference": reference.to_string(), "digest": digest.as_str()})
        }
        Event::LayerWaiting { layer, total } => moved("waiting", layer, 0, total),
        Event::LayerDownload { layer, done, total } => moved("download", layer, done, total),
        Event::LayerUpload { layer, done, total } => moved("upload", layer, done, total),
        Event::LayerExists { layer: digest } => layer("exists", digest),
        Event::LayerUnpacked { layer: digest } => layer("unpacked", digest),
        Event::LayerPushed { layer: digest } => layer("pushed", digest),
        Event::LayerMounted { layer, source } => {
            json!({"event": "mounted", "layer": layer.as_str(), "source": source})
        }
        Event::Retry { host, cause, pause } => {
            json!({"event": "retry", "host": host, "cause": cause, "pause": pause.map(|pause| pause.as_secs_f64())})
        }
        Event::Warning { text } => json!({"event": "warning", "text": text}),
        Event::Done { reference, digest, changed } => {
            json!({"event": "done", "reference": reference.to_string(), "digest": digest.as_str(), "changed": changed})
        }
        Event::Pushed { reference, digest, size } => {
            json!({"event": "done", "reference": reference.to_string(), "digest": digest.as_str(), "size": size})
        }
        _ => return None,
    };
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_registrys_words_cannot_steer_the_terminal() {
        let event = Event::Retry { host: "a.b", cause: "bad\x1b[2J", pause: Some(Duration::from_millis(1500)) };
        assert_eq!(plain_line(event).unwrap(), "a.b: bad\\u{1b}[2J: trying again in 1.5 s");
        let expected = r#"{"cause":"bad\u001b[2J","event":"retry","host":"a.b","pause":1.5}"#;
        assert_eq!(json_line(event).unwrap(), expected);
    }
}
