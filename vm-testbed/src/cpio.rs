//! Archives in the format the kernel unpacks as its first root ("newc", Documentation/driver-api/early-userspace).

use std::io::{self, Write};

/// Kind and permissions, as in stat(2).
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

/// The name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// Writes an archive; [`Archive::finish`] makes it whole.
pub(crate) struct Archive<W> {
    out: W,
    /// Number of the entry, which must differ from file to file: equal ones are hard links.
    inode: u32,
    written: usize,
}

impl<W: Write> Archive<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, inode: 0, written: 0 }
    }

    pub(crate) fn directory(&mut self, name: &str) -> io::Result<()> {
        self.entry(name, DIRECTORY, &[])
    }

    /// Adds a file that may be executed; its directory must be there already.
    pub(crate) fn file(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.entry(name, PROGRAM, content)
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.entry(TRAILER, 0, &[])?;
        Ok(self.out)
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.inode += 1;
        let size = u32::try_from(content.len()).map_err(|_| io::Error::other("larger than 4 GiB"))?;
        let name_size = u32::try_from(name.len() + 1).map_err(|_| io::Error::other("a name longer than 4 GiB"))?;
        // inode mode uid gid links mtime size, the device's and the node's numbers, length of the name, checksum
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        let mut header = String::from("070701");
        header.extend(fields.iter().map(|field| format!("{field:08x}")));
        self.write(header.as_bytes())?;
        self.write(name.as_bytes())?;
        self.write(&[0])?;
        self.align()?;
        self.write(content)?;
        self.align()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len();
        self.out.write_all(bytes)
    }

    /// Header and content each start at a multiple of four bytes.
    fn align(&mut self) -> io::Result<()> {
        let missing = self.written.next_multiple_of(4) - self.written;
        self.write(&[0; 3][..missing])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads an archive back: names, modes, contents.
    fn read(mut archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        loop {
            let field = |at: usize| {
                let digits = std::str::from_utf8(&archive[6 + 8 * at..14 + 8 * at]).unwrap();
                usize::from_str_radix(digits, 16).unwrap()
            };
            assert_eq!(&archive[..6], b"070701");
            let (mode, size, name_size) = (field(1), field(6), field(11));
            let name = String::from_utf8(archive[110..110 + name_size - 1].to_vec()).unwrap();
            let start = (110 + name_size).next_multiple_of(4);
            if name == TRAILER {
                return entries;
            }
            entries.push((name, u32::try_from(mode).unwrap(), archive[start..start + size].to_vec()));
            archive = &archive[(start + size).next_multiple_of(4)..];
        }
    }

    #[test]
    fn the_format_is_that_of_the_documentation() {
        let mut archive = Archive::new(Vec::new());
        archive.file("init", b"#!").unwrap();
        let bytes = archive.finish().unwrap();
        let header = "07070100000001000081ed000000000000000000000001000000000000000200000000000000000000000000000000\
                      0000000500000000init\0\0";
        assert_eq!(std::str::from_utf8(&bytes[..116]).unwrap(), header);
        assert_eq!(bytes.len() % 4, 0);
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(files in prop::collection::vec(("[a-z/]{1,9}", prop::collection::vec(0u8.., 0..9)), 0..5)) {
            let mut archive = Archive::new(Vec::new());
            archive.directory("d").unwrap();
            for (name, content) in &files {
                archive.file(name, content).unwrap();
            }
            let mut expected = vec![("d".to_owned(), DIRECTORY, vec![])];
            expected.extend(files.into_iter().map(|(name, content)| (name, PROGRAM, content)));
            prop_assert_eq!(read(&archive.finish().unwrap()), expected);
        }
    }
}
