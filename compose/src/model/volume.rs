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
    /// Labels of the user.
    pub labels: BTreeMap<String, String>,
}
