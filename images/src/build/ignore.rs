//! `.dockerignore`: which files of a folder are not part of the context.
//!
//! Runs in the shell command's process; pure. moby's `ignorefile` and `patternmatcher`: patterns start at the context's
//! root, the last one that fits decides, and what fits a folder fits everything in it.

use super::path::clean;
use super::pattern::{Glob, PatternError};

/// The patterns of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    glob: Glob,
    /// `!`: what it fits is part of the context after all.
    takes_back: bool,
}

impl Ignore {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// A pattern that is malformed, or a `!` alone.
    pub(crate) fn parse(text: &str) -> Result<Ignore, PatternError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // A comment has its sign in the first column; elsewhere it belongs to the pattern.
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim);
        Ignore::of(lines.filter(|line| !line.is_empty()))
    }

    /// Takes patterns one by one, as of `--exclude`.
    pub(crate) fn of<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Ignore, PatternError> {
        let patterns = patterns.into_iter().map(|line| {
            let (takes_back, name) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            let name = if name.is_empty() { name.to_owned() } else { clean(name) };
            let name = name.strip_prefix('/').unwrap_or(&name);
            if name.is_empty() && takes_back {
                return Err(PatternError::of(line));
            }
            Ok(Pattern { glob: Glob::path(name)?, takes_back })
        });
        Ok(Ignore { patterns: patterns.collect::<Result<_, _>>()? })
    }

    /// Returns whether nothing is left out.
    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Returns whether a file, by its path below the root, is left out.
    pub(crate) fn is_ignored(&self, path: &str) -> bool {
        self.enter(&self.root(), path).is_ignored
    }

    /// Returns what is known at the root, to start a walk from.
    pub(crate) fn root(&self) -> Verdict {
        Verdict { matched: vec![false; self.patterns.len()], is_ignored: false }
    }

    /// Judges a path, given what was found out about the folder it is in (or the root, for any path).
    pub(crate) fn enter(&self, parent: &Verdict, path: &str) -> Verdict {
        let is_top = !parent.matched.contains(&true);
        let mut verdict = self.root();
        for (position, pattern) in self.patterns.iter().enumerate() {
            let fits = parent.matched[position] || pattern.fits(path, is_top);
            verdict.matched[position] = fits;
            if fits {
                verdict.is_ignored = !pattern.takes_back;
            }
        }
        verdict
    }

    /// Returns whether something below an ignored folder may still be part of the context.
    pub(crate) fn may_take_back(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.takes_back)
    }
}

/// Which files of a folder are part of a build's context, for who carries it elsewhere before it is built.
#[derive(Debug, Clone)]
pub struct ContextFilter {
    ignore: Ignore,
    kept: Vec<String>,
}

impl ContextFilter {
    /// Reads the text of a `.dockerignore`; `kept` are files, by their paths below the folder, that the builder itself reads.
    ///
    /// # Errors
    /// A pattern that is malformed.
    pub fn parse(text: &str, kept: Vec<String>) -> Result<Self, PatternError> {
        Ok(Self { ignore: Ignore::parse(text)?, kept })
    }

    /// Returns whether a file or folder is part of the context, by its path below the folder.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.kept.iter().any(|kept| kept == path) || !self.ignore.is_ignored(path)
    }

    /// Returns whether anything below a folder may be part of the context.
    #[must_use]
    pub fn may_have_below(&self, folder: &str) -> bool {
        let is_within = |kept: &String| kept.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        self.has(folder) || self.ignore.may_take_back() || self.kept.iter().any(is_within)
    }
}

impl Pattern {
    /// Fits the path itself; with `and_parents` a folder that it is in, too.
    fn fits(&self, path: &str, and_parents: bool) -> bool {
        let mut parents = path.match_indices('/').map(|(at, _)| &path[..at]);
        self.glob.matches(path) || (and_parents && parents.any(|parent| self.glob.matches(parent)))
    }
}

/// What is known about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    matched: Vec<bool>,
    /// Whether it is left out.
    pub(crate) is_ignored: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_builder_reads_is_carried_whatever_is_left_out() {
        let filter = ContextFilter::parse("*\n!src\ndocker\n", vec!["docker/Dockerfile".to_owned()]).unwrap();
        assert!(
            filter.has("src/a") && filter.has("docker/Dockerfile") && !filter.has("docker/x") && !filter.has("big")
        );
        assert!(filter.may_have_below("docker"));
        let filter = ContextFilter::parse("big\n", Vec::new()).unwrap();
        assert!(!filter.may_have_below("big") && filter.may_have_below("src"));
    }

    #[test]
    fn patterns_start_at_the_root_and_the_last_that_fits_decides() {
        let ignore = Ignore::parse(
            "\u{feff}# comment\n  # is a pattern\n*.md\n!README.md\n/build\n./temp?\nnode_modules/\n**/*.log\ndocs\n!docs/keep.txt\n  \n! docs/b/c\n",
        )
        .unwrap();
        let table = [
            ("x.md", true),
            ("README.md", false),
            ("a/x.md", false),
            ("build", true),
            ("build/a/b", true),
            ("a/build", false),
            ("temp1", true),
            ("temp12", false),
            ("node_modules/x", true),
            ("a/b/c.log", true),
            ("c.log", true),
            ("docs/a", true),
            ("docs/keep.txt", false),
            ("docs/b/c/d", false),
            ("# comment", false),
            ("# is a pattern", true),
        ];
        for (path, expected) in table {
            assert_eq!(ignore.is_ignored(path), expected, "{path}");
        }
        assert!(Ignore::parse("!").is_err() && Ignore::parse("[").is_err());
    }

    #[test]
    fn a_walk_comes_to_the_same_judgement_as_the_whole_path() {
        let ignore = Ignore::parse("a\n!a/b\na/b/c\n**/d\n!a/b/c/d").unwrap();
        for path in ["a", "a/b", "a/b/c", "a/b/c/d", "a/x/d", "x/d"] {
            let mut verdict = ignore.root();
            for (at, _) in path.match_indices('/') {
                verdict = ignore.enter(&verdict, &path[..at]);
            }
            assert_eq!(ignore.enter(&verdict, path).is_ignored, ignore.is_ignored(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}", path in "[a-c./]{1,20}") {
            if let Ok(ignore) = Ignore::parse(&text) {
                let _ = ignore.is_ignored(&path);
            }
        }

        #[test]
        fn what_is_in_an_ignored_folder_is_ignored_unless_taken_back(folder in "[a-c]{1,3}", name in "[a-c]{1,3}") {
            let ignore = Ignore::parse(&folder).unwrap();
            let path = format!("{folder}/{name}");
            prop_assert!(ignore.is_ignored(&path));
            let taken_back = Ignore::parse(&format!("{folder}\n!{path}")).unwrap();
            prop_assert!(!taken_back.is_ignored(&path));
        }
    }
}
