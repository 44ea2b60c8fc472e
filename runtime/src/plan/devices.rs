//! Device nodes of a container.
//!
//! *Pure.*

use std::path::{Path, PathBuf};

use nix::sys::stat::{SFlag, dev_t, makedev};
use oci_spec::runtime::{Linux, LinuxDevice, LinuxDeviceType};

use super::PlanError;
use super::error::check_path;
use super::mounts::{MountKind, MountPlan};

/// A device node to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// Absolute, as the container will see it.
    pub(crate) path: PathBuf,
    pub(crate) kind: SFlag,
    pub(crate) number: dev_t,
    /// Permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Highest major number (`MINORBITS`, `linux/kdev_t.h`: 12 bits are left for it).
const MAJOR: u64 = 0xfff;
/// Highest minor number.
const MINOR: u64 = 0xf_ffff;

/// Nodes every container has: runtime-spec, config-linux.md, "Default Devices".
const DEFAULT: [(&str, u64, u64); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Plans the nodes below `/dev`; `None` when a directory of the host is mounted there, with its own.
pub(super) fn plan(linux: &Linux, mounts: &[MountPlan]) -> Result<Option<Vec<Device>>, PlanError> {
    let bound =
        |mount: &MountPlan| mount.destination == Path::new("/dev") && matches!(mount.kind, MountKind::Bind { .. });
    if mounts.iter().any(bound) {
        return Ok(None);
    }
    let mut devices: Vec<Device> = DEFAULT.iter().map(default_device).collect();
    for device in linux.devices().iter().flatten() {
        let device = read(device)?;
        devices.retain(|known| known.path != device.path);
        devices.push(device);
    }
    Ok(Some(devices))
}

fn default_device((path, major, minor): &(&str, u64, u64)) -> Device {
    let number = makedev(*major, *minor);
    Device { path: path.into(), kind: SFlag::S_IFCHR, number, mode: 0o666, uid: 0, gid: 0 }
}

fn read(device: &LinuxDevice) -> Result<Device, PlanError> {
    let refused = |why| PlanError::invalid("linux.devices", device.path().display(), why);
    let kind = match device.typ() {
        LinuxDeviceType::B => SFlag::S_IFBLK,
        LinuxDeviceType::C | LinuxDeviceType::U => SFlag::S_IFCHR,
        LinuxDeviceType::P => SFlag::S_IFIFO,
        LinuxDeviceType::A => return Err(refused("its type must be `b`, `c`, `u` or `p`")),
    };
    // The kernel would cut a number to what fits, and make another device.
    let number = |number: i64, most: u64| {
        let number = u64::try_from(number).ok().filter(|number| *number <= most);
        number.ok_or_else(|| refused("its numbers must be 0 to 4095 and 0 to 1048575"))
    };
    check_path("linux.devices", device.path())?;
    if !device.path().is_absolute() || device.path().components().any(|part| part.as_os_str() == "..") {
        return Err(refused("its path must be absolute, without `..`"));
    }
    let fifo = kind == SFlag::S_IFIFO;
    // 0:0 is the number of no device, and what is read where the numbers are left out.
    if !fifo && (device.major(), device.minor()) == (0, 0) {
        return Err(refused("it has no numbers"));
    }
    Ok(Device {
        path: device.path().clone(),
        kind,
        number: if fifo { 0 } else { makedev(number(device.major(), MAJOR)?, number(device.minor(), MINOR)?) },
        mode: device.file_mode().unwrap_or(0o666) & 0o7777,
        uid: device.uid().unwrap_or(0),
        gid: device.gid().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_of_the_spec_replaces_the_default_of_its_name() {
        let linux: Linux = serde_json::from_str(
            r#"{"devices":[{"path":"/dev/null","type":"c","major":1,"minor":3,"fileMode":432,"gid":5},
                           {"path":"/dev/net/tun","type":"c","major":10,"minor":200}]}"#,
        )
        .unwrap();
        let devices = plan(&linux, &[]).unwrap().unwrap();
        assert_eq!(devices.len(), 7);
        let null: Vec<_> = devices.iter().filter(|device| device.path == Path::new("/dev/null")).collect();
        assert_eq!((null.len(), null[0].mode, null[0].gid), (1, 0o660, 5));
    }

    #[test]
    fn only_a_fifo_needs_no_numbers() {
        let planned = |kind: &str| {
            let device = format!(r#"{{"devices":[{{"path":"/dev/a","type":"{kind}"}}]}}"#);
            plan(&serde_json::from_str(&device).unwrap(), &[])
        };
        assert!(planned("p").is_ok());
        for kind in ["b", "c", "u", "a"] {
            assert!(planned(kind).is_err(), "{kind}");
        }
    }
}
