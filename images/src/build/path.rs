//! Paths as Dockerfiles write them: texts with `/`, cleaned without looking at any file.
//!
//! Runs in the shell command's process; pure.

/// Shortens a path as Go's `path.Clean`: no `.`, no doubled `/`, no `..` but at the beginning of a relative one.
pub(crate) fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => _ = parts.pop(),
            ("..", None) if is_absolute => {}
            _ => parts.push(part),
        }
    }
    match (is_absolute, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// Returns a path as it is below a root: `..` cannot lead out. Empty for the root itself.
pub(crate) fn below_root(path: &str) -> String {
    clean(&format!("/{path}"))[1..].to_owned()
}

/// Joins a path that may be relative with the folder it starts from; the result is absolute and clean.
pub(crate) fn resolve(folder: &str, path: &str) -> String {
    if path.starts_with('/') { clean(path) } else { clean(&format!("/{folder}/{path}")) }
}

/// Returns the last component; empty for the root.
pub(crate) fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_cleaned() {
        let table = [("", "."), ("a//b/./c/..", "a/b"), ("/..", "/"), ("../a", "../a"), ("a/../..", ".."), ("/", "/")];
        for (path, expected) in table {
            assert_eq!(clean(path), expected, "{path}");
        }
        assert_eq!((below_root("../../a/./b"), below_root("/"), below_root(".")), ("a/b".into(), "".into(), "".into()));
        assert_eq!((resolve("/srv", "a"), resolve("/srv", "/a/")), ("/srv/a".to_owned(), "/a".to_owned()));
        assert_eq!((last("a/b/"), last("/"), last("a")), ("b", "", "a"));
    }

    proptest! {
        #[test]
        fn nothing_leads_out_of_the_root(path in "[./a]{0,30}") {
            let below = below_root(&path);
            prop_assert!(!below.split('/').any(|part| part == ".." || part == "."));
            prop_assert_eq!(clean(&clean(&path)), clean(&path));
        }
    }
}
