//! What tests said, as a table for people and as JSON for programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What came of one test in one guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "why", rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Passed,
    /// With what it said.
    Failed(String),
    /// It cannot hold in this guest, for the reason given.
    NotApplicable(String),
    /// The guest ended, or its time did, before or while it ran.
    NotRun(String),
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "FAILED",
            Self::NotApplicable(_) => "n/a",
            Self::NotRun(_) => "NOT RUN",
        }
    }

    /// Whether it has to be seen to, and run again.
    pub(crate) fn is_bad(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::NotRun(_))
    }
}

/// One guest's part of the report: a column of the table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) guest: String,
    /// A hash of the programs that were tested.
    pub(crate) build: String,
    pub(crate) accelerator: String,
    /// Packages as `name version`: kernel, emulator, userland.
    pub(crate) versions: Vec<String>,
    pub(crate) seconds: f64,
    /// By program and test, `program::module::name`.
    pub(crate) results: BTreeMap<String, Verdict>,
}

/// The whole report.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) columns: Vec<Column>,
}

/// Reads the output of Rust's test programs.
///
/// A program under test may write between the name of a test and its result, and a guest that is booted again begins again:
/// the last word on a test counts. `expected` are names that shall have a result.
pub(crate) fn results(
    output: &str,
    expected: &[String],
    not_applicable: &[(String, String)],
    ending: &str,
) -> BTreeMap<String, Verdict> {
    let mut verdicts: BTreeMap<_, _> =
        expected.iter().map(|test| (test.clone(), Verdict::NotRun(ending.to_owned()))).collect();
    let said = details(output);
    let mut current = None;
    for line in output.lines() {
        let line = line.trim_end();
        let mut rest = line;
        if let Some((name, result)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) {
            current = Some(name.trim_end_matches(" - should panic").to_owned());
            rest = result;
        }
        let Some(name) = &current else { continue };
        let verdict = match rest.split_once(" <").map_or(rest, |(word, _)| word) {
            "ok" => Verdict::Passed,
            "FAILED" => Verdict::Failed(said.get(name.as_str()).cloned().unwrap_or_default()),
            _ => continue,
        };
        verdicts.insert(name.clone(), verdict);
        current = None;
    }
    for (test, why) in not_applicable {
        if let Some(verdict) = verdicts.get_mut(test).filter(|verdict| **verdict == Verdict::Passed) {
            *verdict = Verdict::NotApplicable(why.clone());
        }
    }
    verdicts
}

/// What failed tests said: the sections `---- NAME stdout ----` of the summary.
fn details(output: &str) -> BTreeMap<&str, String> {
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    let mut current = None;
    for line in output.lines() {
        let line = line.trim_end();
        if let Some(name) = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----")) {
            found.remove(name);
            current = Some(name);
        } else if line == "failures:" {
            current = None;
        } else if let Some(name) = current {
            let text = found.entry(name).or_default();
            text.push_str(line);
            text.push('\n');
        }
    }
    found
}

impl Report {
    /// Whether every test has passed wherever it applies.
    pub(crate) fn is_good(&self) -> bool {
        self.columns.iter().all(|column| !column.results.values().any(Verdict::is_bad))
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("maps have text as keys")
    }

    /// The table: a line for each test, a column for each guest; below it, what failed and why, and what each guest was.
    pub(crate) fn text(&self) -> String {
        let mut tests: Vec<&String> = self.columns.iter().flat_map(|column| column.results.keys()).collect();
        tests.sort();
        tests.dedup();
        let width = tests.iter().map(|test| test.len()).max().unwrap_or(0);
        let letters = || ('A'..='Z').zip(&self.columns);
        let mut text = format!("{:width$}", "");
        letters().for_each(|(letter, _)| text.push_str(&format!("  {letter:7}")));
        text.push('\n');
        for test in tests {
            let mut line = format!("{test:width$}");
            for column in &self.columns {
                let word = column.results.get(test).map_or("-", Verdict::word);
                line.push_str(&format!("  {word:7}"));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        for (letter, column) in letters() {
            text.push_str(&format!("\n{letter}  {}\n", column.summary()));
            for (test, verdict) in &column.results {
                match verdict {
                    Verdict::Passed => {}
                    Verdict::NotApplicable(why) => text.push_str(&format!("   n/a      {test}: {why}\n")),
                    Verdict::Failed(why) => text.push_str(&format!("   FAILED   {test}\n{}", indented(why))),
                    Verdict::NotRun(why) => text.push_str(&format!("   NOT RUN  {test}: {why}\n")),
                }
            }
        }
        text
    }
}

impl Column {
    fn summary(&self) -> String {
        let count = |wanted: &str| self.results.values().filter(|verdict| verdict.word() == wanted).count();
        format!(
            "{} ({}), build {}, {:.0} s: {} passed, {} failed, {} not applicable, {} not run\n   {}",
            self.guest,
            self.accelerator,
            self.build,
            self.seconds,
            count("passed"),
            count("FAILED"),
            count("n/a"),
            count("NOT RUN"),
            self.notable().join(", "),
        )
    }

    /// The versions worth a line; all are in the JSON.
    fn notable(&self) -> Vec<&str> {
        let names = ["qemu-system-x86", "busybox-static", "systemd", "nftables", "docker-registry"];
        let is_notable = |version: &&str| {
            let name = version.split(' ').next().unwrap_or_default();
            name.starts_with("linux-image-") || names.contains(&name)
        };
        self.versions.iter().map(String::as_str).filter(is_notable).collect()
    }
}

fn indented(text: &str) -> String {
    text.lines().filter(|line| !line.is_empty()).map(|line| format!("            {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OUTPUT: &str = "\nrunning 3 tests\ntest a::one ... ok\ntest a::two ... noise of a child\r\nFAILED\n\
                          test b ... ignored\n\nfailures:\n\n---- a::two stdout ----\nexpected 1\n\n\nfailures:\n    a::two\n";

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_expected_test_has_a_verdict() {
        let found = results(OUTPUT, &names(&["a::one", "a::two", "c"]), &[], "the guest died");
        let expected = BTreeMap::from([
            ("a::one".to_owned(), Verdict::Passed),
            ("a::two".to_owned(), Verdict::Failed("expected 1\n\n\n".to_owned())),
            ("c".to_owned(), Verdict::NotRun("the guest died".to_owned())),
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn after_a_crash_the_last_boot_counts() {
        let found = results("test p ... \ntest p ... ok\n", &names(&["p"]), &[], "");
        assert_eq!(found["p"], Verdict::Passed);
        let found = results("test p ... ok\ntest p ... ", &names(&["p"]), &[], "");
        assert_eq!(found["p"], Verdict::Passed);
    }

    #[test]
    fn not_applicable_needs_a_reason_and_hides_no_failure() {
        let reasons = [("a::one".to_owned(), "no swap".to_owned()), ("a::two".to_owned(), "none".to_owned())];
        let found = results(OUTPUT, &names(&["a::one", "a::two"]), &reasons, "");
        assert_eq!(found["a::one"], Verdict::NotApplicable("no swap".to_owned()));
        assert!(matches!(found["a::two"], Verdict::Failed(_)));
    }

    #[test]
    fn the_table_has_a_line_for_each_test_and_says_what_failed() {
        let column = |guest: &str, results| Column {
            guest: guest.to_owned(),
            build: "b1".to_owned(),
            accelerator: "tcg".to_owned(),
            versions: names(&["linux-image-6.1 6.1.1", "libc6 2", "systemd 257"]),
            seconds: 9.6,
            results,
        };
        let first = BTreeMap::from([("t".to_owned(), Verdict::Failed("why\n".to_owned()))]);
        let second = BTreeMap::from([("t".to_owned(), Verdict::Passed), ("u".to_owned(), Verdict::Passed)]);
        let report = Report { columns: vec![column("6.1 v2", first), column("7 v2", second)] };
        let expected = "   A        B\nt  FAILED   passed\nu  -        passed\n\
                        \nA  6.1 v2 (tcg), build b1, 10 s: 0 passed, 1 failed, 0 not applicable, 0 not run\n   \
                        linux-image-6.1 6.1.1, systemd 257\n   FAILED   t\n            why\n\
                        \nB  7 v2 (tcg), build b1, 10 s: 2 passed, 0 failed, 0 not applicable, 0 not run\n   \
                        linux-image-6.1 6.1.1, systemd 257\n";
        assert_eq!(report.text().lines().map(str::trim_end).collect::<Vec<_>>(), expected.lines().collect::<Vec<_>>());
        assert!(!report.is_good());
        assert!(report.json().contains("\"verdict\": \"failed\""));
    }

    proptest! {
        #[test]
        fn any_output_is_read(output in "(test |ok|FAILED| \\.\\.\\. |---- | stdout ----|failures:|\n|[a-z:]){0,40}") {
            let found = results(&output, &names(&["x"]), &[], "");
            prop_assert!(found.contains_key("x"));
        }
    }
}
