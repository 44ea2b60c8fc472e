//! Where the output of a container goes.

/// `logging`; what is [`None`] is lighter's own choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logging {
    /// `driver: none`: it is not kept.
    pub none: bool,
    /// `max-size`: bytes at which a log file is rotated.
    pub max_size: Option<u64>,
    /// `max-file`: files that are kept, the current one included.
    pub max_files: Option<u32>,
}
