//! One scenario, as `cases/*.txt` has it.
//!
//! ```text
//! === NAME                     of the project, too
//! the compose file; `>>> NAME` begins another file
//! ---
//! compose WORDS                a command of Docker Compose; `'…'` is one word
//! compose> WORDS               the same, whose output is compared
//! engine WORDS                 a command of the engine: `network create`, `stop` …; `{NAME}` is the id of a container
//! edit OLD => NEW              changes the compose file
//! await LINE                   waits until the line is true
//! ---
//! why differences are wanted
//! - NUMBER LINE                what docker alone tells after that step
//! + NUMBER LINE                what lighter alone tells
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What is to be done.
pub(super) enum Step {
    Compose { words: Vec<String>, prints: bool },
    Engine(Vec<String>),
    Edit(String, String),
    Await(String),
}

/// A project, what is done with it, and how its outcomes may differ.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
    pub(super) expected: BTreeSet<String>,
    files: Vec<(String, String)>,
}

impl Case {
    /// Reads the scenarios of one file.
    pub(super) fn of(file: &str) -> Vec<Case> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines/compose/cases");
        let text = fs::read_to_string(folder.join(file).with_extension("txt")).expect("the scenarios are there");
        text.split("=== ").skip(1).map(parse).collect()
    }

    /// Writes the project's files.
    pub(super) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("the test's directory is ours");
        for (name, text) in &self.files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("it is in the folder")).expect("the test's directory is ours");
            fs::write(path, text).expect("the test's directory is ours");
        }
    }

    /// Replaces `old`, which has to be there, by `new` in the first file.
    pub(super) fn edit(&self, folder: &Path, old: &str, new: &str) {
        let path = folder.join(&self.files[0].0);
        let text = fs::read_to_string(&path).expect("the test's directory is ours");
        assert!(text.contains(old), "{}: `{old}` is not there", self.name);
        fs::write(path, text.replace(old, new)).expect("the test's directory is ours");
    }

    /// Returns the lines that one of both alone has told.
    pub(super) fn difference(&self, theirs: &[String], ours: &[String]) -> BTreeSet<String> {
        let [theirs, ours] = [theirs, ours].map(|lines| lines.iter().collect::<BTreeSet<_>>());
        let alone = theirs.difference(&ours).map(|line| format!("- {line}"));
        alone.chain(ours.difference(&theirs).map(|line| format!("+ {line}"))).collect()
    }
}

fn parse(text: &str) -> Case {
    let (name, rest) = text.split_once('\n').expect("a scenario has a name");
    let sections: Vec<&str> = rest.split("---\n").collect();
    let (files, steps) = (sections[0], sections.get(1).unwrap_or_else(|| panic!("{name}: no steps")));
    let files = format!(">>> compose.yaml\n{files}");
    let file = |text: &str| text.split_once('\n').map(|(name, text)| (name.to_owned(), text.to_owned()));
    let lines = |text: &&str| text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let expected = sections.get(2).map(lines).unwrap_or_default().into_iter();
    Case {
        name: name.to_owned(),
        files: files.split(">>> ").filter_map(file).collect(),
        steps: lines(steps).iter().map(|line| step(name, line)).collect(),
        expected: expected.filter(|line| line.starts_with("- ") || line.starts_with("+ ")).collect(),
    }
}

fn step(name: &str, line: &str) -> Step {
    let (verb, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{name}: `{line}` is no step"));
    match verb {
        "compose" | "compose>" => Step::Compose { words: words(rest), prints: verb.ends_with('>') },
        "engine" => Step::Engine(words(rest)),
        "edit" => {
            let (old, new) = rest.split_once(" => ").unwrap_or_else(|| panic!("{name}: `{line}` has no ` => `"));
            Step::Edit(old.to_owned(), new.to_owned())
        }
        "await" => Step::Await(rest.to_owned()),
        _ => panic!("{name}: `{line}` is no step"),
    }
}

/// Splits at blanks, but for those between single quotes.
fn words(text: &str) -> Vec<String> {
    let parts = text.split('\'').enumerate();
    parts
        .flat_map(|(at, part)| match at % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}
