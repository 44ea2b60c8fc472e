//! Flags of `run`: start, end, health and output.

/// Start, end, health and output
#[derive(clap::Args, Clone)]
pub(in crate::verbs::run) struct LifeFlags {
    /// Run lighter's own init as pid 1: it hands signals on and reaps
    #[arg(long, help_heading = "Life")]
    pub(in crate::verbs::run) init: bool,
    /// Restart policy: no, always, unless-stopped, on-failure[:N]
    #[arg(long, default_value = "no", help_heading = "Life")]
    pub(in crate::verbs::run) restart: String,
    /// Signal of `stop`
    #[arg(long, value_name = "SIGNAL", help_heading = "Life")]
    pub(in crate::verbs::run) stop_signal: Option<String>,
    /// Seconds between the stop signal and SIGKILL
    #[arg(long, value_name = "SECONDS", help_heading = "Life")]
    pub(in crate::verbs::run) stop_timeout: Option<u64>,
    /// Health check, for the container's shell
    #[arg(long, value_name = "COMMAND", help_heading = "Life")]
    pub(in crate::verbs::run) health_cmd: Option<String>,
    /// Pause between probes: `30s`
    #[arg(long, value_name = "DURATION", help_heading = "Life")]
    pub(in crate::verbs::run) health_interval: Option<String>,
    /// Longest time of a probe
    #[arg(long, value_name = "DURATION", help_heading = "Life")]
    pub(in crate::verbs::run) health_timeout: Option<String>,
    /// Time in which failures do not count
    #[arg(long, value_name = "DURATION", help_heading = "Life")]
    pub(in crate::verbs::run) health_start_period: Option<String>,
    /// Failures until it is unhealthy
    #[arg(long, value_name = "N", help_heading = "Life")]
    pub(in crate::verbs::run) health_retries: Option<u32>,
    /// Pause between probes while it starts: `2s`
    #[arg(long, value_name = "DURATION", help_heading = "Life")]
    pub(in crate::verbs::run) health_start_interval: Option<String>,
    /// Who takes the output: json-file, local, journald, syslog or none
    #[arg(long, value_name = "DRIVER", help_heading = "Life")]
    pub(in crate::verbs::run) log_driver: Option<String>,
    /// Option of the log driver
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Life")]
    pub(in crate::verbs::run) log_opt: Vec<String>,
    /// No health check, whatever the image says
    #[arg(long, help_heading = "Life")]
    pub(in crate::verbs::run) no_healthcheck: bool,
}

impl LifeFlags {
    /// Returns whether anything is said about the health check, besides that there is none.
    pub(in crate::verbs::run) fn sets_health(&self) -> bool {
        let texts = [
            &self.health_cmd,
            &self.health_interval,
            &self.health_timeout,
            &self.health_start_period,
            &self.health_start_interval,
        ];
        self.health_retries.is_some() || texts.iter().any(|text| text.is_some())
    }
}
