//! The files of a log: the current one, and older ones with numbers, the newest first.
//!
//! `container.log`, `container.log.1`, `container.log.2.gz` …

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Returns the path of an older file.
fn numbered(path: &Path, number: u32) -> PathBuf {
    path.with_extension(format!("log.{number}"))
}

fn compressed(path: &Path, number: u32) -> PathBuf {
    path.with_extension(format!("log.{number}.gz"))
}

/// Makes room for a new current file: every file gets the next number, and those beyond `max_files` go.
pub(super) fn rotate(path: &Path, max_files: u32, compress: bool) -> io::Result<()> {
    if max_files <= 1 {
        return fs::remove_file(path);
    }
    // up to the first number that nothing has: any number of files may be allowed
    let is_free = |number: &u32| !numbered(path, *number).exists() && !compressed(path, *number).exists();
    let free = (1..max_files - 1).find(is_free).unwrap_or(max_files - 1);
    for number in (1..free).rev() {
        for name in [numbered, compressed] {
            let _ = fs::rename(name(path, number), name(path, number + 1)); // there is one of the two, or none
        }
    }
    let _ = fs::remove_file(compressed(path, 1));
    fs::rename(path, numbered(path, 1))?;
    if compress { pack(path, 1) } else { Ok(()) }
}

/// Compresses an older file; killed in between, both are there and the plain one is read.
fn pack(path: &Path, number: u32) -> io::Result<()> {
    let (plain, packed) = (numbered(path, number), compressed(path, number));
    let building = packed.with_extension("new");
    // fast: the container waits meanwhile
    let mut encoder = GzEncoder::new(create(&building)?, Compression::fast());
    io::copy(&mut File::open(&plain)?, &mut encoder)?;
    encoder.finish()?;
    fs::rename(building, packed)?;
    fs::remove_file(plain)
}

fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// The files of a log at one moment.
pub(super) struct Opened {
    /// Older ones, oldest first, each with its inode.
    pub(super) older: Vec<(u64, Box<dyn Read + Send>)>,
    /// The current one; none while it is being renamed.
    pub(super) current: Option<File>,
}

/// Opens all files, as they are called at one moment, however often they are renamed meanwhile.
pub(super) fn open(path: &Path) -> io::Result<Opened> {
    loop {
        let listed = list(path)?;
        match open_listed(&listed) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {} // renamed since
            Err(error) => return Err(error),
            Ok(opened) if list(path)? == listed => return Ok(opened),
            Ok(_) => {}
        }
    }
}

/// A file as its folder has it; the current one has the number 0.
#[derive(PartialEq, Eq)]
struct Listed {
    number: u32,
    is_packed: bool,
    inode: u64,
    path: PathBuf,
}

/// Lists the files, oldest first. There may be gaps, while they get other numbers.
fn list(path: &Path) -> io::Result<Vec<Listed>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some((number, is_packed)) = parse(path, &entry.path()) else { continue };
        files.push(Listed { number, is_packed, inode: entry.ino(), path: entry.path() });
    }
    files.sort_by_key(|file| (Reverse(file.number), file.is_packed));
    files.dedup_by_key(|file| file.number); // the plain one, of one that was just packed
    Ok(files)
}

/// Reads the number of a file, and whether it is compressed, from its name.
fn parse(current: &Path, file: &Path) -> Option<(u32, bool)> {
    let rest = file.file_name()?.to_str()?.strip_prefix(current.file_name()?.to_str()?)?;
    if rest.is_empty() {
        return Some((0, false));
    }
    let number = rest.strip_prefix('.')?;
    match number.strip_suffix(".gz") {
        Some(number) => Some((number.parse().ok()?, true)),
        None => Some((number.parse().ok()?, false)),
    }
}

fn open_listed(files: &[Listed]) -> io::Result<Opened> {
    let mut opened = Opened { older: Vec::new(), current: None };
    for Listed { number, is_packed, inode, path } in files {
        let file = File::open(path)?;
        match (number, is_packed) {
            (0, _) => opened.current = Some(file),
            (_, true) => opened.older.push((*inode, Box::new(GzDecoder::new(file)))),
            (_, false) => opened.older.push((*inode, Box::new(file))),
        }
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_files_there_may_be_only_those_there_are_get_other_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("container.log");
        for text in ["one", "two", "three", "four"] {
            fs::write(&log, text).unwrap();
            rotate(&log, u32::MAX, false).unwrap();
        }
        let read = |number| fs::read_to_string(numbered(&log, number)).unwrap_or_default();
        assert_eq!([1, 2, 3, 4, 5].map(read), ["four", "three", "two", "one", ""]);
        fs::write(&log, "five").unwrap();
        rotate(&log, 3, false).unwrap();
        assert_eq!([1, 2].map(read), ["five", "four"]);
    }

    #[test]
    fn files_are_listed_oldest_first_whatever_is_missing_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("container.log");
        for name in ["container.log", "container.log.1", "container.log.1.gz", "container.log.10", "container.log.2.gz"]
        {
            fs::write(folder.path().join(name), name).unwrap();
        }
        for other in ["container.log.3.new", "container.log.x", "container.logs", "other"] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        let listed = list(&log).unwrap();
        let listed: Vec<_> = listed.iter().map(|file| (file.number, file.is_packed)).collect();
        assert_eq!(listed, [(10, false), (2, true), (1, false), (0, false)]);
        let opened = open(&log).unwrap();
        assert_eq!((opened.older.len(), opened.current.is_some()), (3, true));
        fs::remove_file(&log).unwrap();
        assert!(open(&log).unwrap().current.is_none());
        assert!(open(&folder.path().join("no/container.log")).unwrap().older.is_empty());
    }
}
