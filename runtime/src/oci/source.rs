//! Files of the caller: the configuration of a bundle, a process, resources.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use oci_spec::runtime::{LinuxResources, Process, Spec};
use serde::de::DeserializeOwned;

use super::{OciError, SPEC_VERSION};

/// Longest file that is read; the configurations of engines have less than 100 KiB.
const MOST_BYTES: u64 = 16 << 20;

/// Reads `config.json` of a bundle: the configuration and its text.
pub(super) fn load_spec(bundle: &Path) -> Result<(Spec, String), OciError> {
    let path = bundle.join("config.json");
    let text = read_text(&path)?;
    let spec: Spec = parse(&path, &text)?;
    check_version(&path, spec.version())?;
    Ok((spec, text))
}

/// Reads a process, as `exec --process` gets it (runtime-spec, config.md, "Process").
///
/// # Errors
/// [`OciError::File`] and [`OciError::Malformed`], with line and column.
pub fn load_process(path: &Path) -> Result<Process, OciError> {
    read_json(path)
}

/// Reads resources, as `update --resources` gets them (config-linux.md, "Control groups"); `-`: standard input.
///
/// # Errors
/// [`OciError::File`] and [`OciError::Malformed`], with line and column.
pub fn load_resources(path: &Path) -> Result<LinuxResources, OciError> {
    let path = if path == Path::new("-") { Path::new("/dev/stdin") } else { path };
    read_json(path)
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, OciError> {
    parse(path, &read_text(path)?)
}

fn read_text(path: &Path) -> Result<String, OciError> {
    let file = File::open(path).map_err(OciError::file("open", path))?;
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(OciError::file("read", path))?;
    if text.len() as u64 > MOST_BYTES {
        let why = format!("it is longer than {} MiB", MOST_BYTES >> 20);
        return Err(OciError::Malformed { path: path.to_owned(), why });
    }
    Ok(text)
}

/// The error of `serde_json` names the field's expected type, line and column.
fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, OciError> {
    serde_json::from_str(text).map_err(|error| OciError::Malformed { path: path.to_owned(), why: error.to_string() })
}

/// A configuration of another major version means something else (runtime-spec, config.md, "Specification version").
fn check_version(path: &Path, version: &str) -> Result<(), OciError> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = core.split('.').collect();
    let why = match parts.as_slice() {
        ["1", minor, patch] if is_number(minor) && is_number(patch) => return Ok(()),
        [major, minor, patch] if [major, minor, patch].iter().all(|part| is_number(part)) => {
            format!("`ociVersion` is `{version}`: versions up to {SPEC_VERSION} are supported")
        }
        _ => format!("`ociVersion` is `{}`, which is no version", version.escape_default()),
    };
    Err(OciError::Malformed { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_first_specification_are_taken() {
        for version in ["1.0.0", "1.0.2-dev", "1.2.1+build", "1.9.0", "1.0.0-rc5"] {
            assert!(check_version(Path::new("c"), version).is_ok(), "{version}");
        }
        for version in ["", "1", "1.0", "2.0.0", "0.5.0", "1.x.0", "one", "1.0.0.0"] {
            assert!(check_version(Path::new("c"), version).is_err(), "{version}");
        }
    }

    #[test]
    fn an_error_has_a_place() {
        let error = parse::<Process>(Path::new("p.json"), "{\n  \"cwd\": 3}").unwrap_err().to_string();
        assert!(error.contains("p.json") && error.contains("line 2"), "{error}");
    }
}
