//! The published ports of containers. Any process reads, whoever holds the lock writes.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::file::{read, record_names, remove_file, write_run_file};
use super::{Lock, StateError};
use crate::{BoundPort, Host};

/// The published ports of one container and where they lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PortRecord {
    /// Id of the container.
    pub(crate) container: String,
    /// First name of the container, to tell who holds a port.
    pub(crate) name: String,
    /// Addresses of the container the ports lead to, at most one of each family.
    pub(crate) targets: Vec<IpAddr>,
    /// The ports.
    pub(crate) ports: Vec<BoundPort>,
}

impl Host {
    fn ports(&self) -> PathBuf {
        self.run().join("ports")
    }

    pub(crate) fn port_record(&self, container: &str) -> PathBuf {
        self.ports().join(format!("{container}.json"))
    }

    /// Returns the published ports of every container.
    pub(crate) fn all_ports(&self) -> Result<Vec<PortRecord>, StateError> {
        let mut records = Vec::new();
        for container in self.publishing_containers()? {
            records.extend(self.ports_of_container(&container)?);
        }
        Ok(records)
    }

    pub(crate) fn ports_of_container(&self, container: &str) -> Result<Option<PortRecord>, StateError> {
        read(&self.port_record(container))
    }

    pub(crate) fn write_ports(&self, record: &PortRecord, _lock: &Lock) -> Result<(), StateError> {
        write_run_file(&self.port_record(&record.container), record)
    }

    pub(crate) fn remove_ports(&self, container: &str, _lock: &Lock) -> Result<(), StateError> {
        remove_file(&self.port_record(container))
    }

    /// Returns the ids of the containers with published ports.
    pub(crate) fn publishing_containers(&self) -> Result<Vec<String>, StateError> {
        record_names(&self.ports())
    }
}
