//! Fixed addresses of containers, whether they run or not: nobody else is given one. Any process reads, whoever holds the
//! lock writes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::file::{read, record_names, remove_file, replace_durable};
use super::{Lock, StateError};
use crate::Host;

/// The fixed addresses of one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fixed {
    /// Id of the container.
    pub(crate) container: String,
    /// Its name, to tell who has an address.
    pub(crate) name: String,
    /// Addresses by the id of their network.
    pub(crate) addresses: BTreeMap<String, Vec<IpAddr>>,
}

impl Host {
    fn fixed(&self) -> PathBuf {
        self.root().join("addresses")
    }

    fn fixed_of(&self, container: &str) -> PathBuf {
        self.fixed().join(format!("{container}.json"))
    }

    /// Returns the fixed addresses of every container.
    pub(crate) fn all_fixed(&self) -> Result<Vec<Fixed>, StateError> {
        let mut all = Vec::new();
        for container in self.fixed_containers()? {
            all.extend(read(&self.fixed_of(&container))?);
        }
        Ok(all)
    }

    pub(crate) fn write_fixed(&self, fixed: &Fixed, _lock: &Lock) -> Result<(), StateError> {
        replace_durable(&self.fixed_of(&fixed.container), fixed)
    }

    pub(crate) fn remove_fixed(&self, container: &str, _lock: &Lock) -> Result<(), StateError> {
        remove_file(&self.fixed_of(container))
    }

    /// Returns the ids of the containers with fixed addresses.
    pub(crate) fn fixed_containers(&self) -> Result<Vec<String>, StateError> {
        record_names(&self.fixed())
    }
}
