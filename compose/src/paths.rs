//! Relative paths of one file made absolute, before it is merged with files of other folders.
//!
//! Runs in the command; pure. Works on what was written, short or long, and leaves what it does not understand to the
//! checks that follow.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::yaml::{Map, Node, Value};

/// Where relative paths of a document begin.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// The absolute project directory of the document.
    pub directory: PathBuf,
    /// What `~` stands for.
    pub home: Option<PathBuf>,
}

impl Base {
    pub(crate) fn new(directory: PathBuf, environment: &BTreeMap<String, String>) -> Self {
        Self { directory, home: environment.get("HOME").map(PathBuf::from) }
    }

    /// Returns the absolute form of `path`, of a relative one without `.` and `..`; an absolute one stays as it is written.
    /// Links are not followed.
    pub(crate) fn absolute(&self, path: &str) -> PathBuf {
        match (path.strip_prefix('~'), &self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                clean(&home.join(rest.trim_start_matches('/')))
            }
            _ if path.starts_with('/') => PathBuf::from(path),
            _ => clean(&self.directory.join(path)),
        }
    }

    fn text(&self, node: &mut Node) {
        if let Value::Text(path) = &mut node.value
            && !path.is_empty()
            && !is_windows(path)
        {
            *path = self.absolute(path).to_string_lossy().into_owned();
        }
    }
}

/// Removes `.` and `..` as text, without looking at the host.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                // The parent of the root is the root.
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

/// Shortens a path as text: no `.`, no double or final slash, `..` only where a relative path begins.
pub(crate) fn lexical(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match (part, parts.last()) {
            ("" | ".", _) => {}
            ("..", Some(&last)) if last != ".." => _ = parts.pop(),
            ("..", None) if is_absolute => {}
            (part, _) => parts.push(part),
        }
    }
    match (is_absolute, parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}

/// Returns whether a path begins with a drive letter or is a named pipe: Windows paths stay as they are.
pub(crate) fn is_windows(path: &str) -> bool {
    let bytes = path.as_bytes();
    path.starts_with("\\\\") || (bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':')
}

/// Returns whether the source of a short volume is a host path, not the name of a volume.
pub(crate) fn is_host_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~']) || is_windows(source)
}

/// Returns whether a build context is fetched or built, not read from a folder.
fn is_remote(context: &str) -> bool {
    context.contains("://") || ["service:", "git@", "github.com/"].iter().any(|prefix| context.starts_with(prefix))
}

/// Makes the paths of other compose files absolute.
pub(crate) fn resolve_files(document: &mut Node, base: &Base) {
    each(document, "services", |service| {
        with(service, "extends", |extends| with(extends, "file", |file| base.text(file)))
    });
    with(document, "include", |include| {
        if let Value::List(items) = &mut include.value {
            items.iter_mut().for_each(|item| resolve_include(item, base));
        }
    });
}

/// Makes every host path of a document absolute.
pub(crate) fn resolve(document: &mut Node, base: &Base) {
    resolve_files(document, base);
    each(document, "services", |service| resolve_service(service, base));
    for section in ["configs", "secrets"] {
        each(document, section, |object| with(object, "file", |file| base.text(file)));
    }
    each(document, "volumes", |volume| {
        if volume.text("driver") == Some("local") {
            with(volume, "driver_opts", |options| resolve_device(options, base));
        }
    });
}

/// Makes every host path of one service absolute.
fn resolve_service(service: &mut Node, base: &Base) {
    with(service, "build", |build| match build.value {
        Value::Text(_) => resolve_context(build, base),
        _ => {
            with(build, "context", |context| resolve_context(context, base));
            with(build, "additional_contexts", |contexts| resolve_additional(contexts, base));
            with(build, "ssh", |keys| resolve_pairs(keys, base, |_| true));
        }
    });
    with(service, "env_file", |files| {
        one_or_many(files, |file| {
            if file.as_map().is_some() { with(file, "path", |path| base.text(path)) } else { base.text(file) }
        })
    });
    with(service, "label_file", |files| one_or_many(files, |file| base.text(file)));
    with(service, "volumes", |volumes| one_or_many(volumes, |volume| resolve_mount(volume, base)));
    with(service, "develop", |develop| {
        with(develop, "watch", |watch| {
            one_or_many(watch, |rule| {
                with(rule, "path", |path| base.text(path));
            })
        })
    });
}

fn resolve_context(context: &mut Node, base: &Base) {
    if context.as_text().is_some_and(|text| !is_remote(text)) {
        base.text(context);
    }
}

/// A further context may be a URL, an image, a service or a folder.
fn resolve_additional(contexts: &mut Node, base: &Base) {
    let is_folder = |text: &str| !is_remote(text);
    resolve_pairs(contexts, base, is_folder);
}

/// Makes the values of `KEY=PATH` absolute for which `is_path` is true.
fn resolve_pairs(contexts: &mut Node, base: &Base, is_path: impl Fn(&str) -> bool) {
    match &mut contexts.value {
        Value::Map(map) => {
            let paths = map.0.iter_mut().filter(|entry| entry.value.as_text().is_some_and(&is_path));
            paths.for_each(|entry| base.text(&mut entry.value));
        }
        Value::List(items) => {
            for item in items {
                let Some((name, path)) = item.as_text().and_then(|text| text.split_once('=')) else { continue };
                if is_path(path) && !path.is_empty() {
                    let text = format!("{name}={}", base.absolute(path).display());
                    item.value = Value::Text(text);
                }
            }
        }
        _ => {}
    }
}

fn resolve_mount(volume: &mut Node, base: &Base) {
    let is_bind = volume.text("type") == Some("bind");
    match &mut volume.value {
        Value::Text(text) if text.starts_with(['.', '~']) => {
            let (source, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            *text = format!("{}{rest}", base.absolute(source).display());
        }
        Value::Map(_) if is_bind => with(volume, "source", |source| base.text(source)),
        _ => {}
    }
}

/// A volume of the local driver that binds a folder names it in `device`.
fn resolve_device(options: &mut Node, base: &Base) {
    if options.text("o") == Some("bind") {
        with(options, "device", |device| base.text(device));
    }
}

fn resolve_include(item: &mut Node, base: &Base) {
    let local = |node: &mut Node| {
        if node.as_text().is_some_and(|path| !path.contains("://") && !path.starts_with("oci:")) {
            base.text(node);
        }
    };
    match item.value {
        Value::Text(_) => local(item),
        _ => {
            with(item, "path", |paths| one_or_many(paths, local));
            with(item, "project_directory", |directory| base.text(directory));
            with(item, "env_file", |files| one_or_many(files, |file| base.text(file)));
        }
    }
}

fn with(node: &mut Node, key: &str, change: impl FnOnce(&mut Node)) {
    if let Some(value) = node.as_map_mut().and_then(|map| map.get_mut(key)) {
        change(value);
    }
}

fn each(document: &mut Node, section: &str, mut change: impl FnMut(&mut Node)) {
    with(document, section, |section| {
        if let Value::Map(Map(entries)) = &mut section.value {
            entries.iter_mut().for_each(|entry| change(&mut entry.value));
        }
    });
}

fn one_or_many(node: &mut Node, mut change: impl FnMut(&mut Node)) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(change),
        _ => change(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_absolute_as_text() {
        let base = Base { directory: PathBuf::from("/p/q"), home: Some(PathBuf::from("/home/u")) };
        let cases = [
            (".", "/p/q"),
            ("./a/../b", "/p/q/b"),
            ("../x", "/p/x"),
            ("../../../x", "/x"),
            ("/abs/./y/", "/abs/./y/"),
            ("~", "/home/u"),
            ("~/z", "/home/u/z"),
            ("~other", "/p/q/~other"),
        ];
        for (path, expected) in cases {
            assert_eq!(base.absolute(path).to_str(), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_path_is_shortened_as_text() {
        let cases = [
            ("/a//b/./c/", "/a/b/c"),
            ("/../a/../..", "/"),
            ("a/../../b", "../b"),
            ("./", "."),
            ("data/", "data"),
            ("c:\\x", "c:\\x"),
        ];
        for (path, expected) in cases {
            assert_eq!(lexical(path), expected, "{path}");
        }
    }
}
