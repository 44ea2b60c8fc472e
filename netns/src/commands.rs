//! What this crate does by netlink, as commands of ip(8), sysctl(8) and nft(8): to be shown, not to be run. Pure, but for
//! the files that say what was given to whom. Any process.
//!
//! A command is a list of words; quoting them is the business of whoever shows them.

use std::path::Path;

use crate::firewall::{Content, Table};
use crate::state::Lease;
use crate::{Host, Network};

/// Words of one command.
pub type Command = Vec<String>;

fn command(words: &[&str]) -> Command {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Network {
    /// Returns the commands that make this network's bridge.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let bridge = self.bridge.as_str();
        let (address, mtu) =
            (format!("{}/{}", self.gateway, self.subnet.prefix_len()), self.mtu.map(|mtu| mtu.to_string()));
        let mac = crate::bridge::mac(self).map(|byte| format!("{byte:02x}")).join(":");
        let mut add = command(&["ip", "link", "add", bridge, "address", &mac]);
        add.extend(mtu.into_iter().flat_map(|mtu| ["mtu".to_owned(), mtu]));
        add.extend(command(&["type", "bridge"]));
        vec![add, disable_ipv6(bridge), command(&["ip", "address", "replace", &address, "dev", bridge])]
    }
}

impl Host {
    /// Returns the commands that make a network namespace at `path`.
    #[must_use]
    pub fn namespace_commands(path: &Path) -> Vec<Command> {
        let path = path.display().to_string();
        let mut quiet = inside(&path, &[]);
        quiet.extend(disable_ipv6("default"));
        vec![
            command(&["touch", &path]),
            command(&["unshare", &format!("--net={path}"), "true"]),
            quiet,
            inside(&path, &["ip", "link", "set", "lo", "up"]),
        ]
    }

    /// Returns the commands that connect `container`, as it is connected, to bridges that are there.
    ///
    /// None for what the files do not say: they are read anew.
    #[must_use]
    pub fn attach_commands(&self, container: &str, netns: &Path) -> Vec<Command> {
        let leases = self.leases_of_container(container).unwrap_or_default();
        let ports = self.ports_of_container(container).ok().flatten();
        let content = Content::of(&leases, ports.as_slice());
        let table = Table::of(self.run());
        let mut commands = content.commands(table.name());
        commands.push(command(&["sysctl", "-w", "net.ipv4.ip_forward=1"]));
        let published = leases.iter().filter(|lease| ports.is_some() && !lease.internal);
        let local =
            |lease: &Lease| command(&["sysctl", "-w", &format!("net.ipv4.conf.{}.route_localnet=1", lease.bridge)]);
        commands.extend(published.map(local));
        let netns = netns.display().to_string();
        leases.iter().for_each(|lease| plug(lease, (&netns, ports.is_some()), &mut commands));
        let gateway = leases.iter().find(|lease| !lease.internal).map(|lease| lease.endpoint.gateway.to_string());
        commands.extend(gateway.map(|gateway| inside(&netns, &["ip", "route", "add", "default", "via", &gateway])));
        commands
    }
}

/// One veth, from the bridge into the container.
fn plug(lease: &Lease, (netns, publishes): (&str, bool), commands: &mut Vec<Command>) {
    let (host, endpoint) = (lease.host_interface.as_str(), &lease.endpoint);
    let (interface, mac) = (endpoint.interface.as_str(), endpoint.mac.as_str());
    let address = format!("{}/{}", endpoint.address, endpoint.prefix);
    commands.push(command(&[
        "ip",
        "link",
        "add",
        host,
        "master",
        &lease.bridge,
        "type",
        "veth",
        "peer",
        "name",
        interface,
        "address",
        mac,
        "netns",
        netns,
    ]));
    commands.push(disable_ipv6(host));
    if publishes {
        commands.push(command(&["ip", "link", "set", host, "type", "bridge_slave", "hairpin", "on"]));
    }
    commands.push(command(&["ip", "link", "set", host, "up"]));
    commands.push(inside(netns, &["ip", "address", "add", &address, "dev", interface]));
    commands.push(inside(netns, &["ip", "link", "set", interface, "up"]));
    commands.push(command(&["ip", "link", "set", &lease.bridge, "up"]));
}

fn inside(netns: &str, words: &[&str]) -> Command {
    let mut all = command(&["nsenter", &format!("--net={netns}")]);
    all.extend(command(words));
    all
}

fn disable_ipv6(link: &str) -> Command {
    command(&["sysctl", "-w", &format!("net.ipv6.conf.{link}.disable_ipv6=1")])
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::Endpoint;

    fn lines(commands: &[Command]) -> Vec<String> {
        commands.iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn a_bridge_has_the_gateways_address() {
        let network = Network {
            id: "0123456789abcdef0123".into(),
            name: "net".into(),
            bridge: "lt-0123456789".into(),
            subnet: "172.18.0.0/24".parse().unwrap(),
            gateway: Ipv4Addr::new(172, 18, 0, 1),
            internal: false,
            mtu: Some(1400),
            labels: [].into(),
            options: [].into(),
            created: 0,
        };
        let expected = [
            "ip link add lt-0123456789 address 02:ab:cd:ef:01:23 mtu 1400 type bridge",
            "sysctl -w net.ipv6.conf.lt-0123456789.disable_ipv6=1",
            "ip address replace 172.18.0.1/24 dev lt-0123456789",
        ];
        assert_eq!(lines(&network.commands()), expected);
    }

    #[test]
    fn a_veth_leads_from_the_bridge_into_the_namespace() {
        let endpoint = Endpoint {
            network: "n".into(),
            network_name: "net".into(),
            container: "c".into(),
            interface: "eth0".into(),
            address: Ipv4Addr::new(172, 18, 0, 2),
            prefix: 24,
            gateway: Ipv4Addr::new(172, 18, 0, 1),
            mac: "02:42:ac:12:00:02".into(),
            names: vec![],
        };
        let lease = Lease { endpoint, bridge: "lt-a".into(), internal: false, host_interface: "lv-1".into() };
        let mut commands = Vec::new();
        plug(&lease, ("/run/n", true), &mut commands);
        let expected = [
            "ip link add lv-1 master lt-a type veth peer name eth0 address 02:42:ac:12:00:02 netns /run/n",
            "sysctl -w net.ipv6.conf.lv-1.disable_ipv6=1",
            "ip link set lv-1 type bridge_slave hairpin on",
            "ip link set lv-1 up",
            "nsenter --net=/run/n ip address add 172.18.0.2/24 dev eth0",
            "nsenter --net=/run/n ip link set eth0 up",
            "ip link set lt-a up",
        ];
        assert_eq!(lines(&commands), expected);
    }

    #[test]
    fn a_namespace_is_kept_by_a_file() {
        let expected = [
            "touch /run/n",
            "unshare --net=/run/n true",
            "nsenter --net=/run/n sysctl -w net.ipv6.conf.default.disable_ipv6=1",
            "nsenter --net=/run/n ip link set lo up",
        ];
        assert_eq!(lines(&Host::namespace_commands(Path::new("/run/n"))), expected);
    }
}
