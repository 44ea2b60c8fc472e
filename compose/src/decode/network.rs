//! The top-level networks.

use super::reader::{Reader, flag, pairs, text};
use crate::model::{IpamPool, Network};
use crate::yaml::Node;

pub(super) fn read(key: &str, node: &Node, reader: &mut Reader) -> Network {
    let path = format!("networks.{key}");
    let external = flag(node, "external");
    if let Some(driver) = node.get("driver").filter(|driver| !external && driver.as_text() != Some("bridge")) {
        let word = driver.as_text().unwrap_or_default();
        reader.refuse(driver, format!("`{path}.driver` `{word}` is not supported by lighter: it has `bridge` only"));
    }
    if let Some(off) = node.get("enable_ipv4").filter(|value| value.as_bool() == Some(false)) {
        reader.refuse(off, format!("`{path}.enable_ipv4: false` is not supported by lighter yet"));
    }
    let ipam = node.get("ipam");
    let driver = ipam.and_then(|ipam| ipam.get("driver")).filter(|driver| driver.as_text() != Some("default"));
    if let Some(driver) = driver {
        reader.refuse(driver, format!("`{path}.ipam.driver` is not supported by lighter"));
    }
    let pools = ipam.and_then(|ipam| ipam.get("config")).map_or(&[][..], Node::items);
    Network {
        key: key.to_owned(),
        name: text(node, "name").unwrap_or_default(),
        external,
        internal: flag(node, "internal"),
        enable_ipv6: flag(node, "enable_ipv6"),
        pools: pools.iter().map(|pool| read_pool(pool, &format!("{path}.ipam.config"), reader)).collect(),
        driver_opts: pairs(node, "driver_opts"),
        labels: pairs(node, "labels"),
    }
}

fn read_pool(node: &Node, path: &str, reader: &mut Reader) -> IpamPool {
    let mut prefix = |key: &str| {
        reader.parse(node.get(key), &format!("{path}.{key}"), "an address range such as 10.5.0.0/16", |text| {
            text.parse().ok()
        })
    };
    let (subnet, ip_range) = (prefix("subnet"), prefix("ip_range"));
    let mut address = |node: Option<&Node>, key: &str| {
        reader.parse(node, &format!("{path}.{key}"), "an IP address", |text| text.parse().ok())
    };
    let gateway = address(node.get("gateway"), "gateway");
    let aux = node.get("aux_addresses").map_or(&[][..], Node::entries);
    let aux = aux.iter().filter_map(|entry| Some((entry.key.clone(), address(Some(&entry.value), "aux_addresses")?)));
    IpamPool { subnet, ip_range, gateway, aux_addresses: aux.collect() }
}
