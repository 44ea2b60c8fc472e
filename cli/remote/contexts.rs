//! Hosts by name: one file each, and one that says which is current.
//!
//! They are the user's, below `$XDG_CONFIG_HOME/lighter`, and outlive any one host.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::context::Invocation;
use crate::error::Failure;

/// The context that is always there: this very host.
pub(crate) const DEFAULT: &str = "default";

/// A host with a name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NamedHost {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    /// Its address; empty = this host.
    #[serde(default)]
    pub(crate) host: String,
}

/// All of them.
pub(crate) struct Contexts {
    folder: PathBuf,
}

impl Contexts {
    /// Opens the user's.
    pub(crate) fn of(invocation: &Invocation) -> Result<Self, Failure> {
        let variable = |name: &str| invocation.environment.get(name).filter(|value| !value.is_empty());
        let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from);
        let folder = folder.or_else(|| variable("HOME").map(|home| Path::new(home).join(".config")));
        let folder = folder.ok_or_else(|| Failure::text("find the user's configuration: HOME is not set"))?;
        Ok(Self { folder: folder.join("lighter") })
    }

    /// Returns the file of a context.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join("contexts").join(format!("{name}.json"))
    }

    /// Returns the name of the current context.
    pub(crate) fn current(&self) -> Result<String, Failure> {
        match fs::read_to_string(self.folder.join("context")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DEFAULT.to_owned()),
            Err(error) => Err(self.failure("read", &error)),
            Ok(text) => Ok(text.trim().to_owned()),
        }
    }

    /// Makes a context current; it must be there.
    pub(crate) fn set_current(&self, name: &str) -> Result<(), Failure> {
        self.get(name)?;
        self.write(&self.folder.join("context"), name.as_bytes())
    }

    /// Returns the context of a name.
    pub(crate) fn get(&self, name: &str) -> Result<NamedHost, Failure> {
        self.find(name)?.ok_or_else(|| Failure::text(format!("no such context: {name}")))
    }

    /// Returns the context of a name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Result<Option<NamedHost>, Failure> {
        if name == DEFAULT {
            let description = "This host".to_owned();
            return Ok(Some(NamedHost { name: DEFAULT.to_owned(), description, host: String::new() }));
        }
        check_name(name)?;
        match fs::read(self.file(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failure("read", &error)),
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).map_err(|error| {
                Failure::text(format!("read the context `{}`: {error}", self.file(name).display()))
            })?)),
        }
    }

    /// Lists all, the default first, the others by name.
    pub(crate) fn all(&self) -> Result<Vec<NamedHost>, Failure> {
        let entries = fs::read_dir(self.folder.join("contexts")).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
        let mut names: Vec<_> = names.collect();
        names.sort();
        std::iter::once(DEFAULT.to_owned()).chain(names).map(|name| self.get(&name)).collect()
    }

    /// Writes a context, new or changed.
    pub(crate) fn put(&self, context: &NamedHost) -> Result<(), Failure> {
        check_name(&context.name)?;
        if context.name == DEFAULT {
            return Err(Failure::text("the context `default` is this host, and stays it"));
        }
        self.write(&self.file(&context.name), &serde_json::to_vec(context)?)
    }

    /// Removes a context.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        if name == DEFAULT {
            return Err(Failure::text("the context `default` is this host, and stays"));
        }
        self.get(name)?;
        if self.current()? == name {
            self.set_current(DEFAULT)?;
        }
        fs::remove_file(self.file(name)).map_err(|error| self.failure("remove a context in", &error))
    }

    /// Writes a file whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let part = path.with_extension(format!("part-{}", std::process::id()));
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))
            .and_then(|()| fs::write(&part, bytes))
            .and_then(|()| fs::rename(&part, path))
            .inspect_err(|_| _ = fs::remove_file(&part))
            .map_err(|error| self.failure("write", &error))
    }

    fn failure(&self, act: &str, error: &io::Error) -> Failure {
        Failure::text(format!("{act} `{}`: {error}", self.folder.display()))
    }
}

/// Names are parts of file names: letters, digits and `_ . + -`, a letter or digit first.
fn check_name(name: &str) -> Result<(), Failure> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.+-".contains(c));
    match is_name {
        true => Ok(()),
        false => Err(Failure::text(format!("`{name}` is no context name: letters, digits and _ . + - only"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_kept_and_one_is_current() {
        let scratch = tempfile::tempdir().unwrap();
        let contexts = Contexts { folder: scratch.path().to_owned() };
        assert_eq!(contexts.current().unwrap(), DEFAULT);
        let web = NamedHost { name: "web".to_owned(), description: "x".to_owned(), host: "ssh://root@web".to_owned() };
        contexts.put(&web).unwrap();
        contexts.set_current("web").unwrap();
        assert_eq!(contexts.get("web").unwrap(), web);
        assert_eq!(contexts.all().unwrap().len(), 2);
        assert!(contexts.set_current("absent").is_err() && contexts.remove(DEFAULT).is_err());
        contexts.remove("web").unwrap();
        assert_eq!(contexts.current().unwrap(), DEFAULT);
        for wrong in ["", "../x", "a/b", ".x", "a b"] {
            assert!(contexts.find(wrong).is_err(), "{wrong}");
        }
    }
}
