//! The records of networks. Any process.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::file::{directory_names, ensure_directory, read, replace_durable, sync_directory, write_durable};
use super::{Lock, StateError};
use crate::{Host, Network};

impl Host {
    fn records(&self) -> PathBuf {
        self.root().join("networks")
    }

    /// Returns every network, in the order of their names.
    pub(crate) fn read_networks(&self) -> Result<Vec<Network>, StateError> {
        let mut networks = Vec::new();
        for id in directory_names(&self.records())? {
            networks.extend(self.read_network(&id)?);
        }
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(networks)
    }

    /// Returns the network with this id.
    pub(crate) fn read_network(&self, id: &str) -> Result<Option<Network>, StateError> {
        read(&self.records().join(id).join("network.json"))
    }

    /// Records a network: the directory appears with the record in it, or not at all.
    pub(crate) fn write_network(&self, network: &Network, _lock: &Lock) -> Result<(), StateError> {
        let records = self.records();
        ensure_directory(&records)?;
        let incomplete = records.join(".incomplete");
        remove_directory(&incomplete)?;
        DirBuilder::new().mode(0o700).create(&incomplete).map_err(StateError::file("create", &incomplete))?;
        write_durable(&incomplete.join("network.json"), network)?;
        sync_directory(&incomplete)?;
        let path = records.join(&network.id);
        fs::rename(&incomplete, &path).map_err(StateError::file("write", &path))?;
        sync_directory(&records)
    }

    /// Records what has changed about a network.
    pub(crate) fn rewrite_network(&self, network: &Network, _lock: &Lock) -> Result<(), StateError> {
        replace_durable(&self.records().join(&network.id).join("network.json"), network)
    }

    /// Removes the record of a network, and the directory of its leases.
    pub(crate) fn remove_network(&self, id: &str, _lock: &Lock) -> Result<(), StateError> {
        let (records, path) = (self.records(), self.records().join(id));
        let deleted = records.join(".deleted");
        remove_directory(&deleted)?;
        match fs::rename(&path, &deleted) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(StateError::file("delete", &path)(error)),
            _ => {}
        }
        remove_directory(&deleted)?;
        remove_directory(&self.leases(id))
    }
}

fn remove_directory(path: &Path) -> Result<(), StateError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StateError::file("delete", path)(error)),
        _ => Ok(()),
    }
}
