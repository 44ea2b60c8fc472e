//! Pid 1 of a container that another OCI runtime makes, if it wants an init.
//!
//! Our own init is a part of our own runtime; for another one it is a program, mounted in the container, which hands signals
//! on and reaps. It is run among the image's files, so it must need none of them: it is linked statically. Each container has
//! a copy of its own: one that may mount could make its mount writable, and would then write to a file of the host.
//!
//! Chosen by the command, so that a container that cannot be started is not made, and copied by the monitor.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use oci_spec::OciSpecError;
use oci_spec::runtime::{MountBuilder, Spec};

use crate::durable::{self, FileError};
use crate::runtimes::Runtimes;

/// Where a container finds it, as docker's containers do.
const PLACE: &str = "/sbin/docker-init";

/// This program: the file that runs, even if another one has been installed since.
const OURSELVES: &str = "/proc/self/exe";

/// Programs that do the same, by the names that packages give to their static ones.
const KNOWN: [&str; 3] = ["docker-init", "tini-static", "catatonit"];

/// Everybody in the container may execute it, nobody may write it.
const MODE: u32 = 0o555;

/// Why a container cannot have an init.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Nothing on this host can be one.
    #[error(
        "an init (`init`) with another OCI runtime is a program linked statically: this lighter is not, there is no {} in \
         PATH, and `init_path` of the configuration names none", KNOWN.join(", ")
    )]
    None,
    /// The one that the configuration names is none.
    #[error("`init_path` of the configuration: `{}` is no program linked statically, which would run in any image", .0.display())]
    Unfit(PathBuf),
    /// The one that the configuration names cannot be read.
    #[error("`init_path` of the configuration: read `{}`", path.display())]
    Read {
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The container's copy could not be made.
    #[error(transparent)]
    Copy(#[from] FileError),
    /// The parts do not fit together.
    #[error("assemble the runtime configuration")]
    Config(#[from] OciSpecError),
}

impl Runtimes {
    /// Returns the program that is pid 1 where our own runtime is not: the one that is configured, else this one, else the
    /// host's.
    pub(crate) fn init(&self) -> Result<PathBuf, InitError> {
        if let Some(path) = self.init_path() {
            let read = |source| InitError::Read { path: path.to_owned(), source };
            return if is_static(path).map_err(read)? {
                Ok(path.to_owned())
            } else {
                Err(InitError::Unfit(path.to_owned()))
            };
        }
        let known = KNOWN.iter().filter_map(|name| self.program(name));
        let mut candidates = [PathBuf::from(OURSELVES)].into_iter().chain(known);
        candidates.find(|path| is_static(path).unwrap_or(false)).ok_or(InitError::None)
    }
}

/// Makes `program` pid 1 of the container that `config` describes, from a copy in `directory`.
pub(crate) fn add(config: &mut Spec, program: &Path, directory: &Path) -> Result<(), InitError> {
    let copy = directory.join("init");
    copy_to(program, &copy).map_err(FileError::io("write", &copy))?;
    let options = ["bind", "ro", "nosuid", "nodev"].map(str::to_owned).to_vec();
    let mount = MountBuilder::default().destination(PLACE).typ("bind").source(copy).options(options).build()?;
    config.mounts_mut().get_or_insert_default().push(mount);
    if let Some(process) = config.process_mut() {
        let program = process.args().clone().unwrap_or_default();
        process.set_args(Some([PLACE, "--"].map(str::to_owned).into_iter().chain(program).collect()));
    }
    Ok(())
}

/// The copy is new at each start: the one before is what the container has left of it.
fn copy_to(program: &Path, copy: &Path) -> io::Result<()> {
    durable::remove_file(copy).map_err(io::Error::other)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(copy)?;
    io::copy(&mut File::open(program)?, &mut file)?;
    fs::set_permissions(copy, Permissions::from_mode(MODE)) // whatever the umask
}

/// Tells whether a program needs no other file: ELF, as this machine's own, without an interpreter (elf(5), PT_INTERP).
fn is_static(path: &Path) -> io::Result<bool> {
    const PT_INTERP: u32 = 3;
    const LARGEST_TABLE: usize = 1 << 16;
    let file = File::open(path)?;
    let mut header = [0; 64];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    let own = [0x7f, b'E', b'L', b'F', 2, if cfg!(target_endian = "little") { 1 } else { 2 }];
    let short = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
    let (offset, size, count) =
        (u64::from_ne_bytes(header[32..40].try_into().expect("eight bytes")), short(54), short(56));
    if !header.starts_with(&own) || size < 4 || count == 0 || size * count > LARGEST_TABLE {
        return Ok(false);
    }
    let mut table = vec![0; size * count];
    file.read_exact_at(&mut table, offset)?;
    Ok(!table.chunks(size).any(|entry| entry.starts_with(&PT_INTERP.to_ne_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF header with program headers of these types.
    fn program(types: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0u8; 64];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, if cfg!(target_endian = "little") { 1 } else { 2 }]);
        bytes[32..40].copy_from_slice(&64u64.to_ne_bytes());
        bytes[54..56].copy_from_slice(&56u16.to_ne_bytes());
        bytes[56..58].copy_from_slice(&(types.len() as u16).to_ne_bytes());
        types.iter().for_each(|kind| bytes.extend([&kind.to_ne_bytes()[..], &[0; 52]].concat()));
        bytes
    }

    #[test]
    fn a_program_is_static_when_it_names_no_interpreter() {
        let directory = tempfile::tempdir().unwrap();
        let is_static_with = |bytes: &[u8]| {
            let path = directory.path().join("program");
            fs::write(&path, bytes).unwrap();
            is_static(&path)
        };
        assert!(is_static_with(&program(&[1, 2, 1])).unwrap());
        assert!(!is_static_with(&program(&[6, 3, 1])).unwrap());
        for no_program in [&b"#!/bin/sh\nexec tini -- \"$@\"\n"[..], b"", &program(&[]), &[0; 200]] {
            assert!(!is_static_with(no_program).unwrap());
        }
        assert!(is_static_with(&program(&[1])[..100]).is_err(), "its table is cut off");
    }
}
