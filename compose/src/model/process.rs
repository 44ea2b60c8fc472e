//! What a container runs.

use std::collections::BTreeMap;
use std::time::Duration;

/// Time `stop` leaves a container between its stop signal and SIGKILL when the service sets none.
///
/// 10 s: default of `stop_grace_period`, Compose Specification, 05-services.
pub const DEFAULT_STOP_GRACE: Duration = Duration::from_secs(10);

/// The process of a service, as far as the file says; the image fills in the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// [`None`] is the image's; an empty list clears it.
    pub entrypoint: Option<Vec<String>>,
    /// [`None`] is the image's (nothing when `entrypoint` is given); an empty list clears it.
    pub command: Option<Vec<String>>,
    /// `env_file` and `environment`, resolved; over the image's.
    pub environment: BTreeMap<String, String>,
    /// Names of `environment` without a value that the command's environment does not have either: taken from the
    /// container even where the image sets them.
    pub unset: Vec<String>,
    /// The working directory in the container.
    pub working_dir: Option<String>,
    /// `name|uid[:group|gid]`.
    pub user: Option<String>,
    /// Supplementary groups, names or numbers.
    pub group_add: Vec<String>,
    /// A pseudo-terminal.
    pub tty: bool,
    /// Standard input stays open.
    pub stdin_open: bool,
    /// An init of ours as pid 1 that reaps and forwards signals.
    pub init: bool,
    /// The stop signal; [`None`] is the image's, then SIGTERM.
    pub stop_signal: Option<String>,
    /// Time between the stop signal and SIGKILL; [`None`] is [`DEFAULT_STOP_GRACE`].
    pub stop_grace_period: Option<Duration>,
}
