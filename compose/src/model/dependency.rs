//! What a service waits for before it starts.

/// When a dependency counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Its containers run.
    Started,
    /// Its health checks succeed.
    Healthy,
    /// Its containers ended with exit code 0.
    CompletedSuccessfully,
}

impl Condition {
    /// Returns the word of the Compose Specification, which is also the word in the `depends_on` label.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "service_started",
            Self::Healthy => "service_healthy",
            Self::CompletedSuccessfully => "service_completed_successfully",
        }
    }

    /// Reads the word of the Compose Specification.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Started, Self::Healthy, Self::CompletedSuccessfully]
            .into_iter()
            .find(|condition| condition.word() == word)
    }
}

/// One entry of `depends_on`, given or implied (links, shared namespaces, `volumes_from`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// What to wait for.
    pub condition: Condition,
    /// Whether its absence or failure is an error.
    pub required: bool,
    /// Whether an explicit restart or recreation of the dependency restarts this service too.
    pub restart: bool,
}
