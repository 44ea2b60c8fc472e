//! Handing the listener of a filter to the agent that answers for its system calls (seccomp_unotify(2)).
//!
//! Runs in init and in an exec'ed process. They connect while the host's paths still lead somewhere, and send once
//! the filter is loaded: one message, the state of the process as JSON with the descriptor, as
//! runtime-spec config-linux.md, "The Container Process State", has it. Nothing of the monitor is needed, which may
//! have ended between the creation of a container and its start.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{
    ContainerProcessStateBuilder, ContainerState, LinuxSeccomp, SECCOMP_FD_NAME, StateBuilder, VERSION,
};

use crate::sys;

/// The container a process belongs to, as an agent is told.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    pub(crate) annotations: Option<HashMap<String, String>>,
    pub(crate) status: ContainerState,
    /// The container's init; `None`: the process itself.
    pub(crate) init: Option<i32>,
}

/// Who answers for system calls that are `SCMP_ACT_NOTIFY`.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    path: PathBuf,
    metadata: Option<String>,
    container: Identity,
}

impl Agent {
    /// Plans the agent of a profile that has a listener.
    pub(crate) fn of(profile: &LinuxSeccomp, container: Identity) -> Option<Self> {
        let (path, metadata) = (profile.listener_path().clone()?, profile.listener_metadata().clone());
        Some(Self { path, metadata, container })
    }

    /// The socket it listens on, a path of the host.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Connects, in the process whose calls are to be answered, by the host's paths and procfs.
    pub(crate) fn connect(&self) -> io::Result<Connection> {
        let pid = std::fs::read_link("/proc/self")?;
        let pid = pid.to_str().and_then(|pid| pid.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Connection { message: self.message(pid)?, socket: UnixStream::connect(&self.path)?.into() })
    }

    /// Has a connection speak for a child of the process that made it, by its pid on the host.
    pub(crate) fn introduce(&self, child: i32, connection: &mut Connection) -> io::Result<()> {
        connection.message = self.message(child)?;
        Ok(())
    }

    fn message(&self, pid: i32) -> io::Result<Vec<u8>> {
        let Identity { id, bundle, annotations, status, init } = &self.container;
        let mut state = StateBuilder::default().version(VERSION).id(id.as_str()).bundle(bundle.as_path());
        state = state.status(*status).pid(init.unwrap_or(pid));
        if let Some(annotations) = annotations {
            state = state.annotations(annotations.clone());
        }
        let state = state.build().map_err(io::Error::other)?;
        let mut process = ContainerProcessStateBuilder::default().version(VERSION).pid(pid).state(state);
        process = process.fds(vec![SECCOMP_FD_NAME.to_owned()]);
        if let Some(metadata) = &self.metadata {
            process = process.metadata(metadata.as_str());
        }
        Ok(serde_json::to_vec(&process.build().map_err(io::Error::other)?)?)
    }
}

/// A connection to an agent, with what it will be told.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: OwnedFd,
    message: Vec<u8>,
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Connection {
    /// Sends the listener and closes the connection.
    ///
    /// By sendmsg(2), which the profile does not hand to the agent: nobody could answer for it yet.
    pub(crate) fn hand_over(self, listener: BorrowedFd<'_>) -> nix::Result<()> {
        sys::socket::send(self.socket.as_fd(), &self.message, Some(listener))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_told_what_the_specification_lists() {
        let profile = serde_json::from_str(
            r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/agent","listenerMetadata":"mine"}"#,
        )
        .unwrap();
        let container = Identity {
            id: "box".to_owned(),
            bundle: "/bundle".into(),
            annotations: Some([("a".to_owned(), "b".to_owned())].into()),
            status: ContainerState::Created,
            init: None,
        };
        let message = Agent::of(&profile, container).unwrap().message(42).unwrap();
        let told: serde_json::Value = serde_json::from_slice(&message).unwrap();
        let expected = serde_json::json!({
            "ociVersion": VERSION, "fds": ["seccompFd"], "pid": 42, "metadata": "mine",
            "state": {
                "ociVersion": VERSION, "id": "box", "status": "created", "pid": 42, "bundle": "/bundle",
                "annotations": {"a": "b"},
            },
        });
        assert_eq!(told, expected);
    }
}
