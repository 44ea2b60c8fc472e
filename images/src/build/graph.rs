//! What a stage is made from, and which stages are needed at all.
//!
//! Runs in the shell command's process; pure.

use std::collections::BTreeSet;

use super::fault::{Fault, Problem};
use super::instruction::{Dockerfile, Stage};
use super::scope::Globals;

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nothing.
    Scratch,
    /// A stage of the file, by its position.
    Stage(usize),
    /// An image, by reference.
    Image(String),
    /// A context that the command line names.
    Named(String),
}

/// The stages of a build with what they stand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Graph {
    /// What each stage starts from, in the order of the file.
    pub(crate) bases: Vec<Origin>,
    /// `--platform` of each, expanded.
    pub(crate) platforms: Vec<Option<String>>,
    /// The stage whose result is wanted.
    pub(crate) target: usize,
    /// The stages that are needed for it, itself included, in the order of the file.
    pub(crate) needed: Vec<usize>,
}

/// What names mean.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    /// The stages.
    pub(crate) stages: &'a [Stage],
    /// Whether the command line names a context so.
    pub(crate) is_context: &'a dyn Fn(&str) -> bool,
}

impl Names<'_> {
    /// Finds what a name means in stage `at`, which sees those before it. `by_number`: a number is a stage's position.
    ///
    /// # Errors
    /// A number that is no earlier stage's.
    pub(crate) fn find(&self, name: &str, at: usize, by_number: bool) -> Result<Origin, Problem> {
        if (self.is_context)(name) {
            return Ok(Origin::Named(name.to_owned()));
        }
        let lower = name.to_ascii_lowercase();
        if let Some(position) = self.stages[..at].iter().rposition(|stage| stage.name.as_deref() == Some(&lower)) {
            return Ok(Origin::Stage(position));
        }
        match name.parse::<usize>() {
            Ok(position) if by_number && position < at => Ok(Origin::Stage(position)),
            Ok(_) if by_number => {
                let why = "there is no such stage before this one";
                Err(Problem::Stage { name: name.to_owned(), why })
            }
            _ if name == "scratch" && !by_number => Ok(Origin::Scratch),
            _ => Ok(Origin::Image(name.to_owned())),
        }
    }
}

impl Graph {
    /// Finds out what is needed for `target`, a stage's name or number; without one it is the last stage.
    ///
    /// # Errors
    /// [`Fault`]: no such stage; a name that cannot be expanded.
    pub(crate) fn new(
        file: &Dockerfile,
        globals: &Globals,
        target: Option<&str>,
        is_context: &dyn Fn(&str) -> bool,
    ) -> Result<Graph, Fault> {
        let names = Names { stages: &file.stages, is_context };
        let (mut bases, mut platforms) = (Vec::new(), Vec::new());
        for (at, stage) in file.stages.iter().enumerate() {
            let fault = |problem: Problem| problem.at(stage.line);
            let expand = |text: &String| globals.expand(text, file.escape).map_err(|error| fault(error.into()));
            let base = expand(&stage.base)?;
            if base.is_empty() {
                let why = format!("`{}` is empty after expansion", stage.base);
                return Err(fault(Problem::arguments("FROM", why)));
            }
            bases.push(names.find(&base, at, false).map_err(fault)?);
            platforms.push(stage.platform.as_ref().map(expand).transpose()?.filter(|platform| !platform.is_empty()));
        }
        let target = find_target(&file.stages, target)?;
        let mut graph = Graph { bases, platforms, target, needed: Vec::new() };
        let mut needed = BTreeSet::new();
        graph.visit(target, names, &mut needed)?;
        graph.needed = needed.into_iter().collect();
        Ok(graph)
    }

    /// Tells whether the result has the layers of stage `at`: it is the target, or what that starts from.
    pub(crate) fn is_of_result(&self, at: usize) -> bool {
        let base = |at: &usize| match self.bases[*at] {
            Origin::Stage(base) => Some(base),
            _ => None,
        };
        std::iter::successors(Some(self.target), base).any(|stage| stage == at)
    }

    fn visit(&self, at: usize, names: Names<'_>, needed: &mut BTreeSet<usize>) -> Result<(), Fault> {
        if !needed.insert(at) {
            return Ok(());
        }
        let mut origins = vec![self.bases[at].clone()];
        for step in &names.stages[at].steps {
            for name in step.instruction.sources() {
                origins.push(names.find(&name, at, true).map_err(|problem| problem.at(step.line))?);
            }
        }
        for origin in origins {
            if let Origin::Stage(position) = origin {
                self.visit(position, names, needed)?;
            }
        }
        Ok(())
    }
}

fn find_target(stages: &[Stage], target: Option<&str>) -> Result<usize, Fault> {
    let Some(name) = target.filter(|name| !name.is_empty()) else { return Ok(stages.len() - 1) };
    let lower = name.to_ascii_lowercase();
    let named = stages.iter().rposition(|stage| stage.name.as_deref() == Some(&lower));
    let numbered = name.parse::<usize>().ok().filter(|position| *position < stages.len());
    let missing = || Problem::Stage { name: name.to_owned(), why: "the target is not in the file" }.at(1);
    named.or(numbered).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::parse::parse;
    use crate::platform::Platform;

    fn graph(text: &str, target: Option<&str>) -> Result<Graph, Fault> {
        let file = parse(text).unwrap();
        let host = Platform::host();
        let globals = Globals::new(&Default::default(), (&host, &host), &file.globals, '\\').unwrap();
        Graph::new(&file, &globals, target, &|name| name == "ctx")
    }

    #[test]
    fn only_what_the_target_stands_on_is_needed() {
        let text = "ARG v=3\nFROM a:$v AS one\nFROM b AS two\nCOPY --from=one / /\nFROM scratch AS three\nFROM two\nRUN --mount=from=ctx,target=/x y\nCOPY --from=0 / /";
        let whole = graph(text, None).unwrap();
        assert_eq!(whole.needed, [0, 1, 3]);
        assert_eq!(whole.bases[0], Origin::Image("a:3".into()));
        assert_eq!(whole.bases[2..], [Origin::Scratch, Origin::Stage(1)]);
        assert_eq!([0, 1, 2, 3].map(|at| whole.is_of_result(at)), [false, true, false, true]);
        assert_eq!(graph(text, Some("THREE")).unwrap().needed, [2]);
        assert_eq!(graph(text, Some("0")).unwrap().target, 0);
    }

    #[test]
    fn names_that_mean_nothing_are_refused() {
        assert!(graph("FROM a", Some("none")).is_err());
        assert!(graph("FROM a\nCOPY --from=1 / /\nFROM b", Some("0")).is_err());
        assert!(graph("FROM $none", None).is_err());
        assert_eq!(graph("FROM a AS b\nFROM a AS b\nFROM b", None).unwrap().bases[2], Origin::Stage(1));
    }
}
