//! Flags of `run`: networks, names and ports.

/// Networks, names and ports
#[derive(clap::Args, Clone)]
pub(in crate::verbs::run) struct NetworkFlags {
    /// Publish a port: `[address:][host port:]port[/udp]`
    #[arg(short, long, value_name = "PORT", help_heading = "Network")]
    pub(in crate::verbs::run) publish: Vec<String>,
    /// Publish every exposed port on a free port of the host
    #[arg(short = 'P', long, help_heading = "Network")]
    pub(in crate::verbs::run) publish_all: bool,
    /// Say that the container listens on a port: `80` or `53/udp`
    #[arg(long, value_name = "PORT", help_heading = "Network")]
    pub(in crate::verbs::run) expose: Vec<String>,
    /// Network: a name, `bridge`, `host`, `none` or `container:NAME`; several by saying it again.
    ///
    /// With wishes: `name=NET,alias=NAME,ip=…,ip6=…,mac-address=…,link-local-ip=…,gw-priority=N,driver-opt=NAME=VALUE`.
    #[arg(long, alias = "net", help_heading = "Network")]
    pub(in crate::verbs::run) network: Vec<String>,
    /// Further name on the network
    #[arg(long, alias = "net-alias", value_name = "NAME", help_heading = "Network")]
    pub(in crate::verbs::run) network_alias: Vec<String>,
    /// Fixed IPv4 address
    #[arg(long, value_name = "ADDRESS", help_heading = "Network")]
    pub(in crate::verbs::run) ip: Option<std::net::Ipv4Addr>,
    /// Fixed IPv6 address
    #[arg(long, value_name = "ADDRESS", help_heading = "Network")]
    pub(in crate::verbs::run) ip6: Option<std::net::Ipv6Addr>,
    /// Further address of the link
    #[arg(long, value_name = "ADDRESS", help_heading = "Network")]
    pub(in crate::verbs::run) link_local_ip: Vec<std::net::IpAddr>,
    /// Fixed hardware address
    #[arg(long, value_name = "ADDRESS", help_heading = "Network")]
    pub(in crate::verbs::run) mac_address: Option<String>,
    /// Further name, for this container alone, of another on the same network: `container[:alias]`
    #[arg(long, value_name = "CONTAINER", help_heading = "Network")]
    pub(in crate::verbs::run) link: Vec<String>,
    /// Host name
    #[arg(short = 'h', long, value_name = "NAME", help_heading = "Network")]
    pub(in crate::verbs::run) hostname: Option<String>,
    /// Domain name
    #[arg(long, value_name = "DOMAIN", help_heading = "Network")]
    pub(in crate::verbs::run) domainname: Option<String>,
    /// Line for /etc/hosts: `name:address`, or `name:host-gateway`
    #[arg(long, value_name = "NAME:ADDRESS", help_heading = "Network")]
    pub(in crate::verbs::run) add_host: Vec<String>,
    /// Name server
    #[arg(long, value_name = "ADDRESS", help_heading = "Network")]
    pub(in crate::verbs::run) dns: Vec<std::net::IpAddr>,
    /// Search domain
    #[arg(long, value_name = "DOMAIN", help_heading = "Network")]
    pub(in crate::verbs::run) dns_search: Vec<String>,
    /// Option of resolv.conf(5)
    #[arg(long, alias = "dns-opt", value_name = "OPTION", help_heading = "Network")]
    pub(in crate::verbs::run) dns_option: Vec<String>,
}
