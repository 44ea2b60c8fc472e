//! Networks, ports and names.

use lighter_engine::{Attachment, ContainerSpec, DEFAULT_NETWORK, Link, NetworkMode, PublishedPort};

use crate::model::{self, ExtraHost, HostAddress, Port, Project, Service};

/// Returns the service whose first container lends its network namespace.
pub(super) fn lender(service: &Service) -> Option<String> {
    match &service.networking.mode {
        model::NetworkMode::Service(name) => Some(name.clone()),
        _ => None,
    }
}

pub(super) fn fill(spec: &mut ContainerSpec, project: &Project, service: &Service) {
    let networking = &service.networking;
    spec.network = match &networking.mode {
        model::NetworkMode::Networks(_) => NetworkMode::Bridge(attachments(project, service)),
        model::NetworkMode::Bridge => NetworkMode::Bridge(vec![Attachment::to(DEFAULT_NETWORK)]),
        model::NetworkMode::None => NetworkMode::None,
        model::NetworkMode::Host => NetworkMode::Host,
        // The id of a container of the project is filled in when it is there.
        model::NetworkMode::Service(name) | model::NetworkMode::Container(name) => NetworkMode::Container(name.clone()),
    };
    if let NetworkMode::Bridge(attachments) = &mut spec.network
        && let Some(first) = attachments.first_mut()
    {
        first.mac = first.mac.or(networking.mac_address);
    }
    spec.links = networking.links.iter().map(|(alias, target)| link(alias, target)).collect();
    spec.hostname = networking.hostname.clone();
    spec.domainname = networking.domainname.clone();
    spec.dns = networking.dns.clone();
    spec.dns_search = networking.dns_search.clone();
    spec.dns_options = networking.dns_options.clone();
    spec.extra_hosts = networking.extra_hosts.iter().map(extra_host).collect();
    spec.ports = service.ports.iter().map(port).collect();
    spec.exposed.extend(service.expose.iter().map(|port| exposed(port)));
    spec.exposed.sort();
    spec.exposed.dedup();
}

/// Returns the plugs of a service, in the order of `priority` and name.
fn attachments(project: &Project, service: &Service) -> Vec<Attachment> {
    let attachment = |(key, endpoint): (&str, &model::Endpoint)| Attachment {
        network: project.networks.get(key).map(|network| network.name.clone()).unwrap_or_default(),
        aliases: [service.name.clone()].into_iter().chain(endpoint.aliases.iter().cloned()).collect(),
        address: endpoint.ipv4_address,
        address6: endpoint.ipv6_address,
        link_local: endpoint.link_local_ips.clone(),
        interface: endpoint.interface_name.clone(),
        sysctls: endpoint.sysctls.clone(),
        mac: endpoint.mac_address,
        gw_priority: endpoint.gw_priority,
    };
    service.networking.attachments().into_iter().map(attachment).collect()
}

fn link(alias: &str, target: &str) -> Link {
    Link { alias: alias.to_owned(), target: target.to_owned() }
}

fn port(port: &Port) -> PublishedPort {
    PublishedPort {
        host_ip: port.host_ip,
        host_port: port.published.map(|range| range.first),
        last_host_port: port
            .published
            .map(|range| range.last)
            .filter(|last| Some(*last) != port.published.map(|range| range.first)),
        target: port.target,
        protocol: port.protocol.word().to_owned(),
    }
}

fn exposed(port: &str) -> String {
    if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") }
}

fn extra_host(host: &ExtraHost) -> (String, String) {
    let address = match host.address {
        HostAddress::Ip(address) => address.to_string(),
        HostAddress::Gateway => "host-gateway".to_owned(),
    };
    (host.name.clone(), address)
}
