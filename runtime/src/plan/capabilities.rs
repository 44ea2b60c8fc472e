//! The five capability sets of a process (capabilities(7)).
//!
//! *Pure.*

use std::str::FromStr;

use caps::{Capability, CapsHashSet};
use oci_spec::runtime::{Capabilities, LinuxCapabilities};

use super::PlanError;

/// The capability sets of a process; a set the spec leaves out is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct CapabilitySets {
    pub(crate) bounding: CapsHashSet,
    pub(crate) effective: CapsHashSet,
    pub(crate) inheritable: CapsHashSet,
    pub(crate) permitted: CapsHashSet,
    pub(crate) ambient: CapsHashSet,
}

/// Plans the capability sets of a process.
pub(super) fn plan(capabilities: Option<&LinuxCapabilities>) -> Result<CapabilitySets, PlanError> {
    let Some(sets) = capabilities else { return Ok(CapabilitySets::default()) };
    Ok(CapabilitySets {
        bounding: read(sets.bounding())?,
        effective: read(sets.effective())?,
        inheritable: read(sets.inheritable())?,
        permitted: read(sets.permitted())?,
        ambient: read(sets.ambient())?,
    })
}

fn read(set: &Option<Capabilities>) -> Result<CapsHashSet, PlanError> {
    let convert = |capability: &oci_spec::runtime::Capability| {
        let name = format!("CAP_{capability}");
        Capability::from_str(&name).map_err(|_| PlanError::invalid("process.capabilities", name, "it is not known"))
    };
    set.iter().flatten().map(convert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults;

    #[test]
    fn every_default_capability_has_its_bit() {
        let set = read(&Some(defaults::capabilities())).unwrap();
        let mask = set.iter().map(Capability::bitmask).fold(0, |all, bit| all | bit);
        // What `CapBnd` of `/proc/self/status` shows in a container of Docker.
        assert_eq!(mask, 0xa804_25fb);
    }
}
