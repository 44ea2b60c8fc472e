//! A neighbour: a network namespace joined to the scenario's by a cable.

use std::net::Ipv4Addr;
use std::process::Child;
use std::time::Duration;

use super::{Output, eventually, run, tool};

const LIMIT: Duration = Duration::from_secs(20);

/// Address of the scenario's host on the cable (TEST-NET-1, RFC 5737).
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Another machine on the network of the scenario's host; gone when this is dropped.
pub(crate) struct Lan {
    /// Holds the namespace open.
    machine: Child,
}

impl Lan {
    /// Plugs the cable in; the neighbour is 192.0.2.2 and sends everything by way of the host.
    pub(crate) fn plug() -> Self {
        let machine = tool("unshare", ["--net", "sleep", "infinity"]).spawn().expect("unshare is in util-linux");
        let lan = Self { machine };
        eventually("the neighbour has a namespace of its own", LIMIT, || lan.moved());
        let pid = lan.machine.id().to_string();
        ip(["link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", &pid]);
        ip(["address", "add", "192.0.2.1/24", "dev", "cable0"]);
        ip(["link", "set", "cable0", "up"]);
        lan.run(["ip", "address", "add", "192.0.2.2/24", "dev", "cable1"]).ok();
        lan.run(["ip", "link", "set", "cable1", "up"]).ok();
        lan.run(["ip", "route", "add", "default", "via", "192.0.2.1"]).ok();
        lan
    }

    fn moved(&self) -> Result<(), String> {
        let of = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/net")).map_err(|error| error.to_string());
        if of(&self.machine.id().to_string())? == of("thread-self")? { Err("not yet".to_owned()) } else { Ok(()) }
    }

    /// Runs a program on the neighbour.
    pub(crate) fn run<const N: usize>(&self, words: [&str; N]) -> Output {
        let namespace = format!("--net=/proc/{}/ns/net", self.machine.id());
        run(tool("nsenter", [namespace.as_str(), "--"].into_iter().chain(words)), LIMIT)
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        let _ = self.machine.kill();
        let _ = self.machine.wait();
        // The namespace goes with its last process, the cable with the namespace, but not at once.
        let _ = run(tool("ip", ["link", "delete", "cable0"]), LIMIT);
    }
}

pub(super) fn ip<const N: usize>(arguments: [&str; N]) {
    run(tool("ip", arguments), LIMIT).ok();
}
