//! Mount options, as fstab(5) and the OCI runtime specification spell them.
//!
//! *Pure.* Flags of the mount (`ro`, `nosuid`), of the mounts below it as well (`rro`), of the file
//! system, propagation, and whatever is left: data for the file system.

use super::PlanError;
use crate::sys::mount::Attributes;

// MOUNT_ATTR_*, `linux/mount.h`.
pub(crate) const RDONLY: u64 = 0x1;
pub(crate) const NOSUID: u64 = 0x2;
pub(crate) const NODEV: u64 = 0x4;
pub(crate) const NOEXEC: u64 = 0x8;
const ATIME: u64 = 0x70;
const RELATIME: u64 = 0x0;
const NOATIME: u64 = 0x10;
const STRICTATIME: u64 = 0x20;
const NODIRATIME: u64 = 0x80;
const NOSYMFOLLOW: u64 = 0x20_0000;

/// Options of one mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MountOptions {
    /// `bind` or `rbind` was among them; `Some(true)`: with the mounts below.
    pub(crate) bind: Option<bool>,
    /// For the mount itself.
    pub(crate) attributes: Attributes,
    /// For the mount and all below it.
    pub(crate) recursive: Attributes,
    /// Parameters of the file system: `size=64m`, `newinstance`, `sync`.
    pub(crate) data: Vec<(String, Option<String>)>,
    /// What the image has at the destination is copied into the new tmpfs.
    pub(crate) copy_up: bool,
    /// `idmap` or `ridmap` was among them; `Some(true)`: with the mounts below.
    pub(crate) id_map: Option<bool>,
}

impl MountOptions {
    /// Reads the options of a mount, in their order: later ones win. `field` is where they stand:
    /// `mounts[3].options`.
    pub(crate) fn parse(options: &[String], field: &str) -> Result<Self, PlanError> {
        let mut parsed = Self::default();
        for option in options {
            let refused = |why| PlanError::invalid(field.to_owned(), option.escape_default(), why);
            if option.contains('\0') {
                return Err(refused("it contains a NUL"));
            }
            parsed.read(option).map_err(refused)?;
        }
        Ok(parsed)
    }

    fn read(&mut self, option: &str) -> Result<(), &'static str> {
        if let Some((bit, set)) = flag(option) {
            change(&mut self.attributes, bit, set);
        } else if let Some((bit, set)) = option.strip_prefix('r').and_then(flag) {
            change(&mut self.recursive, bit, set);
        } else if let Some((mode, recursive)) = propagation(option) {
            let attributes = if recursive { &mut self.recursive } else { &mut self.attributes };
            attributes.propagation = mode;
        } else {
            match option {
                "bind" => self.bind = Some(self.bind.unwrap_or(false)),
                "rbind" => self.bind = Some(true),
                "tmpcopyup" => self.copy_up = true,
                // The opposites of `sync`, `mand` and so on; how every mount starts.
                "defaults" | "async" | "nomand" | "nolazytime" | "loud" | "noiversion" | "norelatime" => {}
                // It decides what mount(2) writes to the kernel's log; the calls on descriptors write nothing.
                "silent" => {}
                "idmap" => self.id_map = Some(self.id_map.unwrap_or(false)),
                "ridmap" => self.id_map = Some(true),
                "remount" | "move" => return Err("every mount of a container is a new one"),
                "" => return Err("it is empty"),
                _ => self.data.push(match option.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                    None => (option.to_owned(), None),
                }),
            }
        }
        Ok(())
    }
}

/// Returns the bit an option sets or clears.
fn flag(option: &str) -> Option<(u64, bool)> {
    Some(match option {
        "ro" => (RDONLY, true),
        "rw" => (RDONLY, false),
        "nosuid" => (NOSUID, true),
        "suid" => (NOSUID, false),
        "nodev" => (NODEV, true),
        "dev" => (NODEV, false),
        "noexec" => (NOEXEC, true),
        "exec" => (NOEXEC, false),
        "nodiratime" => (NODIRATIME, true),
        "diratime" => (NODIRATIME, false),
        "nosymfollow" => (NOSYMFOLLOW, true),
        "symfollow" => (NOSYMFOLLOW, false),
        "noatime" => (NOATIME, true),
        "strictatime" => (STRICTATIME, true),
        "relatime" | "atime" | "nostrictatime" => (RELATIME, true),
        _ => return None,
    })
}

fn change(attributes: &mut Attributes, bit: u64, set: bool) {
    // How access times are kept is a number in three bits, not a flag: all three change together.
    let field = if bit == RELATIME || bit & ATIME != 0 { ATIME } else { bit };
    attributes.set &= !field;
    attributes.clear |= field;
    if set {
        attributes.set |= bit;
        // A set bit that is also to be cleared is what the kernel wants for the number, not for a flag.
        if field != ATIME {
            attributes.clear &= !bit;
        }
    }
}

/// Returns a kind of propagation (`MS_*`, mount(2)) and whether it is for the mounts below as well.
fn propagation(option: &str) -> Option<(u64, bool)> {
    let (name, recursive) = match option.strip_prefix('r') {
        Some(name) => (name, true),
        None => (option, false),
    };
    let mode = match name {
        "private" => libc::MS_PRIVATE,
        "slave" => libc::MS_SLAVE,
        "shared" => libc::MS_SHARED,
        "unbindable" => libc::MS_UNBINDABLE,
        _ => return None,
    };
    Some((mode, recursive))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &str) -> MountOptions {
        MountOptions::parse(&options.split(',').map(str::to_owned).collect::<Vec<_>>(), "mounts[0].options").unwrap()
    }

    #[test]
    fn flags_data_and_propagation_are_told_apart() {
        let options = parse("rbind,ro,nosuid,rprivate,size=64m,newinstance");
        assert_eq!(options.bind, Some(true));
        assert_eq!(options.attributes, Attributes { set: RDONLY | NOSUID, ..Attributes::default() });
        assert_eq!(options.recursive, Attributes { propagation: libc::MS_PRIVATE, ..Attributes::default() });
        assert_eq!(options.data, [("size".to_owned(), Some("64m".to_owned())), ("newinstance".to_owned(), None)]);
    }

    #[test]
    fn the_later_option_wins() {
        assert_eq!(parse("ro,rw").attributes, Attributes { clear: RDONLY, ..Attributes::default() });
        assert_eq!(parse("rw,ro").attributes, Attributes { set: RDONLY, ..Attributes::default() });
        assert_eq!(parse("noatime,relatime").attributes, Attributes { clear: ATIME, ..Attributes::default() });
    }

    #[test]
    fn access_times_are_one_number() {
        let expected = Attributes { set: STRICTATIME, clear: ATIME, ..Attributes::default() };
        assert_eq!(parse("noatime,strictatime").attributes, expected);
    }

    #[test]
    fn an_r_in_front_means_the_mounts_below_too() {
        assert_eq!(parse("rro").recursive, Attributes { set: RDONLY, ..Attributes::default() });
        assert_eq!(parse("rro").attributes, Attributes::default());
        assert_eq!(parse("rw").recursive, Attributes::default());
        assert_eq!(parse("relatime").recursive, Attributes::default());
    }

    #[test]
    fn ids_are_mapped_with_the_mounts_below_or_without() {
        assert_eq!((parse("bind,idmap").id_map, parse("idmap,ridmap").id_map), (Some(false), Some(true)));
    }

    #[test]
    fn what_no_mount_can_do_is_refused_by_name() {
        for option in ["remount", "", "a\0b"] {
            let error = MountOptions::parse(&[option.to_owned()], "mounts[3].options").unwrap_err().to_string();
            assert!(error.contains("`mounts[3].options`"), "{error}");
        }
    }
}
