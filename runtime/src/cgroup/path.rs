//! Where a cgroup is below the roots of the hierarchies.
//!
//! *Pure.*

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::CgroupError;

/// An absolute path below the root in normal form: it can be joined to a mount point and stays below it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CgroupPath(String);

impl CgroupPath {
    /// Returns the path with its leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path to join to the root of a hierarchy.
    #[must_use]
    pub fn relative(&self) -> &Path {
        Path::new(self.0.trim_start_matches('/'))
    }
}

impl FromStr for CgroupPath {
    type Err = CgroupError;

    fn from_str(path: &str) -> Result<Self, CgroupError> {
        let refused = || CgroupError::Path(path.escape_default().to_string());
        if !path.starts_with('/') || path.chars().any(char::is_control) {
            return Err(refused());
        }
        let components: Vec<&str> = path.split('/').filter(|component| !component.is_empty()).collect();
        if components.is_empty() || components.iter().any(|component| matches!(*component, "." | "..")) {
            return Err(refused());
        }
        Ok(Self(format!("/{}", components.join("/"))))
    }
}

impl TryFrom<String> for CgroupPath {
    type Error = CgroupError;

    fn try_from(path: String) -> Result<Self, CgroupError> {
        path.parse()
    }
}

impl From<CgroupPath> for String {
    fn from(path: CgroupPath) -> Self {
        path.0
    }
}

impl fmt::Display for CgroupPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slashes_are_put_in_order() {
        assert_eq!("//lighter/hits//web-1/".parse::<CgroupPath>().unwrap().as_str(), "/lighter/hits/web-1");
    }

    #[test]
    fn a_path_that_could_lead_elsewhere_is_refused() {
        for path in ["", "/", "lighter/web", "/lighter/../..", "/./lighter", "/lighter/a\nb"] {
            assert!(path.parse::<CgroupPath>().is_err(), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_stays_below_the_mount(path in "/[a-z./]{0,12}") {
            if let Ok(path) = path.parse::<CgroupPath>() {
                let joined = Path::new("/sys/fs/cgroup").join(path.relative());
                prop_assert!(joined.starts_with("/sys/fs/cgroup/"));
                prop_assert!(!joined.components().any(|part| part.as_os_str() == ".."));
            }
        }
    }
}
