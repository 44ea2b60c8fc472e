//! A volume of the project.

use std::collections::BTreeMap;

/// One entry of the top-level `volumes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The key in the file.
    pub key: String,
    /// The name on the host: `name:`, else `<project>_<key>`.
    pub name: String,
    /// Made and deleted by somebody else.
    pub external: bool,
    /// `driver_opts`: what is mounted there; see [`lighter_engine::Volume::options`].
    pub options: BTreeMap<String, String>,
    /// Labels of the user.
    pub labels: BTreeMap<String, String>,
}
