//! A part of a volume in a container: one folder or file of it.
//!
//! Runs in the monitor. Another container with the volume may exchange the part for a link to anywhere while this one starts. So
//! what was opened beneath the volume's root is mounted below the run directory, where nobody else can change a name, and that is
//! what the container gets.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{SFlag, fstat};

use super::{Volume, VolumeError, beneath};
use crate::durable;
use crate::layout::ContainerPaths;
use crate::runtime::trace::{self, Effect, Target};

/// Mounts what is at `subpath` of a volume, which must be there, as the mount `number` of a container; returns where.
pub(crate) fn mount_part(
    volume: &Volume,
    subpath: &str,
    (paths, number): (&ContainerPaths, usize),
) -> Result<PathBuf, VolumeError> {
    let place = paths.mount_source(number);
    let parent = place.parent().expect("it is below the run directory");
    durable::create_dir(parent)?;
    let effect = || Effect::Bind {
        source: Target::path(&volume.mountpoint.join(subpath)),
        target: Target::path(&place),
        recursive: true,
        options: Vec::new(),
    };
    let mounted = trace::step(effect, || bind(&volume.mountpoint, subpath, &place));
    let failed = |source| VolumeError::Subpath { name: volume.name.clone(), subpath: subpath.to_owned(), source };
    mounted.map(|()| place.clone()).map_err(failed)
}

fn bind(root: &Path, subpath: &str, place: &Path) -> io::Result<()> {
    let part = beneath(root, subpath)?;
    let is_folder = SFlag::from_bits_truncate(fstat(&part)?.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
    match is_folder {
        true => std::fs::create_dir(place)?,
        false => drop(File::create(place)?),
    }
    let none = None::<&str>;
    let source = format!("/proc/self/fd/{}", part.as_raw_fd());
    mount(Some(source.as_str()), place, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
    // else what is mounted in the volume would go with this mount
    Ok(mount(none, place, none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none)?)
}
