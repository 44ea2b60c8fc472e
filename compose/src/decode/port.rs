//! `ports` of a service.

use super::reader::Reader;
use crate::canonical::port_range;
use crate::model::{Port, Protocol};
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Vec<Port> {
    let items = service.get("ports").map_or(&[][..], Node::items);
    items.iter().filter_map(|node| port(node, &format!("{path}.ports"), reader)).collect()
}

/// Reads `expose`: a port or a range of ports, with or without a protocol.
pub(super) fn exposed(service: &Node, path: &str, reader: &mut Reader) -> Vec<String> {
    let items = service.get("expose").map_or(&[][..], Node::items);
    let is_exposed = |text: &str| {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        (port_range(ports).is_some_and(|range| range.first > 0) && Protocol::from_word(protocol).is_some())
            .then(|| text.to_owned())
    };
    let path = format!("{path}.expose");
    items.iter().filter_map(|item| reader.parse(Some(item), &path, "a port, as `80/tcp`", is_exposed)).collect()
}

fn port(node: &Node, path: &str, reader: &mut Reader) -> Option<Port> {
    let Some(target) = node.get("target").filter(|target| target.as_int() != Some(0)) else {
        reader.refuse(node, format!("`{path}` needs a `target`: a port of the container"));
        return None;
    };
    let published = reader.parse(node.get("published"), &format!("{path}.published"), "a port", port_range);
    Some(Port {
        host_ip: reader
            .parse(node.get("host_ip"), &format!("{path}.host_ip"), "an IP address", |text| text.parse().ok()),
        // Port 0 is any free port.
        published: published.filter(|range| range.last > 0),
        target: reader.number(Some(target), &format!("{path}.target"))?,
        protocol: reader
            .parse(node.get("protocol"), &format!("{path}.protocol"), "`tcp`, `udp` or `sctp`", Protocol::from_word)
            .unwrap_or(Protocol::Tcp),
    })
}
