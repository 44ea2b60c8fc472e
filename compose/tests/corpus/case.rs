//! One case: files, what is asked of them, what must become of them.
//!
//! ```text
//! === what it shows
//! --- compose.yaml
//! services: …
//! --- env
//! NAME=value of the process environment
//! --- with
//! profile=debug
//! --- => services.a.image
//! "x"
//! ```
//!
//! What must become of it: warnings, refusals and errors, a line each, then the JSON at the path. The project directory is
//! called `/shop`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use lighter_compose::{Environment, LoadError, Loaded, Source, load, render};
use serde_json::Value;

/// What stands in a document for the folder it is in.
const ROOT: &str = "/shop";

/// A case, with the text of its parts as they are in the file.
pub(crate) struct Case {
    pub(crate) title: String,
    parts: Vec<(String, String)>,
    path: String,
    pub(crate) expected: String,
}

impl Case {
    /// Reads the cases of a file.
    pub(crate) fn all(text: &str) -> Vec<Self> {
        text.split("=== ").skip(1).map(Self::read).collect()
    }

    fn read(text: &str) -> Self {
        let mut parts = text.split("\n--- ");
        let title = parts.next().unwrap().trim_end().to_owned();
        let mut parts: Vec<_> = parts
            .map(|part| part.split_once('\n').unwrap_or((part, "")))
            .map(|(head, body)| (head.to_owned(), body.to_owned()))
            .collect();
        let (head, expected) = parts.pop().unwrap();
        let path = head.strip_prefix("=>").expect("the last part is what must become of it").trim().to_owned();
        // A line's end before the next part was cut off with its mark.
        parts.iter_mut().for_each(|(_, body)| body.push('\n'));
        Self { title, parts, path, expected: expected.trim_end().to_owned() }
    }

    /// Writes the files below `root` and returns what is asked.
    pub(crate) fn prepare(&self, root: &Path) -> (Source, Environment) {
        let mut source = Source { working_directory: root.to_path_buf(), ..Source::default() };
        let mut environment = Environment::new();
        for (head, body) in &self.parts {
            match head.as_str() {
                "env" => environment.extend(body.lines().filter_map(pair)),
                "with" => body.lines().for_each(|line| with(&mut source, line)),
                name => write(&root.join(name), body),
            }
        }
        (source, environment)
    }

    /// Returns whether the case is loaded with this option.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.parts.iter().any(|(head, body)| head == "with" && body.lines().any(|line| line == option))
    }

    /// Returns what becomes of the case.
    pub(crate) fn outcome(&self) -> String {
        self.run(|root, loaded| {
            match loaded {
                Ok(loaded) => self.told(loaded),
                Err(error) => error.to_string().lines().map(|line| format!("error: {line}\n")).collect(),
            }
            .replace(&root.display().to_string(), ROOT)
            .replace(&root.parent().unwrap().display().to_string(), "")
            .trim_end()
            .to_owned()
        })
    }

    /// Loads the case in a folder of its own.
    pub(crate) fn run<T>(&self, use_it: impl FnOnce(&Path, &Result<Loaded, LoadError>) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("shop");
        fs::create_dir(&root).unwrap();
        let (source, environment) = self.prepare(&root);
        use_it(&root, &load(&source, &environment))
    }

    fn told(&self, loaded: &Loaded) -> String {
        let project = &loaded.project;
        let lines = |kind: &str, list: &[lighter_compose::Diagnostic]| -> String {
            list.iter().map(|one| format!("{kind}: {one}\n")).collect()
        };
        let json: Value = serde_json::from_str(&render::json(project)).unwrap();
        let parts = self.path.split('.').filter(|part| !part.is_empty());
        let value = parts.fold(&json, |value, part| &value[part]);
        let told = lines("warning", &loaded.warnings) + &lines("refused", &project.refusals);
        format!("{told}{value}\n")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "=== {}", self.title)?;
        self.parts.iter().try_for_each(|(head, body)| write!(f, "--- {head}\n{body}"))?;
        writeln!(f, "--- => {}\n{}\n", self.path, self.expected)
    }
}

fn pair(line: &str) -> Option<(String, String)> {
    line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn with(source: &mut Source, line: &str) {
    match line.split_once('=').unwrap_or((line, "")) {
        ("profile", name) => source.profiles.push(name.to_owned()),
        ("service", name) => source.services.push(name.to_owned()),
        ("file", path) => source.files.push(PathBuf::from(path)),
        ("env-file", path) => source.env_files.push(PathBuf::from(path)),
        ("name", name) => source.project_name = Some(name.to_owned()),
        ("no-interpolate", _) => source.no_interpolate = true,
        ("no-normalize", _) => source.no_normalize = true,
        ("no-path-resolution", _) => source.no_path_resolution = true,
        ("no-consistency", _) => source.no_consistency = true,
        ("no-env-resolution", _) => source.no_env_resolution = true,
        (other, _) => panic!("{other}"),
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
