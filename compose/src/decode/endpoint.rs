//! Networks and names of a service.

use lighter_engine::netns::{EndpointOptions, read_endpoint_options};

use super::reader::{Reader, pairs, text, texts};
use crate::model::{Endpoint, ExtraHost, HostAddress, NetworkMode, Networking};
use crate::yaml::Node;

pub(super) fn networking(service: &Node, path: &str, reader: &mut Reader) -> Networking {
    let dns = service.get("dns").map_or(&[][..], Node::items);
    let hosts = service.get("extra_hosts").map_or(&[][..], Node::items);
    Networking {
        mode: mode(service, path, reader),
        hostname: text(service, "hostname"),
        domainname: text(service, "domainname"),
        dns: dns
            .iter()
            .filter_map(|node| {
                reader.parse(Some(node), &format!("{path}.dns"), "an IP address", |text| text.parse().ok())
            })
            .collect(),
        mac_address: reader.parse(
            service.get("mac_address"),
            &format!("{path}.mac_address"),
            "a hardware address",
            mac_address,
        ),
        links: ["links", "external_links"].into_iter().flat_map(|key| texts(service, key)).map(link).collect(),
        dns_search: texts(service, "dns_search"),
        dns_options: texts(service, "dns_opt"),
        extra_hosts: hosts
            .iter()
            .filter_map(|node| {
                reader.parse(Some(node), &format!("{path}.extra_hosts"), "HOST=ADDRESS with an IP address", extra_host)
            })
            .collect(),
    }
}

/// Reads `NAME` or `NAME:ALIAS`.
fn link(text: String) -> (String, String) {
    match text.split_once(':') {
        Some((name, alias)) => (alias.to_owned(), name.to_owned()),
        None => (text.clone(), text),
    }
}

fn extra_host(text: &str) -> Option<ExtraHost> {
    let (name, address) = text.split_once('=')?;
    let address = match address {
        "host-gateway" => HostAddress::Gateway,
        address => HostAddress::Ip(address.parse().ok()?),
    };
    (!name.is_empty()).then(|| ExtraHost { name: name.to_owned(), address })
}

fn mode(service: &Node, path: &str, reader: &mut Reader) -> NetworkMode {
    let Some(node) = service.get("network_mode") else {
        let networks = service.get("networks").map_or(&[][..], Node::entries);
        let endpoints = networks.iter().map(|entry| {
            (entry.key.clone(), endpoint(&entry.value, &format!("{path}.networks.{}", entry.key), reader))
        });
        return NetworkMode::Networks(endpoints.collect());
    };
    let mode = node.as_text().unwrap_or_default();
    match mode.split_once(':') {
        Some(("service", name)) => NetworkMode::Service(name.to_owned()),
        Some(("container", name)) => NetworkMode::Container(name.to_owned()),
        None if mode == "host" => NetworkMode::Host,
        None if mode == "none" => NetworkMode::None,
        None if mode == "bridge" => NetworkMode::Bridge,
        _ => {
            reader.refuse(node, format!("`{path}.network_mode` `{mode}` is not supported by lighter yet"));
            NetworkMode::None
        }
    }
}

fn endpoint(node: &Node, path: &str, reader: &mut Reader) -> Endpoint {
    let address = node.get("ipv4_address");
    let address6 = node.get("ipv6_address");
    let mac = node.get("mac_address");
    let link_local = node.get("link_local_ips").map_or(&[][..], Node::items);
    let options = options(node, path, reader);
    Endpoint {
        aliases: texts(node, "aliases"),
        ipv4_address: reader
            .parse(address, &format!("{path}.ipv4_address"), "an IPv4 address", |text| text.parse().ok()),
        ipv6_address: reader
            .parse(address6, &format!("{path}.ipv6_address"), "an IPv6 address", |text| text.parse().ok()),
        link_local_ips: link_local
            .iter()
            .filter_map(|item| {
                reader.parse(Some(item), &format!("{path}.link_local_ips"), "an IP address", |text| text.parse().ok())
            })
            .collect(),
        interface_name: text(node, "interface_name").or(options.interface),
        sysctls: options.sysctls,
        mac_address: reader.parse(mac, &format!("{path}.mac_address"), "a hardware address", mac_address),
        priority: reader.number(node.get("priority"), &format!("{path}.priority")).unwrap_or(0),
        gw_priority: reader.number(node.get("gw_priority"), &format!("{path}.gw_priority")).unwrap_or(0),
    }
}

fn options(node: &Node, path: &str, reader: &mut Reader) -> EndpointOptions {
    let Some(place) = node.get("driver_opts") else { return EndpointOptions::default() };
    let options = read_endpoint_options(&pairs(node, "driver_opts")).unwrap_or_else(|error| {
        reader.refuse(place, format!("`{path}.driver_opts`: {error}"));
        EndpointOptions::default()
    });
    if let (Some(option), Some(name)) = (&options.interface, text(node, "interface_name"))
        && *option != name
    {
        reader.refuse(place, format!("`{path}` names its interface `{name}` and, in `driver_opts`, `{option}`"));
    }
    options
}

/// Reads `xx:xx:xx:xx:xx:xx`.
fn mac_address(text: &str) -> Option<[u8; 6]> {
    let byte = |part: &str| (part.len() == 2).then(|| u8::from_str_radix(part, 16).ok()).flatten();
    text.split([':', '-']).map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}
