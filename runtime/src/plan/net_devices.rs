//! Network devices of the host that a container takes over (config-linux.md, "Network Devices").
//!
//! *Pure.*

use oci_spec::runtime::Linux;

use super::{Namespaces, PlanError};

/// Longest name of a device in bytes (`IFNAMSIZ` with its NUL, `linux/if.h`).
const LONGEST: usize = 15;

/// A device to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetDevice {
    /// Its name on the host.
    pub(crate) host: String,
    /// Its name in the container.
    pub(crate) container: String,
}

/// Plans the devices to move, sorted by their names on the host.
pub(super) fn plan(linux: &Linux, namespaces: &Namespaces) -> Result<Vec<NetDevice>, PlanError> {
    let mut devices: Vec<NetDevice> = Vec::new();
    for (host, device) in linux.net_devices().iter().flatten() {
        let container = device.name().as_ref().filter(|name| !name.is_empty()).unwrap_or(host);
        let refused = |value: &str, why| Err(PlanError::invalid("linux.netDevices", value, why));
        if !namespaces.is_own(libc::CLONE_NEWNET) {
            return refused(host, "the container has no network namespace apart from the host's");
        }
        for name in [host, container] {
            if !is_name(name) {
                return refused(
                    name,
                    "it is no name of a device: 1 to 15 printable bytes, without `/`, `:`, `%` and blanks",
                );
            }
        }
        if devices.iter().any(|known| known.container == *container) {
            return refused(container, "two devices would have this name");
        }
        devices.push(NetDevice { host: host.clone(), container: container.clone() });
    }
    devices.sort_unstable_by(|one, other| one.host.cmp(&other.host));
    Ok(devices)
}

/// What the kernel takes for a name, but for templates (`eth%d`), whose outcome would have to be guessed.
fn is_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%');
    (1..=LONGEST).contains(&name.len()) && !matches!(name, "." | "..") && name.chars().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(json: &str, new: i32) -> Result<Vec<NetDevice>, PlanError> {
        let linux = serde_json::from_str(&format!(r#"{{"netDevices":{json}}}"#)).unwrap();
        plan(&linux, &Namespaces { new, join: Vec::new() })
    }

    #[test]
    fn a_device_keeps_its_name_or_gets_another() {
        let devices = planned(r#"{"eth1":{},"eth0":{"name":"lan"}}"#, libc::CLONE_NEWNET).unwrap();
        let names: Vec<_> = devices.iter().map(|device| (device.host.as_str(), device.container.as_str())).collect();
        assert_eq!(names, [("eth0", "lan"), ("eth1", "eth1")]);
    }

    #[test]
    fn what_cannot_be_moved_is_refused_by_name() {
        for (json, new) in [
            (r#"{"eth0":{}}"#, 0),
            (r#"{"eth0":{"name":"eth%d"}}"#, libc::CLONE_NEWNET),
            (r#"{"eth0":{"name":"a name"}}"#, libc::CLONE_NEWNET),
            (r#"{"eth0":{"name":"abcdefghijklmnop"}}"#, libc::CLONE_NEWNET),
            (r#"{"":{}}"#, libc::CLONE_NEWNET),
            (r#"{"a":{"name":"x"},"b":{"name":"x"}}"#, libc::CLONE_NEWNET),
        ] {
            let error = planned(json, new).unwrap_err().to_string();
            assert!(error.contains("linux.netDevices"), "{error}");
        }
    }
}
