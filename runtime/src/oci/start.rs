//! `start`: the program of a container that was created (runtime-spec, runtime.md, "Start").

use std::path::Path;

use oci_spec::runtime::ContainerState;

use super::container::{Container, Status};
use super::create::reachable;
use super::root::open_directory;
use super::{OciError, Root};
use crate::hooks;
use crate::init::Channel;
use crate::launch::{LaunchError, release};

impl Root {
    /// Lets a container's program run; returns once it does.
    ///
    /// # Errors
    /// [`OciError::Status`] unless it is created. After any other error the container is stopped.
    pub fn start(&self, id: &str) -> Result<(), OciError> {
        let container = self.lock(id)?;
        container.require("start", &[Status::Created])?;
        let started = container.release().and_then(|()| container.run_poststart());
        if started.is_err() {
            container.end_all();
        }
        started
    }
}

impl Container {
    fn release(&self) -> Result<(), OciError> {
        let socket = self.start_socket();
        let failed = || OciError::file("connect to", &socket);
        let directory = open_directory(&self.directory).map_err(failed())?;
        let channel = Channel::connect(&reachable(&directory)).map_err(failed())?;
        // From here on it counts as started, whoever is killed when.
        std::fs::remove_file(&socket).map_err(OciError::file("remove", &socket))?;
        let state = self.subject().state(ContainerState::Created, self.record.init.map(|init| init.pid));
        Ok(release(&channel, &state)?)
    }

    /// Runs what the caller wants to be run once the program does.
    pub(super) fn run_poststart(&self) -> Result<(), OciError> {
        let pid = self.record.init.map(|init| init.pid);
        let state = self.subject().state(ContainerState::Running, pid);
        let bundle: &Path = &self.record.bundle;
        Ok(hooks::run_all(&self.record.hooks.poststart, &state, Some(bundle)).map_err(LaunchError::from)?)
    }
}
