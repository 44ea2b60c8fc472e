//! A zone that follows the files. The monitor.
//!
//! Whoever starts a container writes a lease, and whoever asks next is answered by it. So a question costs a look at the
//! networks' directories; when one has changed, only the leases that are new are read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::zone::Zone;
use crate::state::{Lease, directory_names, read_run_file};
use crate::{Host, Network, StateError};

/// Age at which a time stamp tells a file or directory from any later state. Time stamps are as coarse as the kernel's tick, so
/// two changes in one tick look like one.
const SETTLED: Duration = Duration::from_millis(500);

/// What tells one content of a file from another: a lease is never changed, only replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: SystemTime,
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let file = fs::metadata(path).ok()?;
        let seconds = Duration::from_secs(u64::try_from(file.ctime()).ok()?);
        let rest = Duration::from_nanos(u64::try_from(file.ctime_nsec()).ok()?);
        Some(Stamp { inode: file.ino(), changed: SystemTime::UNIX_EPOCH + seconds + rest })
    }

    fn is_settled(&self) -> bool {
        SystemTime::now().duration_since(self.changed).is_ok_and(|age| age > SETTLED)
    }
}

/// The leases of one network.
#[derive(Debug)]
struct LiveNetwork {
    network: Network,
    /// State of the directory when its names were last read, if that is long enough ago to be told from a later one.
    seen: Option<Stamp>,
    leases: BTreeMap<String, (Stamp, Lease)>,
}

impl LiveNetwork {
    fn new(network: Network) -> LiveNetwork {
        LiveNetwork { network, seen: None, leases: BTreeMap::new() }
    }

    /// Reads what has changed; returns whether anything has.
    fn follow(&mut self, host: &Host) -> Result<bool, StateError> {
        let directory = host.leases(&self.network.id);
        let now = Stamp::of(&directory);
        if now.is_some() && now == self.seen {
            return Ok(false);
        }
        let mut leases = BTreeMap::new();
        for name in directory_names(&directory)? {
            // One that is gone since its name was read is no lease any more.
            let Some(stamp) = Stamp::of(&directory.join(&name)) else { continue };
            match self.leases.remove(&name) {
                Some((known, lease)) if known == stamp && stamp.is_settled() => _ = leases.insert(name, (stamp, lease)),
                _ => {
                    let lease = read_run_file::<Lease>(&directory.join(&name))?;
                    leases.extend(lease.map(|lease| (name, (stamp, lease))));
                }
            }
        }
        self.leases = leases;
        self.seen = now.filter(Stamp::is_settled);
        Ok(true)
    }
}

/// The zone of one container.
#[derive(Debug)]
pub(super) struct LiveZone {
    host: Host,
    links: Vec<(String, String)>,
    networks: Vec<LiveNetwork>,
    zone: Zone,
}

impl LiveZone {
    pub(super) fn new(host: &Host, networks: Vec<Network>, links: Vec<(String, String)>) -> LiveZone {
        let zone = Zone::of(&networks, [], &links);
        LiveZone { host: host.clone(), links, networks: networks.into_iter().map(LiveNetwork::new).collect(), zone }
    }

    /// Returns the further names that it was made with.
    pub(super) fn links(&self) -> &[(String, String)] {
        &self.links
    }

    /// Returns the zone as it is now. While the files cannot be read, as it was.
    pub(super) fn current(&mut self) -> &Zone {
        let mut changed = false;
        for network in &mut self.networks {
            changed |= network.follow(&self.host).unwrap_or(false);
        }
        if changed {
            let networks: Vec<_> = self.networks.iter().map(|live| live.network.clone()).collect();
            let leases = self.networks.iter().flat_map(|live| live.leases.values().map(|(_, lease)| lease));
            self.zone = Zone::of(&networks, leases, &self.links);
        }
        &self.zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::zone::tests::network;
    use crate::state::tests::lease;

    fn host() -> (tempfile::TempDir, Host) {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::new(directory.path(), &directory.path().join("run"));
        (directory, host)
    }

    #[test]
    fn a_lease_is_seen_with_the_next_question() {
        let (_directory, host) = host();
        let mut live = LiveZone::new(&host, vec![network(false)], Vec::new());
        assert_eq!(live.current().addresses("web"), None);
        let lock = host.lock().unwrap();
        host.write_lease(&lease(2, &["web"]), &lock).unwrap();
        assert_eq!(live.current().addresses("web").map(<[_]>::len), Some(1));
        host.remove_lease(&lease(2, &["web"]), &lock).unwrap();
        assert_eq!(live.current().addresses("web"), None);
    }

    #[test]
    fn a_lease_that_comes_back_with_another_address_is_read_again() {
        let (_directory, host) = host();
        let mut live = LiveZone::new(&host, vec![network(false)], Vec::new());
        let lock = host.lock().unwrap();
        for last in 2..20 {
            let mut lease = lease(last, &["web"]);
            lease.endpoint.container = "c".into();
            host.write_lease(&lease, &lock).unwrap();
            let expected = lease.endpoint.addresses[0].address;
            assert_eq!(live.current().addresses("web"), Some([expected].as_slice()));
            host.remove_lease(&lease, &lock).unwrap();
        }
    }
}
