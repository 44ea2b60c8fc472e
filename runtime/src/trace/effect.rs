//! What a step does, with its arguments.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A path that a step works on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// A path of the container, beneath the root filesystem that is not `/` yet: `$ROOT` to a shell.
    InRoot {
        /// The path, from the container's root on.
        in_root: String,
    },
    /// A path as the process sees it.
    Path(String),
}

impl Target {
    /// A path of the container, before the root filesystem has become `/`.
    #[must_use]
    pub fn in_root(path: &Path) -> Self {
        Self::InRoot { in_root: super::text(path) }
    }

    /// A path as the process sees it.
    #[must_use]
    pub fn path(path: &Path) -> Self {
        Self::Path(super::text(path))
    }
}

/// One change to the host, to the container's namespaces, or to the process itself.
///
/// Text that is no UTF-8 has replacement characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// A program is started beside this one (posix_spawn(3)).
    Spawn {
        /// The program.
        program: String,
        /// Its arguments.
        args: Vec<String>,
    },
    /// A process is made (clone3(2)).
    Clone {
        /// Namespaces it gets new, as `/proc/PID/ns` has them.
        namespaces: Vec<String>,
        /// The version 2 cgroup it is born into.
        cgroup: Option<String>,
    },
    /// A namespace is joined (setns(2)).
    Join {
        /// Its kind, as in `/proc/PID/ns`; several of one process are divided by commas.
        namespace: String,
        /// What names it: a file, or `net:[4026531840]`.
        path: String,
    },
    /// Namespaces are made for the process itself (unshare(2)).
    Unshare {
        /// Their kinds.
        namespaces: Vec<String>,
    },
    /// A directory is made: of a cgroup, that makes the cgroup.
    MakeDirectory {
        /// The directory.
        path: String,
    },
    /// A directory is removed.
    RemoveDirectory {
        /// The directory.
        path: String,
    },
    /// A value is written to a file: of the kernel, that changes it; of a disk, that is its content.
    Write {
        /// The file.
        path: String,
        /// The value.
        value: String,
    },
    /// A program decides about devices of a version 2 cgroup (bpf(2)).
    FilterDevices {
        /// The cgroup's directory.
        cgroup: String,
        /// How long the program is.
        instructions: usize,
    },
    /// systemd makes a cgroup around a process.
    StartUnit {
        /// The unit.
        unit: String,
        /// The process.
        pid: i32,
    },
    /// A file system is mounted (fsopen(2), fsmount(2), move_mount(2)).
    Mount {
        /// Its type.
        fstype: String,
        /// Its source, which may be a mere name.
        source: String,
        /// Where.
        target: Target,
        /// Options, as mount(8) takes them.
        options: Vec<String>,
        /// What was there before is copied into it.
        copy_up: bool,
    },
    /// A file or directory is mounted once more (open_tree(2), move_mount(2)).
    Bind {
        /// What.
        source: Target,
        /// Where.
        target: Target,
        /// With the mounts below it.
        recursive: bool,
        /// Options, as mount(8) takes them.
        options: Vec<String>,
    },
    /// Options of a mount are changed (mount_setattr(2)).
    Remount {
        /// The mount.
        target: Target,
        /// The options, as mount(8) takes them.
        options: Vec<String>,
    },
    /// It is settled which mounts and unmounts others see (mount_namespaces(7), "shared subtrees").
    Propagate {
        /// The mount.
        target: Target,
        /// `private`, `slave`, `shared` or `unbindable`; `r` in front: with the mounts below.
        how: String,
    },
    /// The root filesystem is mounted over itself: what is to become `/` must be a mount.
    MountRoot {
        /// Its directory: `$ROOT` to a shell from here on.
        path: String,
    },
    /// The root filesystem becomes `/`, with the old root on top of it (pivot_root(2)).
    PivotRoot,
    /// The root filesystem is moved to `/`, where pivot_root(2) is impossible.
    MoveRoot,
    /// A mount is let go of, once nobody uses it (umount2(2), MNT_DETACH).
    Unmount {
        /// The mount.
        target: Target,
    },
    /// A device node is made (mknod(2)).
    MakeNode {
        /// Where.
        target: Target,
        /// `c` character, `b` block, `p` FIFO.
        kind: char,
        /// Major number.
        major: u64,
        /// Minor number.
        minor: u64,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// A symbolic link is made.
    Link {
        /// Where.
        target: Target,
        /// What it says.
        to: String,
    },
    /// A tree of files is copied.
    CopyTree {
        /// The directory with the files.
        from: String,
        /// The directory that gets them.
        to: String,
    },
    /// The host name of the uts namespace is set.
    SetHostName {
        /// The name.
        name: String,
    },
    /// The NIS domain name of the uts namespace is set.
    SetDomainName {
        /// The name.
        name: String,
    },
    /// A kernel parameter is set.
    SetSysctl {
        /// Its name, with dots.
        name: String,
        /// The value.
        value: String,
    },
    /// A session keyring is joined (keyctl(2)).
    JoinKeyring {
        /// Its name.
        name: String,
    },
    /// A session without a terminal is started (setsid(2)).
    StartSession,
    /// A working directory is entered.
    EnterDirectory {
        /// The directory.
        path: String,
    },
    /// A limit of resources is set (setrlimit(2)).
    SetLimit {
        /// The resource: `RLIMIT_NOFILE`.
        resource: String,
        /// The limit that holds; nothing is no limit.
        soft: Option<u64>,
        /// How far the process may raise it.
        hard: Option<u64>,
    },
    /// The process becomes a user (setgroups(2), setresgid(2), setresuid(2)).
    SetUser {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
        /// Supplementary groups.
        groups: Vec<u32>,
    },
    /// The process becomes a user with capabilities of its own (also capset(2); prctl(2), PR_CAPBSET_DROP,
    /// PR_SET_KEEPCAPS).
    AssumeIdentity {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
        /// Supplementary groups.
        groups: Vec<u32>,
        /// Capabilities that may be had at all: `CAP_KILL`.
        bounding: Vec<String>,
        /// Those in force.
        effective: Vec<String>,
        /// Those that may be put in force.
        permitted: Vec<String>,
        /// Those kept across an execve by a program that says so.
        inheritable: Vec<String>,
        /// Those kept across any execve.
        ambient: Vec<String>,
    },
    /// No program can bring new privileges any more (prctl(2), PR_SET_NO_NEW_PRIVS).
    ForbidPrivileges,
    /// System calls are filtered (seccomp(2)).
    FilterCalls {
        /// How long the filter is.
        instructions: usize,
    },
    /// Something the kernel keeps about the process: scheduling, personality, memory policy.
    SetAttribute {
        /// The field of the runtime configuration.
        field: String,
        /// Its value, as far as it is short.
        value: String,
    },
    /// A hook is run, with the container's state on its standard input.
    RunHook {
        /// The field of the runtime configuration.
        field: String,
        /// The program.
        path: String,
        /// Its arguments, its name first.
        args: Vec<String>,
    },
    /// The container's network is changed.
    Network {
        /// What is done.
        what: String,
        /// Commands that do the same.
        commands: Vec<String>,
    },
    /// The process becomes the container's program (execve(2)). The environment may hold secrets: it is left out.
    Execute {
        /// The file.
        program: String,
        /// Its arguments, its name first.
        args: Vec<String>,
    },
}
