//! The question before something is removed for good.

use std::io::{self, BufRead};

use super::Ui;
use crate::error::Failure;

/// Asks on stdout and reads one line of stdin; only `y` or `yes` is consent. That nobody answers is a failure.
pub(crate) fn ask(ui: &Ui, warning: &str) -> Result<bool, Failure> {
    ui.write(format!("{warning}\nAre you sure you want to continue? [y/N] ").as_bytes())?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.map_err(|error| Failure::text(format!("read the answer: {error}")))? == 0 {
        return Err(Failure::text("nobody to ask: use --force"));
    }
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
