//! `--explain` of `run`, `up` and `exec`: how a container, or a process in one, comes to be, step by step.
//!
//! As text, the record is a shell script with its figures in comments; as JSON, an object a line.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use lighter_engine::runtime::trace::{self, Effect, Record, Recording};
use serde_json::json;

use crate::context::Context;
use crate::error::Failure;
use crate::ui::printable;

/// Formats of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Explain {
    /// A list to read, and a script to follow
    Text,
    /// A JSON object a line
    Json,
}

/// A record that is being kept.
pub(crate) struct Explanation {
    recording: Recording,
    format: Explain,
}

impl Explanation {
    /// Records from here on.
    pub(crate) fn begin(format: Explain) -> Result<Self, Failure> {
        let recording = trace::in_memory().map_err(|error| Failure::text(format!("record the steps: {error}")))?;
        Ok(Self { recording, format })
    }

    /// Ends the record, and writes it to stderr; `id` is the only container's, or empty if there are several.
    pub(crate) fn show(self, ctx: &Context, id: &str) -> Result<(), Failure> {
        trace::stop();
        let records = self.recording.read()?;
        let text = match self.format {
            Explain::Text => script(&records, id, &Styles::of(ctx.ui.color)),
            Explain::Json => records.iter().map(|record| format!("{}\n", object(record))).collect(),
        };
        ctx.ui.explain(&text);
        Ok(())
    }
}

/// What is said of a step in JSON: all that was recorded, what it means, and the shell command.
fn object(record: &Record) -> serde_json::Value {
    let mut object = serde_json::to_value(record).expect("a record has text keys and no failing serialiser");
    object["what"] = json!(record.effect.to_string());
    object["shell"] = json!(record.effect.shell());
    object
}

/// How the parts of a line look.
struct Styles {
    figures: Style,
    what: Style,
    command: Style,
    failed: Style,
}

impl Styles {
    fn of(color: bool) -> Self {
        if !color {
            let plain = Style::new();
            return Self { figures: plain, what: plain, command: plain, failed: plain };
        }
        Self {
            figures: Style::new().dimmed(),
            what: Style::new().bold(),
            command: AnsiColor::Cyan.on_default(),
            failed: AnsiColor::Yellow.on_default(),
        }
    }
}

/// Returns the record as a script: for each step a comment with its figures, and the command.
///
/// The container's id, unless it is empty, is `$ID` in it: 64 digits would hide what differs.
fn script(records: &[Record], id: &str, styles: &Styles) -> String {
    let Some(first) = records.first() else { return String::new() };
    let Styles { figures, what, command, failed } = styles;
    let end = records.iter().map(|record| record.start + Duration::from_nanos(record.took.unwrap_or(0))).max();
    let whole = end.map_or(Duration::ZERO, |end| since(first, end));
    let heading = format!("#  N          AT       TOOK  PROCESS  STEP ({} in {})", records.len(), shown(whole));
    let mut text = format!("{figures}{heading}{figures:#}\n");
    if !id.is_empty() {
        text.push_str(&format!("{command}ID={id}{command:#}\n"));
    }
    let short = |text: &str| if id.is_empty() { text.to_owned() } else { text.replace(id, "$ID") };
    let mut number = 1;
    for group in records.chunk_by(is_one_step) {
        let record = &group[0];
        let at = since(first, record.start).as_secs_f64() * 1000.0;
        let took = group.iter().map(|record| record.took).sum::<Option<u64>>();
        let took = took.map_or_else(|| "-".to_owned(), |took| shown(Duration::from_nanos(took)));
        let line = format!("#{number:>3} {at:>9.3} ms {took:>9}  {:<8}", record.process.name());
        let step = printable(&short(&title(group))).replace(['\n', '\t'], " ");
        text.push_str(&format!("{figures}{line}{figures:#} {what}{step}{what:#}"));
        if let Some(error) = &record.error {
            let error = short(&printable(error).replace(['\n', '\t'], " "));
            text.push_str(&format!(" {failed}(not done: {error}){failed:#}"));
        }
        text.push('\n');
        // What was not done is not to be repeated.
        let indent = if record.error.is_some() { "    # " } else { "    " };
        for line in group.iter().map(|record| record.effect.shell()).collect::<Vec<_>>().join("\n").lines() {
            text.push_str(&format!("{command}{indent}{}{command:#}\n", printable(&abbreviated(line, id))));
        }
        number += group.len();
    }
    text
}

/// Tells whether two steps are told as one: values that go to the same file, of which device rules are two dozen.
fn is_one_step(one: &Record, next: &Record) -> bool {
    let same_file = match (&one.effect, &next.effect) {
        (Effect::Write { path, .. }, Effect::Write { path: next, .. }) => path == next,
        _ => false,
    };
    same_file && one.process == next.process && one.error.is_none() && next.error.is_none()
}

fn title(group: &[Record]) -> String {
    match (group, &group[0].effect) {
        ([_, _, ..], Effect::Write { path, .. }) => format!("write {} values to {path}", group.len()),
        (_, effect) => effect.to_string(),
    }
}

/// Puts `$ID` for the container's id, wherever a shell takes it for a variable.
fn abbreviated(line: &str, id: &str) -> String {
    // With an escaped quote it takes more to know what is quoted.
    if line.contains("\\'") || id.is_empty() {
        return line.to_owned();
    }
    let parts = line.split('\'').enumerate();
    let parts = parts.map(|(at, part)| if at % 2 == 0 { part.replace(id, "$ID") } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("'")
}

fn since(first: &Record, time: jiff::Timestamp) -> Duration {
    Duration::try_from(time.duration_since(first.start)).unwrap_or_default()
}

/// Three figures are enough: `450 ns`, `45 µs`, `1.20 ms`, `1.20 s`.
fn shown(time: Duration) -> String {
    match time.as_nanos() {
        nanos @ 0..1_000 => format!("{nanos} ns"),
        nanos @ 1_000..1_000_000 => format!("{} µs", nanos / 1000),
        1_000_000..1_000_000_000 => format!("{:.2} ms", time.as_secs_f64() * 1000.0),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use lighter_engine::runtime::trace::Process;

    use super::*;

    fn record(start: i64, took: Option<u64>, effect: Effect, error: Option<&str>) -> Record {
        let start = jiff::Timestamp::from_microsecond(start).expect("a time");
        Record { start, took, process: Process::Init, effect, error: error.map(str::to_owned) }
    }

    #[test]
    fn a_step_is_a_comment_and_its_command() {
        let id = "4f".repeat(32);
        let directory = Effect::MakeDirectory { path: format!("/sys/fs/cgroup/{id}") };
        let program = Effect::Execute { program: "/bin/echo".into(), args: vec!["echo".into(), "a b\u{1b}".into()] };
        let records = [
            record(1_000, Some(45_000), directory.clone(), None),
            record(2_500, Some(1_200_000), directory, Some("it exists")),
            record(9_000, None, program, None),
        ];
        let expected = format!(
            "#  N          AT       TOOK  PROCESS  STEP (3 in 8.00 ms)\n\
             ID={id}\n\
             #  1     0.000 ms     45 µs  init     make /sys/fs/cgroup/$ID\n\
             \x20   mkdir -p /sys/fs/cgroup/$ID\n\
             #  2     1.500 ms   1.20 ms  init     make /sys/fs/cgroup/$ID (not done: it exists)\n\
             \x20   # mkdir -p /sys/fs/cgroup/$ID\n\
             #  3     8.000 ms         -  init     execute /bin/echo\n\
             \x20   exec /bin/echo \"$(printf 'a b\\033')\"\n"
        );
        assert_eq!(script(&records, &id, &Styles::of(false)), expected);
    }

    #[test]
    fn values_for_one_file_are_one_step() {
        let write = |path: &str, value: &str| {
            record(1_000, Some(400), Effect::Write { path: path.into(), value: value.into() }, None)
        };
        let records = [write("/ID/a", "c 1:3 m"), write("/ID/a", "x"), write("/b", "ID y")];
        let expected = "#  N          AT       TOOK  PROCESS  STEP (3 in 400 ns)\n\
                        ID=ID\n\
                        #  1     0.000 ms    800 ns  init     write 2 values to /$ID/a\n\
                        \x20   echo 'c 1:3 m' > /$ID/a\n\
                        \x20   echo x > /$ID/a\n\
                        #  3     0.000 ms    400 ns  init     write $ID y to /b\n\
                        \x20   echo 'ID y' > /b\n";
        assert_eq!(script(&records, "ID", &Styles::of(false)), expected);
    }

    #[test]
    fn json_has_the_command_beside_what_was_recorded() {
        let object = object(&record(1, Some(7), Effect::SetHostName { name: "a b".into() }, None));
        assert_eq!(object["effect"], "set_host_name");
        assert_eq!(object["shell"], "hostname 'a b'");
        assert_eq!(object["what"], "set the host name to a b");
    }
}
