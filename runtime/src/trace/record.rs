//! The lines of a record.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Effect;

/// Who does a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Process {
    /// The command that the user typed.
    Command,
    /// The parent of the container's init.
    Monitor,
    /// The process between the caller and the container's, where there is one: it does what that could not or must not, and is
    /// gone.
    Between,
    /// The first process of the container.
    Init,
    /// A further process of the container.
    Exec,
}

impl Process {
    pub(super) fn from_number(number: u8) -> Self {
        [Self::Command, Self::Monitor, Self::Between, Self::Init, Self::Exec][usize::from(number)]
    }

    /// Returns the name, as it is in the record.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Monitor => "monitor",
            Self::Between => "between",
            Self::Init => "init",
            Self::Exec => "exec",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it began.
    pub start: Timestamp,
    /// How long it took, in nanoseconds; nothing of a step that was announced.
    #[serde(rename = "took_ns", default, skip_serializing_if = "Option::is_none")]
    pub took: Option<u64>,
    /// Who did it.
    pub process: Process,
    /// What it was.
    #[serde(flatten)]
    pub effect: Effect,
    /// Why it was not done. Not each is a fault: what is there already need not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Reads a record, one JSON object a line, and puts it in the order in which the steps began.
///
/// Lines that are none are passed over: a full disk may have cut one short.
#[must_use]
pub fn read(text: &[u8]) -> Vec<Record> {
    let lines = text.split(|byte| *byte == b'\n');
    let mut records: Vec<Record> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    records.sort_by_key(|record| record.start);
    records
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(start: i64, process: Process) -> Record {
        let (start, took) = (Timestamp::from_nanosecond(i128::from(start)).unwrap(), Some(7));
        Record { start, took, process, effect: Effect::StartSession, error: None }
    }

    fn line(record: &Record) -> String {
        serde_json::to_string(record).unwrap()
    }

    #[test]
    fn a_line_is_flat_and_has_no_more_than_was_recorded() {
        let expected =
            r#"{"start":"1970-01-01T00:00:00.000000005Z","took_ns":7,"process":"init","effect":"start_session"}"#;
        assert_eq!(line(&record(5, Process::Init)), expected);
    }

    #[test]
    fn steps_are_in_the_order_they_began_and_damaged_lines_are_passed_over() {
        let (early, late) = (record(1, Process::Monitor), record(2, Process::Init));
        let text = format!("{}\n{}\n\n{{\"start\":\n", line(&late), line(&early));
        assert_eq!(read(text.as_bytes()), [early, late]);
    }

    #[test]
    fn every_process_is_known_by_its_number() {
        for process in [Process::Command, Process::Monitor, Process::Between, Process::Init, Process::Exec] {
            assert_eq!(Process::from_number(process as u8), process);
            assert_eq!(serde_json::to_value(process).unwrap(), process.name());
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_fail(text in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read(&text), []);
        }
    }
}
