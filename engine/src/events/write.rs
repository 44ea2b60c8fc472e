//! Appending to the journal. Runs in the command and in the monitor.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use super::Event;
use crate::{Engine, durable};

/// Size of the journal at which another is begun; the one before is kept, the one before that is gone.
///
/// 1 MiB: some three thousand events, Docker's daemon keeps 256.
const LARGEST: u64 = 1 << 20;

impl Engine {
    /// Notes that something has happened. What cannot be noted is not: no act fails for want of a line about it.
    pub fn tell(&self, event: Event) {
        let _ = append(&self.layout().journal(), &event);
    }
}

fn append(path: &Path, event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let mut file = locked(path)?;
    let mut length = file.metadata()?.len();
    if length >= LARGEST {
        fs::rename(path, path.with_extension("1"))?;
        file = locked(path)?;
        length = file.metadata()?.len();
    }
    if length > 0 && !ends_a_line(&file, length)? {
        line.insert(0, b'\n'); // somebody was killed, or the power failed, within a line
    }
    file.seek(SeekFrom::End(0))?;
    file.write_all(&line)
}

/// Opens the journal for this process alone.
fn locked(path: &Path) -> io::Result<Flock<File>> {
    loop {
        let file = match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                durable::create_dir(path.parent().unwrap_or(Path::new("/"))).map_err(io::Error::other)?;
                open(path)?
            }
            file => file?,
        };
        let file = match Flock::lock(file, FlockArg::LockExclusive) {
            Ok(file) => file,
            Err((_, nix::Error::EINTR)) => continue,
            Err((_, errno)) => return Err(errno.into()),
        };
        // it may have been put aside while we waited
        let named = fs::metadata(path).map(|named| (named.dev(), named.ino()));
        let held = file.metadata()?;
        if named.is_ok_and(|named| named == (held.dev(), held.ino())) {
            return Ok(file);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn ends_a_line(file: &File, length: u64) -> io::Result<bool> {
    let mut last = [0];
    file.read_exact_at(&mut last, length - 1)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::super::EventKind;
    use super::*;

    fn event(action: &str) -> Event {
        Event::now(EventKind::Container, action, "0").with("name", "x".repeat(100))
    }

    #[test]
    fn a_line_that_was_cut_off_does_not_spoil_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events/journal");
        append(&path, &event("create")).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"time\":\"2026").unwrap();
        append(&path, &event("start")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let read: Vec<Option<Event>> = text.lines().map(|line| serde_json::from_str(line).ok()).collect();
        let actions: Vec<_> = read.iter().map(|event| event.as_ref().map(|event| event.action.as_str())).collect();
        assert_eq!(actions, [Some("create"), None, Some("start")]);
    }

    #[test]
    fn the_journal_has_two_files_that_do_not_grow_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        fs::write(&path, vec![b'\n'; LARGEST as usize - 1]).unwrap();
        ["a", "b", "c"].iter().for_each(|action| append(&path, &event(action)).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        assert!(fs::metadata(path.with_extension("1")).unwrap().len() < LARGEST + 1024);
    }
}
