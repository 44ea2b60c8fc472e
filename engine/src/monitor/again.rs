//! Another start of a container, by its restart policy.

use oci_spec::runtime::LinuxNamespaceType;

use super::launch::{LaunchError, Monitor};
use crate::durable;

impl Monitor {
    /// Starts the container again where it was, with what others have changed since: the namespaces that containers lend it are those
    /// of now, and it is on the networks that it was connected to meanwhile, and on no others.
    pub(super) fn launch_again(&mut self) -> Result<Vec<String>, LaunchError> {
        self.put_back().map_err(LaunchError::io("mount what the container begins with"))?;
        self.join_anew()?;
        let namespaces = self.config.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
        let network = namespaces.into_iter().flatten().find(|one| one.typ() == LinuxNamespaceType::Network);
        if let Some(path) = network.and_then(|network| network.path().as_ref()) {
            self.engine.plug_anew(&self.id, &self.spec, path)?;
            self.follow_networks();
        }
        self.launch()
    }

    fn join_anew(&mut self) -> Result<(), LaunchError> {
        let lent = self.engine.lent(&self.spec)?;
        let Some(mut linux) = self.config.linux().clone().filter(|_| !lent.is_empty()) else { return Ok(()) };
        let mut namespaces = linux.namespaces().clone().unwrap_or_default();
        for namespace in &mut namespaces {
            if let Some((_, path)) = lent.iter().find(|(kind, _)| *kind == namespace.typ()) {
                namespace.set_path(Some(path.clone()));
            }
        }
        linux.set_namespaces(Some(namespaces));
        self.config.set_linux(Some(linux));
        Ok(durable::write_json(&self.paths.run().join("config.json"), &self.config, false)?)
    }
}
