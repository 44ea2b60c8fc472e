//! The flags of `run` and `create`.

use std::path::PathBuf;

use lighter_engine::images::platform::Platform;
use lighter_engine::images::pull::PullPolicy;

/// What the container shall be
#[derive(clap::Args, Clone)]
pub(crate) struct RunFlags {
    /// Image
    pub(crate) image: String,
    /// Command and its arguments (default: the image's)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,

    /// Name of the container (default: made up)
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Remove it, and its anonymous volumes, when it ends
    #[arg(long)]
    pub(crate) rm: bool,
    /// Keep stdin open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Replace the image's entrypoint
    #[arg(long)]
    pub(crate) entrypoint: Option<String>,
    /// Set a variable; a name alone takes our own value
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// File with variables, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// User, as `name`, `uid` or `user:group`
    #[arg(short, long)]
    pub(crate) user: Option<String>,
    /// Additional group
    #[arg(long, value_name = "GROUP")]
    pub(crate) group_add: Vec<String>,
    /// Working directory
    #[arg(short, long)]
    pub(crate) workdir: Option<String>,
    /// Label
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) label: Vec<String>,
    /// When to pull the image: `always`, `missing`, `never`, `daily`, `weekly`, `every_12h`
    #[arg(long, value_name = "POLICY", default_value = "missing")]
    pub(crate) pull: PullPolicy,
    /// Platform of the image, as `linux/arm64`
    #[arg(long)]
    pub(crate) platform: Option<Platform>,
    /// No progress of the pull
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Write the container's id to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) cidfile: Option<PathBuf>,

    /// Mount: `/host:/in[:ro]`, `volume:/in[:ro]`, or `/in` for an anonymous volume
    #[arg(short, long, value_name = "SOURCE:TARGET", help_heading = "Mounts")]
    pub(crate) volume: Vec<String>,
    /// Mount in long form: type=bind|volume|tmpfs,source=…,target=…[,readonly]
    #[arg(long, value_name = "KEY=VALUE,…", help_heading = "Mounts")]
    pub(crate) mount: Vec<String>,
    /// Memory: `/run[:size=64m,mode=1777]`
    #[arg(long, value_name = "TARGET", help_heading = "Mounts")]
    pub(crate) tmpfs: Vec<String>,
    /// Read-only root filesystem
    #[arg(long, help_heading = "Mounts")]
    pub(crate) read_only: bool,
    /// Host device: `/dev/x[:/dev/y[:rwm]]`
    #[arg(long, help_heading = "Mounts")]
    pub(crate) device: Vec<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "BYTES", help_heading = "Mounts")]
    pub(crate) shm_size: Option<String>,

    /// Publish a port: `[address:][host port:]port[/udp]`
    #[arg(short, long, value_name = "PORT", help_heading = "Network")]
    pub(crate) publish: Vec<String>,
    /// Publish every exposed port on a free port of the host
    #[arg(short = 'P', long, help_heading = "Network")]
    pub(crate) publish_all: bool,
    /// Say that the container listens on a port: `80` or `53/udp`
    #[arg(long, value_name = "PORT", help_heading = "Network")]
    pub(crate) expose: Vec<String>,
    /// Network: a name, `bridge`, `host`, `none` or `container:NAME`; several by saying it again.
    ///
    /// With wishes: `name=NET,alias=NAME,ip=…,ip6=…,mac-address=…,link-local-ip=…,gw-priority=N,driver-opt=NAME=VALUE`.
    #[arg(long, alias = "net", help_heading = "Network")]
    pub(crate) network: Vec<String>,
    /// Further name on the network
    #[arg(long, alias = "net-alias", value_name = "NAME", help_heading = "Network")]
    pub(crate) network_alias: Vec<String>,
    /// Fixed IPv4 address
    #[arg(long, value_name = "ADDRESS", help_heading = "Network")]
    pub(crate) ip: Option<std::net::Ipv4Addr>,
    /// Fixed IPv6 address
    #[arg(long, value_name = "ADDRESS", help_heading = "Network")]
    pub(crate) ip6: Option<std::net::Ipv6Addr>,
    /// Further address of the link
    #[arg(long, value_name = "ADDRESS", help_heading = "Network")]
    pub(crate) link_local_ip: Vec<std::net::IpAddr>,
    /// Fixed hardware address
    #[arg(long, value_name = "ADDRESS", help_heading = "Network")]
    pub(crate) mac_address: Option<String>,
    /// Further name, for this container alone, of another on the same network: `container[:alias]`
    #[arg(long, value_name = "CONTAINER", help_heading = "Network")]
    pub(crate) link: Vec<String>,
    /// Host name
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    pub(crate) hostname: Option<String>,
    /// Domain name
    #[arg(long, value_name = "DOMAIN", help_heading = "Network")]
    pub(crate) domainname: Option<String>,
    /// Line for /etc/hosts: `name:address`, or `name:host-gateway`
    #[arg(long, value_name = "NAME:ADDRESS", help_heading = "Network")]
    pub(crate) add_host: Vec<String>,
    /// Name server
    #[arg(long, value_name = "ADDRESS", help_heading = "Network")]
    pub(crate) dns: Vec<std::net::IpAddr>,
    /// Search domain
    #[arg(long, value_name = "DOMAIN", help_heading = "Network")]
    pub(crate) dns_search: Vec<String>,
    /// Option of resolv.conf(5)
    #[arg(long, alias = "dns-opt", value_name = "OPTION", help_heading = "Network")]
    pub(crate) dns_option: Vec<String>,

    /// Limit of memory
    #[arg(short, long, value_name = "BYTES", help_heading = "Limits")]
    pub(crate) memory: Option<String>,
    /// Limit of memory and swap together, -1 for no limit of swap
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true, help_heading = "Limits")]
    pub(crate) memory_swap: Option<String>,
    /// Number of CPUs
    #[arg(long, help_heading = "Limits")]
    pub(crate) cpus: Option<f64>,
    /// Relative weight of CPU time
    #[arg(short, long, help_heading = "Limits")]
    pub(crate) cpu_shares: Option<u64>,
    /// CPUs that may be used: `0-2,4`
    #[arg(long, value_name = "CPUS", help_heading = "Limits")]
    pub(crate) cpuset_cpus: Option<String>,
    /// Number of processes, -1 for no limit
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "Limits")]
    pub(crate) pids_limit: Option<i64>,
    /// Resource limit: `nofile=1024[:2048]`
    #[arg(long, value_name = "NAME=SOFT[:HARD]", help_heading = "Limits")]
    pub(crate) ulimit: Vec<String>,

    /// Add a capability
    #[arg(long, value_name = "CAP", help_heading = "Isolation")]
    pub(crate) cap_add: Vec<String>,
    /// Drop a capability
    #[arg(long, value_name = "CAP", help_heading = "Isolation")]
    pub(crate) cap_drop: Vec<String>,
    /// All privileges of the host's root
    #[arg(long, help_heading = "Isolation")]
    pub(crate) privileged: bool,
    /// `no-new-privileges`, `seccomp=unconfined`, `systempaths=unconfined`
    #[arg(long, value_name = "OPTION", help_heading = "Isolation")]
    pub(crate) security_opt: Vec<String>,
    /// Kernel parameter of its own namespaces
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Isolation")]
    pub(crate) sysctl: Vec<String>,
    /// Share a namespace: only `host`
    #[arg(long, value_parser = ["host", "private", ""], help_heading = "Isolation")]
    pub(crate) pid: Option<String>,
    /// Share the ipc namespace: only `host`
    #[arg(long, value_parser = ["host", "private", ""], help_heading = "Isolation")]
    pub(crate) ipc: Option<String>,

    /// Run lighter's own init as pid 1: it hands signals on and reaps
    #[arg(long, help_heading = "Life")]
    pub(crate) init: bool,
    /// Restart policy: no, always, unless-stopped, on-failure[:N]
    #[arg(long, default_value = "no", help_heading = "Life")]
    pub(crate) restart: String,
    /// Signal of `stop`
    #[arg(long, value_name = "SIGNAL", help_heading = "Life")]
    pub(crate) stop_signal: Option<String>,
    /// Seconds between the stop signal and SIGKILL
    #[arg(long, value_name = "SECONDS", help_heading = "Life")]
    pub(crate) stop_timeout: Option<u64>,
    /// Health check, for the container's shell
    #[arg(long, value_name = "COMMAND", help_heading = "Life")]
    pub(crate) health_cmd: Option<String>,
    /// Pause between probes: `30s`
    #[arg(long, value_name = "DURATION", help_heading = "Life")]
    pub(crate) health_interval: Option<String>,
    /// Longest time of a probe
    #[arg(long, value_name = "DURATION", help_heading = "Life")]
    pub(crate) health_timeout: Option<String>,
    /// Time in which failures do not count
    #[arg(long, value_name = "DURATION", help_heading = "Life")]
    pub(crate) health_start_period: Option<String>,
    /// Failures until it is unhealthy
    #[arg(long, value_name = "N", help_heading = "Life")]
    pub(crate) health_retries: Option<u32>,
    /// Pause between probes while it starts: `2s`
    #[arg(long, value_name = "DURATION", help_heading = "Life")]
    pub(crate) health_start_interval: Option<String>,
    /// Who takes the output: json-file, local, journald, syslog or none
    #[arg(long, value_name = "DRIVER", help_heading = "Life")]
    pub(crate) log_driver: Option<String>,
    /// Option of the log driver
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Life")]
    pub(crate) log_opt: Vec<String>,
    /// Freeze instead of being killed when memory runs out (cgroup version 1)
    #[arg(long, help_heading = "Life")]
    pub(crate) oom_kill_disable: bool,
    /// No health check, whatever the image says
    #[arg(long, help_heading = "Life")]
    pub(crate) no_healthcheck: bool,
}
