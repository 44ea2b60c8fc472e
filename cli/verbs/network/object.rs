//! A network as docker shows it.

use lighter_engine::Engine;
use lighter_engine::netns::{Address, Network, Range};
use serde_json::{Map, Value, json};

use crate::error::Failure;

/// Returns a network as docker shows it.
pub(in crate::verbs) fn object(engine: &Engine, network: &Network) -> Result<Value, Failure> {
    let text = |address: Option<&Address>| {
        address.map_or_else(String::new, |address| format!("{}/{}", address.address, address.prefix))
    };
    let mut containers = Map::new();
    for endpoint in engine.net().endpoints(&network.id)? {
        let object = json!({
            "Name": endpoint.names.first(),
            "EndpointID": "",
            "MacAddress": endpoint.mac,
            "IPv4Address": text(endpoint.ipv4()),
            "IPv6Address": text(endpoint.ipv6()),
        });
        containers.insert(endpoint.container, object);
    }
    let created = jiff::Timestamp::from_nanosecond(i128::from(network.created))?;
    Ok(json!({
        "Name": network.name,
        "Id": network.id,
        "Created": created,
        "Scope": "local",
        "Driver": network.driver.word(),
        "EnableIPv4": network.ipv4().is_some(),
        "EnableIPv6": network.ipv6().is_some(),
        "Internal": network.internal,
        "Attachable": true,
        "Ingress": false,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": false,
        "IPAM": {"Driver": "default", "Options": null, "Config": network.ranges.iter().map(range).collect::<Vec<_>>()},
        "Bridge": network.bridge,
        "Containers": containers,
        "Options": network.options,
        "Labels": network.labels,
    }))
}

fn range(range: &Range) -> Value {
    let mut object = json!({"Subnet": range.subnet, "Gateway": range.gateway});
    if let Some(pool) = range.pool {
        object["IPRange"] = json!(pool);
    }
    if !range.reserved.is_empty() {
        object["AuxiliaryAddresses"] = json!(range.reserved);
    }
    object
}
