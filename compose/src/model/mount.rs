//! File systems of a container beside its root.

use std::path::PathBuf;

/// Mount propagation (mount_namespaces(7)); the recursive forms include mounts below the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// `rprivate`: neither way.
    #[default]
    Rprivate,
    /// `private`.
    Private,
    /// `rshared`: both ways.
    Rshared,
    /// `shared`.
    Shared,
    /// `rslave`: into the container.
    Rslave,
    /// `slave`.
    Slave,
}

/// A bind mount of a host path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindMount {
    /// The absolute path on the host.
    pub source: PathBuf,
    /// Whether a missing source is made as an empty folder; else it is an error.
    pub create_host_path: bool,
    /// Which mounts made later are seen on the other side.
    pub propagation: Propagation,
}

/// A mount of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMount {
    /// The key in the top-level `volumes`; [`None`] is an anonymous volume.
    pub key: Option<String>,
    /// Whether an empty new volume stays empty instead of getting what the image has there.
    pub no_copy: bool,
    /// A folder of the volume instead of its root.
    pub subpath: Option<String>,
}

/// A file system in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TmpfsMount {
    /// Its limit in bytes; [`None`] leaves it to the kernel (half of the memory).
    pub size: Option<u64>,
    /// Permission bits of its root; default is 1777.
    pub mode: Option<u32>,
    /// Further options of the short `tmpfs:` form, as written (`uid=…`, `noexec` …).
    pub options: Vec<String>,
}

/// The files of an image, for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageMount {
    /// Its name.
    pub reference: String,
    /// A file or folder of the image instead of its root.
    pub subpath: Option<String>,
}

/// Whose mounts a service gets too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lender {
    /// The first container of a service of the project.
    Service(String),
    /// A container outside of the project.
    Container(String),
}

/// One entry of `volumes_from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumesFrom {
    /// Whose mounts.
    pub lender: Lender,
    /// Whether the container may not write there, even where the lender may.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// A host path.
    Bind(BindMount),
    /// A volume.
    Volume(VolumeMount),
    /// Memory.
    Tmpfs(TmpfsMount),
    /// An image.
    Image(ImageMount),
}

/// One entry of `volumes` or `tmpfs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The absolute path in the container, without trailing slash or `..`.
    pub target: String,
    /// Whether the container may not write there.
    pub read_only: bool,
    /// What is mounted.
    pub kind: MountKind,
}
