//! Files of the caller: the configuration of a bundle, a process, resources.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use oci_spec::runtime::{Capability, LinuxResources, Process, Spec};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{OciError, SPEC_VERSION};

/// Longest file that is read; the configurations of engines have less than 100 KiB.
const MOST_BYTES: u64 = 16 << 20;

/// Reads `config.json` of a bundle: the configuration and its text, without what `warnings` says is left out.
pub(super) fn load_spec(bundle: &Path, warnings: &mut Vec<String>) -> Result<(Spec, String), OciError> {
    let path = bundle.join("config.json");
    let text = read_text(&path)?;
    let (spec, text): (Spec, String) = parse_leniently(&path, text, "/process/capabilities", warnings)?;
    check_version(&path, spec.version())?;
    Ok((spec, text))
}

/// Reads a process, as `exec --process` gets it (runtime-spec, config.md, "Process").
///
/// `warnings` gets what is left out of it.
///
/// # Errors
/// [`OciError::File`] and [`OciError::Malformed`], with line and column.
pub fn load_process(path: &Path, warnings: &mut Vec<String>) -> Result<Process, OciError> {
    Ok(parse_leniently(path, read_text(path)?, "/capabilities", warnings)?.0)
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
    // A pipe has no length.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut text = String::with_capacity(usize::try_from(length.min(MOST_BYTES)).unwrap_or(0) + 1);
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

/// Reads a text whose capabilities, at a JSON pointer, may have names that are none: of those a runtime has to warn, and
/// should go on without them (runtime-spec, config.md, "Linux Process").
///
/// Returns the text without them as well. Looks for them only in a text that cannot be read as it is.
fn parse_leniently<T: DeserializeOwned>(
    path: &Path,
    text: String,
    capabilities: &str,
    warnings: &mut Vec<String>,
) -> Result<(T, String), OciError> {
    let error = match parse(path, &text) {
        Ok(parsed) => return Ok((parsed, text)),
        Err(error) => error,
    };
    let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return Err(error) };
    let unknown = value.pointer_mut(capabilities).map(take_unknown).unwrap_or_default();
    if unknown.is_empty() {
        return Err(error);
    }
    let text = value.to_string();
    let parsed = parse(path, &text)?;
    let names: Vec<String> = unknown.iter().map(|name| format!("`{}`", name.escape_default())).collect();
    warnings.push(format!("capabilities that are not known are left out: {}", names.join(", ")));
    Ok((parsed, text))
}

/// Takes the names that are no capabilities out of the sets of a process, and returns each once.
fn take_unknown(sets: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    for set in sets.as_object_mut().into_iter().flatten().filter_map(|(_, set)| set.as_array_mut()) {
        set.retain(|name| {
            let is_unknown = name.is_string() && Capability::deserialize(name).is_err();
            unknown.extend(name.as_str().filter(|_| is_unknown).map(str::to_owned));
            !is_unknown
        });
    }
    unknown.sort_unstable();
    unknown.dedup();
    unknown
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
    fn unknown_capabilities_are_left_out_with_a_warning() {
        let mut warnings = Vec::new();
        let text = r#"{"cwd":"/","user":{"uid":0,"gid":0},
            "capabilities":{"bounding":["CAP_KILL","CAP_NOSUCH"],"permitted":["CAP_NOSUCH","x\u001b"]}}"#;
        let (process, text): (Process, String) =
            parse_leniently(Path::new("p.json"), text.to_owned(), "/capabilities", &mut warnings).unwrap();
        assert_eq!(process.capabilities().as_ref().unwrap().bounding().as_ref().map(|set| set.len()), Some(1));
        assert_eq!(warnings, ["capabilities that are not known are left out: `CAP_NOSUCH`, `x\\u{1b}`"]);
        parse::<Process>(Path::new("p.json"), &text).unwrap();
        for bad in [r#"{"cwd":3}"#, r#"{"cwd":3,"capabilities":{"bounding":["CAP_NOSUCH"]}}"#, "{"] {
            let mut warnings = Vec::new();
            let parsed =
                parse_leniently::<Process>(Path::new("p.json"), bad.to_owned(), "/capabilities", &mut warnings);
            assert!(parsed.is_err() && warnings.is_empty(), "{bad}");
        }
    }

    #[test]
    fn an_error_has_a_place() {
        let error = parse::<Process>(Path::new("p.json"), "{\n  \"cwd\": 3}").unwrap_err().to_string();
        assert!(error.contains("p.json") && error.contains("line 2"), "{error}");
    }
}
