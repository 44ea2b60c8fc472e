//! Plugging a container in: from the names in its specification to a namespace with addresses, ports and a name server.
//!
//! Runs in the monitor.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::netns::dns::{Server, Upstream};
use crate::netns::{self, BoundPort, Endpoint, EndpointSpec, Protocol, Sandbox, SandboxSpec};
use crate::runtime::trace::{self, Effect};
use crate::spec::{Attachment, ContainerSpec, NetworkMode, PublishedPort};
use crate::{Engine, State, etc, id};

/// Why a container has no network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A network it names is not there.
    #[error("no such network `{0}`")]
    NotFound(String),
    /// The container whose network it shares does not run.
    #[error("share the network of container `{0}`: it is not running")]
    Shared(String),
    /// A protocol nobody publishes.
    #[error("publish a port: `{0}` is no protocol: use tcp, udp or sctp")]
    Protocol(String),
    /// No namespace.
    #[error(transparent)]
    Namespace(#[from] netns::NamespaceError),
    /// Not plugged in.
    #[error(transparent)]
    Attach(#[from] netns::AttachError),
    /// No name server.
    #[error(transparent)]
    Dns(#[from] netns::dns::DnsError),
    /// The networks could not be read.
    #[error(transparent)]
    Records(#[from] netns::NetworkError),
    /// The container that shares its network could not be read.
    #[error(transparent)]
    File(#[from] crate::FileError),
}

/// A container's place in the network.
#[derive(Default)]
pub(crate) struct Connection {
    /// Path of the namespace to join; `None` = the host's.
    pub(crate) namespace: Option<PathBuf>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) ports: Vec<BoundPort>,
    /// Held as long as the container runs, so that no other program takes its ports.
    pub(crate) reservations: Vec<OwnedFd>,
    pub(crate) server: Option<Server>,
    /// The container whose /etc files are shared.
    pub(crate) shared_with: Option<String>,
}

impl Connection {
    pub(crate) fn gateway(&self) -> Option<IpAddr> {
        self.endpoints.first().map(|endpoint| endpoint.gateway.into())
    }
}

impl Engine {
    /// Makes the container's namespace and plugs it in; all or nothing, [`Engine::tear_down`] undoes it.
    pub(crate) fn connect(&self, id: &str, spec: &ContainerSpec) -> Result<Connection, NetworkError> {
        match &spec.network {
            NetworkMode::Host => Ok(Connection::default()),
            NetworkMode::None => Ok(Connection { namespace: Some(self.make_namespace(id)?), ..Connection::default() }),
            NetworkMode::Container(other) => self.share(other),
            NetworkMode::Bridge(attachments) => self.plug_in(id, spec, attachments),
        }
    }

    fn make_namespace(&self, id: &str) -> Result<PathBuf, NetworkError> {
        let effect = |path: Option<&PathBuf>| {
            let commands = path.map(|path| netns::Host::namespace_commands(path)).unwrap_or_default();
            network("make a network namespace".to_owned(), commands)
        };
        Ok(trace::step_as(effect, || self.net.create_namespace(id))?)
    }

    /// Makes a network with its bridge.
    ///
    /// # Errors
    /// As [`netns::Host::create_network`].
    pub fn create_network(&self, spec: &netns::NetworkSpec) -> Result<netns::Network, netns::NetworkError> {
        let effect = |made: Option<&netns::Network>| {
            network(format!("make the network {}", spec.name), made.map(netns::Network::commands).unwrap_or_default())
        };
        trace::step_as(effect, || self.net.create_network(spec))
    }

    fn share(&self, other: &str) -> Result<Connection, NetworkError> {
        let state = self.load_state(other)?;
        let init = state.init.filter(|init| init.is_alive());
        let init = init.ok_or_else(|| NetworkError::Shared(id::short(other).to_owned()))?;
        let namespace = Some(PathBuf::from(format!("/proc/{}/ns/net", init.pid)));
        Ok(Connection { namespace, shared_with: Some(other.to_owned()), ..Connection::default() })
    }

    fn plug_in(&self, id: &str, spec: &ContainerSpec, attachments: &[Attachment]) -> Result<Connection, NetworkError> {
        let namespace = self.make_namespace(id)?;
        let mut endpoints = Vec::new();
        for attachment in attachments {
            let network = self.net.network(&attachment.network)?;
            let network = network.ok_or_else(|| NetworkError::NotFound(attachment.network.clone()))?;
            endpoints.push(EndpointSpec {
                network: network.id,
                names: names(id, spec, attachment),
                address: attachment.address,
                mac: attachment.mac,
            });
        }
        let networks: Vec<_> = endpoints.iter().map(|endpoint| endpoint.network.clone()).collect();
        let ports = spec.ports.iter().map(published).collect::<Result<_, _>>()?;
        let sandbox = SandboxSpec { container: id.to_owned(), netns: namespace.clone(), endpoints, ports };
        let effect = |made: Option<&Sandbox>| {
            let names = made.iter().flat_map(|made| &made.endpoints).map(|one| one.network_name.as_str());
            let what = format!("connect the container to {}", names.collect::<Vec<_>>().join(", "));
            network(what, self.net.attach_commands(id, &namespace))
        };
        let sandbox = trace::step_as(effect, || self.net.attach(&sandbox))?;
        let server = self.serve_names(id, spec, &namespace, &networks)?;
        Ok(Connection {
            namespace: Some(namespace),
            endpoints: sandbox.endpoints,
            ports: sandbox.ports,
            reservations: sandbox.reservations,
            server: Some(server),
            shared_with: None,
        })
    }

    /// Takes a running container's network over from a monitor that has died: it stands, only its name server is gone.
    pub(crate) fn reconnect(&self, id: &str, spec: &ContainerSpec, state: &State) -> Result<Connection, NetworkError> {
        let init = state.init.ok_or_else(|| NetworkError::Shared(id::short(id).to_owned()))?;
        let namespace = PathBuf::from(format!("/proc/{}/ns/net", init.pid));
        let networks: Vec<_> = state.endpoints.iter().map(|endpoint| endpoint.network.clone()).collect();
        let server = if networks.is_empty() { None } else { Some(self.serve_names(id, spec, &namespace, &networks)?) };
        Ok(Connection {
            namespace: Some(namespace).filter(|_| spec.network != NetworkMode::Host),
            endpoints: state.endpoints.clone(),
            ports: state.ports.clone(),
            server,
            ..Connection::default()
        })
    }

    /// Starts the name server of a container's namespace.
    fn serve_names(
        &self,
        id: &str,
        spec: &ContainerSpec,
        namespace: &Path,
        networks: &[String],
    ) -> Result<Server, NetworkError> {
        let upstream = if spec.dns.is_empty() {
            Upstream::ResolvConf(etc::upstream_file().to_owned())
        } else {
            Upstream::Servers(spec.dns.iter().map(|address| SocketAddr::new(*address, 53)).collect())
        };
        let effect = || network("answer for names at 127.0.0.11, inside".to_owned(), Vec::new());
        Ok(trace::step(effect, || Server::start(&self.net, id, namespace, networks, upstream))?)
    }
}

fn network(what: String, commands: Vec<netns::Command>) -> Effect {
    let line = |words: netns::Command| words.iter().map(|word| trace::word(word)).collect::<Vec<_>>().join(" ");
    Effect::Network { what, commands: commands.into_iter().map(line).collect() }
}

fn names(id: &str, spec: &ContainerSpec, attachment: &Attachment) -> Vec<String> {
    let own = [spec.name.clone(), id::short(id).to_owned()];
    let mut names: Vec<_> = own.into_iter().chain(spec.hostname.clone()).chain(attachment.aliases.clone()).collect();
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.to_ascii_lowercase()));
    names
}

fn published(port: &PublishedPort) -> Result<netns::PublishedPort, NetworkError> {
    let protocol = match port.protocol.as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        other => return Err(NetworkError::Protocol(other.to_owned())),
    };
    Ok(netns::PublishedPort { host_ip: port.host_ip, host_port: port.host_port, target: port.target, protocol })
}
