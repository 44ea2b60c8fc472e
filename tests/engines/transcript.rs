//! Command lines of `docker`, run by Docker and by lighter in its place: what they end with, print and leave is the same, but for
//! the differences that `transcript.txt` lists with their reasons.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::harness::Engine;

const TRANSCRIPT: &str = include_str!("transcript.txt");

/// Verbs after which everything is as before.
const LOOKING: [&str; 14] = [
    "diff", "events", "history", "images", "info", "inspect", "logs", "port", "ps", "search", "stats", "top",
    "version", "wait",
];

/// One command line and what is expected of it.
#[derive(Debug, Default)]
struct Line {
    words: Vec<String>,
    shown: String,
    has_same_output: bool,
    has_same_headings: bool,
    /// Docker's exit code and lighter's, where they are wanted to differ.
    codes: Option<(i32, i32)>,
    /// What it prints or leaves is wanted to be different.
    is_different: bool,
}

impl Line {
    fn changes_something(&self) -> bool {
        let verb = |at: usize| self.words.get(at).map_or("", String::as_str);
        let is_look = |at: usize| LOOKING.contains(&verb(at)) || ["ls", "list", "df"].contains(&verb(at));
        !(is_look(0) || ["container", "image", "network", "system", "volume"].contains(&verb(0)) && is_look(1))
    }
}

/// What an engine did.
struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    state: Option<BTreeSet<String>>,
}

fn lines() -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (number, text) in TRANSCRIPT.lines().enumerate().filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
    {
        let malformed = format!("transcript.txt:{}: `{text}`", number + 1);
        if let Some(command) = text.strip_prefix("$ ") {
            lines.push(Line { words: words(command), shown: command.to_owned(), ..Line::default() });
            continue;
        }
        let line = lines.last_mut().expect(&malformed);
        match text.split_at(1) {
            ("=", "") => line.has_same_output = true,
            ("h", "") => line.has_same_headings = true,
            ("~", _) => line.is_different = true,
            ("!", rest) => {
                let mut rest = rest.split_whitespace();
                let mut code = || rest.next().and_then(|code| code.parse().ok()).expect(&malformed);
                line.codes = Some((code(), code()));
            }
            _ => panic!("{malformed}"),
        }
    }
    lines
}

/// Splits a command line at blanks; double quotes keep them, and a backslash keeps a double quote.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut is_any) = (Vec::new(), String::new(), false, false);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' => (is_quoted, is_any) = (!is_quoted, true),
            '\\' if chars.peek() == Some(&'"') => word.extend(chars.next()),
            ' ' if !is_quoted => {
                if is_any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                is_any = false;
            }
            other => word.push(other),
        }
    }
    words.extend(Some(word).filter(|word| is_any || !word.is_empty()));
    words
}

/// Runs the transcript; what is left at its end is removed with the engine.
fn play(engine: &Engine, lines: &[Line]) -> Vec<Seen> {
    let seen = |line: &Line| {
        let output = engine.call(line.words.iter().map(String::as_str));
        let state = line.changes_something().then(|| state(engine));
        Seen { code: output.code(), stdout: output.stdout, stderr: output.stderr, state }
    };
    lines.iter().map(seen).collect()
}

/// Returns the containers with their states, the volumes, networks and tags that are there.
fn state(engine: &Engine) -> BTreeSet<String> {
    let looks: [&[&str]; 4] = [
        &["ps", "--all", "--format", "container {{.Names}} is {{.State}}"],
        &["volume", "ls", "--format", "volume {{.Name}}"],
        &["network", "ls", "--format", "network {{.Name}}"],
        &["images", "--format", "image {{.Repository}}:{{.Tag}}"],
    ];
    let listed = |look: &&[&str]| engine.call(look.iter().copied()).ok().stdout;
    let all: Vec<String> = looks.iter().map(listed).collect();
    // docker shows networks that are none, and its own before anybody uses it
    let own = ["network bridge", "network host", "network none"];
    all.concat().lines().filter(|line| !own.contains(line)).map(masked).collect()
}

/// Takes away what differs from run to run: ids and times.
fn masked(text: &str) -> String {
    let is_id =
        |word: &str| (word.len() == 64 || word.len() == 12) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let split = text.split_inclusive(|char: char| !char.is_alphanumeric());
    let part = |part: &str| {
        let word = part.trim_end_matches(|char: char| !char.is_alphanumeric());
        if is_id(word) { format!("<id>{}", &part[word.len()..]) } else { part.to_owned() }
    };
    split.map(part).collect()
}

/// Headings are two blanks apart at least.
fn headings(text: &str) -> Vec<&str> {
    text.lines().next().unwrap_or_default().split("  ").map(str::trim).filter(|heading| !heading.is_empty()).collect()
}

/// Says how what lighter did is not as Docker, and is not wanted to be.
fn difference(line: &Line, docker: &Seen, lighter: &Seen) -> Option<String> {
    let mut text = String::new();
    let mut differs = |what: &str, docker: &dyn std::fmt::Debug, lighter: &dyn std::fmt::Debug| {
        let _ = writeln!(text, "  {what}:\n    docker  {docker:?}\n    lighter {lighter:?}");
    };
    let wanted = line.codes.map_or((docker.code, docker.code), |(docker, lighter)| (Some(docker), Some(lighter)));
    if (docker.code, lighter.code) != wanted {
        differs("exit code", &(docker.code, &docker.stderr), &(lighter.code, &lighter.stderr));
    }
    let (theirs, ours) = (masked(&docker.stdout), masked(&lighter.stdout));
    let trimmed = |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    if line.has_same_output && trimmed(&theirs) != trimmed(&ours) {
        differs("output", &trimmed(&theirs), &trimmed(&ours));
    }
    if line.has_same_headings && headings(&theirs) != headings(&ours) {
        differs("headings", &headings(&theirs), &headings(&ours));
    }
    if let (Some(theirs), Some(ours)) = (&docker.state, &lighter.state)
        && theirs != ours
        && !line.is_different
    {
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
        differs("state", &only(theirs, ours), &only(ours, theirs));
    }
    (!text.is_empty()).then(|| format!("$ {}\n{text}", line.shown))
}

#[test]
fn the_transcript_is_long_enough_and_can_be_read() {
    assert!(lines().len() >= 150);
    assert_eq!(words(r#"a "b c" "d \"e\"" """#), ["a", "b c", r#"d "e""#, ""]);
}

#[test]
#[ignore = "needs root"]
fn what_people_type_does_with_lighter_what_it_does_with_docker() {
    let lines = lines();
    // One after the other: each has a host of its own.
    let docker = play(&Engine::docker_as_packaged(), &lines);
    let lighter = play(&Engine::lighter(), &lines);
    let seen = lines.iter().zip(docker.iter().zip(&lighter));
    let differences: Vec<_> = seen.filter_map(|(line, (docker, lighter))| difference(line, docker, lighter)).collect();
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), lines.len(), differences.join("\n"));
}
