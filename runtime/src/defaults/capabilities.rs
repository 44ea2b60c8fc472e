//! The capabilities of a container that was given none by name.

use std::collections::HashSet;

use oci_spec::runtime::Capability;

/// Returns Docker's fourteen default capabilities.
#[must_use]
pub fn capabilities() -> HashSet<Capability> {
    HashSet::from([
        Capability::AuditWrite,
        Capability::Chown,
        Capability::DacOverride,
        Capability::Fowner,
        Capability::Fsetid,
        Capability::Kill,
        Capability::Mknod,
        Capability::NetBindService,
        Capability::NetRaw,
        Capability::Setfcap,
        Capability::Setgid,
        Capability::Setpcap,
        Capability::Setuid,
        Capability::SysChroot,
    ])
}
