//! Flags of `run`: what the container sees of the host's files and devices.

/// What it sees of the host's files and devices
#[derive(clap::Args, Clone)]
pub(in crate::verbs::run) struct MountFlags {
    /// Mount: `/host:/in[:ro]`, `volume:/in[:ro]`, or `/in` for an anonymous volume
    #[arg(short, long, value_name = "SOURCE:TARGET", help_heading = "Mounts")]
    pub(in crate::verbs::run) volume: Vec<String>,
    /// Mount in long form: type=bind|volume|tmpfs|image,source=…,target=…[,readonly]
    #[arg(long, value_name = "KEY=VALUE,…", help_heading = "Mounts")]
    pub(in crate::verbs::run) mount: Vec<String>,
    /// Memory: `/run[:size=64m,mode=1777]`
    #[arg(long, value_name = "TARGET", help_heading = "Mounts")]
    pub(in crate::verbs::run) tmpfs: Vec<String>,
    /// Read-only root filesystem
    #[arg(long, help_heading = "Mounts")]
    pub(in crate::verbs::run) read_only: bool,
    /// Mount what another container has mounted: `container[:ro]`
    #[arg(long, value_name = "CONTAINER", help_heading = "Mounts")]
    pub(in crate::verbs::run) volumes_from: Vec<String>,
    /// Host device: `/dev/x[:/dev/y[:rwm]]`, or the name a CDI specification gives it: `vendor/class=name`
    #[arg(long, help_heading = "Mounts")]
    pub(in crate::verbs::run) device: Vec<String>,
    /// GPUs, as /etc/cdi or /var/run/cdi describes them: `all`, a number, or `device=0,1`
    #[arg(long, value_name = "WHICH", help_heading = "Mounts")]
    pub(in crate::verbs::run) gpus: Option<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "BYTES", help_heading = "Mounts")]
    pub(in crate::verbs::run) shm_size: Option<String>,
}
