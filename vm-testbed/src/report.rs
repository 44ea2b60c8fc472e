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

/// What came of a test, of which build and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
    pub(crate) build: String,
    /// "2026-11-27"
    pub(crate) day: String,
}

/// One guest's part of the report: a column of the table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) guest: String,
    /// A hash of what is tested now, programs and kernel.
    pub(crate) build: String,
    pub(crate) accelerator: String,
    /// Packages as `name version`: kernel, emulator, userland.
    pub(crate) versions: Vec<String>,
    pub(crate) seconds: f64,
    /// By program and test, `program::module::name`; some may be of earlier builds.
    pub(crate) results: BTreeMap<String, Seen>,
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
        if let Some((name, result)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ...")) {
            current = Some(name.trim_end_matches(" - should panic").to_owned());
            rest = result.trim_start();
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
    // With several threads the output of those that run mixes; this is the last that began.
    if let Some(verdict) = current.and_then(|name| verdicts.get_mut(&name))
        && let Verdict::NotRun(why) = verdict
    {
        *why = format!("it ran when {why}");
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
        self.columns.iter().all(|column| !column.results.values().any(|seen| seen.verdict.is_bad()))
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("maps have text as keys")
    }

    /// What each guest was, with what has to be seen to; how many of each module passed; each test's verdict.
    pub(crate) fn text(&self) -> String {
        let guests = self.lettered().map(|(letter, column)| format!("{letter}  {}\n", column.text()));
        let mut tests: Vec<&String> = self.columns.iter().flat_map(|column| column.results.keys()).collect();
        tests.sort();
        tests.dedup();
        let mut modules: Vec<&str> = tests.iter().map(|test| module(test)).collect();
        modules.dedup();
        let modules = self.table("passed", modules.into_iter(), Column::passed);
        let tests = self.table("", tests.into_iter().map(String::as_str), Column::word);
        format!("{}{modules}\n{tests}", guests.collect::<String>())
    }

    /// Returns a table with a line for each of `names`, and a column for each guest.
    fn table<'a>(
        &'a self,
        title: &'a str,
        names: impl Iterator<Item = &'a str>,
        cell: impl Fn(&Column, &str) -> String,
    ) -> String {
        let head = std::iter::once(title.to_owned()).chain(self.lettered().map(|(letter, _)| letter.to_string()));
        let line = |name: &str| -> Vec<String> {
            let cells = self.lettered().map(|(_, column)| cell(column, name));
            std::iter::once(name.to_owned()).chain(cells).collect()
        };
        let lines: Vec<Vec<String>> = std::iter::once(head.collect()).chain(names.map(line)).collect();
        let width = |at: usize| lines.iter().map(|line| line[at].len()).max().unwrap_or(0);
        let text = |line: &Vec<String>| {
            let cells = line.iter().enumerate().map(|(at, cell)| format!("{cell:0$}", width(at)));
            format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        lines.iter().map(text).collect()
    }

    /// The columns by their letters in tables.
    fn lettered(&self) -> impl Iterator<Item = (char, &Column)> {
        ('A'..='Z').zip(&self.columns)
    }
}

/// "e2e::hits" of "e2e::hits::hits_counts"
fn module(test: &str) -> &str {
    test.rsplit_once("::").map_or(test, |(module, _)| module)
}

impl Column {
    /// Takes what came of tests of this build.
    pub(crate) fn extend(&mut self, day: &str, verdicts: impl IntoIterator<Item = (String, Verdict)>) {
        let (build, day) = (&self.build, day.to_owned());
        let seen = |(test, verdict)| (test, Seen { verdict, build: build.clone(), day: day.clone() });
        let seen: Vec<_> = verdicts.into_iter().map(seen).collect();
        // that a test did not run says nothing against what it once said
        let says_more = |(test, seen): &(String, Seen)| {
            let earlier = self.results.get(test).map(|seen| &seen.verdict);
            !matches!(seen.verdict, Verdict::NotRun(_)) || matches!(earlier, None | Some(Verdict::NotRun(_)))
        };
        let seen: Vec<_> = seen.into_iter().filter(says_more).collect();
        self.results.extend(seen);
    }

    /// Returns whether this build has still to be tested by `test`.
    pub(crate) fn is_open(&self, test: &str) -> bool {
        self.results.get(test).is_none_or(|seen| seen.verdict.is_bad() || seen.build != self.build)
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", self.summary());
        let mut not_run: BTreeMap<&str, usize> = BTreeMap::new();
        for (test, seen) in &self.results {
            match &seen.verdict {
                Verdict::Passed => {}
                Verdict::NotApplicable(why) => text.push_str(&format!("   n/a      {test}: {why}\n")),
                Verdict::Failed(why) => text.push_str(&format!("   FAILED   {test}\n{}", indented(why))),
                Verdict::NotRun(why) => *not_run.entry(why).or_default() += 1,
            }
        }
        let not_run = not_run.into_iter().map(|(why, count)| format!("   NOT RUN  {count}: {why}\n"));
        text.extend(not_run);
        text
    }

    fn summary(&self) -> String {
        let count = |wanted: &str| self.results.values().filter(|seen| seen.verdict.word() == wanted).count();
        let days = |is_of: &dyn Fn(&Seen) -> bool| {
            let days = || self.results.values().filter(|seen| is_of(seen)).map(|seen| seen.day.as_str());
            match (days().min(), days().max()) {
                (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
                (first, _) => first.unwrap_or("no day").to_owned(),
            }
        };
        let is_earlier = |seen: &Seen| seen.build != self.build;
        let earlier = match self.results.values().filter(|seen| is_earlier(seen)).count() {
            0 => String::new(),
            count => format!("; {count} of earlier builds, {}, in parentheses", days(&is_earlier)),
        };
        format!(
            "{}: {} passed, {} failed, {} not applicable, {} not run\n   build {}, {}, {:.0} s ({}){earlier}\n   {}",
            self.guest,
            count("passed"),
            count("FAILED"),
            count("n/a"),
            count("NOT RUN"),
            self.build,
            days(&|seen| !is_earlier(seen)),
            self.seconds,
            self.accelerator,
            self.notable().join(", "),
        )
    }

    /// Returns how many of a module's tests have passed, of how many that apply.
    fn passed(&self, of: &str) -> String {
        let verdicts = || self.results.iter().filter(|(test, _)| module(test) == of).map(|(_, seen)| &seen.verdict);
        let applying = verdicts().filter(|verdict| !matches!(verdict, Verdict::NotApplicable(_))).count();
        let passed = verdicts().filter(|verdict| **verdict == Verdict::Passed).count();
        match (verdicts().count(), applying) {
            (0, _) => "-".to_owned(),
            (_, 0) => "n/a".to_owned(),
            (_, applying) if applying == passed => passed.to_string(),
            (_, applying) => format!("{passed} of {applying}"),
        }
    }

    /// Returns the verdict on a test in a word, in parentheses if an earlier build has it.
    fn word(&self, test: &str) -> String {
        match self.results.get(test) {
            None => "-".to_owned(),
            Some(seen) if seen.build == self.build => seen.verdict.word().to_owned(),
            Some(seen) => format!("({})", seen.verdict.word()),
        }
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

    fn column(guest: &str) -> Column {
        Column {
            guest: guest.to_owned(),
            build: "b2".to_owned(),
            accelerator: "tcg".to_owned(),
            versions: names(&["linux-image-6.1 6.1.1", "libc6 2", "systemd 257"]),
            seconds: 9.6,
            ..Column::default()
        }
    }

    fn named(verdicts: &[(&str, Verdict)]) -> Vec<(String, Verdict)> {
        verdicts.iter().map(|(test, verdict)| ((*test).to_owned(), verdict.clone())).collect()
    }

    #[test]
    fn the_report_counts_modules_has_a_line_for_each_test_and_says_what_failed() {
        let [mut first, mut second] = ["6.1 v2", "7 v2"].map(column);
        let [failed, not_applicable] =
            [Verdict::Failed("why\n".to_owned()), Verdict::NotApplicable("no swap".to_owned())];
        let not_run = Verdict::NotRun("it died".to_owned());
        first.extend(
            "2026-11-27",
            named(&[("v::a::t", failed), ("v::a::u", Verdict::Passed), ("v::b::t", not_applicable)]),
        );
        second.extend(
            "2026-11-27",
            named(&[("v::a::t", Verdict::Passed), ("v::c::t", not_run.clone()), ("v::c::u", not_run)]),
        );
        let report = Report { columns: vec![first, second] };
        let expected = "\
            A  6.1 v2: 1 passed, 1 failed, 1 not applicable, 0 not run\n   build b2, 2026-11-27, 10 s (tcg)\n   \
            linux-image-6.1 6.1.1, systemd 257\n   FAILED   v::a::t\n            why\n   n/a      v::b::t: no swap\n\
            \nB  7 v2: 1 passed, 0 failed, 0 not applicable, 2 not run\n   build b2, 2026-11-27, 10 s (tcg)\n   \
            linux-image-6.1 6.1.1, systemd 257\n   NOT RUN  2: it died\n\
            \npassed  A       B\nv::a    1 of 2  1\nv::b    n/a     -\nv::c    -       0 of 2\n\
            \n         A       B\nv::a::t  FAILED  passed\nv::a::u  passed  -\nv::b::t  n/a     -\n\
            v::c::t  -       NOT RUN\nv::c::u  -       NOT RUN\n";
        assert_eq!(report.text(), expected);
        assert!(!report.is_good());
        assert!(report.json().contains("\"verdict\": \"failed\""));
    }

    #[test]
    fn what_an_earlier_build_did_is_told_apart_and_open() {
        let mut column = column("6.1 v2");
        column.build = "b1".to_owned();
        column.extend("2026-11-25", named(&[("v::a::t", Verdict::Passed)]));
        column.extend("2026-11-26", named(&[("v::a::u", Verdict::Passed)]));
        column.build = "b2".to_owned();
        column
            .extend("2026-11-27", named(&[("v::a::v", Verdict::Passed), ("v::a::w", Verdict::Failed(String::new()))]));
        let open: Vec<_> =
            ["t", "v", "w", "x"].into_iter().filter(|test| column.is_open(&format!("v::a::{test}"))).collect();
        assert_eq!(open, ["t", "w", "x"]);
        let text = Report { columns: vec![column] }.text();
        for expected in [
            "build b2, 2026-11-27, 10 s (tcg); 2 of earlier builds, 2026-11-25 to 2026-11-26, in parentheses\n",
            "v::a    3 of 4\n",
            "v::a::t  (passed)\n",
            "v::a::v  passed\n",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_test_that_did_not_run_keeps_what_it_once_said_and_one_that_did_not_end_is_told() {
        let mut column = column("6.1 v2");
        let not_run = |why: &str| Verdict::NotRun(why.to_owned());
        column.extend("2026-11-26", named(&[("v::t", Verdict::Passed), ("v::u", not_run("not yet"))]));
        column.extend("2026-11-27", named(&[("v::t", not_run("it died")), ("v::u", not_run("it died"))]));
        assert_eq!(column.results["v::t"].verdict, Verdict::Passed);
        assert_eq!(column.results["v::u"].verdict, not_run("it died"));
        let found = results("test p ... ok\ntest q ... ", &names(&["p", "q", "r"]), &[], "the guest ended");
        assert_eq!(found["q"], not_run("it ran when the guest ended"));
        assert_eq!(found["r"], not_run("the guest ended"));
    }

    proptest! {
        #[test]
        fn any_output_is_read(output in "(test |ok|FAILED| \\.\\.\\. |---- | stdout ----|failures:|\n|[a-z:]){0,40}") {
            let found = results(&output, &names(&["x"]), &[], "");
            prop_assert!(found.contains_key("x"));
        }
    }
}
