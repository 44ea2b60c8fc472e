//! The files of a log: the current one, and older ones with numbers, the newest first.
//!
//! `container.log`, `container.log.1`, `container.log.2.gz` …

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Returns the path of an older file.
pub(super) fn numbered(path: &Path, number: u32) -> PathBuf {
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
    for number in (1..max_files - 1).rev() {
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

/// Opens an older file, whichever form it has; `None` if there is none of this number.
pub(super) fn open_numbered(path: &Path, number: u32) -> io::Result<Option<BufReader<Box<dyn Read + Send>>>> {
    let found = |opened: io::Result<File>| match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    };
    let boxed = |reader: Box<dyn Read + Send>| Some(BufReader::new(reader));
    if let Some(file) = found(File::open(numbered(path, number)))? {
        return Ok(boxed(Box::new(file)));
    }
    Ok(found(File::open(compressed(path, number)))?.and_then(|file| boxed(Box::new(GzDecoder::new(file)))))
}

/// Opens all older files, oldest first.
pub(super) fn open_all_numbered(path: &Path) -> io::Result<Vec<BufReader<Box<dyn Read + Send>>>> {
    let mut files = Vec::new();
    for number in 1.. {
        match open_numbered(path, number)? {
            Some(file) => files.push(file),
            None => break,
        }
    }
    files.reverse();
    Ok(files)
}
