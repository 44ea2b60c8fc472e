//! Plugging a container in: from the names in its specification to a namespace with addresses, ports and a name server.
//!
//! Runs in the monitor; making networks, and connecting what runs, in the command.

mod change;
mod links;
mod wish;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

pub use change::ConnectError;

use crate::events::{Event, EventKind};
use crate::netns::dns::{Names, Server, Upstream};
use crate::netns::{self, BoundPort, Endpoint, Relay, Sandbox, SandboxSpec};
use crate::runtime::trace::{self, Effect};
use crate::spec::{Attachment, ContainerSpec, NetworkMode};
use crate::{Engine, State, durable, etc, id};

/// Name of the network of containers that name none, as docker's.
pub const DEFAULT_NETWORK: &str = "bridge";

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
    /// A record of a container could not be read.
    #[error(transparent)]
    File(#[from] crate::FileError),
}

/// A container's place in the network.
#[derive(Default)]
pub(crate) struct Connection {
    /// Path of the namespace to join; `None` = the host's.
    pub(crate) namespace: Option<PathBuf>,
    pub(crate) endpoints: Vec<Endpoint>,
    /// Addresses of the host as the container reaches them.
    pub(crate) gateways: Vec<IpAddr>,
    pub(crate) ports: Vec<BoundPort>,
    /// Keeps the ports from other programs as long as the container runs, and serves those that cannot be translated.
    pub(crate) relay: Relay,
    pub(crate) server: Option<Server>,
    /// The container whose /etc files are shared.
    pub(crate) shared_with: Option<String>,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
}

impl Engine {
    /// Makes the container's namespace, or takes the one that is `made`, and plugs it in; all or nothing,
    /// [`Engine::tear_down`] undoes it.
    pub(crate) fn connect(
        &self,
        id: &str,
        spec: &ContainerSpec,
        made: Option<&Path>,
    ) -> Result<Connection, NetworkError> {
        match self.network_mode(id, spec)? {
            NetworkMode::Host => Ok(Connection::default()),
            NetworkMode::None => {
                Ok(Connection { namespace: Some(self.make_namespace(id, made)?), ..Connection::default() })
            }
            NetworkMode::Container(other) => self.share(&other),
            NetworkMode::Bridge(attachments) => {
                let namespace = self.make_namespace(id, made)?;
                self.plug_in(id, spec, &attachments, namespace)
            }
        }
    }

    /// Returns the network a container has at its next start: the specification's, unless it was connected to others since.
    pub fn network_mode(&self, id: &str, spec: &ContainerSpec) -> Result<NetworkMode, crate::FileError> {
        let changed = durable::read_json::<Vec<Attachment>>(&self.layout.container(id).networks())?;
        Ok(changed.map_or_else(|| spec.network.clone(), NetworkMode::Bridge))
    }

    /// Returns the host name that a container has: without one of its own, that of the container whose network it shares.
    pub fn hostname(&self, id: &str, spec: &ContainerSpec) -> String {
        let lender = match &spec.network {
            NetworkMode::Container(lender) if spec.hostname.is_none() => self.load(lender).ok().flatten(),
            _ => None,
        };
        lender.map_or_else(|| etc::hostname(id, spec), |lender| self.hostname(&lender.id, &lender.spec))
    }

    fn make_namespace(&self, id: &str, made: Option<&Path>) -> Result<PathBuf, NetworkError> {
        let effect = |path: Option<&PathBuf>| {
            let commands = path.map(|path| netns::Host::namespace_commands(path)).unwrap_or_default();
            network("make a network namespace".to_owned(), commands)
        };
        Ok(trace::step_as(effect, || self.net.create_namespace(id, made))?)
    }

    /// Makes a network with its bridge.
    ///
    /// # Errors
    /// As [`netns::Host::create_network`].
    pub fn create_network(&self, spec: &netns::NetworkSpec) -> Result<netns::Network, netns::NetworkError> {
        let effect = |made: Option<&netns::Network>| {
            network(format!("make the network {}", spec.name), made.map(netns::Network::commands).unwrap_or_default())
        };
        let network = trace::step_as(effect, || self.net.create_network(spec))?;
        let event = Event::now(EventKind::Network, "create", &network.id);
        self.tell(event.with("name", &*network.name).with("type", network.driver.word()));
        Ok(network)
    }

    /// Deletes a network, by its id.
    ///
    /// # Errors
    /// As [`netns::Host::delete_network`].
    pub fn delete_network(&self, id: &str) -> Result<(), netns::NetworkError> {
        let network = self.net.network(id)?;
        self.net.delete_network(id)?;
        if let Some(network) = network {
            let event = Event::now(EventKind::Network, "destroy", id);
            self.tell(event.with("name", &*network.name).with("type", network.driver.word()));
        }
        Ok(())
    }

    /// Makes the network [`DEFAULT_NETWORK`], unless it is there.
    pub fn ensure_default_network(&self) -> Result<(), netns::NetworkError> {
        let is_there = || self.net.network(DEFAULT_NETWORK).map(|found| found.is_some());
        if is_there()? {
            return Ok(());
        }
        let spec = netns::NetworkSpec { name: DEFAULT_NETWORK.to_owned(), ..netns::NetworkSpec::default() };
        match self.create_network(&spec) {
            // another command was faster
            Err(_) if is_there()? => Ok(()),
            result => result.map(|_| ()),
        }
    }

    fn share(&self, other: &str) -> Result<Connection, NetworkError> {
        let state = self.load_state(other)?;
        let init = state.init.filter(|init| init.is_alive());
        let init = init.ok_or_else(|| NetworkError::Shared(id::short(other).to_owned()))?;
        let namespace = Some(namespace_of(init.pid));
        Ok(Connection { namespace, shared_with: Some(other.to_owned()), ..Connection::default() })
    }

    fn plug_in(
        &self,
        id: &str,
        spec: &ContainerSpec,
        attachments: &[Attachment],
        namespace: PathBuf,
    ) -> Result<Connection, NetworkError> {
        let endpoints = self.endpoint_wishes(id, spec, attachments)?;
        let networks: Vec<_> = endpoints.iter().map(|endpoint| endpoint.network.clone()).collect();
        let ports = spec.ports.iter().map(wish::port).collect::<Result<_, _>>()?;
        let sandbox = SandboxSpec { container: id.to_owned(), netns: namespace.clone(), endpoints, ports };
        let effect = |made: Option<&Sandbox>| {
            let names = made.iter().flat_map(|made| &made.endpoints).map(|one| one.network_name.as_str());
            let what = format!("connect the container to {}", names.collect::<Vec<_>>().join(", "));
            network(what, self.net.attach_commands(id, &namespace))
        };
        let sandbox = trace::step_as(effect, || self.net.attach(&sandbox))?;
        let server = self.serve_names(id, spec, &namespace, networks)?;
        Ok(Connection {
            namespace: Some(namespace),
            endpoints: sandbox.endpoints,
            gateways: sandbox.gateways,
            ports: sandbox.ports,
            relay: sandbox.relay,
            server: Some(server),
            shared_with: None,
            notes: sandbox.notes,
        })
    }

    /// Takes a running container's network over from a monitor that has died: it stands, but for its name server and what held
    /// its ports.
    pub(crate) fn reconnect(&self, id: &str, spec: &ContainerSpec, state: &State) -> Result<Connection, NetworkError> {
        let init = state.init.ok_or_else(|| NetworkError::Shared(id::short(id).to_owned()))?;
        let namespace = namespace_of(init.pid);
        let networks: Vec<_> = state.endpoints.iter().map(|endpoint| endpoint.network.clone()).collect();
        let server = if networks.is_empty() { None } else { Some(self.serve_names(id, spec, &namespace, networks)?) };
        Ok(Connection {
            namespace: Some(namespace).filter(|_| spec.network != NetworkMode::Host),
            endpoints: state.endpoints.clone(),
            ports: state.ports.clone(),
            relay: self.net.hold_ports(id).map_err(netns::HostError::from).map_err(netns::NetworkError::from)?,
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
        networks: Vec<String>,
    ) -> Result<Server, NetworkError> {
        let upstream = if spec.dns.is_empty() {
            Upstream::ResolvConf(etc::HOST_RESOLV_CONF.into())
        } else {
            Upstream::Servers(spec.dns.iter().map(|address| SocketAddr::new(*address, 53)).collect())
        };
        let links = links::pairs(&spec.links);
        let effect = || network("answer for names at 127.0.0.11, inside".to_owned(), Vec::new());
        let names = Names { networks, links, upstream };
        Ok(trace::step(effect, || Server::start(&self.net, id, namespace, names))?)
    }
}

/// Returns the path of a process's network namespace.
fn namespace_of(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/ns/net"))
}

fn network(what: String, commands: Vec<netns::Command>) -> Effect {
    let line = |words: netns::Command| words.iter().map(|word| trace::word(word)).collect::<Vec<_>>().join(" ");
    Effect::Network { what, commands: commands.into_iter().map(line).collect() }
}
