//! Mounts and devices a container asks for.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One mount beside the standard ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path inside the container.
    pub target: String,
    /// Refuse writes, in all submounts too.
    #[serde(default)]
    pub read_only: bool,
    /// What appears there.
    pub kind: MountKind,
}

/// Where the content of a mount comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountKind {
    /// A file or directory of the host.
    Bind {
        /// Absolute path on the host.
        source: PathBuf,
        /// Make a directory there if nothing exists (short syntax of Compose, `-v`).
        create: bool,
        /// Mount propagation.
        #[serde(default)]
        propagation: BindPropagation,
    },
    /// A named volume; made on first use.
    Volume {
        /// Name of the volume.
        name: String,
        /// The volume belongs to this container alone and goes with it.
        #[serde(default)]
        anonymous: bool,
        /// Do not copy what the image has at the target into an empty volume.
        #[serde(default)]
        no_copy: bool,
        /// A folder inside the volume instead of its root.
        #[serde(default)]
        subpath: Option<String>,
    },
    /// The files of an image, for reading.
    Image {
        /// The name the user gave.
        reference: String,
        /// The image's id; empty until [`crate::Engine::create`] has looked it up.
        #[serde(default)]
        id: String,
        /// A file or folder inside the image instead of its root.
        #[serde(default)]
        subpath: Option<String>,
    },
    /// Memory.
    Tmpfs {
        /// Size in bytes; `None` = the kernel's default (half of the memory).
        size: Option<u64>,
        /// Mode of its root, for example 0o1777.
        mode: Option<u32>,
        /// Further options of tmpfs(5), as given (`uid=1000`, `exec`).
        #[serde(default)]
        options: Vec<String>,
    },
}

/// A container whose mounts another one gets too, at the same places; those in memory are its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesFrom {
    /// Its name or id.
    pub container: String,
    /// Refuse writes even where that container may write.
    #[serde(default)]
    pub read_only: bool,
}

impl VolumesFrom {
    /// Reads `CONTAINER[:ro|:rw]`, the argument of docker's `--volumes-from`; `None` for any other mode.
    pub fn parse(text: &str) -> Option<Self> {
        let (container, mode) = text.split_once(':').unwrap_or((text, "rw"));
        let read_only = match mode {
            "ro" => true,
            "rw" => false,
            _ => return None,
        };
        Some(Self { container: container.to_owned(), read_only }).filter(|from| !from.container.is_empty())
    }
}

/// Mount propagation of a bind mount: mount_namespaces(7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BindPropagation {
    /// Neither direction, submounts included.
    #[default]
    Rprivate,
    /// Neither direction.
    Private,
    /// Both directions, submounts included.
    Rshared,
    /// Both directions.
    Shared,
    /// From the host into the container, submounts included.
    Rslave,
    /// From the host into the container.
    Slave,
}

impl BindPropagation {
    /// Returns whether mounts of the container reach the host.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::Rshared | Self::Shared)
    }

    /// Returns the mount option's name.
    pub fn option(self) -> &'static str {
        match self {
            Self::Rprivate => "rprivate",
            Self::Private => "private",
            Self::Rshared => "rshared",
            Self::Shared => "shared",
            Self::Rslave => "rslave",
            Self::Slave => "slave",
        }
    }
}

/// A host device made available inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Path on the host.
    pub source: PathBuf,
    /// Path inside.
    pub target: String,
    /// Subset of `rwm`.
    pub permissions: String,
}
