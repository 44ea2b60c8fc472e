//! What every verb starts from: the environment of the process, read here once, and the engine, opened on demand.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use lighter_engine::images::pull::PullOptions;
use lighter_engine::images::registry::RegistryConfig;
use lighter_engine::{Engine, Layout};

use crate::args::{Globals, ProjectArgs};
use crate::error::Failure;
use crate::ui::Ui;

/// Where registries are configured, unless LIGHTER_CONFIG says otherwise.
const DEFAULT_CONFIG: &str = "/etc/lighter/config.toml";

/// What the process was given besides its arguments.
pub(crate) struct Invocation {
    /// The environment; a value that is no UTF-8 is refused only where it is used.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) working_directory: PathBuf,
}

impl Invocation {
    pub(crate) fn from_environment() -> Result<Self, Failure> {
        let pairs = std::env::vars_os();
        let environment = pairs.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let working_directory =
            std::env::current_dir().map_err(|error| Failure::text(format!("find the current directory: {error}")))?;
        Ok(Self { environment: environment.collect(), working_directory })
    }
}

/// Everything a verb may use.
pub(crate) struct Context {
    pub(crate) globals: Globals,
    pub(crate) project: ProjectArgs,
    pub(crate) invocation: Invocation,
    pub(crate) ui: Ui,
}

impl Context {
    pub(crate) fn new(globals: Globals, project: ProjectArgs, invocation: Invocation) -> Result<Self, Failure> {
        let ui = Ui::new(wants_color());
        Ok(Self { globals, project, invocation, ui })
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.invocation.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Completes `-e NAME` with our own value; a variable we do not have is left out. `NAME=value` stays as it is.
    pub(crate) fn pair(&self, text: &str) -> Option<String> {
        match text.contains('=') {
            true => Some(text.to_owned()),
            false => self.invocation.environment.get(text).map(|value| format!("{text}={value}")),
        }
    }

    /// Opens the installation for a verb that only looks.
    pub(crate) fn engine(&self) -> Result<Engine, Failure> {
        let path = |flag: &Option<PathBuf>, variable: &str, default: &str| {
            let chosen = flag.clone().or_else(|| self.variable(variable).map(PathBuf::from));
            self.invocation.working_directory.join(chosen.unwrap_or_else(|| PathBuf::from(default)))
        };
        let root = path(&self.globals.root, "LIGHTER_ROOT", Layout::DEFAULT_ROOT);
        let run = path(&self.globals.run, "LIGHTER_RUN", Layout::DEFAULT_RUN);
        Ok(Engine::open(root, run)?)
    }

    /// Opens the installation and first puts right what killed processes or a reboot have left.
    pub(crate) fn recovered_engine(&self) -> Result<Engine, Failure> {
        let engine = self.engine()?;
        engine.recover()?;
        Ok(engine)
    }

    /// Returns how to pull: registries and mirrors as configured.
    pub(crate) fn pull_options(&self) -> Result<PullOptions, Failure> {
        let path = self.variable("LIGHTER_CONFIG").unwrap_or(DEFAULT_CONFIG);
        let registries = RegistryConfig::load(Path::new(path))?;
        Ok(PullOptions { registries, ..PullOptions::default() })
    }
}

/// Returns the arguments with the verb implied by the program's name: `docker-compose up` is `lighter compose up`.
pub(crate) fn argv_of(mut argv: Vec<OsString>) -> Vec<OsString> {
    let name =
        argv.first().and_then(|path| Path::new(path).file_name()).map(|name| name.to_string_lossy().into_owned());
    if name.as_deref() == Some("docker-compose") {
        argv.insert(1, "compose".into());
    }
    argv
}

/// Color on a terminal, unless NO_COLOR is set (no-color.org) or the terminal cannot.
pub(crate) fn wants_color() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && std::io::stderr().is_terminal() && !set("NO_COLOR") && !dumb
}

/// One line and the remedy, before any work.
pub(crate) fn not_root() -> Failure {
    let command: Vec<String> = std::env::args().skip(1).map(|word| quote(&word)).collect();
    Failure::text(format!("containers need root: sudo lighter {}", command.join(" ")))
}

pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_name_implies_the_verb() {
        let argv = argv_of(vec!["/usr/bin/docker-compose".into(), "up".into()]);
        assert_eq!(argv, ["/usr/bin/docker-compose", "compose", "up"]);
        assert_eq!(argv_of(vec!["lighter".into(), "up".into()]), ["lighter", "up"]);
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("-p"), "-p");
    }
}
