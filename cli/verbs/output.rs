//! Where an archive goes: a file that appears whole or not at all, or standard output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::linkat;

use crate::error::{BROKEN_PIPE, Failure};

/// Size of the pieces that are written at once, in bytes.
const PIECE: usize = 256 * 1024;

/// An image may hold secrets: as docker, a file is for its owner alone.
const MODE: u32 = 0o600;

/// Where `call` writes to.
pub(super) type Out = BufWriter<Box<dyn Write + Send>>;

/// Calls `call` with standard output, which must not be a terminal, or with a file that then takes the place of `path`.
pub(super) fn write(path: Option<&Path>, call: impl FnOnce(Out) -> Result<(), Failure>) -> Result<(), Failure> {
    match path {
        None => to_stdout(call),
        // A pipe or a device is written to as it is; it cannot be replaced.
        Some(path) if path.exists() && !path.is_file() => {
            let file = OpenOptions::new().write(true).open(path).map_err(failed(path))?;
            call(buffered(file))
        }
        Some(path) => to_file(path, call),
    }
}

fn to_stdout(call: impl FnOnce(Out) -> Result<(), Failure>) -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        return Err(Failure::text("an archive is nothing for a terminal: use -o FILE, or a pipe"));
    }
    let is_broken = Arc::new(AtomicBool::new(false));
    let written = call(buffered(Piped { out: io::stdout(), is_broken: Arc::clone(&is_broken) }));
    match written {
        Err(_) if is_broken.load(Ordering::Relaxed) => Err(Failure::silent(BROKEN_PIPE)),
        written => written,
    }
}

/// The file has no name until it is complete, so nothing is left of a command that is killed.
fn to_file(path: &Path, call: impl FnOnce(Out) -> Result<(), Failure>) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = temporary(path);
    let flags = OFlag::O_TMPFILE | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let (file, is_named) = match open(folder, flags, Mode::from_bits_truncate(MODE)) {
        Ok(file) => (File::from(file), false),
        // The file system cannot.
        Err(_) => {
            let new = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&temporary);
            (new.map_err(failed(path))?, true)
        }
    };
    let written = file.try_clone().map_err(failed(path)).and_then(|file| call(buffered(file)));
    let placed = written.and_then(|()| {
        let name = if is_named { Ok(()) } else { link(&file, &temporary) };
        name.and_then(|()| fs::rename(&temporary, path)).map_err(failed(path))
    });
    placed.inspect_err(|_| {
        // The first error says more.
        let _ = fs::remove_file(&temporary);
    })
}

fn link(file: &File, path: &Path) -> io::Result<()> {
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(AT_FDCWD, open.as_str(), AT_FDCWD, path, AtFlags::AT_SYMLINK_FOLLOW)?)
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", lighter_engine::random_name()))
}

fn buffered(out: impl Write + Send + 'static) -> Out {
    BufWriter::with_capacity(PIECE, Box::new(out))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Failure {
    let path = path.to_owned();
    move |error| Failure::text(format!("write `{}`: {error}", path.display()))
}

/// Remembers that nobody reads any more, which is no failure to speak of.
struct Piped<W> {
    out: W,
    is_broken: Arc<AtomicBool>,
}

impl<W: Write> Write for Piped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let note =
            |error: &io::Error| self.is_broken.store(error.kind() == io::ErrorKind::BrokenPipe, Ordering::Relaxed);
        self.out.write(bytes).inspect_err(note)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
