//! Which changes a rule is about, and where they go. Pure.

use std::path::{Path, PathBuf};

use lighter_compose::model::WatchRule;

use crate::verbs::image::glob::fits;

/// What editors leave beside a file while they write it, and what git does: never of interest.
const SCRATCH: [&str; 7] = ["*~", ".*.swp", ".*.swx", "*.tmp", ".#*", "4913", ".git"];

/// Returns whether a change of `path` is one for the rule.
pub(super) fn is_meant(rule: &WatchRule, path: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(&rule.path) else { return false };
    let inside = inside.to_string_lossy();
    let any = |patterns: &[String]| patterns.iter().any(|pattern| covers(pattern, &inside));
    let is_scratch = SCRATCH.iter().any(|pattern| covers(pattern, &inside));
    !is_scratch && !any(&rule.ignore) && (rule.include.is_empty() || inside.is_empty() || any(&rule.include))
}

/// What a `.dockerignore` leaves out of a build: it is not watched either.
#[derive(Debug, Default)]
pub(super) struct Ignored {
    context: PathBuf,
    /// Patterns, each with whether it takes files out of the others' reach.
    patterns: Vec<(String, bool)>,
}

impl Ignored {
    /// Reads the file in a build's context; without one nothing is left out.
    pub(super) fn of(context: Option<&Path>) -> Self {
        let Some(context) = context else { return Self::default() };
        let text = std::fs::read_to_string(context.join(".dockerignore")).unwrap_or_default();
        Self::parse(context, &text)
    }

    fn parse(context: &Path, text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let pattern = |line: &str| {
            let (pattern, is_exception) = line.strip_prefix('!').map_or((line, false), |rest| (rest, true));
            // they begin at the context, whether they have a slash or not
            let rooted = if pattern.starts_with("**/") { pattern.to_owned() } else { format!("/{pattern}") };
            (rooted, is_exception)
        };
        Self { context: context.to_owned(), patterns: lines.map(pattern).collect() }
    }

    /// Returns whether a path is left out: the last pattern that fits decides.
    pub(super) fn has(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.context) else { return false };
        let inside = inside.to_string_lossy();
        let fitting = self.patterns.iter().rfind(|(pattern, _)| covers(pattern, &inside));
        fitting.is_some_and(|(_, is_exception)| !is_exception)
    }
}

/// Returns where a path is in a container.
pub(super) fn target(rule: &WatchRule, path: &Path) -> Option<PathBuf> {
    let target = Path::new(rule.target.as_ref()?);
    let inside = path.strip_prefix(&rule.path).ok()?;
    Some(if inside.as_os_str().is_empty() { target.to_owned() } else { target.join(inside) })
}

/// Names a few paths.
pub(super) fn listed(paths: &[&PathBuf]) -> String {
    let names: Vec<_> = paths.iter().take(3).map(|path| path.display().to_string()).collect();
    match paths.len() {
        ..=3 => names.join(", "),
        more => format!("{} and {} more", names.join(", "), more - 3),
    }
}

/// A pattern covers what fits it and everything below; without a slash it may begin at any folder, and so after `**/`.
fn covers(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    let (pattern, anywhere) = match pattern.strip_prefix("**/") {
        Some(rest) => (rest, true),
        None => (pattern.trim_start_matches('/'), !pattern.contains('/')),
    };
    let parts: Vec<&str> = path.split('/').collect();
    let starts = if anywhere { parts.len() } else { 1 };
    (0..starts).any(|from| (from + 1..=parts.len()).any(|to| fits(pattern, &parts[from..to].join("/"))))
}

#[cfg(test)]
mod tests {
    use lighter_compose::model::WatchAction;

    use super::*;

    fn rule(ignore: &[&str], include: &[&str]) -> WatchRule {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        WatchRule {
            action: WatchAction::Sync,
            path: "/src".into(),
            target: Some("/app".to_owned()),
            ignore: texts(ignore),
            include: texts(include),
            initial_sync: false,
            exec: None,
        }
    }

    #[test]
    fn patterns_choose_below_the_path() {
        let rule = rule(&["node_modules/", "docs/*.md", "**/cache"], &[]);
        for (path, meant) in [
            ("/src/a.py", true),
            ("/src/web/node_modules/x/y", false),
            ("/src/docs/a.md", false),
            ("/src/other/docs/a.md", true),
            ("/src/a/cache/b", false),
            ("/src/.a.py.swp", false),
            ("/elsewhere/a.py", false),
        ] {
            assert_eq!(is_meant(&rule, Path::new(path)), meant, "{path}");
        }
        let only = super::tests::rule(&[], &["*.py"]);
        assert!(is_meant(&only, Path::new("/src/a.py")) && !is_meant(&only, Path::new("/src/a.txt")));
    }

    #[test]
    fn what_a_build_leaves_out_is_not_watched() {
        let ignored = Ignored::parse(Path::new("/src"), "# none\n\nlogs\n**/*.md\n!README.md\n");
        for (path, left_out) in [
            ("/src/logs/a", true),
            ("/src/a/logs", false),
            ("/src/a/b.md", true),
            ("/src/README.md", false),
            ("/src/a.py", false),
            ("/other/logs", false),
        ] {
            assert_eq!(ignored.has(Path::new(path)), left_out, "{path}");
        }
    }

    #[test]
    fn what_is_below_the_path_is_below_the_target() {
        let rule = rule(&[], &[]);
        assert_eq!(target(&rule, Path::new("/src/a/b")), Some("/app/a/b".into()));
        assert_eq!(target(&rule, Path::new("/src")), Some("/app".into()));
    }
}
