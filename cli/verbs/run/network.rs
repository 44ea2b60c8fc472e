//! The networks of `run`'s flags.

use std::collections::BTreeMap;

use lighter_engine::netns::read_endpoint_options;
use lighter_engine::{Attachment, DEFAULT_NETWORK, Engine, Link, NetworkMode};

use super::flags::NetworkFlags;
use crate::error::Failure;

/// Returns the network of a container.
pub(super) fn mode(engine: &Engine, flags: &NetworkFlags) -> Result<NetworkMode, Failure> {
    if let [only] = flags.network.as_slice()
        && let Some(mode) = without_bridge(engine, only)?
    {
        return Ok(mode);
    }
    let default = [DEFAULT_NETWORK.to_owned()];
    let texts = if flags.network.is_empty() { default.as_slice() } else { flags.network.as_slice() };
    let mut attachments = texts.iter().map(|text| attachment(text)).collect::<Result<Vec<_>, _>>()?;
    for attachment in &mut attachments {
        attachment.network = network(engine, &attachment.network)?;
    }
    if let Some(first) = attachments.first_mut() {
        complete(first, flags)?;
    }
    Ok(NetworkMode::Bridge(attachments))
}

/// Refuses what a container whose network is the host's, another's or none cannot have.
///
/// # Errors
/// Names the flag. What is merely without effect comes back as a warning.
pub(super) fn check(flags: &NetworkFlags, mode: &NetworkMode) -> Result<Option<String>, Failure> {
    let given = |flag: &'static str, is_given: bool| is_given.then_some(flag);
    let of_a_network = [
        given("--network-alias", !flags.network_alias.is_empty()),
        given("--ip", flags.ip.is_some()),
        given("--ip6", flags.ip6.is_some()),
        given("--link-local-ip", !flags.link_local_ip.is_empty()),
        given("--link", !flags.link.is_empty()),
    ];
    let of_a_namespace = [
        given("--publish", !flags.publish.is_empty()),
        given("--publish-all", flags.publish_all),
        given("--expose", !flags.expose.is_empty()),
        given("--hostname", flags.hostname.is_some()),
        given("--add-host", !flags.add_host.is_empty()),
        given("--dns", !flags.dns.is_empty()),
        given("--mac-address", flags.mac_address.is_some()),
    ];
    let (whose, refused) = match mode {
        NetworkMode::Bridge(_) => ("", vec![]),
        NetworkMode::Host => ("host", of_a_network.to_vec()),
        NetworkMode::None => ("none", of_a_network.to_vec()),
        NetworkMode::Container(_) => ("container:…", [&of_a_network[..], &of_a_namespace[..]].concat()),
    };
    if let Some(flag) = refused.into_iter().flatten().next() {
        return Err(Failure::text(format!("{flag} and --network {whose} contradict each other")));
    }
    let is_lost = *mode == NetworkMode::Host && (flags.publish_all || !flags.publish.is_empty());
    Ok(is_lost.then(|| "published ports are discarded with --network host: the container has the host's".to_owned()))
}

fn without_bridge(engine: &Engine, text: &str) -> Result<Option<NetworkMode>, Failure> {
    Ok(match text.split_once(':') {
        Some(("container", other)) => Some(NetworkMode::Container(engine.find(other)?.id)),
        _ if text == "host" => Some(NetworkMode::Host),
        _ if text == "none" => Some(NetworkMode::None),
        _ => None,
    })
}

/// Puts what the short flags say to the first network, as docker does.
fn complete(first: &mut Attachment, flags: &NetworkFlags) -> Result<(), Failure> {
    first.aliases.extend(flags.network_alias.iter().cloned());
    first.address = flags.ip.or(first.address);
    first.address6 = flags.ip6.or(first.address6);
    first.link_local.extend(&flags.link_local_ip);
    if let Some(text) = &flags.mac_address {
        first.mac = Some(mac("--mac-address", text)?);
    }
    Ok(())
}

/// Returns the name of the network with this name or id; the default one is made if need be.
fn network(engine: &Engine, name: &str) -> Result<String, Failure> {
    let name = if name == "default" { DEFAULT_NETWORK } else { name };
    if name == DEFAULT_NETWORK {
        engine.ensure_default_network()?;
    }
    let network = engine.net().network(name)?.ok_or_else(|| {
        Failure::text(format!("no such network: {name}")).hint(format!("make it with: lighter network create {name}"))
    })?;
    Ok(network.name)
}

/// Reads `--network`: a name, or
/// `name=NET,alias=…,ip=…,ip6=…,mac-address=…,link-local-ip=…,gw-priority=…,driver-opt=NAME=VALUE`.
fn attachment(text: &str) -> Result<Attachment, Failure> {
    if !text.contains('=') {
        return Ok(Attachment::to(text));
    }
    let (mut attachment, mut options) = (Attachment::default(), Vec::new());
    for field in fields(text) {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        let wrong = || Failure::text(format!("--network `{text}`: `{value}` is no {key}"));
        match key {
            "name" => attachment.network = value.to_owned(),
            "alias" => attachment.aliases.push(value.to_owned()),
            "ip" => attachment.address = Some(value.parse().map_err(|_| wrong())?),
            "ip6" => attachment.address6 = Some(value.parse().map_err(|_| wrong())?),
            "link-local-ip" => attachment.link_local.push(value.parse().map_err(|_| wrong())?),
            "mac-address" => attachment.mac = Some(mac("--network", value)?),
            "gw-priority" => attachment.gw_priority = value.parse().map_err(|_| wrong())?,
            "driver-opt" => options.push(value),
            _ => return Err(Failure::text(format!("--network `{text}`: `{key}` is not supported"))),
        }
    }
    if attachment.network.is_empty() {
        return Err(Failure::text(format!("--network `{text}`: name is missing")));
    }
    apply_options("--network", &options, &mut attachment)?;
    Ok(attachment)
}

/// Splits at commas, but for those between double quotes around a field, which go (RFC 4180, 2).
fn fields(text: &str) -> Vec<&str> {
    let (mut fields, mut rest) = (Vec::new(), text);
    loop {
        let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let (field, after) = quoted.unwrap_or_else(|| rest.split_at(rest.find(',').unwrap_or(rest.len())));
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return fields,
        }
    }
}

/// Reads options of a container on a network, `NAME=VALUE` each.
pub(in crate::verbs) fn apply_options(flag: &str, texts: &[&str], to: &mut Attachment) -> Result<(), Failure> {
    let pairs = texts.iter().map(|text| text.split_once('=').unwrap_or((text, "")));
    let options: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let read = read_endpoint_options(&options).map_err(|error| Failure::text(format!("{flag}: {error}")))?;
    (to.interface, to.sysctls) = (read.interface, read.sysctls);
    Ok(())
}

/// Reads `xx:xx:xx:xx:xx:xx`; one of a group (IEEE 802, lowest bit of the first byte) belongs to no device.
fn mac(flag: &str, text: &str) -> Result<[u8; 6], Failure> {
    let byte = |part: &str| if part.len() == 2 { u8::from_str_radix(part, 16).ok() } else { None };
    let bytes = text.split([':', '-']).map(byte).collect::<Option<Vec<_>>>();
    let mac = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok()).filter(|mac| mac[0] & 1 == 0);
    mac.ok_or_else(|| Failure::text(format!("{flag} `{text}`: use six bytes, as 02:42:ac:12:00:02")))
}

/// Reads `--link`: `container[:alias]`.
pub(in crate::verbs) fn link(engine: &Engine, text: &str) -> Result<Link, Failure> {
    let (target, alias) = text.split_once(':').unwrap_or((text, text));
    let found = engine.find(target)?;
    // the beginning of an id is no name on a network, twelve digits are
    let target = if found.spec.name == target { target } else { found.short_id() };
    Ok(Link { alias: alias.to_owned(), target: target.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_a_name_or_a_list_of_wishes() {
        assert_eq!(attachment("web").unwrap(), Attachment::to("web"));
        let wishes = attachment("name=web,alias=a,alias=b,ip=10.1.0.2,ip6=fd00::2,gw-priority=-1").unwrap();
        let expected = Attachment {
            aliases: vec!["a".into(), "b".into()],
            address: Some("10.1.0.2".parse().unwrap()),
            address6: Some("fd00::2".parse().unwrap()),
            gw_priority: -1,
            ..Attachment::to("web")
        };
        assert_eq!(wishes, expected);
        let sysctls =
            "driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.a=1,net.ipv4.conf.IFNAME.b=2";
        let wishes =
            attachment(&format!("name=web,\"{sysctls}\",driver-opt=com.docker.network.endpoint.ifname=lan")).unwrap();
        assert_eq!((wishes.interface.as_deref(), wishes.sysctls.len()), (Some("lan"), 2));
        for wrong in ["alias=a", "name=web,ip=x", "name=web,driver-opt=a", "name=web,mac-address=01:00:00:00:00:00"] {
            assert!(attachment(wrong).is_err(), "{wrong}");
        }
    }
}
