//! Devices by name, as the Container Device Interface has it: `nvidia.com/gpu=all`. Runs in the monitor, at each start.
//!
//! Files of the host, written by who makes the devices, say what a name adds to a container: device nodes, mounts,
//! variables, hooks. Source: CNCF Container Device Interface, SPEC.md 1.0.

mod document;
mod edits;
mod request;
mod yaml;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;

use crate::oci::ConfigError;
use document::{Document, Edits};
pub use request::{DeviceRequest, DeviceRequestError};

/// Where the files are; those of a later directory take the place of an earlier one's (SPEC.md, "CDI JSON Definition").
const DIRECTORIES: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// Why a device named like this cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CdiError {
    /// Not a name.
    #[error("`{0}` is no device name: use VENDOR/CLASS=NAME, as nvidia.com/gpu=all")]
    Name(String),
    /// Nobody knows it.
    #[error("no file in /etc/cdi or /var/run/cdi has the device `{0}`")]
    Unknown(String),
    /// Two files of a directory have it.
    #[error("both `{first}` and `{second}` have the device `{name}`")]
    Twice {
        /// The device.
        name: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A file cannot be read.
    #[error("read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is no specification.
    #[error("read the device specification `{path}`: {why}")]
    Document {
        /// The file.
        path: PathBuf,
        /// Where it breaks off, or what is missing.
        why: String,
    },
    /// A device node cannot be made.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// A device that a file knows.
struct Known {
    file: PathBuf,
    directory: usize,
    edits: Vec<Edits>,
}

/// Adds what these names stand for to a runtime configuration.
pub(crate) fn apply(config: &mut Spec, names: &[String]) -> Result<(), CdiError> {
    if names.is_empty() {
        return Ok(());
    }
    let known = known(&DIRECTORIES.map(PathBuf::from))?;
    // edits common to a file's devices are made once, however many of them there are
    let mut made: Vec<&Edits> = Vec::new();
    for name in names {
        check_name(name)?;
        let device = known.get(name).ok_or_else(|| CdiError::Unknown(name.clone()))?;
        for edits in &device.edits {
            if !made.contains(&edits) {
                edits::make(config, edits)?;
                made.push(edits);
            }
        }
    }
    Ok(())
}

/// Returns whether a text names a device of this kind: `VENDOR/CLASS=NAME`, and no path.
pub fn is_name(text: &str) -> bool {
    !text.starts_with('/') && text.split_once('=').is_some_and(|(kind, _)| kind.contains('/'))
}

fn check_name(name: &str) -> Result<(), CdiError> {
    let plain = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let parts = name.split_once('=').and_then(|(kind, device)| Some((kind.split_once('/')?, device)));
    match parts {
        Some(((vendor, class), device)) if plain(vendor, "_-.") && plain(class, "_-") && plain(device, "_-.:") => {
            Ok(())
        }
        _ => Err(CdiError::Name(name.to_owned())),
    }
}

/// Returns every device that files in these directories know, by its whole name.
fn known(directories: &[PathBuf]) -> Result<BTreeMap<String, Known>, CdiError> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for (at, directory) in directories.iter().enumerate() {
        for file in files(directory)? {
            for (name, edits) in read(&file)?.into_devices() {
                if let Some(other) = known.get(&name).filter(|other| other.directory == at) {
                    return Err(CdiError::Twice { name, first: other.file.clone(), second: file });
                }
                known.insert(name, Known { file: file.clone(), directory: at, edits });
            }
        }
    }
    Ok(known)
}

/// Lists the specifications of a directory, in the order of their names.
fn files(directory: &Path) -> Result<Vec<PathBuf>, CdiError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| CdiError::Read { path: directory.to_owned(), source })?,
    };
    let is_one =
        |path: &PathBuf| matches!(path.extension().and_then(|end| end.to_str()), Some("json" | "yaml" | "yml"));
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_one).collect();
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<Document, CdiError> {
    let text = fs::read_to_string(file).map_err(|source| CdiError::Read { path: file.to_owned(), source })?;
    document::parse(&text).map_err(|why| CdiError::Document { path: file.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPU: &str = "cdiVersion: 0.6.0\nkind: example.com/gpu\ncontainerEdits:\n  env: [COMMON=1]\ndevices:\n\
                       - name: \"0\"\n  containerEdits:\n    env:\n    - GPU=0\n    mounts:\n    - hostPath: /usr/lib\n      \
                       containerPath: /gpu\n      options: [ro, rbind]\n- name: all\n  containerEdits: {env: [GPU=all]}\n";

    fn environment(config: &Spec) -> Vec<String> {
        config.process().as_ref().and_then(|process| process.env().clone()).unwrap_or_default()
    }

    #[test]
    fn names_are_vendor_class_and_device() {
        for good in ["nvidia.com/gpu=all", "a.b/c-d=0", "v/c=GPU-1:2"] {
            assert!(check_name(good).is_ok() && is_name(good), "{good}");
        }
        for wrong in ["", "x", "a/b", "a/b=", "/b=c", "a/=c", "a/b=c/d", "a b/c=d"] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
        assert!(!is_name("/dev/a=b/c"));
    }

    #[test]
    fn what_devices_have_in_common_is_added_once_and_a_later_directory_wins() {
        let scratch = tempfile::tempdir().unwrap();
        let directories = ["etc", "run"].map(|name| scratch.path().join(name));
        directories.iter().for_each(|directory| fs::create_dir(directory).unwrap());
        fs::write(directories[0].join("gpu.yaml"), GPU).unwrap();
        fs::write(directories[0].join("notes.txt"), "none").unwrap();
        let devices = known(&directories).unwrap();
        assert_eq!(devices.keys().collect::<Vec<_>>(), ["example.com/gpu=0", "example.com/gpu=all"]);
        let json = r#"{"cdiVersion": "0.6.0", "kind": "example.com/gpu",
                       "devices": [{"name": "0", "containerEdits": {"env": ["GPU=late"]}}]}"#;
        fs::write(directories[1].join("gpu.json"), json).unwrap();
        let devices = known(&directories).unwrap();
        let mut config = Spec::default();
        for edits in &devices["example.com/gpu=0"].edits {
            edits::make(&mut config, edits).unwrap();
        }
        assert!(environment(&config).contains(&"GPU=late".to_owned()));
        fs::write(directories[1].join("other.json"), json).unwrap();
        assert!(matches!(known(&directories), Err(CdiError::Twice { .. })));
    }

    #[test]
    fn a_mount_and_a_variable_reach_the_configuration() {
        let document = document::parse(GPU).unwrap();
        let mut config = Spec::default();
        for (_, edits) in document.into_devices().into_iter().take(1) {
            edits.iter().for_each(|edits| edits::make(&mut config, edits).unwrap());
        }
        let env = environment(&config);
        assert!(env.contains(&"COMMON=1".to_owned()) && env.contains(&"GPU=0".to_owned()), "{env:?}");
        let mounts = config.mounts().clone().unwrap_or_default();
        let mount = mounts.iter().find(|mount| mount.destination() == Path::new("/gpu")).unwrap();
        assert_eq!(mount.options().clone().unwrap(), ["ro", "rbind"]);
    }
}
