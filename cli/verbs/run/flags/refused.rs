//! Flags of docker's `run` that lighter has not: each is answered by its name, never passed over.

use crate::error::Failure;

/// What docker has and lighter has not
#[derive(clap::Args, Clone)]
pub(in crate::verbs::run) struct RefusedFlags {
    #[arg(long, hide = true)]
    cpu_count: Option<i64>,
    #[arg(long, hide = true)]
    cpu_percent: Option<i64>,
    #[arg(long, hide = true)]
    io_maxbandwidth: Option<String>,
    #[arg(long, hide = true)]
    io_maxiops: Option<u64>,
    #[arg(long, hide = true)]
    isolation: Option<String>,
    #[arg(long, hide = true)]
    kernel_memory: Option<String>,
    #[arg(long, hide = true)]
    storage_opt: Vec<String>,
    #[arg(long, hide = true)]
    use_api_socket: bool,
    #[arg(long, hide = true)]
    volume_driver: Option<String>,
    /// Docker's own default, which turns nothing on
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: Option<bool>,
}

impl RefusedFlags {
    /// Refuses the first that was given.
    pub(in crate::verbs::run) fn check(&self) -> Result<(), Failure> {
        const WINDOWS: &str = "is for containers of Windows";
        let isolation = self.isolation.as_deref().is_some_and(|kind| !matches!(kind, "" | "default"));
        let driver = self.volume_driver.as_deref().is_some_and(|driver| !matches!(driver, "" | "local"));
        let given = [
            ("--cpu-count", self.cpu_count.is_some(), WINDOWS),
            ("--cpu-percent", self.cpu_percent.is_some(), WINDOWS),
            ("--io-maxbandwidth", self.io_maxbandwidth.is_some(), WINDOWS),
            ("--io-maxiops", self.io_maxiops.is_some(), WINDOWS),
            ("--isolation", isolation, WINDOWS),
            ("--kernel-memory", self.kernel_memory.is_some(), "is no limit that kernels still have"),
            ("--storage-opt", !self.storage_opt.is_empty(), "is not supported: overlayfs has no options here"),
            ("--use-api-socket", self.use_api_socket, "is not supported: there is no API socket"),
            ("--volume-driver", driver, "is not supported: the only driver is `local`"),
        ];
        match given.into_iter().find(|(_, is_given, _)| *is_given) {
            Some((flag, _, why)) => Err(Failure::text(format!("{flag} {why}"))),
            None => Ok(()),
        }
    }
}
