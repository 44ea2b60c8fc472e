//! Device nodes and links below `/dev`.

use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat, mknodat};
use nix::unistd::{Gid, Uid, fchownat, symlinkat};

use super::beneath::RootDirectory;
use super::error::{Act, InitError};
use super::place::Place;
use crate::plan::Device;
use crate::sys::mount::Attributes;
use crate::trace::{self, Effect};

/// Links every container has: runtime-spec, runtime-linux.md, "Dev symbolic links".
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Makes nodes and links. `/dev` itself must be a directory, not a link that leads elsewhere.
pub(super) fn make(root: &RootDirectory, devices: &[Device]) -> Result<(), InitError> {
    let dev = Path::new("/dev");
    root.ensure_directory(dev).act_on("make directory", dev)?;
    let directory = root.open_without_links(dev, OFlag::O_PATH | OFlag::O_DIRECTORY).act_on("open", dev)?;
    // A caller that lists all of the host's nodes means those of the container's own terminals.
    for device in devices.iter().filter(|device| device.path != dev.join("ptmx")) {
        make_node(root, device)?;
    }
    for (name, target) in LINKS {
        let effect = || Effect::link(&dev.join(name), Path::new(target));
        match trace::step(effect, || symlinkat(target, directory.as_fd(), name)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno).act_on("make link", &dev.join(name)),
        }
    }
    Ok(())
}

fn make_node(root: &RootDirectory, device: &Device) -> Result<(), InitError> {
    let path = device.path.as_path();
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(InitError::refused(format!("make device `{}`: it has no name", path.display())));
    };
    root.ensure_directory(above).act_on("make directory", above)?;
    let parent = root.open_without_links(above, OFlag::O_PATH | OFlag::O_DIRECTORY).act_on("open", above)?;
    let make = || mknodat(&parent, name, device.kind, Mode::from_bits_truncate(device.mode), device.number);
    match trace::step(|| Effect::node(device), make) {
        Ok(()) => {}
        Err(Errno::EEXIST) => return check_existing(&parent, device),
        // A host that does not let us make nodes may let us mount its own.
        Err(Errno::EPERM) => return bind_node(root, device),
        Err(errno) => return Err(errno).act_on("make device (`linux.devices`)", path),
    }
    let (uid, gid) = (Uid::from_raw(device.uid), Gid::from_raw(device.gid));
    fchownat(&parent, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW).act_on("change the owner of", path)
}

/// What is there already must be what was asked for.
fn check_existing(parent: impl AsFd, device: &Device) -> Result<(), InitError> {
    let name = device.path.file_name().unwrap_or_default();
    let stat = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW).act_on("look at", &device.path)?;
    let same_kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == device.kind;
    if same_kind && stat.st_rdev == device.number {
        return Ok(());
    }
    Err(InitError::refused(format!("make device `{}`: something else is there", device.path.display())))
}

/// Mounts the host's node of the same path, once it is certain to be that device.
fn bind_node(root: &RootDirectory, device: &Device) -> Result<(), InitError> {
    let path = device.path.as_path();
    let node = openat(AT_FDCWD, path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
    let node = node.act_on("make a device; open the host's", path)?;
    let stat = fstat(&node).act_on("look at", path)?;
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != device.kind || stat.st_rdev != device.number {
        return Err(InitError::refused(format!("make device `{}`: the host's is another", path.display())));
    }
    Place::file(root, path)?.bind(node.as_fd(), false, Attributes::default(), Attributes::default())
}
