//! From which memory nodes a process gets its pages (set_mempolicy(2)).
//!
//! *Pure.*

use oci_spec::runtime::{LinuxMemoryPolicy, MemoryPolicyFlagType, MemoryPolicyModeType};

use super::{NumberSet, PlanError};

/// Arguments of set_mempolicy(2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemoryPolicy {
    /// `MPOL_*` and `MPOL_F_*`.
    pub(crate) mode: i32,
    pub(crate) nodes: NumberSet,
}

/// Plans the memory policy of the processes of a container.
pub(super) fn plan(spec: &LinuxMemoryPolicy) -> Result<MemoryPolicy, PlanError> {
    let list = spec.nodes().as_deref().unwrap_or_default();
    let refused = |why| PlanError::invalid("linux.memoryPolicy.nodes", list, why);
    let nodes = match list.trim() {
        "" => NumberSet::default(),
        list => NumberSet::parse(list).ok_or_else(|| refused("it is no list of nodes"))?,
    };
    let (mode, wants_nodes) = mode(spec.mode());
    match (wants_nodes, nodes.words().is_empty()) {
        (Some(true), true) => return Err(refused("this mode needs nodes")),
        (Some(false), false) => return Err(refused("this mode takes no nodes")),
        _ => {}
    }
    let mode = spec.flags().iter().flatten().fold(mode, |all, flag| all | flag_bit(*flag));
    Ok(MemoryPolicy { mode, nodes })
}

/// Returns the number of a mode, and whether it must have nodes; `None` when it may.
fn mode(mode: MemoryPolicyModeType) -> (i32, Option<bool>) {
    match mode {
        MemoryPolicyModeType::MpolDefault => (libc::MPOL_DEFAULT, Some(false)),
        MemoryPolicyModeType::MpolPreferred => (libc::MPOL_PREFERRED, None),
        MemoryPolicyModeType::MpolBind => (libc::MPOL_BIND, Some(true)),
        MemoryPolicyModeType::MpolInterleave => (libc::MPOL_INTERLEAVE, Some(true)),
        MemoryPolicyModeType::MpolLocal => (libc::MPOL_LOCAL, Some(false)),
        // `linux/mempolicy.h`: since Linux 5.15 and 6.9.
        MemoryPolicyModeType::MpolPreferredMany => (5, Some(true)),
        MemoryPolicyModeType::MpolWeightedInterleave => (6, Some(true)),
    }
}

fn flag_bit(flag: MemoryPolicyFlagType) -> i32 {
    match flag {
        MemoryPolicyFlagType::MpolFNumaBalancing => libc::MPOL_F_NUMA_BALANCING,
        MemoryPolicyFlagType::MpolFRelativeNodes => libc::MPOL_F_RELATIVE_NODES,
        MemoryPolicyFlagType::MpolFStaticNodes => libc::MPOL_F_STATIC_NODES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(json: &str) -> Result<MemoryPolicy, PlanError> {
        plan(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn mode_and_flags_are_one_number() {
        let policy = planned(r#"{"mode":"MPOL_BIND","nodes":"0-1","flags":["MPOL_F_STATIC_NODES"]}"#).unwrap();
        assert_eq!((policy.mode, policy.nodes.words()), (2 | 1 << 15, &[3][..]));
        assert_eq!(planned(r#"{"mode":"MPOL_DEFAULT"}"#).unwrap(), MemoryPolicy::default());
    }

    #[test]
    fn a_mode_without_its_nodes_is_refused() {
        for json in [
            r#"{"mode":"MPOL_BIND"}"#,
            r#"{"mode":"MPOL_LOCAL","nodes":"0"}"#,
            r#"{"mode":"MPOL_INTERLEAVE","nodes":"all"}"#,
        ] {
            let error = planned(json).unwrap_err().to_string();
            assert!(error.contains("linux.memoryPolicy.nodes"), "{error}");
        }
    }
}
