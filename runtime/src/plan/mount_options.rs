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

/// Options of the mount itself, with an `r` in front of the mounts below it as well: the bits, and whether they are set.
const FLAGS: [(&str, u64, bool); 17] = [
    ("ro", RDONLY, true),
    ("rw", RDONLY, false),
    ("nosuid", NOSUID, true),
    ("suid", NOSUID, false),
    ("nodev", NODEV, true),
    ("dev", NODEV, false),
    ("noexec", NOEXEC, true),
    ("exec", NOEXEC, false),
    ("nodiratime", NODIRATIME, true),
    ("diratime", NODIRATIME, false),
    ("nosymfollow", NOSYMFOLLOW, true),
    ("symfollow", NOSYMFOLLOW, false),
    ("noatime", NOATIME, true),
    ("strictatime", STRICTATIME, true),
    ("relatime", RELATIME, true),
    ("atime", RELATIME, true),
    ("nostrictatime", RELATIME, true),
];

/// Options of the file system that are no parameters of its own: a flag of mount(2), and whether it is set.
const OF_FILE_SYSTEMS: [(&str, u64, bool); 11] = [
    ("sync", libc::MS_SYNCHRONOUS, true),
    ("async", libc::MS_SYNCHRONOUS, false),
    ("dirsync", libc::MS_DIRSYNC, true),
    ("lazytime", LAZYTIME, true),
    ("nolazytime", LAZYTIME, false),
    ("mand", libc::MS_MANDLOCK, true),
    ("nomand", libc::MS_MANDLOCK, false),
    ("iversion", libc::MS_I_VERSION, true),
    ("noiversion", libc::MS_I_VERSION, false),
    ("silent", libc::MS_SILENT, true),
    ("loud", libc::MS_SILENT, false),
];

/// `MS_LAZYTIME`, `linux/mount.h`.
const LAZYTIME: u64 = 1 << 25;

/// Kinds of propagation, with an `r` in front for the mounts below as well.
const PROPAGATIONS: [(&str, u64); 4] = [
    ("private", libc::MS_PRIVATE),
    ("slave", libc::MS_SLAVE),
    ("shared", libc::MS_SHARED),
    ("unbindable", libc::MS_UNBINDABLE),
];

/// How every mount starts.
const NEUTRAL: [&str; 3] = ["defaults", "norelatime", "rnorelatime"];

/// What says how a mount comes to be.
const WAYS: [&str; 6] = ["bind", "rbind", "remount", "idmap", "ridmap", "tmpcopyup"];

/// Returns all options that are known, in the order of their names; others are the file system's.
pub(crate) fn known() -> Vec<String> {
    let flags = FLAGS.iter().map(|(name, ..)| *name);
    let twice = flags.chain(PROPAGATIONS.iter().map(|(name, _)| *name));
    let recursive = twice.clone().map(|name| format!("r{name}"));
    let once = OF_FILE_SYSTEMS.iter().map(|(name, ..)| *name).chain(NEUTRAL).chain(WAYS);
    let mut names: Vec<String> = twice.chain(once).map(str::to_owned).chain(recursive).collect();
    names.sort_unstable();
    names
}

/// Options of one mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MountOptions {
    /// `bind` or `rbind` was among them; `Some(true)`: with the mounts below.
    pub(crate) bind: Option<bool>,
    /// `remount` was among them.
    pub(crate) remount: bool,
    /// For the mount itself.
    pub(crate) attributes: Attributes,
    /// For the mount and all below it.
    pub(crate) recursive: Attributes,
    /// For the file system.
    pub(crate) flags: FilesystemFlags,
    /// Parameters of the file system: `size=64m`, `newinstance`.
    pub(crate) data: Vec<(String, Option<String>)>,
    /// What the image has at the destination is copied into the new tmpfs.
    pub(crate) copy_up: bool,
    /// `idmap` or `ridmap` was among them; `Some(true)`: with the mounts below.
    pub(crate) id_map: Option<bool>,
}

/// Flags that all file systems have; `MS_*`, mount(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FilesystemFlags {
    pub(crate) set: u64,
    pub(crate) clear: u64,
}

impl FilesystemFlags {
    /// Tells whether mount(2) alone can set them: fsconfig(2) has no word for `iversion`.
    pub(crate) fn need_mount(self) -> bool {
        self.set & libc::MS_I_VERSION != 0
    }

    /// Returns the words that fsconfig(2) has for them.
    ///
    /// None for `silent` and `loud`, which say what mount(2) writes to the kernel's log: fsconfig(2) writes nothing.
    pub(crate) fn parameters(self) -> impl Iterator<Item = &'static str> {
        let spoken = OF_FILE_SYSTEMS.iter().filter(|(_, bit, _)| bit & (libc::MS_I_VERSION | libc::MS_SILENT) == 0);
        spoken
            .filter(move |(_, bit, set)| if *set { self.set & bit != 0 } else { self.clear & bit != 0 })
            .map(|(name, ..)| *name)
    }

    fn change(&mut self, bit: u64, set: bool) {
        let (to, from) = if set { (&mut self.set, &mut self.clear) } else { (&mut self.clear, &mut self.set) };
        *to |= bit;
        *from &= !bit;
    }
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
        if NEUTRAL.contains(&option) {
            return Ok(());
        }
        if let Some((bit, set)) = flag(option) {
            change(&mut self.attributes, bit, set);
        } else if let Some((bit, set)) = option.strip_prefix('r').and_then(flag) {
            change(&mut self.recursive, bit, set);
        } else if let Some((_, bit, set)) = OF_FILE_SYSTEMS.iter().find(|(name, ..)| *name == option) {
            self.flags.change(*bit, *set);
        } else if let Some((mode, recursive)) = propagation(option) {
            let attributes = if recursive { &mut self.recursive } else { &mut self.attributes };
            attributes.propagation = mode;
        } else {
            self.read_way(option)?;
        }
        Ok(())
    }

    /// Reads one of [`WAYS`], or what is left for the file system.
    fn read_way(&mut self, option: &str) -> Result<(), &'static str> {
        match option {
            "bind" => self.bind = Some(self.bind.unwrap_or(false)),
            "rbind" => self.bind = Some(true),
            "remount" => self.remount = true,
            "tmpcopyup" => self.copy_up = true,
            "idmap" => self.id_map = Some(self.id_map.unwrap_or(false)),
            "ridmap" => self.id_map = Some(true),
            "move" => return Err("a container has no mount that could be moved"),
            "" => return Err("it is empty"),
            _ => self.data.push(match option.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (option.to_owned(), None),
            }),
        }
        Ok(())
    }
}

/// Returns the bit an option sets or clears.
fn flag(option: &str) -> Option<(u64, bool)> {
    FLAGS.iter().find(|(name, ..)| *name == option).map(|(_, bit, set)| (*bit, *set))
}

/// Spells flags as the options that give them.
pub(crate) fn spelled(attributes: Attributes) -> Vec<&'static str> {
    const NAMES: [(u64, &str, &str); 6] = [
        (RDONLY, "ro", "rw"),
        (NOSUID, "nosuid", "suid"),
        (NODEV, "nodev", "dev"),
        (NOEXEC, "noexec", "exec"),
        (NODIRATIME, "nodiratime", "diratime"),
        (NOSYMFOLLOW, "nosymfollow", "symfollow"),
    ];
    let flag = |(bit, on, off): (u64, &'static str, &'static str)| match (attributes.set & bit, attributes.clear & bit)
    {
        (0, 0) => None,
        (0, _) => Some(off),
        _ => Some(on),
    };
    let times = match (attributes.set & ATIME, attributes.clear & ATIME) {
        (NOATIME, _) => Some("noatime"),
        (STRICTATIME, _) => Some("strictatime"),
        (_, 0) => None,
        _ => Some("relatime"),
    };
    NAMES.into_iter().filter_map(flag).chain(times).collect()
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
    let (_, mode) = PROPAGATIONS.iter().find(|(known, _)| *known == name)?;
    Some((*mode, recursive))
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
    fn flags_are_spelled_as_they_were_given() {
        for options in ["ro,nosuid,nodev,noexec,noatime", "rw,suid,strictatime", "nodiratime,nosymfollow,relatime"] {
            assert_eq!(spelled(parse(options).attributes).join(","), options);
        }
        assert_eq!(spelled(Attributes::default()), Vec::<&str>::new());
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
    fn a_flag_of_the_file_system_is_undone_by_its_opposite() {
        let words = |options: &str| parse(options).flags.parameters().collect::<Vec<_>>();
        assert_eq!(words("sync,async"), ["async"]);
        assert_eq!(words("async,sync,lazytime,dirsync,iversion,silent"), ["sync", "dirsync", "lazytime"]);
        assert!(parse("noiversion,iversion").flags.need_mount() && !parse("iversion,noiversion").flags.need_mount());
        assert!(parse("sync,async,mand,loud").data.is_empty());
    }

    #[test]
    fn what_is_said_to_be_known_is_no_parameter_of_a_file_system() {
        let known = known();
        for option in &known {
            assert_eq!(parse(option).data, [], "{option}");
        }
        assert!(known.iter().any(|option| option == "rnorelatime") && known.is_sorted());
        assert_eq!(parse("rrelatime").recursive, parse("ratime").recursive);
    }

    #[test]
    fn ids_are_mapped_with_the_mounts_below_or_without() {
        assert_eq!((parse("bind,idmap").id_map, parse("idmap,ridmap").id_map), (Some(false), Some(true)));
    }

    #[test]
    fn what_no_mount_can_do_is_refused_by_name() {
        for option in ["move", "", "a\0b"] {
            let error = MountOptions::parse(&[option.to_owned()], "mounts[3].options").unwrap_err().to_string();
            assert!(error.contains("`mounts[3].options`"), "{error}");
        }
    }
}
