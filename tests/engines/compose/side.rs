//! Docker Compose on a Docker Engine, and lighter in both places: the same command lines.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::observation::{BUILT_IN, Observer};
use crate::harness::{BUSYBOX, DOCKER_SOCKET, Engine, LIMIT, Output, eventually, run, tool};

/// One of both.
pub(super) struct Side<'a> {
    engine: &'a Engine,
    /// The folder with lighter under the names of the two programs; [`None`] for the programs themselves.
    lighter: Option<PathBuf>,
}

/// All there is of an engine's, as it tells itself.
pub(super) struct Objects {
    pub(super) containers: Vec<Value>,
    pub(super) networks: Vec<Value>,
    pub(super) volumes: Vec<Value>,
}

impl<'a> Side<'a> {
    /// Returns Docker Compose on this engine.
    pub(super) fn theirs(engine: &'a Engine) -> Self {
        Self { engine, lighter: None }
    }

    /// Returns lighter with the engine's image.
    pub(super) fn ours(engine: &'a Engine) -> Self {
        let folder = PathBuf::from(engine.path("names"));
        std::fs::create_dir(&folder).expect("the test's directory is ours");
        for name in ["docker", "docker-compose"] {
            symlink(env!("CARGO_BIN_EXE_lighter"), folder.join(name)).expect("the folder is new");
        }
        let side = Self { engine, lighter: Some(folder.clone()) };
        let archive = engine.path("busybox.tar");
        engine.call(["save", "--output", &archive, BUSYBOX]).ok();
        side.engine(&folder, &["load", "--quiet", "--input", &archive].map(str::to_owned)).ok();
        side
    }

    /// Returns the folder of a project; the same for both.
    pub(super) fn folder(&self, project: &str) -> PathBuf {
        PathBuf::from(self.engine.path("projects")).join(project)
    }

    fn command(&self, program: &str, folder: &Path, words: &[String]) -> Command {
        let program = match &self.lighter {
            Some(names) => names.join(program).display().to_string(),
            None => program.to_owned(),
        };
        let mut command = tool(&program, words);
        command.current_dir(folder).env("HOME", self.engine.path(".")).env("DOCKER_HOST", DOCKER_SOCKET);
        command.env("LIGHTER_ROOT", self.engine.path("lighter")).env("LIGHTER_RUN", "/run/lighter");
        command
    }

    /// Runs a command of Docker Compose's in a project's folder.
    #[track_caller]
    pub(super) fn compose(&self, folder: &Path, words: &[String]) -> Output {
        run(self.command("docker-compose", folder, words), Path::new(&self.engine.path(".")))
    }

    /// Runs a command of the engine's.
    #[track_caller]
    pub(super) fn engine(&self, folder: &Path, words: &[String]) -> Output {
        run(self.command("docker", folder, words), Path::new(&self.engine.path(".")))
    }

    fn call(&self, words: &[&str]) -> Output {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        self.engine(Path::new(&self.engine.path(".")), &words)
    }

    /// Returns the ids that a list has.
    fn listed(&self, list: &[&str]) -> Vec<String> {
        self.call(list).ok().stdout.split_whitespace().map(str::to_owned).collect()
    }

    fn inspected(&self, inspect: &[&str], list: &[&str]) -> Vec<Value> {
        let ids = self.listed(list);
        if ids.is_empty() {
            return Vec::new();
        }
        let words: Vec<_> = inspect.iter().copied().chain(ids.iter().map(String::as_str)).collect();
        // One that has gone since it was listed makes the exit status 1, and the others are told.
        let output = self.call(&words);
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{output}"))
    }

    /// Returns all there is.
    pub(super) fn objects(&self) -> Objects {
        Objects {
            containers: self.inspected(&["inspect", "--type", "container"], &["ps", "--all", "--quiet"]),
            networks: self.inspected(&["network", "inspect"], &["network", "ls", "--quiet"]),
            volumes: self.inspected(&["volume", "inspect"], &["volume", "ls", "--quiet"]),
        }
    }

    /// Waits until one of the lines is `what`.
    #[track_caller]
    pub(super) fn awaits(&self, observer: &mut Observer, what: &str) {
        eventually(what, LIMIT, || {
            let lines = observer.look(&self.objects());
            if lines.iter().any(|line| line == what) {
                Ok(())
            } else {
                Err(lines.into_iter().collect::<Vec<_>>().join("\n"))
            }
        });
    }

    /// Removes what a scenario has made beside its project.
    #[track_caller]
    pub(super) fn clear(&self) {
        for (list, remove) in [
            (&["ps", "--all", "--quiet"][..], &["rm", "--force", "--volumes"][..]),
            (&["network", "ls", "--format", "{{.Name}}"], &["network", "rm"]),
            (&["volume", "ls", "--quiet"], &["volume", "rm"]),
        ] {
            let mut ids = self.listed(list);
            // Lighter's `bridge` is a network like any other, made for the first who names none.
            ids.retain(|id| self.lighter.is_some() || !BUILT_IN.contains(&id.as_str()));
            if !ids.is_empty() {
                let words: Vec<_> = remove.iter().copied().chain(ids.iter().map(String::as_str)).collect();
                self.call(&words).ok();
            }
        }
    }
}
