//! What every verb starts from: the environment of the process, read here once, and the engine, opened on demand.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use lighter_engine::images::Slots;
use lighter_engine::images::pull::{DEFAULT_DOWNLOADS, PullOptions};
use lighter_engine::images::push::{DEFAULT_UPLOADS, PushOptions};
use lighter_engine::images::registry::{Access, CredentialStore, Proxies, RegistryConfig};
use lighter_engine::netns::Settings;
use lighter_engine::{Engine, Layout, Runtimes};

use crate::args::{Cli, Globals, Manner, ProjectArgs, Verb};
use crate::error::Failure;
use crate::proxies;
use crate::ui::Ui;

/// Where registries and the network are configured, unless LIGHTER_CONFIG says otherwise.
const DEFAULT_CONFIG: &str = "/etc/lighter/config.toml";

/// Where docker has certificates of registries, beside our own `certs.d`.
const DOCKER_CERTIFICATES: &str = "/etc/docker/certs.d";

/// Where podman has root's logins where there is no XDG_RUNTIME_DIR (containers-auth.json(5)).
const PODMANS_LOGINS: &str = "/run/containers/0/auth.json";

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

    /// Returns where a file is that the user names.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        self.working_directory.join(path)
    }
}

/// Everything a verb may use.
pub(crate) struct Context {
    pub(crate) globals: Globals,
    pub(crate) project: ProjectArgs,
    pub(crate) manner: Manner,
    pub(crate) invocation: Invocation,
    pub(crate) ui: Ui,
}

impl Context {
    pub(crate) fn new(cli: &Cli, invocation: Invocation) -> Self {
        let inner = match &cli.verb {
            Verb::Compose(args) => Some(&args.options.manner),
            _ => None,
        };
        let manner = cli.manner.clone().joined(inner);
        let ui = Ui::new(match manner.ansi.as_deref() {
            Some("always") => true,
            Some("never") => false,
            _ => wants_color(),
        });
        Self { globals: cli.globals.clone(), project: cli.project.clone(), manner, invocation, ui }
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
        let settings = Settings::load(self.config())?;
        let runtimes = Runtimes::load(self.config(), self.programs())?;
        Ok(Engine::open(root, run)?.with_network(settings).with_runtimes(runtimes))
    }

    /// Opens the installation and first puts right what killed processes or a reboot have left.
    pub(crate) fn recovered_engine(&self) -> Result<Engine, Failure> {
        let engine = self.engine()?;
        for failure in engine.recover()? {
            self.ui.warn(Failure::from(failure).to_string());
        }
        Ok(engine)
    }

    /// Returns the file of what the host's owner has decided.
    fn config(&self) -> &Path {
        Path::new(self.variable("LIGHTER_CONFIG").unwrap_or(DEFAULT_CONFIG))
    }

    /// Returns the folders that programs are looked for in.
    fn programs(&self) -> Vec<PathBuf> {
        std::env::split_paths(self.variable("PATH").unwrap_or_default()).collect()
    }

    /// Returns how registries are reached, and as whom: as configured here, and as docker and podman have it.
    pub(crate) fn access(&self) -> Result<Access, Failure> {
        let path = self.config();
        let own = path.parent().unwrap_or(Path::new("/")).join("certs.d");
        let config = RegistryConfig::load(path)?.with_certificate_directories(vec![own, DOCKER_CERTIFICATES.into()]);
        let credentials = CredentialStore::new(self.credential_files(), self.programs());
        let proxies = Proxies::from_variables(|name| self.variable(name));
        Ok(Access { config, credentials, proxies, ..Access::default() })
    }

    /// Lists the files that may have logins, docker's before podman's, or the one that the command line says; the first is the
    /// one that `login` writes.
    fn credential_files(&self) -> Vec<PathBuf> {
        if self.globals.config.is_some() {
            return self.dockers_config().into_iter().collect();
        }
        let files = [
            self.variable("REGISTRY_AUTH_FILE").map(PathBuf::from),
            self.dockers_config(),
            self.below("XDG_RUNTIME_DIR", "containers/auth.json").or_else(|| Some(PathBuf::from(PODMANS_LOGINS))),
            self.below("HOME", ".config/containers/auth.json"),
        ];
        files.into_iter().flatten().map(|path| self.invocation.working_directory.join(path)).collect()
    }

    /// Returns docker's `config.json`, which may not be there.
    fn dockers_config(&self) -> Option<PathBuf> {
        let chosen = self.globals.config.as_ref().map(|folder| folder.join("config.json"));
        let path = chosen.or_else(|| self.below("DOCKER_CONFIG", "config.json"));
        path.or_else(|| self.below("HOME", ".docker/config.json")).map(|path| self.invocation.path(&path))
    }

    fn below(&self, variable: &str, rest: &str) -> Option<PathBuf> {
        self.variable(variable).map(|folder| Path::new(folder).join(rest))
    }

    /// Returns the variables of proxies that docker's `config.json` has for containers and builds. A file that is no JSON has
    /// none, and is warned of: what is run may not need them.
    pub(crate) fn proxies(&self) -> Vec<(String, String)> {
        let Some(path) = self.dockers_config() else { return Vec::new() };
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        proxies::variables(&text).unwrap_or_else(|error| {
            self.ui.warn(format!("no proxies are taken from `{}`: {error}", path.display()));
            Vec::new()
        })
    }

    /// Returns how to pull, with so many layers at once, or as many as are configured.
    pub(crate) fn pull_options(&self, downloads: Option<usize>) -> Result<PullOptions, Failure> {
        let access = self.access()?;
        let downloads = downloads.or(access.config.max_concurrent_downloads).unwrap_or(DEFAULT_DOWNLOADS);
        Ok(PullOptions { platform: None, access, downloads: Slots::new(downloads) })
    }

    /// Returns how to push, with so many layers at once, or as many as are configured.
    pub(crate) fn push_options(&self, uploads: Option<usize>) -> Result<PushOptions, Failure> {
        let access = self.access()?;
        let uploads = uploads.or(access.config.max_concurrent_uploads).unwrap_or(DEFAULT_UPLOADS);
        Ok(PushOptions { access, uploads: Slots::new(uploads), ..PushOptions::default() })
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
