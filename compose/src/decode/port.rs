//! `ports` of a service.

use super::reader::Reader;
use crate::canonical::port_range;
use crate::model::{Port, Protocol};
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Vec<Port> {
    let items = service.get("ports").map_or(&[][..], Node::items);
    items.iter().filter_map(|node| port(node, &format!("{path}.ports"), reader)).collect()
}

fn port(node: &Node, path: &str, reader: &mut Reader) -> Option<Port> {
    let published = reader.parse(node.get("published"), &format!("{path}.published"), "a port", port_range);
    Some(Port {
        host_ip: reader
            .parse(node.get("host_ip"), &format!("{path}.host_ip"), "an IP address", |text| text.parse().ok()),
        // Port 0 is any free port.
        published: published.filter(|range| range.last > 0),
        target: reader.number(node.get("target"), &format!("{path}.target"))?,
        protocol: node.text("protocol").and_then(Protocol::from_word).unwrap_or(Protocol::Tcp),
    })
}
