//! `ports`: `[[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL]` with ranges, or a mapping.

use std::net::IpAddr;

use crate::diagnostic::{Diagnostic, Fault};
use crate::model::{PortRange, Protocol};
use crate::schema::Shape;
use crate::yaml::{Map, Node, Value};

/// Makes one or, for a range of target ports, several mappings of an item.
pub(super) fn canonical(node: Node, path: &str) -> Result<Vec<Node>, Fault> {
    match (&node.value, Shape::Port.object()) {
        (Value::Map(_), Some(object)) => super::fields(node, object, path).and_then(|node| long(node, path)),
        _ => short(&node, &node.scalar_text().unwrap_or_default(), path),
    }
}

fn long(node: Node, path: &str) -> Result<Vec<Node>, Fault> {
    let Value::Map(mut map) = node.value.clone() else { return Ok(vec![node]) };
    let Some(target) = map.get("target").and_then(Node::as_int) else {
        return Err(fault(&node, format!("`{path}` lacks the key `target`")));
    };
    if !(1..=65535).contains(&target) {
        return Err(fault(&node, format!("`{path}.target` must be a port from 1 to 65535, not `{target}`")));
    }
    if let Some(published) = map.get("published").and_then(Node::as_text) {
        range(published).ok_or_else(|| fault(&node, not_a_port(path, published)))?;
    }
    if let Some(address) = map.get("host_ip").and_then(Node::as_text) {
        check_address(&node, address, path)?;
    }
    let protocol = map.get("protocol").and_then(Node::as_text).unwrap_or("tcp");
    let protocol = read_protocol(&node, protocol, path)?;
    map.set("protocol", node.text_here(protocol.word()));
    if !map.contains("mode") {
        map.set("mode", node.text_here("ingress"));
    }
    Ok(vec![node.here(Value::Map(map))])
}

fn short(node: &Node, text: &str, path: &str) -> Result<Vec<Node>, Fault> {
    let (address, published, target, protocol) = parts(text).ok_or_else(|| {
        let hint = "write it as [[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL]";
        Box::new(Diagnostic::error(not_a_port(path, text)).at(&node.span).hint(hint))
    })?;
    if let Some(address) = address {
        check_address(node, address, path)?;
    }
    let protocol = read_protocol(node, protocol, path)?;
    let targets = range(target).filter(|range| range.first > 0);
    let targets = targets.ok_or_else(|| fault(node, not_a_port(path, target)))?;
    let published = match published {
        None | Some("") => None,
        Some(published) => Some(range(published).ok_or_else(|| fault(node, not_a_port(path, published)))?),
    };
    let count = |range: PortRange| range.last - range.first;
    if let Some(published) = published.filter(|published| count(targets) > 0 && count(*published) != count(targets)) {
        return Err(fault(node, format!("`{path}` publishes {published} for {targets}, which are not as many")));
    }
    let entry = |offset: u16| {
        let mut map = Map::default();
        map.set("mode", node.text_here("ingress"));
        if let Some(address) = address {
            map.set("host_ip", node.text_here(address));
        }
        map.set("target", node.here(Value::Int(i128::from(targets.first + offset))));
        if let Some(published) = published {
            let one = PortRange { first: published.first + offset, last: published.first + offset };
            let published = if count(targets) == 0 { published } else { one };
            map.set("published", node.text_here(published.to_string()));
        }
        map.set("protocol", node.text_here(protocol.word()));
        node.here(Value::Map(map))
    };
    Ok((0..=count(targets)).map(entry).collect())
}

/// Splits a short notation into address, published ports, target ports and protocol.
fn parts(text: &str) -> Option<(Option<&str>, Option<&str>, &str, &str)> {
    let (text, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (address, ports) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (address, ports) = bracketed.split_once("]:")?;
            (Some(address), ports)
        }
        None => match text.matches(':').count() {
            0 | 1 => (None, text),
            2 => text.split_once(':').map(|(address, ports)| (Some(address), ports))?,
            // An IPv6 address without brackets: the last two are ports.
            _ => {
                let (rest, _) = text.rsplit_once(':')?;
                let (address, _) = rest.rsplit_once(':')?;
                (Some(address), &text[address.len() + 1..])
            }
        },
    };
    match ports.split_once(':') {
        Some((published, target)) => Some((address, Some(published), target, protocol)),
        None if address.is_some() => None,
        None => Some((None, None, ports, protocol)),
    }
}

/// Reads `80` or `80-82`.
pub(crate) fn range(text: &str) -> Option<PortRange> {
    let port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(PortRange { first, last })
}

fn check_address(node: &Node, address: &str, path: &str) -> Result<(), Fault> {
    match address.parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(fault(node, format!("`{path}` listens on `{address}`, which is no IP address"))),
    }
}

fn read_protocol(node: &Node, word: &str, path: &str) -> Result<Protocol, Fault> {
    Protocol::from_word(word)
        .ok_or_else(|| fault(node, format!("`{path}` has the protocol `{word}`, not tcp, udp or sctp")))
}

fn not_a_port(path: &str, text: &str) -> String {
    format!("`{path}` must be a port or a range of ports up to 65535, not `{text}`")
}

fn fault(node: &Node, message: String) -> Fault {
    Box::new(Diagnostic::error(message).at(&node.span))
}
