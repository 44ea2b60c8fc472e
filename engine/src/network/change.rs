//! Connecting containers to networks, and disconnecting them, while they run or not.
//!
//! ```text
//! command                                              monitor
//! networks.json   what holds at the next start
//! netns plug/unplug, if the container runs
//! SIGTERM ────────────────────────────────────────────▶ reads the leases: name server, hosts file, state.json
//! ```
//! Killed in between, the container is connected and its monitor takes note at the next signal.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Connection;
use super::links::pairs;
use crate::durable::{self, FileError};
use crate::events::{Event, EventKind};
use crate::runtime::process;
use crate::spec::{Attachment, ContainerSpec, NetworkMode};
use crate::{Container, Engine, State, Watch, etc, netns};

/// Time a monitor has to take note of a change. It takes milliseconds, unless the machine has none to give.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a container was not connected or disconnected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no network of its own to connect.
    #[error("connect container `{name}`: its network is `{mode}`")]
    NoNamespace {
        /// The container.
        name: String,
        /// Its network mode.
        mode: &'static str,
    },
    /// It is on the network already.
    #[error("connect container `{container}`: it is on network `{network}`")]
    Connected {
        /// The container.
        container: String,
        /// The network.
        network: String,
    },
    /// It is not on the network.
    #[error("disconnect container `{container}`: it is not on network `{network}`")]
    NotConnected {
        /// The container.
        container: String,
        /// The network.
        network: String,
    },
    /// The wish could not be made out.
    #[error(transparent)]
    Wish(#[from] super::NetworkError),
    /// The network refused.
    #[error(transparent)]
    Plug(#[from] netns::AttachError),
    /// The network could not be left, or the records not be read.
    #[error(transparent)]
    Network(#[from] netns::NetworkError),
    /// A record could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

fn plugged(action: &str, container: &Container, id: &str, name: &str) -> Event {
    Event::now(EventKind::Network, action, id).with("container", &*container.id).with("name", name)
}

impl Engine {
    /// Connects a container to one more network, now if it runs, and at every start; returns what the user should know.
    pub fn connect_network(&self, container: &Container, wish: Attachment) -> Result<Vec<String>, ConnectError> {
        let _lock = self.lock_container(&container.id)?;
        let (name, network) = (&container.spec.name, wish.network.clone());
        let mut attachments = self.attachments(container)?;
        if attachments.iter().any(|attachment| attachment.network == network) {
            return Err(ConnectError::Connected { container: name.clone(), network });
        }
        let endpoints = self.endpoint_wishes(&container.id, &container.spec, std::slice::from_ref(&wish))?;
        let state = self.load_state(&container.id)?;
        let notes = match state.has_init() {
            true => self.net.plug(&container.id, &self.live_namespace(&state), &endpoints[0])?,
            false => Vec::new(),
        };
        attachments.push(wish);
        self.write_attachments(container, &attachments)?;
        self.tell_monitor(container, &state)?;
        self.tell(plugged("connect", container, &endpoints[0].network, &network));
        Ok(notes)
    }

    /// Disconnects a container from a network, now if it runs, and for every start.
    pub fn disconnect_network(&self, container: &Container, network: &netns::Network) -> Result<(), ConnectError> {
        let _lock = self.lock_container(&container.id)?;
        let mut attachments = self.attachments(container)?;
        let before = attachments.len();
        attachments.retain(|attachment| attachment.network != network.name);
        if attachments.len() == before {
            let (container, network) = (container.spec.name.clone(), network.name.clone());
            return Err(ConnectError::NotConnected { container, network });
        }
        self.write_attachments(container, &attachments)?;
        let state = self.load_state(&container.id)?;
        if state.has_init() {
            self.net.unplug(&container.id, &self.live_namespace(&state), &network.id)?;
        }
        self.tell_monitor(container, &state)?;
        self.tell(plugged("disconnect", container, &network.id, &network.name));
        Ok(())
    }

    fn attachments(&self, container: &Container) -> Result<Vec<Attachment>, ConnectError> {
        let mode = match self.network_mode(&container.id, &container.spec)? {
            NetworkMode::Bridge(attachments) => return Ok(attachments),
            NetworkMode::Host => "host",
            NetworkMode::None => "none",
            NetworkMode::Container(_) => "container",
        };
        Err(ConnectError::NoNamespace { name: container.spec.name.clone(), mode })
    }

    fn write_attachments(&self, container: &Container, attachments: &[Attachment]) -> Result<(), ConnectError> {
        durable::write_json(&container.paths.networks(), &attachments, true)?;
        let spec = ContainerSpec { network: NetworkMode::Bridge(attachments.to_vec()), ..container.spec.clone() };
        Ok(self.keep_addresses(&container.id, &spec)?)
    }

    fn live_namespace(&self, state: &State) -> PathBuf {
        super::namespace_of(state.init.map_or(0, |init| init.pid))
    }

    /// Wakes the monitor and waits until it has taken note. One that has ended meanwhile has nothing to take note of.
    pub(crate) fn tell_monitor(&self, container: &Container, state: &State) -> Result<(), ConnectError> {
        let directory = container.paths.dir();
        let failed = |act| FileError::io(act, directory);
        let monitor = state.monitor.filter(|_| state.has_init()).map(|monitor| monitor.reference().open()).transpose();
        let Some(monitor) = monitor.map_err(failed("open the monitor of"))?.flatten() else { return Ok(()) };
        let wanted = self.net.plugs(&container.id)?.0;
        let mut watch = Watch::new(&[directory]).map_err(failed("watch"))?;
        process::kill(monitor.as_fd(), libc::SIGTERM).map_err(failed("signal the monitor of"))?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let state = self.load_state(&container.id)?;
            if state.endpoints == wanted || !state.has_monitor() {
                break;
            }
            watch.wait(Some(until.saturating_duration_since(Instant::now()))).map_err(failed("watch"))?;
        }
        Ok(())
    }

    /// Plugs a container that is about to start again in and out of the networks that it was connected to, and disconnected from, while
    /// it did not run.
    pub(crate) fn plug_anew(
        &self,
        id: &str,
        spec: &ContainerSpec,
        namespace: &Path,
    ) -> Result<(), super::NetworkError> {
        let NetworkMode::Bridge(wanted) = self.network_mode(id, spec)? else { return Ok(()) };
        let plugged = self.net.plugs(id)?.0;
        for left in plugged.iter().filter(|one| wanted.iter().all(|wish| wish.network != one.network_name)) {
            self.net.unplug(id, namespace, &left.network)?;
        }
        let is_new = |wish: &&Attachment| plugged.iter().all(|one| one.network_name != wish.network);
        let new: Vec<_> = wanted.iter().filter(is_new).cloned().collect();
        for wish in self.endpoint_wishes(id, spec, &new)? {
            self.net.plug(id, namespace, &wish)?;
        }
        Ok(())
    }

    /// Takes note, in the monitor, of networks that were connected or disconnected, and of other links; returns whether there
    /// are any.
    pub(crate) fn follow(
        &self,
        id: &str,
        spec: &ContainerSpec,
        connection: &mut Connection,
    ) -> Result<bool, super::NetworkError> {
        let (endpoints, targets) = self.net.plugs(id)?;
        let Some(server) = &mut connection.server else { return Ok(false) };
        let known = durable::read_json::<ContainerSpec>(&self.layout.container(id).spec())?;
        let links = pairs(known.as_ref().map_or(&spec.links, |spec| &spec.links));
        if endpoints == connection.endpoints && server.links() == links {
            return Ok(false);
        }
        let networks: Vec<_> = endpoints.iter().map(|endpoint| endpoint.network.clone()).collect();
        server.turn_to(&networks, links)?;
        connection.relay.lead_to(&targets);
        let (hosts, names) = (self.layout.container(id).etc().join("hosts"), etc::hostname(id, spec));
        etc::replace_addresses(&hosts, &etc::own_names(spec, &names), (&connection.endpoints, &endpoints))?;
        connection.endpoints = endpoints;
        Ok(true)
    }

    /// Keeps the fixed addresses of a container for it. A network that is not there keeps nothing.
    pub(crate) fn keep_addresses(&self, id: &str, spec: &ContainerSpec) -> Result<(), netns::NetworkError> {
        let NetworkMode::Bridge(attachments) = &spec.network else { return Ok(()) };
        let fixed: Vec<_> = attachments.iter().filter(|one| !one.addresses().is_empty()).cloned().collect();
        match self.endpoint_wishes(id, spec, &fixed) {
            Ok(wishes) => self.net.keep_addresses(id, &spec.name, &wishes),
            Err(super::NetworkError::Records(error)) => Err(error),
            Err(_) => Ok(()), // said when the container starts
        }
    }

    /// Gives the fixed addresses up of containers that are gone; what cannot be now is with the next that goes.
    pub(crate) fn forget_addresses(&self) {
        let _ = self.net.forget_addresses(|id| self.layout.container(id).dir().exists());
    }
}
