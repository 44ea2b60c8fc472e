//! The top-level networks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use lighter_engine::netns::{Driver, check_option};

use super::reader::{Reader, flag, pairs, text};
use crate::model::{Network, Range};
use crate::yaml::Node;

/// What the host can connect containers by.
const DRIVERS: [Driver; 3] = [Driver::Bridge, Driver::Macvlan, Driver::Ipvlan];

pub(super) fn read(key: &str, node: &Node, reader: &mut Reader) -> Network {
    let mut network = Network {
        key: key.to_owned(),
        name: text(node, "name").unwrap_or_default(),
        external: flag(node, "external"),
        internal: flag(node, "internal"),
        driver: Driver::Bridge,
        options: pairs(node, "driver_opts"),
        ipv4: node.get("enable_ipv4").and_then(Node::as_bool).unwrap_or(true),
        ipv6: flag(node, "enable_ipv6"),
        ranges: Vec::new(),
        labels: pairs(node, "labels"),
    };
    // What an external network is like is nobody's business here.
    if !network.external {
        let path = format!("networks.{key}");
        driver(node, &path, &mut network, reader);
        network.ranges = ranges(node, &path, reader);
    }
    network
}

fn driver(node: &Node, path: &str, network: &mut Network, reader: &mut Reader) {
    let driver =
        reader.parse(node.get("driver"), &format!("{path}.driver"), "`bridge`, `macvlan` or `ipvlan`", |word| {
            DRIVERS.into_iter().find(|driver| driver.word() == word)
        });
    network.driver = driver.unwrap_or_default();
    for option in node.get("driver_opts").map_or(&[][..], Node::entries) {
        let value = option.value.scalar_text().unwrap_or_default();
        if let Err(error) = check_option(network.driver, &option.key, &value) {
            reader.refuse(&option.value, format!("`{path}.driver_opts`: {error}"));
        }
    }
    if let Some(driver) = node.get("driver").filter(|_| network.driver != Driver::Bridge)
        && !network.options.contains_key("parent")
    {
        let word = network.driver.word();
        reader.refuse(driver, format!("`{path}.driver` `{word}` needs `driver_opts.parent`, a device of this host"));
    }
    if let Some(value) = node.get("enable_ipv4").filter(|_| !network.ipv4 && !network.ipv6) {
        reader.refuse(value, format!("`{path}` has neither IPv4 nor IPv6"));
    }
}

fn ranges(node: &Node, path: &str, reader: &mut Reader) -> Vec<Range> {
    let Some(ipam) = node.get("ipam") else { return Vec::new() };
    if let Some(driver) = ipam.get("driver").filter(|driver| driver.as_text() != Some("default")) {
        reader.refuse(driver, format!("`{path}.ipam.driver` is not supported by lighter"));
    }
    let pools = ipam.get("config").map_or(&[][..], Node::items);
    let mut ranges: Vec<Range> = Vec::new();
    for pool in pools {
        let Some(new) = range(pool, &format!("{path}.ipam.config"), reader) else { continue };
        if ranges.iter().any(|other| other.subnet.addr().is_ipv4() == new.subnet.addr().is_ipv4()) {
            let message = format!("`{path}.ipam.config` with two subnets of one family is not supported by lighter");
            reader.refuse(pool, message);
        }
        ranges.push(new);
    }
    ranges
}

fn range(pool: &Node, path: &str, reader: &mut Reader) -> Option<Range> {
    let net = |text: &str| text.parse::<IpNet>().ok();
    let address = |text: &str| text.parse::<IpAddr>().ok();
    let subnet = pool.get("subnet");
    let gateway = reader.parse(pool.get("gateway"), &format!("{path}.gateway"), "an IP address", address);
    let part = reader.parse(pool.get("ip_range"), &format!("{path}.ip_range"), "a range such as 10.5.1.0/24", net);
    let mut reserved = BTreeMap::new();
    for entry in pool.get("aux_addresses").map_or(&[][..], Node::entries) {
        let path = format!("{path}.aux_addresses.{}", entry.key);
        reserved.extend(
            reader.parse(Some(&entry.value), &path, "an IP address", address).map(|ip| (entry.key.clone(), ip)),
        );
    }
    if subnet.is_none() && (gateway.is_some() || part.is_some() || !reserved.is_empty()) {
        reader.refuse(pool, format!("`{path}` has addresses and no `subnet` that they lie in"));
    }
    let subnet = reader.parse(subnet, &format!("{path}.subnet"), "a range such as 10.5.0.0/16 or fd00:5::/64", net)?;
    Some(Range { subnet, gateway, pool: part, reserved })
}
