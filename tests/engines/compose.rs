//! Projects of our own beside Docker Compose on a Docker Engine, as Debian packages both: the same commands, the same outcome.
//!
//! Each scenario of `compose/cases` is run by both, one after the other, in the same folder. After each command what has come of
//! it is told in lines, and these have to be equal but for what the scenario says; `docs/compatibility.md` has the reasons.
//!
//! Debian's Docker Compose is 1.29, of which some is not so any more in the versions that lighter follows. These rules level it,
//! and nothing else does:
//!
//! - Compose 1 joins the parts of a generated name by `_`, Compose 2 by `-`.
//! - Compose 1 tells a project's files as they were given, Compose 2 with their folder.
//! - Of the labels `com.docker.compose.…`, those are compared that both have: whose values name projects, services, networks, volumes
//!   and files, and not versions and hashes.
//! - Ids, addresses that nobody asked for, ports that nobody asked for, and the names of anonymous volumes are any.

mod case;
mod observation;
mod side;

use crate::harness::Engine;
use case::{Case, Step};
use observation::Observer;
use side::Side;

/// Least number of scenarios.
const LEAST: usize = 40;

/// Runs the scenarios of one file by both and demands that they come to the same, but for what is expected to differ.
fn compare(file: &str) {
    let engine = Engine::docker_as_packaged();
    let (theirs, ours) = (Side::theirs(&engine), Side::ours(&engine));
    let mut wrong = Vec::new();
    for case in Case::of(file) {
        let told = [&theirs, &ours].map(|side| run(&case, side));
        let difference = case.difference(&told[0], &told[1]);
        if difference != case.expected {
            let shown = |lines: &std::collections::BTreeSet<String>| {
                lines.iter().map(|line| format!("{line}\n")).collect::<String>()
            };
            wrong.push(format!("=== {}\n{}--- expected\n{}", case.name, shown(&difference), shown(&case.expected)));
        }
    }
    assert!(wrong.is_empty(), "`-` docker alone, `+` lighter alone\n{}", wrong.join("\n"));
}

/// Runs a scenario, and removes what it has made; returns what was told, each line after the number of its step.
fn run(case: &Case, side: &Side<'_>) -> Vec<String> {
    let folder = side.folder(&case.name);
    case.write(&folder);
    let mut observer = Observer::default();
    let (mut told, place) = (Vec::new(), folder.display().to_string());
    for (number, step) in case.steps.iter().enumerate() {
        let mut tell = |line: String| told.push(format!("{} {}", number + 1, line.replace(&place, "FOLDER")));
        match step {
            Step::Compose { words, prints } => {
                let output = side.compose(&folder, words);
                tell(format!("exits {}", output.code().unwrap_or(-1)));
                if *prints {
                    output.stdout.lines().for_each(|line| tell(format!("prints {}", line.trim())));
                }
                observer.tell(&side.objects()).into_iter().for_each(tell);
            }
            Step::Engine(words) => {
                let words: Vec<_> = words.iter().map(|word| observer.with_ids(word)).collect();
                tell(format!("exits {}", side.engine(&folder, &words).code().unwrap_or(-1)));
            }
            Step::Edit(old, new) => case.edit(&folder, old, new),
            Step::Await(what) => side.awaits(&mut observer, what),
        }
    }
    // Fails where the file is wrong; what is left then is removed next.
    side.compose(&folder, &["down", "-t", "0", "-v", "--remove-orphans"].map(str::to_owned));
    side.clear();
    told
}

#[test]
#[ignore = "needs root"]
fn projects_live_and_change_as_with_docker_compose() {
    compare("lifecycle");
}

#[test]
#[ignore = "needs root"]
fn projects_are_networked_and_stored_as_with_docker_compose() {
    compare("objects");
}

#[test]
#[ignore = "needs root"]
fn services_are_configured_as_with_docker_compose() {
    compare("options");
}

#[test]
#[ignore = "needs root"]
fn commands_end_and_print_as_with_docker_compose() {
    compare("outcomes");
}

#[test]
fn there_are_scenarios_for_everything_and_each_name_is_one_only() {
    let cases: Vec<_> = ["lifecycle", "objects", "options", "outcomes"].into_iter().flat_map(Case::of).collect();
    let names: std::collections::BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= LEAST, "{} scenarios", cases.len());
}
