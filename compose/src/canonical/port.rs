//! `ports`: `[[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL]` with ranges, or a mapping.

use std::net::IpAddr;

use crate::diagnostic::{Diagnostic, Fault};
use crate::model::{PortRange, Protocol};
use crate::yaml::{Map, Node, Value};

/// Makes one or, for a range of target ports, several mappings of an item.
pub(super) fn canonical(node: &Node, path: &str) -> Result<Vec<Node>, Fault> {
    match &node.value {
        Value::Map(_) => long(node, path),
        Value::Float(_) => Err(fault(node, not_a_port(path, &node.scalar_text().unwrap_or_default()))),
        _ => short(node, &node.scalar_text().unwrap_or_default(), path),
    }
}

/// Fills in the protocol and the mode. What the ports mean is found out when a container is made.
fn long(node: &Node, path: &str) -> Result<Vec<Node>, Fault> {
    let Value::Map(mut map) = node.value.clone() else { return Ok(vec![node.clone()]) };
    let Some(target) = map.get("target") else {
        return Err(fault(node, format!("`{path}` lacks the key `target`")));
    };
    if target.as_int().is_some_and(|target| u32::try_from(target).is_err()) {
        return Err(fault(target, not_a_port(path, &target.scalar_text().unwrap_or_default())));
    }
    if let Some(address) = map.get("host_ip").and_then(Node::as_text) {
        check_address(node, address, path)?;
    }
    for (key, word) in [("protocol", "tcp"), ("mode", "ingress")] {
        if !map.contains(key) {
            map.set(key, node.text_here(word));
        }
    }
    Ok(vec![node.here(Value::Map(map))])
}

fn short(node: &Node, text: &str, path: &str) -> Result<Vec<Node>, Fault> {
    let Parts { address, published, target, protocol } = parts(text);
    let protocol = Protocol::from_word(protocol)
        .ok_or_else(|| fault(node, format!("`{path}` has the protocol `{protocol}`, not tcp, udp or sctp")))?;
    if !address.is_empty() {
        check_address(node, address, path)?;
    }
    let targets = range(target).ok_or_else(|| {
        let hint = "write it as [[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL]";
        let wrong = if target.is_empty() { text } else { target };
        Box::new(Diagnostic::error(not_a_port(path, wrong)).at(&node.span).hint(hint))
    })?;
    let published = match published {
        "" => None,
        published => Some(range(published).ok_or_else(|| fault(node, not_a_port(path, published)))?),
    };
    let count = |range: PortRange| range.last - range.first;
    if let Some(published) = published.filter(|published| count(targets) > 0 && count(*published) != count(targets)) {
        return Err(fault(node, format!("`{path}` publishes {published} for {targets}, which are not as many")));
    }
    let entry = |offset: u16| {
        let one = |published: PortRange| PortRange { first: published.first + offset, last: published.first + offset };
        let published = published.map(|published| if count(targets) == 0 { published } else { one(published) });
        let target = targets.first + offset;
        (target, published)
    };
    let mut ports: Vec<_> = (0..=count(targets)).map(entry).collect();
    // The reference sorts a range by its text: 10000 comes before 9999.
    ports.sort_by_key(|(target, _)| target.to_string());
    let entry = |(target, published): (u16, Option<PortRange>)| {
        let mut map = Map::default();
        map.set("mode", node.text_here("ingress"));
        if !address.is_empty() {
            map.set("host_ip", node.text_here(address));
        }
        if target > 0 {
            map.set("target", node.here(Value::Int(i128::from(target))));
        }
        if let Some(published) = published {
            map.set("published", node.text_here(published.to_string()));
        }
        map.set("protocol", node.text_here(protocol.word()));
        node.here(Value::Map(map))
    };
    Ok(ports.into_iter().map(entry).collect())
}

/// The parts of a short notation; what is not given is empty.
struct Parts<'a> {
    address: &'a str,
    published: &'a str,
    target: &'a str,
    protocol: &'a str,
}

/// Splits a short notation: the last part is the target, the one before it the published port, the rest the address.
fn parts(text: &str) -> Parts<'_> {
    let (rest, target) = text.rsplit_once(':').unwrap_or(("", text));
    let (address, published) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (target, protocol) = match target.split_once('/') {
        // A bare slash says nothing, and what follows a second one is passed over, as in the reference.
        Some((target, protocol)) => (target, protocol.split('/').next().filter(|word| !word.is_empty())),
        None => (target, None),
    };
    let address = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    Parts { address, published, target, protocol: protocol.unwrap_or("tcp") }
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

fn not_a_port(path: &str, text: &str) -> String {
    format!("`{path}` must be a port or a range of ports up to 65535, not `{text}`")
}

fn fault(node: &Node, message: String) -> Fault {
    Box::new(Diagnostic::error(message).at(&node.span))
}
