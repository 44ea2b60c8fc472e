//! The top-level networks.

use ipnet::Ipv4Net;

use super::reader::{Reader, flag, pairs, text};
use crate::model::Network;
use crate::yaml::Node;

/// The only option of the bridge driver that is not about another program's firewall.
const MTU: &str = "com.docker.network.driver.mtu";

pub(super) fn read(key: &str, node: &Node, reader: &mut Reader) -> Network {
    let mut network = Network {
        key: key.to_owned(),
        name: text(node, "name").unwrap_or_default(),
        external: flag(node, "external"),
        internal: flag(node, "internal"),
        subnet: None,
        gateway: None,
        mtu: None,
        labels: pairs(node, "labels"),
    };
    // What an external network is like is nobody's business here.
    if !network.external {
        let path = format!("networks.{key}");
        driver(node, &path, &mut network, reader);
        families(node, &path, reader);
        addresses(node, &path, &mut network, reader);
    }
    network
}

fn driver(node: &Node, path: &str, network: &mut Network, reader: &mut Reader) {
    if let Some(driver) = node.get("driver").filter(|driver| driver.as_text() != Some("bridge")) {
        let word = driver.as_text().unwrap_or_default();
        reader.refuse(driver, format!("`{path}.driver` `{word}` is not supported by lighter: it has `bridge` only"));
    }
    for option in node.get("driver_opts").map_or(&[][..], Node::entries) {
        let path = format!("{path}.driver_opts.{}", option.key);
        match option.key.as_str() {
            MTU => network.mtu = reader.number(Some(&option.value), &path),
            _ => reader.refuse(&option.value, format!("`{path}` is not supported by lighter yet")),
        }
    }
}

fn families(node: &Node, path: &str, reader: &mut Reader) {
    for (key, unsupported) in [("enable_ipv4", false), ("enable_ipv6", true)] {
        if let Some(value) = node.get(key).filter(|value| value.as_bool() == Some(unsupported)) {
            reader.refuse(value, format!("`{path}.{key}: {unsupported}` is not supported by lighter yet"));
        }
    }
}

fn addresses(node: &Node, path: &str, network: &mut Network, reader: &mut Reader) {
    let Some(ipam) = node.get("ipam") else { return };
    if let Some(driver) = ipam.get("driver").filter(|driver| driver.as_text() != Some("default")) {
        reader.refuse(driver, format!("`{path}.ipam.driver` is not supported by lighter"));
    }
    let pools = ipam.get("config").map_or(&[][..], Node::items);
    if let Some(second) = pools.get(1) {
        reader.refuse(second, format!("`{path}.ipam.config` with several entries is not supported by lighter yet"));
    }
    let Some(pool) = pools.first() else { return };
    let path = format!("{path}.ipam.config");
    let subnet = pool.get("subnet");
    network.subnet = reader.parse(subnet, &format!("{path}.subnet"), "an IPv4 range such as 10.5.0.0/16", |text| {
        text.parse::<Ipv4Net>().ok()
    });
    let gateway = pool.get("gateway");
    network.gateway = reader.parse(gateway, &format!("{path}.gateway"), "an IPv4 address", |text| text.parse().ok());
}
