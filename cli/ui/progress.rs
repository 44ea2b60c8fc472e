//! How a pull is shown: bars on a terminal, plain lines otherwise, nothing with `--quiet`.

use std::collections::BTreeMap;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lighter_engine::images::digest::Digest;
use lighter_engine::images::progress::{Event, Progress, Silent};

/// Returns the fitting way for this terminal.
pub(crate) fn pull(interactive: bool, quiet: bool) -> Box<dyn Progress> {
    match (quiet, interactive) {
        (true, _) => Box::new(Silent),
        (false, true) => Box::new(Bars::new()),
        (false, false) => Box::new(Lines),
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
}

impl Progress for Bars {
    fn report(&self, event: Event<'_>) {
        match event {
            Event::LayerDownload { layer, done, total } => {
                let bar = self.bar(layer);
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message(if done < total { "Downloading" } else { "Extracting" });
            }
            Event::LayerUnpacked { layer } => self.bar(layer).finish_with_message("Done"),
            Event::LayerExists { layer } => {
                let bar = self.bar(layer);
                bar.finish_with_message("Exists");
            }
            Event::Retry { host, cause } => _ = self.all.println(format!("{host}: {cause}: trying again")),
            _ => {}
        }
    }
}

/// A line for each thing that is done.
struct Lines;

impl Progress for Lines {
    fn report(&self, event: Event<'_>) {
        use std::io::Write;
        let mut err = std::io::stderr().lock();
        // nobody to tell when stderr is gone
        let _ = match event {
            Event::LayerExists { layer } => writeln!(err, "{}: already there", layer.short()),
            Event::LayerUnpacked { layer } => writeln!(err, "{}: unpacked", layer.short()),
            Event::Retry { host, cause } => writeln!(err, "{host}: {cause}: trying again"),
            _ => Ok(()),
        };
    }
}
