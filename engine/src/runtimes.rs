//! Which OCI runtimes there are beside our own: those of the table `[runtimes]` of `/etc/lighter/config.toml`, and the host's
//! programs by their names. Read by the command; the monitor is handed it.
//!
//! ```toml
//! [runtimes.runsc]
//! path = "/usr/local/bin/runsc"
//! args = ["--platform=kvm"]            # before the verb, at each call
//! ```
//!
//! `init_path = "/usr/bin/tini-static"`, before the tables, is what is pid 1 in their containers under `--init`.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Names of the runtime that lighter is itself.
const OURS: [&str; 2] = ["lighter", "lighter-runc"];

/// The other OCI runtimes that this host's owner has named, and where programs are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtimes {
    configured: BTreeMap<String, Program>,
    folders: Vec<PathBuf>,
    init_path: Option<PathBuf>,
}

/// How a runtime is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    path: PathBuf,
    #[serde(default)]
    args: Vec<String>,
}

/// Another OCI runtime: whose containers are made by calling it, with runc's command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OciRuntime {
    /// What the user calls it.
    pub name: String,
    /// The program, absolute.
    pub path: PathBuf,
    /// Its arguments before the verb.
    pub args: Vec<String>,
}

/// The whole file; other programs' sections are not ours to judge.
#[derive(Default, Deserialize)]
struct File {
    #[serde(default)]
    runtimes: BTreeMap<String, Program>,
    init_path: Option<PathBuf>,
}

/// Why a runtime cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RuntimesError {
    /// The file is there and cannot be read.
    #[error("read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The text is not what is expected.
    #[error("{}:{line}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Nobody has heard of it.
    #[error("no OCI runtime `{name}`: it is no program of the host, and known are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Ours, and those of the configuration.
        known: String,
    },
}

impl Runtimes {
    /// Reads the file at `path`, which may be absent; other names are looked for as programs in `folders`.
    ///
    /// # Errors
    /// The file cannot be read, or is not what is expected.
    pub fn load(path: &Path, folders: Vec<PathBuf>) -> Result<Self, RuntimesError> {
        let file = match std::fs::read_to_string(path) {
            Ok(text) => parse(&text, path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => File::default(),
            Err(source) => return Err(RuntimesError::Read { path: path.to_owned(), source }),
        };
        Ok(Self { configured: file.runtimes, folders, init_path: file.init_path })
    }

    /// Returns the runtime of this name, or at this path; `None` for our own.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<Option<OciRuntime>, RuntimesError> {
        if OURS.contains(&name) {
            return Ok(None);
        }
        let program = self.configured.get(name).cloned().or_else(|| {
            let path = self.program(name)?;
            Some(Program { path, args: Vec::new() })
        });
        let Some(Program { path, args }) = program else {
            let known: Vec<&str> = self.names().collect();
            return Err(RuntimesError::Unknown { name: name.to_owned(), known: known.join(", ") });
        };
        Ok(Some(OciRuntime { name: name.to_owned(), path, args }))
    }

    /// Returns the names of our own and of those that are configured.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        OURS.into_iter().take(1).chain(self.configured.keys().map(String::as_str))
    }

    /// Returns the paths of those that are configured, by name.
    pub fn configured(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.configured.iter().map(|(name, program)| (name.as_str(), program.path.as_path()))
    }

    /// Returns the program that is pid 1 where our own runtime is not, if one is configured.
    pub(crate) fn init_path(&self) -> Option<&Path> {
        self.init_path.as_deref()
    }

    /// Returns a program of the host by name, or at a path.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let path = Path::new(name);
        let candidates = match name.contains('/') {
            true => vec![path.to_owned()],
            false => self.folders.iter().map(|folder| folder.join(name)).collect(),
        };
        candidates.into_iter().find(|path| path.is_absolute() && is_executable(path))
    }
}

fn parse(text: &str, path: &Path) -> Result<File, RuntimesError> {
    let wrong = |line, message| RuntimesError::Content { path: path.to_owned(), line, message };
    let file: File = toml::from_str(text).map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        wrong(line, error.message().to_owned())
    })?;
    for (name, program) in &file.runtimes {
        let header = format!("runtimes.{name}");
        let line = text.lines().position(|line| line.contains(&header)).map_or(1, |index| index + 1);
        if OURS.contains(&name.as_str()) {
            return Err(wrong(line, format!("`{name}` is lighter's own runtime")));
        }
        if !program.path.is_absolute() {
            return Err(wrong(
                line,
                format!("the path of runtime `{name}`, `{}`, is not absolute", program.path.display()),
            ));
        }
    }
    if let Some(init) = file.init_path.as_ref().filter(|init| !init.is_absolute()) {
        let line =
            text.lines().position(|line| line.trim_start().starts_with("init_path")).map_or(1, |index| index + 1);
        return Err(wrong(line, format!("`init_path`, `{}`, is not absolute", init.display())));
    }
    Ok(file)
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Runtimes, String> {
        let file = parse(text, Path::new("config.toml")).map_err(|error| error.to_string())?;
        Ok(Runtimes {
            configured: file.runtimes,
            init_path: file.init_path,
            folders: vec!["/bin".into(), "relative".into()],
        })
    }

    #[test]
    fn a_runtime_is_a_configured_one_or_a_program_of_the_host() {
        let runtimes = parsed("[network]\npools = []\n[runtimes.sh]\npath = '/opt/sh'\nargs = ['--fast']\n").unwrap();
        let found = runtimes.find("sh").unwrap().unwrap();
        assert_eq!((found.path, found.args), (PathBuf::from("/opt/sh"), vec!["--fast".to_owned()]));
        assert_eq!(runtimes.find("cat").unwrap().unwrap().path, Path::new("/bin/cat"));
        assert_eq!(runtimes.find("/bin/cat").unwrap().unwrap().name, "/bin/cat");
        assert_eq!(runtimes.find("lighter").unwrap(), None);
        for name in ["", "no-such-runtime", "/etc/passwd", "./cat"] {
            let error = runtimes.find(name).unwrap_err().to_string();
            assert!(error.contains("known are lighter, sh"), "{error}");
        }
    }

    #[test]
    fn what_is_no_runtime_is_refused_with_its_line() {
        for (text, line) in [
            ("\n[runtimes.x]\npath = 'x'\n", "config.toml:2: "),
            ("[runtimes.lighter]\npath = '/x'\n", "config.toml:1: "),
            ("[runtimes.x]\npath = '/x'\nargv = []\n", "config.toml:3: "),
            ("[runtimes.x]\nargs = []\n", "config.toml:1: "),
            ("\ninit_path = 'tini'\n", "config.toml:2: "),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.starts_with(line), "{error}");
        }
    }
}
