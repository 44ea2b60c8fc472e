//! One entry of an archive, with everything that extended headers say merged in.
//!
//! Runs in the shell command's process, in a layer's extracting thread.

use super::sparse::SparseMap;

/// A file, directory, link or device of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Name as the archive has it: any bytes but NUL, perhaps absolute, perhaps with `..`.
    pub(crate) path: Vec<u8>,
    /// Target of a symbolic or hard link; empty otherwise.
    pub(crate) link: Vec<u8>,
    /// What it is.
    pub(crate) kind: Kind,
    /// Permission, setuid, setgid and sticky bits.
    pub(crate) mode: u32,
    /// Numeric owner.
    pub(crate) uid: u32,
    /// Numeric group.
    pub(crate) gid: u32,
    /// Time of last modification.
    pub(crate) mtime: Timestamp,
    /// Bytes of content that follow in the archive.
    pub(crate) size: u64,
    /// Where the content goes in a file with holes; `None` for an ordinary file.
    pub(crate) sparse: Option<SparseMap>,
    /// Extended attributes, name and value, sorted by name.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an entry makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Another name for a file of this archive or of a lower layer.
    HardLink,
    /// A character device.
    CharDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
}

/// A device number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device {
    /// Driver.
    pub(crate) major: u32,
    /// Device of that driver.
    pub(crate) minor: u32,
}

/// A point in time; before 1970 `seconds` is negative and `nanoseconds` still counts forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Timestamp {
    /// Seconds since 1970-01-01 UTC, rounded down.
    pub(crate) seconds: i64,
    /// Nanoseconds after that, below 10⁹.
    pub(crate) nanoseconds: u32,
}
