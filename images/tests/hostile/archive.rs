//! Builds archives byte by byte, so that they can say anything.

use tar::{EntryType, Header};

/// An archive under construction.
#[derive(Default, Clone)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

/// Starts an archive.
pub(crate) fn new() -> Archive {
    Archive::default()
}

impl Archive {
    /// Adds an entry whose name, or link, may be any bytes that fit into the header.
    pub(crate) fn entry(
        self,
        name: impl AsRef<[u8]>,
        kind: EntryType,
        link: impl AsRef<[u8]>,
        content: &[u8],
    ) -> Archive {
        let mut header = Header::new_gnu();
        let (name, link) = (name.as_ref(), link.as_ref());
        assert!(name.len() <= 100 && link.len() <= 100, "longer ones need a header of their own");
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link);
        header.set_entry_type(kind);
        header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
        header.set_size(content.len() as u64);
        header.set_mtime(1_000_000_000);
        self.header(header, content)
    }

    /// Adds a header, whose checksum is made right, and what follows it.
    pub(crate) fn header(mut self, mut header: Header, content: &[u8]) -> Archive {
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn dir(self, name: impl AsRef<[u8]>) -> Archive {
        self.entry(name, EntryType::Directory, "", b"")
    }

    pub(crate) fn file(self, name: impl AsRef<[u8]>, content: &str) -> Archive {
        self.entry(name, EntryType::Regular, "", content.as_bytes())
    }

    pub(crate) fn link(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Archive {
        self.entry(name, EntryType::Symlink, target, b"")
    }

    pub(crate) fn hard(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Archive {
        self.entry(name, EntryType::Link, target, b"")
    }

    pub(crate) fn fifo(self, name: impl AsRef<[u8]>) -> Archive {
        self.entry(name, EntryType::Fifo, "", b"")
    }

    pub(crate) fn device(self, name: &str, kind: EntryType, major: u32, minor: u32) -> Archive {
        self.changed(
            |archive| archive.entry(name, kind, "", b""),
            |header| {
                header.set_device_major(major).expect("GNU headers have devices");
                header.set_device_minor(minor).expect("GNU headers have devices");
            },
        )
    }

    /// Adds an entry and then changes its header, whose checksum is made right again.
    pub(crate) fn changed(self, add: impl FnOnce(Archive) -> Archive, change: impl FnOnce(&mut Header)) -> Archive {
        let at = self.0.len();
        let mut archive = add(self);
        let mut header = Header::from_byte_slice(&archive.0[at..at + 512]).clone();
        change(&mut header);
        header.set_cksum();
        archive.0[at..at + 512].copy_from_slice(header.as_bytes());
        archive
    }

    /// Adds an extended header for the next entry.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Archive {
        let body: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.entry("pax", EntryType::XHeader, "", &body)
    }

    /// Adds a long name, or target, for the next entry.
    pub(crate) fn long(self, kind: EntryType, text: &[u8]) -> Archive {
        self.entry("././@LongLink", kind, "", &[text, b"\0"].concat())
    }

    /// Adds bytes as they are.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Archive {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Ends the archive as it should be.
    pub(crate) fn end(self) -> Vec<u8> {
        self.raw(&[0; 1024]).0
    }
}

/// Returns one record of an extended header.
pub(crate) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = [format!(" {key}=").as_bytes(), value, b"\n"].concat();
    let length = (1..9).map(|digits| rest.len() + digits).find(|all| all.to_string().len() + rest.len() == *all);
    [length.expect("one of them fits").to_string().as_bytes(), &rest].concat()
}
