//! The three files of /etc that differ from container to container: hosts, hostname, resolv.conf.
//!
//! Runs in the monitor, before the process starts. They are bind-mounted, so that the image's own stay untouched.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::durable::{self, FileError};
use crate::runtime::trace::{self, Effect};
use crate::spec::{ContainerSpec, Namespace, NetworkMode};
use crate::{id, netns};

/// Address of the name server inside a container with networks of its own.
const EMBEDDED_DNS: &str = "127.0.0.11";

/// The host's resolver configuration. A server on loopback, as systemd-resolved's 127.0.0.53, is asked by the monitor, which is
/// in the host's network: so names go where the host sends them, by link and by domain.
pub(crate) const HOST_RESOLV_CONF: &str = "/etc/resolv.conf";

/// The host's names.
const HOST_HOSTS: &str = "/etc/hosts";
/// Those of a network of one's own.
const LOOPBACK: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

/// The largest hosts file that is read, in bytes: the container may write to it, and must not fill our memory.
const LARGEST: u64 = 1 << 20;

/// Paths of the files on the host.
pub(crate) struct EtcFiles {
    pub(crate) hosts: PathBuf,
    pub(crate) hostname: PathBuf,
    pub(crate) resolv_conf: PathBuf,
}

/// Writes the files into `directory`.
///
/// `endpoints` are the container's own plugs, `gateways` the addresses behind `host-gateway`.
pub(crate) fn write(
    directory: &Path,
    id: &str,
    spec: &ContainerSpec,
    (endpoints, gateways): (&[netns::Endpoint], &[IpAddr]),
) -> Result<EtcFiles, FileError> {
    durable::create_dir(directory)?;
    let files = EtcFiles {
        hosts: directory.join("hosts"),
        hostname: directory.join("hostname"),
        resolv_conf: directory.join("resolv.conf"),
    };
    let hostname = hostname(id, spec);
    overwrite(&files.hosts, &hosts(spec, &hostname, endpoints, gateways))?;
    overwrite(&files.hostname, &format!("{hostname}\n"))?;
    overwrite(&files.resolv_conf, &resolv_conf(spec, &host_resolv_conf()))?;
    Ok(files)
}

/// Returns what is asked for that would end its line of a file, and so could begin one of another kind, with its Compose key.
pub(crate) fn broken_line(spec: &ContainerSpec) -> Option<(&'static str, &str)> {
    let hosts = spec.extra_hosts.iter().flat_map(|(host, address)| [("extra_hosts", host), ("extra_hosts", address)]);
    let search = spec.dns_search.iter().map(|domain| ("dns_search", domain));
    let options = spec.dns_options.iter().map(|option| ("dns_opt", option));
    let names = spec.hostname.iter().map(|name| ("hostname", name));
    let domains = spec.domainname.iter().map(|name| ("domainname", name));
    let all = hosts.chain(search).chain(options).chain(names).chain(domains);
    all.map(|(key, text)| (key, text.as_str())).find(|(_, text)| text.contains(char::is_control))
}

/// Returns the container's host name.
pub(crate) fn hostname(id: &str, spec: &ContainerSpec) -> String {
    match &spec.hostname {
        Some(name) => name.clone(),
        None if spec.network == NetworkMode::Host || spec.isolation.uts == Namespace::Host => host_name(),
        None => id::short(id).to_owned(),
    }
}

fn host_name() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Takes the addresses of other plugs into a running container's hosts file; what it has written there itself stays.
///
/// One that it has made larger than [`LARGEST`], or that is no text any more, is its own business and stays as it is.
pub(crate) fn replace_addresses(
    path: &Path,
    names: &str,
    (old, new): (&[netns::Endpoint], &[netns::Endpoint]),
) -> Result<(), FileError> {
    let mut text = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text));
    read.map_err(FileError::io("read", path))?;
    match String::from_utf8(text) {
        Ok(text) if text.len() as u64 <= LARGEST => overwrite(path, &with_addresses(&text, names, (old, new))),
        _ => Ok(()),
    }
}

fn with_addresses(text: &str, names: &str, (old, new): (&[netns::Endpoint], &[netns::Endpoint])) -> String {
    let has =
        |endpoints: &[netns::Endpoint], word: &str| addresses(endpoints).any(|address| address.to_string() == word);
    let stays = |line: &&str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        !has(old, word) || has(new, word)
    };
    let mut kept: String = text.lines().filter(stays).map(|line| format!("{line}\n")).collect();
    let added = addresses(new).filter(|address| !has(old, &address.to_string()));
    added.for_each(|address| _ = writeln!(kept, "{address}\t{names}"));
    kept
}

fn addresses(endpoints: &[netns::Endpoint]) -> impl Iterator<Item = IpAddr> {
    endpoints.iter().flat_map(|endpoint| &endpoint.addresses).map(|address| address.address)
}

/// Returns the names of a container in its own hosts file: the longest first, as hosts(5) has it.
pub(crate) fn own_names(spec: &ContainerSpec, hostname: &str) -> String {
    let qualified = spec.domainname.as_ref().map(|domain| format!("{hostname}.{domain} "));
    let short = hostname.split_once('.').map(|(short, _)| format!(" {short}"));
    format!("{}{hostname}{}", qualified.unwrap_or_default(), short.unwrap_or_default())
}

fn host_resolv_conf() -> String {
    fs::read_to_string(HOST_RESOLV_CONF).unwrap_or_default()
}

fn servers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")).map(str::trim)
}

// in place, not by rename: a running container has the file's inode bind-mounted
fn overwrite(path: &Path, text: &str) -> Result<(), FileError> {
    let effect = || Effect::Write { path: path.display().to_string(), value: text.to_owned() };
    let written = trace::step(effect, || fs::write(path, text))
        .and_then(|()| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)));
    written.map_err(FileError::io("write", path))
}

fn hosts(spec: &ContainerSpec, hostname: &str, endpoints: &[netns::Endpoint], gateways: &[IpAddr]) -> String {
    let own = match spec.network {
        // with the host's network come its names
        NetworkMode::Host => fs::read_to_string(HOST_HOSTS).ok(),
        _ => None,
    };
    let mut text = own.unwrap_or_else(|| LOOPBACK.to_owned());
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let names = own_names(spec, hostname);
    addresses(endpoints).for_each(|address| _ = writeln!(text, "{address}\t{names}"));
    for (host, address) in &spec.extra_hosts {
        match (address.as_str(), gateways) {
            ("host-gateway", []) => _ = writeln!(text, "127.0.0.1\t{host}"),
            ("host-gateway", gateways) => {
                gateways.iter().for_each(|gateway| _ = writeln!(text, "{gateway}\t{host}"));
            }
            (address, _) => _ = writeln!(text, "{address}\t{host}"),
        }
    }
    text
}

fn resolv_conf(spec: &ContainerSpec, host: &str) -> String {
    let on_networks = matches!(&spec.network, NetworkMode::Bridge(attachments) if !attachments.is_empty());
    let mut text = String::new();
    if on_networks {
        let _ = writeln!(text, "nameserver {EMBEDDED_DNS}");
    } else if spec.dns.is_empty() {
        servers(host).for_each(|server| _ = writeln!(text, "nameserver {server}"));
    } else {
        spec.dns.iter().for_each(|server| _ = writeln!(text, "nameserver {server}"));
    }
    let inherited = |keyword: &str| {
        let line = host.lines().rev().find_map(|line| line.trim().strip_prefix(keyword).map(str::trim));
        line.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default()
    };
    let search = if spec.dns_search.is_empty() { inherited("search") } else { spec.dns_search.clone() };
    // Docker's way to say "no search domain at all"
    if !search.is_empty() && search != ["."] {
        let _ = writeln!(text, "search {}", search.join(" "));
    }
    let options = if spec.dns_options.is_empty() { inherited("options") } else { spec.dns_options.clone() };
    // names without a dot are tried as they are first: services have such names
    let ndots = on_networks && !options.iter().any(|option| option.starts_with("ndots"));
    let options: Vec<_> = options.into_iter().chain(ndots.then(|| "ndots:0".to_owned())).collect();
    if !options.is_empty() {
        let _ = writeln!(text, "options {}", options.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Attachment, ImageSource};

    fn spec(network: NetworkMode) -> ContainerSpec {
        let image = ImageSource { reference: "x".into(), id: "sha256:0".into() };
        ContainerSpec { network, ..ContainerSpec::new("web".into(), image, vec!["true".into()]) }
    }

    fn bridged() -> NetworkMode {
        NetworkMode::Bridge(vec![Attachment::to("n")])
    }

    #[test]
    fn a_container_on_networks_asks_the_embedded_server_and_keeps_the_hosts_search_domains() {
        let host = "nameserver 10.0.0.1\nsearch corp.example\noptions timeout:1\n";
        let text = resolv_conf(&spec(bridged()), host);
        assert_eq!(text, "nameserver 127.0.0.11\nsearch corp.example\noptions timeout:1 ndots:0\n");
    }

    #[test]
    fn a_container_on_the_hosts_network_asks_whom_the_host_asks() {
        assert_eq!(resolv_conf(&spec(NetworkMode::Host), "nameserver 10.0.0.1\n"), "nameserver 10.0.0.1\n");
    }

    type Ask = fn(&mut ContainerSpec, String);

    #[test]
    fn what_is_asked_for_stays_on_its_line() {
        assert_eq!(broken_line(&spec(bridged())), None);
        let mut asked = spec(bridged());
        asked.dns_options = vec!["ndots:1".into(), "timeout:1 attempts:1".into()];
        asked.extra_hosts = vec![("db".into(), "10.1.1.1".into())];
        assert_eq!(broken_line(&asked), None);
        let asks: [(&str, Ask); 5] = [
            ("extra_hosts", |spec, text| spec.extra_hosts = vec![(text, "10.1.1.1".into())]),
            ("dns_search", |spec, text| spec.dns_search = vec![text]),
            ("dns_opt", |spec, text| spec.dns_options = vec![text]),
            ("hostname", |spec, text| spec.hostname = Some(text)),
            ("domainname", |spec, text| spec.domainname = Some(text)),
        ];
        for (key, ask) in asks {
            let mut asked = spec(bridged());
            ask(&mut asked, "a\nnameserver 192.0.2.1".into());
            assert_eq!(broken_line(&asked), Some((key, "a\nnameserver 192.0.2.1")));
        }
    }

    #[test]
    fn host_gateway_becomes_the_gateways_address() {
        let mut spec = spec(bridged());
        spec.extra_hosts = vec![("db".into(), "10.1.1.1".into()), ("up".into(), "host-gateway".into())];
        let text = hosts(&spec, "web", &[], &["172.18.0.1", "fd00::1"].map(|text| text.parse().unwrap()));
        assert!(text.ends_with("10.1.1.1\tdb\n172.18.0.1\tup\nfd00::1\tup\n"), "{text}");
    }

    #[test]
    fn another_network_changes_its_lines_of_the_hosts_file_and_no_others() {
        let endpoint = |address: &str| {
            let address = netns::Address {
                address: address.parse().unwrap(),
                prefix: 24,
                gateway: "172.18.0.1".parse().unwrap(),
            };
            netns::Endpoint {
                network: String::new(),
                network_name: String::new(),
                container: String::new(),
                interface: String::new(),
                addresses: vec![address],
                link_local: Vec::new(),
                mac: String::new(),
                names: Vec::new(),
                gw_priority: 0,
            }
        };
        let text = "127.0.0.1\tlocalhost\n172.18.0.2\tweb\n172.18.0.20\tmine\n";
        let (old, new) = ([endpoint("172.18.0.2")], [endpoint("172.19.0.2")]);
        let changed = with_addresses(text, "web", (&old, &new));
        assert_eq!(changed, "127.0.0.1\tlocalhost\n172.18.0.20\tmine\n172.19.0.2\tweb\n");
        assert_eq!(with_addresses(text, "web", (&old, &old)), text);
    }
}
