//! The files of a container that does not run, as it sees them when it does: with its volumes and what else is mounted.
//!
//! Runs in the command, which holds the container's lock. A thread mounts them in a mount namespace of its own, so that nothing is
//! left however this process ends.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;

use crate::container_copy::make_folders;
use crate::spec::MountKind;
use crate::{Container, Engine, ViewError, durable, rootfs, volume};

impl Engine {
    /// Runs `f` with the root directory of a container that does not run; what it writes there, or to a volume, stays.
    pub(crate) fn with_files_of_stopped<T: Send>(
        &self,
        container: &Container,
        f: impl FnOnce(OwnedFd) -> T + Send,
    ) -> Result<T, ViewError> {
        let name = &container.spec.name;
        let view = |source: io::Error| ViewError::Mount { name: name.clone(), source };
        let below = self.layers_of(container)?;
        rootfs::adopt_root(below.root.as_deref(), &container.paths.upper()).map_err(view)?;
        let image = match &container.spec.layers {
            Some(_) => None,
            None => self.images.find(&container.spec.image.id).map_err(ViewError::from)?,
        };
        let inside = || -> Result<T, ViewError> {
            let none = None::<&str>;
            unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| view(errno.into()))?;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(|errno| view(errno.into()))?;
            let mounted = match &image {
                Some(image) => rootfs::mount(&container.paths, &self.images, image),
                None => rootfs::mount_stack(&container.paths, &below),
            };
            let path = mounted.map_err(|error| view(io::Error::other(error)))?.path;
            let root = File::open(&path).map_err(view)?;
            self.mount_in_stopped(container, &path, &root)?;
            Ok(f(root.into()))
        };
        let done = thread::scope(|scope| scope.spawn(inside).join()).unwrap_or_else(|panic| resume_unwind(panic));
        durable::remove_tree(container.paths.run())?;
        done
    }

    /// Mounts volumes and what is bound of the host where the container has them, the outer ones first.
    fn mount_in_stopped(&self, container: &Container, path: &Path, root: &File) -> Result<(), ViewError> {
        let mut mounts: Vec<_> = container.spec.mounts.iter().enumerate().collect();
        mounts.sort_by_key(|(_, mount)| Path::new(&mount.target).components().count());
        for (number, mount) in mounts {
            let source = match &mount.kind {
                MountKind::Volume { name, anonymous, no_copy, subpath } => {
                    let spec = volume::named(name, *anonymous);
                    let volume = self.ready_volume(&spec, *no_copy, (path, &mount.target))?;
                    match subpath {
                        Some(subpath) => volume::mount_part(&volume, subpath, (&container.paths, number))?,
                        None => volume.mountpoint,
                    }
                }
                MountKind::Bind { source, .. } if source.exists() => source.clone(),
                // what is only there while it runs, or cannot be written to
                MountKind::Bind { .. } | MountKind::Tmpfs { .. } | MountKind::Image { .. } => continue,
            };
            let failed = |source| ViewError::Mount { name: container.spec.name.clone(), source };
            bind(&source, (root, &mount.target), mount.read_only).map_err(failed)?;
        }
        Ok(())
    }
}

fn bind(source: &Path, (root, target): (&File, &str), read_only: bool) -> io::Result<()> {
    let opened = openat(AT_FDCWD, source, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(inside);
    let place = match openat2(root, target, how) {
        Err(Errno::ENOENT) if source.is_dir() => {
            make_folders(root.as_fd(), Path::new(target))?;
            openat2(root, target, how)?
        }
        Err(Errno::ENOENT) => return Ok(()), // a file that is made when the container starts
        place => place?,
    };
    let path_of = |fd: &OwnedFd| PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let none = None::<&str>;
    mount(Some(&path_of(&opened)), &path_of(&place), none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
    if read_only {
        let mounted = openat2(root, target, how)?;
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(none, &path_of(&mounted), none, flags, none)?;
    }
    Ok(())
}
