//! What this crate does by netlink, as commands of ip(8), sysctl(8) and nft(8): to be shown, not to be run. Pure, but for
//! the files that say what was given to whom. Any process.
//!
//! A command is a list of words; quoting them is the business of whoever shows them.

use std::path::Path;

use crate::attach::default_routes;
use crate::firewall::{Content, Table};
use crate::state::Lease;
use crate::{Address, Driver, Host, Network};

/// Words of one command.
pub type Command = Vec<String>;

fn command(words: &[&str]) -> Command {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Network {
    /// Returns the commands that make this network's bridge.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        if !self.is_bridged() {
            return Vec::new();
        }
        let bridge = self.bridge.as_str();
        let mtu = self.mtu.map(|mtu| mtu.to_string());
        let mac = crate::bridge::mac(self).map(|byte| format!("{byte:02x}")).join(":");
        let mut add = command(&["ip", "link", "add", bridge, "address", &mac]);
        add.extend(mtu.into_iter().flat_map(|mtu| ["mtu".to_owned(), mtu]));
        add.extend(command(&["type", "bridge"]));
        let mut commands = vec![add];
        commands.extend(switch_ipv6(bridge, self.ipv6().is_some()));
        let address = |range: &crate::Range| {
            let address = range.of_gateway().to_string();
            command(&["ip", "address", "replace", &address, "dev", bridge])
        };
        commands.extend(self.ranges.iter().map(address));
        commands
    }
}

impl Host {
    /// Returns the commands that make a network namespace at `path`.
    #[must_use]
    pub fn namespace_commands(path: &Path) -> Vec<Command> {
        let path = path.display().to_string();
        let mut quiet = inside(&path, &[]);
        quiet.extend(set_sysctl("net.ipv6.conf.default.disable_ipv6", true));
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
        commands.push(set_sysctl("net.ipv4.ip_forward", true));
        commands.extend(content.has_ipv6().then(|| set_sysctl("net.ipv6.conf.all.forwarding", true)));
        let published = leases.iter().filter(|lease| ports.is_some() && lease.is_open() && lease.is_bridged());
        let local = |lease: &Lease| set_sysctl(&format!("net.ipv4.conf.{}.route_localnet", lease.bridge), true);
        commands.extend(published.map(local));
        let netns = netns.display().to_string();
        leases.iter().for_each(|lease| plug(lease, (&netns, ports.is_some()), &mut commands));
        let route = |(lease, to): (&Lease, &Address)| {
            let (gateway, device) = (to.gateway.to_string(), lease.endpoint.interface.as_str());
            inside(&netns, &["ip", "route", "replace", "default", "via", &gateway, "dev", device])
        };
        commands.extend(default_routes(&leases).into_iter().map(route));
        commands
    }
}

/// One interface, on the bridge or the device of its network.
fn plug(lease: &Lease, (netns, publishes): (&str, bool), commands: &mut Vec<Command>) {
    let endpoint = &lease.endpoint;
    let interface = endpoint.interface.as_str();
    commands.push(device(lease, netns));
    if lease.is_bridged() {
        let host = lease.host_interface.as_str();
        commands.push(command(&["ip", "link", "set", host, "addrgenmode", "none"]));
        for (flag, _) in [("hairpin", publishes), ("isolated", lease.keeps_apart)].iter().filter(|(_, on)| *on) {
            commands.push(command(&["ip", "link", "set", host, "type", "bridge_slave", flag, "on"]));
        }
        commands.push(command(&["ip", "link", "set", host, "up"]));
    }
    if endpoint.ipv6().is_some() {
        let words = switch_ipv6(interface, true);
        commands.extend(words.iter().map(|one| inside(netns, &one.iter().map(String::as_str).collect::<Vec<_>>())));
    }
    let sysctl = |(name, value): &(String, String)| inside(netns, &["sysctl", "-w", &format!("{name}={value}")]);
    commands.extend(lease.sysctls.iter().map(sysctl));
    for address in &endpoint.addresses {
        let address = format!("{}/{}", address.address, address.prefix);
        commands.push(inside(netns, &["ip", "address", "add", &address, "dev", interface]));
    }
    commands.push(inside(netns, &["ip", "link", "set", interface, "up"]));
    if lease.is_bridged() {
        commands.push(command(&["ip", "link", "set", &lease.bridge, "up"]));
    }
}

fn device(lease: &Lease, netns: &str) -> Command {
    let (parent, interface) = (lease.bridge.as_str(), lease.endpoint.interface.as_str());
    let mac = ["address", &lease.endpoint.mac];
    let words = match lease.driver {
        Driver::Bridge => {
            let start = ["ip", "link", "add", &lease.host_interface, "master", parent, "type", "veth", "peer", "name"];
            [start.as_slice(), &[interface], &mac, &["netns", netns]].concat()
        }
        Driver::Macvlan => {
            let start = ["ip", "link", "add", "link", parent, "name", interface];
            [start.as_slice(), &mac, &["netns", netns, "type", "macvlan", "mode", "bridge"]].concat()
        }
        Driver::Ipvlan => {
            let start = ["ip", "link", "add", "link", parent, "name", interface];
            [start.as_slice(), &["netns", netns, "type", "ipvlan", "mode", "l2"]].concat()
        }
    };
    command(&words)
}

fn inside(netns: &str, words: &[&str]) -> Command {
    let mut all = command(&["nsenter", &format!("--net={netns}")]);
    all.extend(command(words));
    all
}

fn set_sysctl(name: &str, on: bool) -> Command {
    command(&["sysctl", "-w", &format!("{name}={}", u8::from(on))])
}

fn switch_ipv6(link: &str, on: bool) -> Vec<Command> {
    let without = if on { ["dad_transmits", "router_solicitation_delay", "accept_ra"].as_slice() } else { &[] };
    let off = without.iter().map(|switch| set_sysctl(&format!("net.ipv6.conf.{link}.{switch}"), false));
    off.chain([set_sysctl(&format!("net.ipv6.conf.{link}.disable_ipv6"), !on)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Families;
    use crate::network::tests::network;
    use crate::state::tests::lease;

    fn lines(commands: &[Command]) -> Vec<String> {
        commands.iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn a_bridge_has_the_gateways_addresses() {
        let network = Network { id: "0123456789abcdef0123".into(), mtu: Some(1400), ..network(Families::Both) };
        let expected = [
            "ip link add lt-ababababab address 02:ab:cd:ef:01:23 mtu 1400 type bridge",
            "sysctl -w net.ipv6.conf.lt-ababababab.dad_transmits=0",
            "sysctl -w net.ipv6.conf.lt-ababababab.router_solicitation_delay=0",
            "sysctl -w net.ipv6.conf.lt-ababababab.accept_ra=0",
            "sysctl -w net.ipv6.conf.lt-ababababab.disable_ipv6=0",
            "ip address replace 172.18.0.1/24 dev lt-ababababab",
            "ip address replace fd00:1::1/64 dev lt-ababababab",
        ];
        assert_eq!(lines(&network.commands()), expected);
    }

    #[test]
    fn a_veth_leads_from_the_bridge_into_the_namespace() {
        let mut commands = Vec::new();
        let sysctls = vec![("net/ipv4/conf/eth0/log_martians".to_owned(), "1".to_owned())];
        plug(&Lease { sysctls, ..lease(2, &[]) }, ("/run/n", true), &mut commands);
        let expected = [
            "ip link add lv-1 master lt-n type veth peer name eth0 address 02:42:ac:12:00:02 netns /run/n",
            "ip link set lv-1 addrgenmode none",
            "ip link set lv-1 type bridge_slave hairpin on",
            "ip link set lv-1 up",
            "nsenter --net=/run/n sysctl -w net/ipv4/conf/eth0/log_martians=1",
            "nsenter --net=/run/n ip address add 172.18.0.2/24 dev eth0",
            "nsenter --net=/run/n ip link set eth0 up",
            "ip link set lt-n up",
        ];
        assert_eq!(lines(&commands), expected);
    }

    #[test]
    fn a_macvlan_sits_on_a_device() {
        let mut commands = Vec::new();
        let lease = Lease { driver: Driver::Macvlan, bridge: "lan0".into(), ..lease(2, &[]) };
        plug(&lease, ("/run/n", false), &mut commands);
        let expected = [
            "ip link add link lan0 name eth0 address 02:42:ac:12:00:02 netns /run/n type macvlan mode bridge",
            "nsenter --net=/run/n ip address add 172.18.0.2/24 dev eth0",
            "nsenter --net=/run/n ip link set eth0 up",
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
