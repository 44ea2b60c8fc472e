//! Signal names and numbers as people write them.

use nix::sys::signal::Signal;

/// A text that names no signal.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no signal: use a name (SIGTERM, term) or a number from 1 to 64")]
pub struct UnknownSignal(String);

/// Reads `SIGTERM`, `TERM`, `term`, `15` or `RTMIN+3`; returns the number, 1…64.
pub fn parse(text: &str) -> Result<i32, UnknownSignal> {
    let unknown = || UnknownSignal(text.to_owned());
    if let Ok(number) = text.parse::<i32>() {
        return Some(number).filter(|number| (1..=64).contains(number)).ok_or_else(unknown);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset: i32 = if offset.is_empty() { 0 } else { offset.parse().map_err(|_| unknown())? };
        // SIGRTMIN as programs see it: the C library keeps the first two (signal(7))
        return Some(34 + offset).filter(|number| (34..=64).contains(number)).ok_or_else(unknown);
    }
    format!("SIG{name}").parse::<Signal>().map(|signal| signal as i32).map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_in_all_their_forms() {
        for text in ["SIGTERM", "TERM", "term", "sigterm", "15"] {
            assert_eq!(parse(text), Ok(15), "{text}");
        }
        assert_eq!(parse("RTMIN+3"), Ok(37));
        for bad in ["", "0", "65", "-1", "SIGNOPE", "RTMIN-1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
