//! The host's own forwarding of packets, `net.ipv4.ip_forward`. Whoever holds the lock.
//!
//! Containers need it on. Where it was off, the host was no router, and it shall not become one for its neighbours: our
//! table then drops what is no container's, and forwarding goes off again with the last container. A file in the run
//! directory remembers that it was us.

use std::fs;
use std::path::PathBuf;

use super::Table;
use crate::netlink::{Netlink, NetlinkError, attributes};
use crate::nftables::list_chains;
use crate::state::{Lock, remove_file, write_run_file};
use crate::{Host, HostError, sysctl};

const SWITCH: &str = "net/ipv4/ip_forward";

fn marker(host: &Host) -> PathBuf {
    host.run().join("forwarding-was-off.json")
}

/// Returns whether the table has to keep the host from forwarding for others.
///
/// Whoever asks loads the table next and calls [`turn_on`] only then: a host that forwards for everybody, if only for a
/// moment, is what this is about.
pub(super) fn is_ours(host: &Host, _lock: &Lock) -> Result<bool, HostError> {
    if !sysctl::is_on(SWITCH)? {
        write_run_file(&marker(host), &true)?;
    }
    Ok(marker(host).exists())
}

/// Makes the host forward packets.
pub(super) fn turn_on() -> Result<(), HostError> {
    Ok(sysctl::set(SWITCH, true)?)
}

/// Puts forwarding back where it was, unless somebody else has come to need it.
pub(super) fn put_back(host: &Host, _lock: &Lock) -> Result<(), HostError> {
    if !marker(host).exists() {
        return Ok(());
    }
    if !is_needed_by_others(&Table::of(host.run()))? {
        sysctl::set(SWITCH, false)?;
    }
    Ok(remove_file(&marker(host))?)
}

/// Returns whether another table looks at forwarded packets, as those of every router, container engine and virtual
/// machine host do, and of every firewall that would keep a forwarding host closed.
fn is_needed_by_others(ours: &Table) -> Result<bool, NetlinkError> {
    let hooks = Netlink::netfilter()?.dump(list_chains(), |chain| {
        let values: Vec<_> = attributes(chain.get(4..)?).collect();
        let value = |wanted| values.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| *value);
        let table = String::from_utf8_lossy(value(1)?).trim_end_matches('\0').to_owned();
        let (_, point) = attributes(value(4)?).find(|(kind, _)| *kind == 1)?;
        Some((table, i32::from_be_bytes(point.try_into().ok()?)))
    })?;
    let foreign = hooks.iter().any(|(table, point)| table != ours.name() && *point == libc::NF_INET_FORWARD);
    Ok(foreign || has_legacy_tables())
}

/// Returns whether iptables-legacy has rules here, which nftables does not show (`/proc/net/ip_tables_names`).
fn has_legacy_tables() -> bool {
    fs::read_to_string("/proc/thread-self/net/ip_tables_names").is_ok_and(|names| !names.trim().is_empty())
}
