//! What an archive holds: each file by its name, with its content kept until it is known what it is for.
//!
//! Runs in the shell command's process. Names are only looked up, never opened, so nothing in an archive reaches the file
//! system. The content of a plain archive in a file stays where it is; that of a stream goes into files without a name,
//! which end with the process, and which a layer then is made of without another copy.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::{ArchiveError, read};
use crate::content::Content;
use crate::layer::{Compression, Entry, Kind, Reader, clean};
use crate::store::Store;

/// Most entries of an archive; an image has a few for each layer.
const MOST_ENTRIES: usize = 1 << 16;

/// Longest name and link target together, in bytes (twice PATH_MAX of linux/limits.h).
const LONGEST_NAMES: usize = 8192;

/// Smallest content that has a file of its own, in bytes: a layer, which may become a blob as it is.
const SMALLEST_OWN: u64 = 1 << 20;

/// Most files of their own; descriptors are few, 1024 as a rule (getrlimit(2)).
const MOST_OWN: usize = 256;

/// Most links from one name to the next.
const MOST_LINKS: usize = 8;

/// Size of the pieces that a file is read in, in bytes.
const PIECE: usize = 256 * 1024;

/// Where an archive comes from.
pub enum Input {
    /// A file, or something else that has a name.
    File(File),
    /// Anything that can be read once.
    Stream(Box<dyn Read>),
}

/// The files of an archive.
#[derive(Default)]
pub(super) struct Members {
    files: HashMap<Vec<u8>, Member>,
    /// The folder of an image layout that is no archive; its files are opened when they are asked for.
    folder: Option<PathBuf>,
}

enum Member {
    Content(Content),
    /// Another name's content; old archives share layers so.
    Link(Vec<u8>),
}

impl Members {
    /// Reads the archive to its end.
    pub(super) fn read(store: &Store, input: Input) -> Result<Members, ArchiveError> {
        match input {
            Input::File(file) if is_at_start(&file) => {
                let content = Content::whole(file).map_err(read("open"))?;
                match content.compression().map_err(read("read"))? {
                    Compression::None => Members::in_place(&content),
                    compression => {
                        let stream = BufReader::with_capacity(PIECE, content.reader());
                        let plain = compression.bounded_reader(stream, content.length()).map_err(read("read"))?;
                        Members::spooled(store, plain)
                    }
                }
            }
            Input::File(stream) => Members::streamed(store, stream),
            Input::Stream(stream) => Members::streamed(store, stream),
        }
    }

    /// Notes where each file of a plain archive is.
    fn in_place(content: &Content) -> Result<Members, ArchiveError> {
        let mut members = Members::default();
        let mut reader = Reader::new(BufReader::with_capacity(PIECE, content.reader()));
        while let Some(entry) = reader.next().map_err(read("read"))? {
            let offset = reader.offset();
            members.add(&entry, || Ok(content.slice(offset, entry.size)))?;
        }
        Ok(members)
    }

    fn streamed(store: &Store, stream: impl Read) -> Result<Members, ArchiveError> {
        let mut stream = BufReader::with_capacity(PIECE, stream);
        let compression = Compression::sniff(stream.fill_buf().map_err(read("read"))?).map_err(read("read"))?;
        Members::spooled(store, compression.reader(stream).map_err(read("read"))?)
    }

    /// Keeps each file of a plain archive that can be read once.
    fn spooled(store: &Store, plain: impl Read) -> Result<Members, ArchiveError> {
        let mut members = Members::default();
        let mut reader = Reader::new(BufReader::with_capacity(PIECE, plain));
        let mut spools = Spools { store, own: 0, shared: None };
        while let Some(entry) = reader.next().map_err(read("read"))? {
            members.add(&entry, || spools.keep(&mut reader, entry.size))?;
        }
        // What follows the archive's end is padding, and the check of the compression; and who writes it must not be cut off.
        std::io::copy(&mut reader.into_inner(), &mut std::io::sink()).map_err(read("read"))?;
        Ok(members)
    }

    /// Takes an entry; the last one of a name counts, as if the archive were unpacked.
    fn add(
        &mut self,
        entry: &Entry,
        content: impl FnOnce() -> Result<Content, ArchiveError>,
    ) -> Result<(), ArchiveError> {
        if self.files.len() >= MOST_ENTRIES || entry.path.len() + entry.link.len() > LONGEST_NAMES {
            return Err(read("read")("it has more files, or longer names, than any archive of images"));
        }
        let name = clean(&entry.path);
        let member = match entry.kind {
            Kind::Regular if entry.sparse.is_some() => return Err(read("read")("a file in it has holes")),
            Kind::Regular => Member::Content(content()?),
            Kind::HardLink => Member::Link(clean(&entry.link)),
            Kind::Symlink => Member::Link(resolve(&name, &entry.link)),
            _ => return Ok(()),
        };
        self.files.insert(name, member);
        Ok(())
    }

    /// Takes the folder of an image layout in place of an archive.
    pub(super) fn of_folder(folder: PathBuf) -> Members {
        Members { folder: Some(folder), ..Members::default() }
    }

    /// Finds a file.
    pub(super) fn find(&self, name: &str) -> Option<Content> {
        let mut name = clean(name.as_bytes());
        if let Some(folder) = &self.folder {
            let file = File::open(folder.join(OsStr::from_bytes(&name))).ok()?;
            return Content::whole(file).ok();
        }
        for _ in 0..=MOST_LINKS {
            match self.files.get(&name)? {
                Member::Content(content) => return Some(content.clone()),
                Member::Link(target) => name.clone_from(target),
            }
        }
        None
    }

    /// Finds a file that must be there.
    pub(super) fn get(&self, name: &str) -> Result<Content, ArchiveError> {
        self.find(name).ok_or_else(|| ArchiveError::Missing(name.to_owned()))
    }

    /// Reads a document that must be there, of at most `limit` bytes.
    pub(super) fn document(&self, name: &str, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        let bytes = self.get(name)?.bytes(limit).map_err(read("read"))?;
        bytes.ok_or_else(|| {
            let why = format!("is longer than {limit} bytes");
            ArchiveError::Malformed { name: name.to_owned(), why }
        })
    }
}

/// Tells whether this is a file on a disk that nobody has begun to read.
fn is_at_start(mut file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
        && file.stream_position().is_ok_and(|position| position == 0)
}

/// Files without a name that the content of a stream is kept in.
struct Spools<'a> {
    store: &'a Store,
    /// Files that have one content each.
    own: usize,
    /// The file that the rest is in, and its length.
    shared: Option<(Arc<File>, u64)>,
}

impl Spools<'_> {
    /// Copies the current entry's content.
    fn keep<R: BufRead>(&mut self, reader: &mut Reader<R>, size: u64) -> Result<Content, ArchiveError> {
        if size >= SMALLEST_OWN && self.own < MOST_OWN {
            self.own += 1;
            let file = self.store.blobs().spool()?;
            copy_entry(reader, &file)?;
            return Ok(Content::new(Arc::new(file), 0, size));
        }
        let (file, length) = match self.shared.take() {
            Some(shared) => shared,
            None => (Arc::new(self.store.blobs().spool()?), 0),
        };
        copy_entry(reader, &file)?;
        self.shared = Some((Arc::clone(&file), length + size));
        Ok(Content::new(file, length, size))
    }
}

fn copy_entry<R: BufRead>(reader: &mut Reader<R>, mut file: &File) -> Result<(), ArchiveError> {
    loop {
        let chunk = reader.chunk().map_err(read("read"))?;
        if chunk.is_empty() {
            return Ok(());
        }
        file.write_all(chunk).map_err(read("keep"))?;
        let length = chunk.len();
        reader.consume(length);
    }
}

/// Returns the name that a symbolic link at `name` points to.
fn resolve(name: &[u8], link: &[u8]) -> Vec<u8> {
    clean(&[name, b"/../", link].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_link_points_to_a_name_of_the_archive(name in "[a-z./]{0,20}", link in "[a-z./]{0,20}") {
            let target = resolve(name.as_bytes(), link.as_bytes());
            let mut components = target.split(|byte| *byte == b'/');
            prop_assert!(target.is_empty() || components.all(|one| !matches!(one, b"" | b"." | b"..")));
        }
    }

    #[test]
    fn links_are_looked_up_within_the_archive() {
        assert_eq!(resolve(b"a/layer.tar", b"../b/layer.tar"), b"b/layer.tar");
        assert_eq!(resolve(b"a/layer.tar", b"../../../etc/passwd"), b"etc/passwd");
        assert_eq!(clean(b"./x//y/"), b"x/y");
        let content = Content::whole(tempfile::tempfile().unwrap()).unwrap();
        let link = |name: &[u8], target: &[u8]| (name.to_vec(), Member::Link(target.to_vec()));
        let files = [(b"a".to_vec(), Member::Content(content)), link(b"b", b"a"), link(b"c", b"d"), link(b"d", b"c")];
        let members = Members { files: files.into(), folder: None };
        assert!(members.find("./b").is_some());
        assert!(members.find("c").is_none() && members.find("x").is_none());
    }
}
