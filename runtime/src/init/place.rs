//! A place in the root filesystem where something is mounted, known by descriptor.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::beneath::RootDirectory;
use super::error::{Act, InitError};
use super::{classic, copy_up};
use crate::plan::{MountOptions, mount_options};
use crate::sys::mount::{self, Attributes};
use crate::trace::{self, Effect};

/// A mount target: the directory or file to cover, opened beneath the root.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) root: &'a RootDirectory,
    pub(super) path: &'a Path,
    pub(super) target: OwnedFd,
}

impl<'a> Place<'a> {
    /// A directory, which is made where there is none.
    pub(super) fn directory(root: &'a RootDirectory, path: &'a Path) -> Result<Self, InitError> {
        let target = root.ensure_directory(path).act_on("make directory", path)?;
        Ok(Self { root, path, target })
    }

    /// A file, which is made where there is none.
    pub(super) fn file(root: &'a RootDirectory, path: &'a Path) -> Result<Self, InitError> {
        let target = root.ensure_file(path).act_on("make file", path)?;
        Ok(Self { root, path, target })
    }

    /// Mounts a new file system of type `fstype` here.
    pub(super) fn mount_filesystem(&self, fstype: &str, source: &str, options: &MountOptions) -> Result<(), InitError> {
        let effect = || Effect::mount(self.path, (fstype, source), options);
        trace::step(effect, || self.mount_new(fstype, source, options))
    }

    fn mount_new(&self, fstype: &str, source: &str, options: &MountOptions) -> Result<(), InitError> {
        let act = format!("mount `{source}` as {fstype} on");
        let recursive = options.recursive;
        // What is to be filled is read-only afterwards.
        let late = if options.copy_up { options.attributes.set & mount_options::RDONLY } else { 0 };
        if options.flags.need_mount() {
            return self.mount_classic(fstype, source, options, &act);
        }
        match detached_filesystem(fstype, source, options, late, (&act, self.path)) {
            Ok(mounted) => {
                if options.copy_up {
                    copy_up::fill(self.target.as_fd(), mounted.as_fd(), self.path)?;
                }
                let rest = Attributes { set: late, clear: 0, ..options.attributes };
                self.change_detached(mounted.as_fd(), rest, recursive)?;
                mount::move_mount(mounted.as_fd(), self.target.as_fd()).act_on(&act, self.path)
            }
            Err(InitError { errno: Some(Errno::ENOSYS), .. }) if options.copy_up => {
                Err(InitError::new(format!("fill `{}` (`tmpcopyup`)", self.path.display()), Errno::ENOSYS))
            }
            Err(InitError { errno: Some(Errno::ENOSYS), .. }) => self.mount_classic(fstype, source, options, &act),
            Err(error) => Err(error),
        }
    }

    /// Mounts a new file system by mount(2).
    fn mount_classic(&self, fstype: &str, source: &str, options: &MountOptions, act: &str) -> Result<(), InitError> {
        classic::filesystem((fstype, source), options, self.target.as_fd()).act_on(act, self.path)?;
        self.change_mounted(Attributes { set: 0, clear: 0, ..options.attributes }, options.recursive)
    }

    /// Mounts a file system of type `fstype` that is mounted elsewhere, at `mounted`, here as well: as good as a new one of
    /// these options, and told as one.
    pub(super) fn mount_again(
        &self,
        (fstype, source): (&str, &str),
        options: &MountOptions,
        mounted: BorrowedFd<'_>,
    ) -> Result<(), InitError> {
        let effect = || Effect::mount(self.path, (fstype, source), options);
        let none = Attributes::default();
        trace::step(effect, || self.bind_open(mounted, false, none, none))
    }

    /// Mounts what `source` holds here once more.
    pub(super) fn bind(
        &self,
        source: BorrowedFd<'_>,
        below: bool,
        own: Attributes,
        recursive: Attributes,
    ) -> Result<(), InitError> {
        let effect = || Effect::bind(self.root.as_fd(), (source, self.path), below, (own, recursive));
        trace::step(effect, || self.bind_open(source, below, own, recursive))
    }

    fn bind_open(
        &self,
        source: BorrowedFd<'_>,
        below: bool,
        own: Attributes,
        recursive: Attributes,
    ) -> Result<(), InitError> {
        match mount::clone_tree(source, c"", below) {
            Ok(tree) => {
                self.change_detached(tree.as_fd(), own, recursive)?;
                mount::move_mount(tree.as_fd(), self.target.as_fd()).act_on("bind over", self.path)
            }
            Err(Errno::ENOSYS) => {
                classic::bind(source, below, self.target.as_fd()).act_on("bind over", self.path)?;
                self.change_mounted(own, recursive)
            }
            Err(errno) => Err(errno).act_on("bind over", self.path),
        }
    }

    /// Attaches a mount that is complete.
    pub(super) fn attach(&self, mounted: BorrowedFd<'_>) -> Result<(), InitError> {
        mount::move_mount(mounted, self.target.as_fd()).act_on("bind over", self.path)
    }

    /// Changes a mount before anybody can reach it.
    fn change_detached(
        &self,
        mounted: BorrowedFd<'_>,
        own: Attributes,
        recursive: Attributes,
    ) -> Result<(), InitError> {
        for (attributes, below) in [(own, false), (recursive, true)] {
            if attributes != Attributes::default() {
                mount::mount_setattr(mounted, below, attributes).act_on("set mount options of", self.path)?;
            }
        }
        Ok(())
    }

    /// Changes a mount that is attached here already.
    fn change_mounted(&self, own: Attributes, recursive: Attributes) -> Result<(), InitError> {
        if own == Attributes::default() && recursive == Attributes::default() {
            return Ok(());
        }
        // `target` is what is covered; opened again, the path leads to what covers it.
        let mounted = self.root.open_path(self.path, OFlag::O_PATH).act_on("open", self.path)?;
        for (attributes, below) in [(own, false), (recursive, true)] {
            if attributes != Attributes::default() {
                change(mounted.as_fd(), below, attributes).act_on("set mount options of", self.path)?;
            }
        }
        Ok(())
    }
}

/// Changes a mount by the newest call there is.
pub(super) fn change(mounted: BorrowedFd<'_>, below: bool, attributes: Attributes) -> nix::Result<()> {
    match mount::mount_setattr(mounted, below, attributes) {
        Err(Errno::ENOSYS) => classic::change(mounted, below, attributes),
        result => result,
    }
}

/// Changes the mount at `path`, and of its file system only what is named: others may use that as well.
///
/// Where it says nothing about the file system, none is touched. Changing one needs Linux 5.2.
pub(super) fn remount(root: &RootDirectory, path: &Path, options: &MountOptions) -> Result<(), InitError> {
    let mounted = root.open_path(path, OFlag::O_PATH).act_on("open", path)?;
    if !options.data.is_empty() || options.flags.parameters().next().is_some() {
        let context = mount::fspick(mounted.as_fd()).act_on("remount", path)?;
        configure(context.as_fd(), options, ("remount", path))?;
        mount::fsconfig_reconfigure(context.as_fd()).act_on("remount", path)?;
    }
    for (attributes, below) in [(options.attributes, false), (options.recursive, true)] {
        if attributes != Attributes::default() {
            change(mounted.as_fd(), below, attributes).act_on("remount", path)?;
        }
    }
    Ok(())
}

/// Makes a file system, mounted nowhere yet, without the attributes that are to be set `late`.
fn detached_filesystem(
    fstype: &str,
    source: &str,
    options: &MountOptions,
    late: u64,
    (act, path): (&str, &Path),
) -> Result<OwnedFd, InitError> {
    let context = mount::fsopen(&string(fstype)).act_on(act, path)?;
    mount::fsconfig_string(context.as_fd(), c"source", &string(source)).act_on(act, path)?;
    configure(context.as_fd(), options, (act, path))?;
    mount::fsconfig_create(context.as_fd()).act_on(act, path)?;
    mount::fsmount(context.as_fd(), options.attributes.set & !late).act_on(act, path)
}

/// Sets the parameters of a file system.
fn configure(context: BorrowedFd<'_>, options: &MountOptions, (act, path): (&str, &Path)) -> Result<(), InitError> {
    let own = options.data.iter().map(|(key, value)| (key.as_str(), value.as_ref()));
    for (key, value) in own.chain(options.flags.parameters().map(|key| (key, None))) {
        let set = match value {
            Some(value) => mount::fsconfig_string(context, &string(key), &string(value)),
            None => mount::fsconfig_flag(context, &string(key)),
        };
        set.map_err(|errno| InitError::new(format!("{act} `{}` with option `{key}`", path.display()), errno))?;
    }
    Ok(())
}

fn string(text: &str) -> CString {
    CString::new(text).expect("texts with a NUL are refused when the spec is read")
}
