//! What is wrong with a Dockerfile, and in which line.
//!
//! Runs in the shell command's process; pure.

use super::expand::ExpandError;

/// A mistake in a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Fault {
    /// Line of the instruction, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A parser directive stands there twice, or has a value it cannot have.
    #[error("parser directive `{name}`: {why}")]
    Directive {
        /// The directive.
        name: String,
        /// Why it is refused.
        why: &'static str,
    },
    /// There is nothing to build.
    #[error("the file has no instructions")]
    Empty,
    /// No such instruction.
    #[error("unknown instruction `{name}`{}", did_you_mean(suggestion.as_deref()))]
    Unknown {
        /// What stands there.
        name: String,
        /// What may be meant.
        suggestion: Option<String>,
    },
    /// A here-document does not end.
    #[error("here-document `{0}` has no end: a line `{0}` alone is missing")]
    Heredoc(String),
    /// An instruction before the first FROM.
    #[error("`{0}` stands before the first `FROM`; only `ARG` may")]
    NoStage(String),
    /// An instruction's arguments are not those it takes.
    #[error("`{instruction}`: {why}")]
    Arguments {
        /// The instruction.
        instruction: &'static str,
        /// What it takes instead.
        why: String,
    },
    /// An instruction has no such flag, or the flag not such a value.
    #[error("`{instruction}` with flag `--{flag}`: {why}")]
    Flag {
        /// The instruction.
        instruction: &'static str,
        /// The flag.
        flag: String,
        /// Why it is refused.
        why: String,
    },
    /// A variable cannot be expanded.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// A stage, or a place that names one.
    #[error("stage `{name}`: {why}")]
    Stage {
        /// The name.
        name: String,
        /// Why it is refused.
        why: &'static str,
    },
    /// What a check has found is an error, as the file says.
    #[error("{rule}: {text}: `# check=error=true` makes it an error")]
    Finding {
        /// The rule's name.
        rule: &'static str,
        /// What is wrong.
        text: String,
    },
}

impl Problem {
    /// Says where the problem is.
    pub(crate) fn at(self, line: usize) -> Fault {
        Fault { line, problem: self }
    }

    /// Says that an instruction's arguments are not those it takes.
    pub(crate) fn arguments(instruction: &'static str, why: impl Into<String>) -> Problem {
        Problem::Arguments { instruction, why: why.into() }
    }

    /// Says that a flag is refused.
    pub(crate) fn flag(instruction: &'static str, flag: &str, why: impl Into<String>) -> Problem {
        Problem::Flag { instruction, flag: flag.to_owned(), why: why.into() }
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(": did you mean `{name}`?")).unwrap_or_default()
}

/// Returns which of `known` is the most like `name`: at most two letters differ.
pub(crate) fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distances = known.iter().map(|other| (distance(name, other), *other));
    distances.filter(|(distance, _)| *distance <= 2).min().map(|(_, other)| other)
}

/// Counts the letters to change, add or drop (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_is_recognised() {
        assert_eq!(closest("FORM", &["FROM", "RUN"]), Some("FROM"));
        assert_eq!(closest("COPPY", &["COPY", "CMD"]), Some("COPY"));
        assert_eq!(closest("INSTALL", &["FROM", "RUN"]), None);
    }
}
