//! What must hold of every document.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lighter_compose::{Environment, Source, load, render};
use proptest::prelude::*;

use crate::case::Case;
use crate::{cases, files};

fn every_case() -> impl Iterator<Item = Case> {
    files().into_iter().flat_map(|file| cases(&file))
}

/// Documents whose canonical form is read as another or not at all, in the reference too: a number becomes text, which then
/// stands twice; dollars are doubled in keys, in which none is a variable.
const NOT_READ_AGAIN: [&str; 2] = ["groups that are equal", "a key is left alone"];

/// What `config` prints is a project of its own, and the same.
#[test]
fn config_of_config_is_itself() {
    for case in every_case() {
        case.run(|root, loaded| {
            let Ok(loaded) = loaded else { return };
            // A service that no profile enables is not printed, and what depends on it without need goes on to name it.
            if !loaded.project.disabled.is_empty() || NOT_READ_AGAIN.contains(&case.title.as_str()) {
                return;
            }
            let again = |text: String| {
                let source = Source {
                    files: vec![PathBuf::from("-")],
                    stdin: Some(text),
                    working_directory: root.to_path_buf(),
                    profiles: vec!["*".to_owned()],
                    no_interpolate: case.has("no-interpolate"),
                    no_normalize: case.has("no-normalize"),
                    no_path_resolution: case.has("no-path-resolution"),
                    no_consistency: case.has("no-consistency"),
                    no_env_resolution: case.has("no-env-resolution"),
                    ..Source::default()
                };
                load(&source, &Environment::new()).map_err(|error| format!("{}: {error}", case.title)).unwrap().project
            };
            let yaml = render::yaml(&loaded.project);
            assert_eq!(render::yaml(&again(yaml.clone())), yaml, "{}", case.title);
            // The reference leaves models out of its JSON.
            if !loaded.project.models().is_empty() {
                return;
            }
            let json = render::json(&loaded.project);
            assert_eq!(render::json(&again(json.clone())), json, "{}", case.title);
        });
    }
}

/// A file that says nothing, laid over the others, changes nothing.
#[test]
fn merging_an_empty_file_changes_nothing() {
    for case in every_case() {
        case.run(|root, loaded| {
            let Ok(loaded) = loaded else { return };
            let (mut source, environment) = case.prepare(root);
            std::fs::write(root.join("empty.yaml"), "services: {}\n").unwrap();
            source.files.clone_from(&loaded.project.files);
            source.files.push(root.join("empty.yaml"));
            let laid = load(&source, &environment).unwrap().project;
            assert_eq!(render::json(&laid), render::json(&loaded.project), "{}", case.title);
        });
    }
}

fn image(text: &str, environment: &Environment) -> Option<String> {
    let mut yaml = String::from("services: {a: {image: ");
    yaml.push_str(&serde_json::to_string(text).unwrap());
    yaml.push_str("}}");
    let source = Source {
        files: vec![PathBuf::from("-")],
        stdin: Some(yaml),
        working_directory: PathBuf::from("/shop"),
        ..Source::default()
    };
    load(&source, environment).ok().and_then(|loaded| loaded.project.services["a"].image.clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// The value of a variable can come out only where its name stands.
    #[test]
    fn interpolation_reads_only_what_is_named(text in r"([a-c]|\$|\{|\}|:|-|\?|\+|A|B|VAULT| ){1,24}") {
        let known = |vault: &str| -> Environment {
            let pairs = [("A", "one"), ("B", "$VAULT ${VAULT}"), ("VAULT", vault)];
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect::<BTreeMap<_, _>>()
        };
        if !text.contains("VAULT") {
            prop_assert_eq!(image(&text, &known("secret")), image(&text, &known("other")));
        }
    }

    /// Anything at all ends in a project or an error.
    #[test]
    fn any_text_ends_in_a_project_or_an_error(text in r"(services|a|image|x|\n|  |: |- |[\[\]{}&*!|>'#,?%@`]|<<|~|\$|\t|\PC){0,60}") {
        let source = Source {
            files: vec![PathBuf::from("-")],
            stdin: Some(text),
            working_directory: PathBuf::from("/shop"),
            ..Source::default()
        };
        if let Ok(loaded) = load(&source, &Environment::new()) {
            let _ = render::yaml(&loaded.project);
        }
    }
}
