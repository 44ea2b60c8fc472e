//! How mounts of the host reach the container, and its own the host (mount_namespaces(7), "Shared subtrees").
//!
//! *Pure.*

use nix::mount::MsFlags;

use super::PlanError;

/// What `linux.rootfsPropagation` means for the steps of init.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Propagation {
    /// What the mounts of the new namespace, copies of the host's, become first; `None`: they stay tied to it.
    pub(crate) host: Option<MsFlags>,
    /// Mounts the host makes later below the root filesystem appear in the container.
    pub(crate) follow: bool,
    /// What the root becomes once it is `/`.
    pub(crate) last: Option<MsFlags>,
}

impl Propagation {
    /// Reads the field; nothing given means `rslave` towards the host, and a root of the container's own.
    pub(super) fn read(value: Option<&str>) -> Result<Self, PlanError> {
        let (private, slave, all) = (MsFlags::MS_PRIVATE, MsFlags::MS_SLAVE, MsFlags::MS_REC);
        let (host, follow, last) = match value.unwrap_or_default() {
            "" => (Some(slave | all), false, None),
            "slave" => (Some(slave), true, None),
            "rslave" => (Some(slave | all), true, None),
            "private" => (Some(private), false, None),
            "rprivate" => (Some(private | all), false, None),
            "shared" => (None, false, Some(MsFlags::MS_SHARED)),
            "rshared" => (None, false, Some(MsFlags::MS_SHARED | all)),
            "unbindable" => (Some(private), false, Some(MsFlags::MS_UNBINDABLE)),
            "runbindable" => (Some(private | all), false, Some(MsFlags::MS_UNBINDABLE | all)),
            other => {
                let why =
                    "it must be `shared`, `slave`, `private` or `unbindable`, or one of these with an `r` in front";
                return Err(PlanError::invalid("linux.rootfsPropagation", other.escape_default(), why));
            }
        };
        Ok(Self { host, follow, last })
    }

    /// Tells whether some mounts of the new namespace stay tied to those of the host, both ways.
    pub(crate) fn is_tied(self) -> bool {
        self.host.is_none_or(|host| !host.contains(MsFlags::MS_REC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_cut_recursively_is_cut_for_certain() {
        for (value, tied) in [
            (None, false),
            (Some("rslave"), false),
            (Some("rprivate"), false),
            (Some("runbindable"), false),
            (Some("slave"), true),
            (Some("private"), true),
            (Some("rshared"), true),
        ] {
            assert_eq!(Propagation::read(value).unwrap().is_tied(), tied, "{value:?}");
        }
        assert!(Propagation::read(Some("rsshared")).is_err());
    }
}
