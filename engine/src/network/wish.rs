//! From what a specification says to what the network is asked for.

use super::NetworkError;
use crate::netns::{self, EndpointSpec, Protocol};
use crate::spec::{Attachment, ContainerSpec, PublishedPort};
use crate::{Engine, id};

impl Engine {
    /// Returns the wished interface of each attachment.
    pub fn endpoint_wishes(
        &self,
        id: &str,
        spec: &ContainerSpec,
        attachments: &[Attachment],
    ) -> Result<Vec<EndpointSpec>, NetworkError> {
        let wish = |attachment: &Attachment| {
            let network = self.net.network(&attachment.network)?;
            let network = network.ok_or_else(|| NetworkError::NotFound(attachment.network.clone()))?;
            Ok(endpoint(id, spec, attachment, network.id))
        };
        attachments.iter().map(wish).collect()
    }
}

fn endpoint(id: &str, spec: &ContainerSpec, attachment: &Attachment, network: String) -> EndpointSpec {
    EndpointSpec {
        network,
        names: names(id, spec, attachment),
        addresses: attachment.addresses(),
        link_local: attachment.link_local.clone(),
        mac: attachment.mac,
        interface: attachment.interface.clone(),
        sysctls: attachment.sysctls.clone(),
        gw_priority: attachment.gw_priority,
    }
}

fn names(id: &str, spec: &ContainerSpec, attachment: &Attachment) -> Vec<String> {
    let own = [spec.name.clone(), id::short(id).to_owned()];
    let mut names: Vec<_> = own.into_iter().chain(spec.hostname.clone()).chain(attachment.aliases.clone()).collect();
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.to_ascii_lowercase()));
    names
}

pub(super) fn port(port: &PublishedPort) -> Result<netns::PublishedPort, NetworkError> {
    let protocol = match port.protocol.as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        other => return Err(NetworkError::Protocol(other.to_owned())),
    };
    let host_port = port.host_port.map(|first| first..=port.last_host_port.unwrap_or(first));
    Ok(netns::PublishedPort { host_ip: port.host_ip, host_port, target: port.target, protocol })
}
