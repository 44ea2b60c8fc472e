//! `NetworkSettings`: where a container is reached.

use lighter_engine::netns::{Address, Endpoint};
use lighter_engine::{Attachment, Container, Engine, NetworkMode};
use serde_json::{Map, Value, json};

use crate::error::Failure;

/// Returns `NetworkSettings` of a container.
pub(super) fn network_settings(engine: &Engine, container: &Container) -> Result<Value, Failure> {
    let state = &container.state;
    let bound = state.ports.iter().map(|port| {
        let binding = json!({"HostIp": port.host_ip, "HostPort": port.host_port.to_string()});
        (format!("{}/{}", port.target, port.protocol), binding)
    });
    let mut settings = json!({
        "Bridge": "",
        "SandboxID": "",
        "SandboxKey": state.init.map_or_else(String::new, |init| format!("/proc/{}/ns/net", init.pid)),
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "EndpointID": "",
        "Ports": ports(container, super::grouped(bound)),
        "Networks": networks(engine, container)?,
    });
    if let (Some(settings), Value::Object(first)) = (settings.as_object_mut(), place(state.endpoints.first())) {
        settings.extend(first);
    }
    Ok(settings)
}

/// Returns the networks of a container by name; docker counts `host` and `none` as such.
///
/// A container that does not run is on its networks all the same, without an address.
fn networks(engine: &Engine, container: &Container) -> Result<Map<String, Value>, Failure> {
    let attachments = match engine.network_mode(&container.id, &container.spec)? {
        NetworkMode::Bridge(attachments) => attachments,
        NetworkMode::Host => return Ok(Map::from_iter([("host".to_owned(), plug(None, None))])),
        NetworkMode::None => return Ok(Map::from_iter([("none".to_owned(), plug(None, None))])),
        NetworkMode::Container(_) => Vec::new(),
    };
    let wish_of = |endpoint: &Endpoint| {
        attachments.iter().find(|wish| [&endpoint.network_name, &endpoint.network].contains(&&wish.network))
    };
    let endpoints = container.state.endpoints.iter();
    let mut networks: Map<_, _> = endpoints
        .map(|endpoint| {
            let mut object = plug(Some(endpoint), wish_of(endpoint));
            object["NetworkID"] = json!(endpoint.network);
            object["DNSNames"] = json!(endpoint.names);
            (endpoint.network_name.clone(), object)
        })
        .collect();
    for wish in &attachments {
        if let Ok(resolved) = engine.endpoint_wishes(&container.id, &container.spec, std::slice::from_ref(wish))
            && let Some(resolved) = resolved.first()
        {
            let mut object = plug(None, Some(wish));
            object["NetworkID"] = json!(resolved.network);
            object["DNSNames"] = json!(resolved.names);
            networks.entry(wish.network.clone()).or_insert(object);
        }
    }
    Ok(networks)
}

/// Returns the record of one network: where the container is on it, if it runs, and what was asked for.
fn plug(endpoint: Option<&Endpoint>, wish: Option<&Attachment>) -> Value {
    let mut fixed = Map::new();
    let addresses = wish.map(|wish| (wish.address, wish.address6)).unwrap_or_default();
    fixed.extend(addresses.0.map(|address| ("IPv4Address".to_owned(), json!(address))));
    fixed.extend(addresses.1.map(|address| ("IPv6Address".to_owned(), json!(address))));
    let mut object = json!({
        "IPAMConfig": if fixed.is_empty() { Value::Null } else { Value::Object(fixed) },
        "Links": null,
        "Aliases": wish.map(|wish| &wish.aliases).filter(|aliases| !aliases.is_empty()),
        "DriverOpts": null,
        "GwPriority": endpoint.map(|endpoint| endpoint.gw_priority).or(wish.map(|wish| wish.gw_priority)).unwrap_or(0),
        "NetworkID": "",
        "EndpointID": "",
        "DNSNames": null,
        "Interface": endpoint.map_or("", |endpoint| &endpoint.interface),
    });
    if let (Some(object), Value::Object(place)) = (object.as_object_mut(), place(endpoint)) {
        object.extend(place);
    }
    object
}

/// Returns the addresses of an interface; what there is not is empty.
fn place(endpoint: Option<&Endpoint>) -> Value {
    let text = |address: Option<std::net::IpAddr>| address.map_or_else(String::new, |address| address.to_string());
    let (ipv4, ipv6) = (endpoint.and_then(Endpoint::ipv4), endpoint.and_then(Endpoint::ipv6));
    let prefix = |address: Option<&Address>| address.map_or(0, |address| address.prefix);
    json!({
        "Gateway": text(ipv4.map(|address| address.gateway)),
        "IPAddress": text(ipv4.map(|address| address.address)),
        "IPPrefixLen": prefix(ipv4),
        "IPv6Gateway": text(ipv6.map(|address| address.gateway)),
        "GlobalIPv6Address": text(ipv6.map(|address| address.address)),
        "GlobalIPv6PrefixLen": prefix(ipv6),
        "MacAddress": endpoint.map_or("", |endpoint| &endpoint.mac),
    })
}

/// Adds the ports that are exposed and not published, as null, while the container runs.
fn ports(container: &Container, published: Value) -> Value {
    let Value::Object(mut ports) = published else { return published };
    if container.state.status.is_active() {
        container.spec.exposed.iter().for_each(|port| _ = ports.entry(port.clone()).or_insert(Value::Null));
    }
    Value::Object(ports)
}
