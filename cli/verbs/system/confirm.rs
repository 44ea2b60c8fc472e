//! The question before something is removed for good.

use std::io::{self, BufRead};

use crate::error::Failure;
use crate::ui::Ui;

/// Asks on stdout and reads one line of stdin; only `y` or `yes` is consent, and no answer is none.
pub(crate) fn ask(ui: &Ui, warning: &str) -> Result<bool, Failure> {
    ui.write(format!("{warning}\nAre you sure you want to continue? [y/N] ").as_bytes())?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| Failure::text(format!("read the answer: {error}")))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
