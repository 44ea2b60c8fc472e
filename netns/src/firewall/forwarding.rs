//! The host's own forwarding of packets, `net.ipv4.ip_forward` and `net.ipv6.conf.all.forwarding`. Whoever holds the lock.
//!
//! Containers need it on; that of IPv6 only where a network has IPv6 addresses. Where it was off, the host was no router, and
//! it shall not become one for its neighbours: our table then drops what is no container's nor of a bridge of somebody else, and
//! forwarding goes off again with the last container. Files in the run directory remember that it was us, and what bridges there were.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::layout::Mode;
use super::{Content, Table};
use crate::netlink::{Link, Netlink, NetlinkError, links};
use crate::nftables::{ListedChain, list_chains};
use crate::state::{Lock, read_run_file, remove_file, write_run_file};
use crate::xtables::Protocol;
use crate::{Host, HostError, Network, sysctl};

/// Forwarding of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forwarding {
    Ipv4,
    Ipv6,
}

impl Forwarding {
    /// Returns the switch: its path below `/proc/sys`.
    fn switch(self) -> &'static str {
        match self {
            Forwarding::Ipv4 => "net/ipv4/ip_forward",
            Forwarding::Ipv6 => "net/ipv6/conf/all/forwarding",
        }
    }

    /// Returns the file that remembers that the switch was off, with the devices whose ear for advertisements was widened.
    fn marker(self, host: &Host) -> PathBuf {
        host.run().join(match self {
            Forwarding::Ipv4 => "forwarding-was-off.json",
            Forwarding::Ipv6 => "forwarding6-was-off.json",
        })
    }

    /// Returns whether the table has to keep the host from forwarding for others.
    fn is_ours(self, host: &Host) -> Result<bool, HostError> {
        let marker = self.marker(host);
        if !marker.exists() && !sysctl::is_on(self.switch())? {
            if !Forwarding::Ipv4.marker(host).exists() && !Forwarding::Ipv6.marker(host).exists() {
                note_foreign_bridges(host)?;
            }
            let listeners = if self == Forwarding::Ipv6 { listeners()? } else { Vec::new() };
            write_run_file(&marker, &listeners)?;
        }
        Ok(marker.exists())
    }

    /// Makes the host forward; returns whether it did not before.
    fn turn_on(self, host: &Host) -> Result<bool, HostError> {
        if sysctl::is_on(self.switch())? {
            return Ok(false);
        }
        // With forwarding on, a device with accept_ra 1 listens to no router any more, and the kernel forgets the default
        // routes it has learned (ip-sysctl, accept_ra): the host would be cut off.
        let listeners: Vec<String> = read_run_file(&self.marker(host))?.unwrap_or_default();
        listeners.iter().try_for_each(|device| set_listening(device, "1", "2"))?;
        sysctl::set(self.switch(), true)?;
        Ok(true)
    }

    /// Puts forwarding back where it was, unless somebody else has come to need it.
    fn put_back(self, host: &Host, lock: &Lock) -> Result<(), HostError> {
        let marker = self.marker(host);
        let Some(listeners) = read_run_file::<Vec<String>>(&marker)? else { return Ok(()) };
        if !is_needed_by_others(&Table::of(host.run()), lock)? {
            sysctl::set(self.switch(), false)?;
            listeners.iter().try_for_each(|device| set_listening(device, "2", "1"))?;
        }
        Ok(remove_file(&marker)?)
    }
}

/// Returns what the rules depend on.
///
/// Whoever asks loads the table next and calls [`turn_on`] only then: a host that forwards for everybody, if only for a
/// moment, is what this is about.
pub(super) fn mode(host: &Host, content: &Content, _lock: &Lock) -> Result<Mode, HostError> {
    Ok(Mode {
        closed: Forwarding::Ipv4.is_ours(host)?,
        closed6: is_closed6(host) || (content.has_ipv6() && Forwarding::Ipv6.is_ours(host)?),
        publish: host.settings().publish,
    })
}

/// Kinds of ports that guests have: a bridge with others, as hardware, leads to a network that there was before.
const OF_GUESTS: [&str; 3] = ["veth", "tun", "dummy"];

/// Returns the bridges that there were when forwarding was turned on, those that lead to networks outside, and ours, whoever is on
/// them; none, where the host forwarded before.
pub(super) fn foreign(host: &Host, mode: Mode) -> Result<Vec<String>, HostError> {
    if !mode.closed && !mode.closed6 {
        return Ok(Vec::new());
    }
    let links = links(&mut Netlink::route()?)?;
    let of_others = |bridge: &&Link| {
        let mut ports = links.iter().filter(|port| port.master == Some(bridge.index));
        bridge.kind == "bridge" && ports.any(|port| !OF_GUESTS.contains(&port.kind.as_str()))
    };
    let outside = links.iter().filter(of_others).map(|bridge| bridge.name.clone());
    let ours = host.read_networks()?.into_iter().filter(Network::is_bridged).map(|network| network.bridge);
    let mut all: BTreeSet<_> = outside.chain(ours).collect();
    all.extend(match read_run_file::<Vec<String>>(&foreign_bridges(host))? {
        Some(noted) => noted,
        // forwarding was turned on by a version that did not write them down
        None => note_foreign_bridges(host)?,
    });
    Ok(all.into_iter().collect())
}

/// Returns the file with the bridges that there were when forwarding was turned on.
fn foreign_bridges(host: &Host) -> PathBuf {
    host.run().join("foreign-bridges.json")
}

/// Writes down the bridges that there are, and returns them. One of ours among them does no harm: what comes in or leaves by it is
/// decided before anybody looks here.
fn note_foreign_bridges(host: &Host) -> Result<Vec<String>, HostError> {
    let links = links(&mut Netlink::route()?)?;
    let bridges: Vec<_> = links.into_iter().filter(|link| link.kind == "bridge").map(|link| link.name).collect();
    write_run_file(&foreign_bridges(host), &bridges)?;
    Ok(bridges)
}

/// Returns whether the table keeps the host from forwarding IPv6 for others.
pub(super) fn is_closed6(host: &Host) -> bool {
    Forwarding::Ipv6.marker(host).exists()
}

/// Makes the host forward packets; returns what is to be said of it, once a boot.
pub(super) fn turn_on(host: &Host, content: &Content, _lock: &Lock) -> Result<Option<String>, HostError> {
    let mut switches = Vec::new();
    for family in [Forwarding::Ipv4, Forwarding::Ipv6] {
        let needed = family == Forwarding::Ipv4 || content.has_ipv6();
        if needed && family.turn_on(host)? {
            switches.push(family.switch().replace('/', "."));
        }
    }
    let said = host.run().join("forwarding-said.json");
    if switches.is_empty() || said.exists() {
        return Ok(None);
    }
    write_run_file(&said, &switches)?;
    let switches = switches.join(" and ");
    Ok(Some(format!("turned on {switches}, for containers only, until the last one is gone")))
}

/// Puts forwarding back where it was.
pub(super) fn put_back(host: &Host, lock: &Lock) -> Result<(), HostError> {
    Forwarding::Ipv4.put_back(host, lock)?;
    Forwarding::Ipv6.put_back(host, lock)?;
    Ok(remove_file(&foreign_bridges(host))?)
}

fn listening(device: &str) -> String {
    format!("net/ipv6/conf/{device}/accept_ra")
}

/// Returns the devices that listen to router advertisements as long as the host is no router.
fn listeners() -> Result<Vec<String>, HostError> {
    let devices = fs::read_dir("/proc/sys/net/ipv6/conf").into_iter().flatten().flatten();
    let names = devices.filter_map(|device| device.file_name().into_string().ok());
    // `all` decides nothing, `default` of devices to come.
    let own = names.filter(|name| name != "all" && name != "default");
    Ok(own.filter(|name| sysctl::value(&listening(name)).is_ok_and(|value| value == "1")).collect())
}

/// Changes what a device listens to, if it is as expected; a device that is gone listens to nothing.
fn set_listening(device: &str, from: &'static str, to: &'static str) -> Result<(), HostError> {
    match sysctl::value(&listening(device)) {
        Ok(value) if value == from => Ok(sysctl::write(&listening(device), to)?),
        _ => Ok(()),
    }
}

/// Returns whether another table looks at forwarded packets, as those of every router, container engine and virtual
/// machine host do, and of every firewall that would keep a forwarding host closed.
fn is_needed_by_others(ours: &Table, lock: &Lock) -> Result<bool, NetlinkError> {
    let mut netlink = Netlink::netfilter()?;
    let chains = netlink.dump(list_chains(), ListedChain::read)?;
    lock.outlive(netlink);
    let foreign = |chain: &ListedChain| chain.table != ours.name() && chain.point == Some(libc::NF_INET_FORWARD);
    Ok(chains.iter().any(foreign) || [Protocol::Ipv4, Protocol::Ipv6].into_iter().any(Protocol::has_tables))
}
