//! How a layer's blob is compressed, by its media type, and the reader that undoes it.
//!
//! Runs in the shell command's process, in a layer's inflating thread. In-process throughout: no program of the host, let
//! alone of an image, is ever called.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;

/// Largest window a zstd frame may ask for, as a power of two: 128 MiB, the decoder's memory (`zstd --long=27`).
const LARGEST_WINDOW_LOG: u32 = 27;

/// Largest archive that a layer may inflate to, in bytes: beyond any image, and short of most disks.
const LARGEST: u64 = 64 << 30;

/// What a layer may inflate to however small its blob is, in bytes: a layer of nothing but zeros is no attack yet.
const HARMLESS: u64 = 1 << 30;

/// Beyond that, how many times the size of its blob. gzip reaches 1032 at most (RFC 1951: 258 bytes in two bits), zstd a
/// hundred times that.
const LARGEST_RATIO: u64 = 1100;

/// The compression of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Plain tar.
    None,
    /// gzip, RFC 1952, of any number of members.
    Gzip,
    /// Zstandard, RFC 8878, of any number of frames.
    Zstd,
}

impl Compression {
    /// Reads a layer's media type; `None` for one that is no layer of files we can unpack.
    pub(crate) fn of(media_type: &str) -> Option<Compression> {
        match media_type {
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar" => Some(Compression::None),
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => Some(Compression::Gzip),
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// Bytes that [`Compression::sniff`] wants to see.
    pub(crate) const LONGEST_MAGIC: usize = 6;

    /// Tells the compression by a file's first bytes; what none begins like that is plain.
    ///
    /// # Errors
    /// `Unsupported`, with the compression's name, for one that no layer can have.
    pub(crate) fn sniff(start: &[u8]) -> io::Result<Compression> {
        const OTHERS: [(&[u8], &str); 4] =
            [(b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2"), (b"\x04\x22\x4d\x18", "lz4"), (b"PK\x03\x04", "zip")];
        if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
            let text = format!("compressed with {name}, which is not supported: use gzip, zstd or none");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        Ok(match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            _ => Compression::None,
        })
    }

    /// Returns the media type of a layer compressed like this (OCI image-spec, layer.md).
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Compression::None => "application/vnd.oci.image.layer.v1.tar",
            Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// Returns a reader of the plain archive in `blob`, a layer of `size` bytes; more content than anybody packs into so few
    /// bytes is an error.
    pub(crate) fn bounded_reader<'a>(self, blob: impl BufRead + 'a, size: u64) -> io::Result<Box<dyn Read + 'a>> {
        let limit = size.saturating_mul(LARGEST_RATIO).clamp(HARMLESS, LARGEST);
        Ok(match self.reader(blob)? {
            plain if self == Compression::None => plain,
            plain => Box::new(Bounded { plain, limit, left: limit }),
        })
    }

    /// Returns a reader of what is in `blob`; data after the last gzip member or zstd frame is an error.
    pub(crate) fn reader<'a>(self, blob: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Compression::None => Box::new(blob),
            Compression::Gzip => Box::new(MultiGzDecoder::new(blob)),
            Compression::Zstd => {
                let mut decoder = zstd::stream::Decoder::with_buffer(blob)?;
                decoder.window_log_max(LARGEST_WINDOW_LOG)?;
                Box::new(decoder)
            }
        })
    }
}

/// A reader that fails beyond a limit.
struct Bounded<R> {
    plain: R,
    limit: u64,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.plain.read(buffer)?;
        self.left = self.left.checked_sub(length as u64).ok_or_else(|| {
            io::Error::other(format!("a layer of this size that inflates to more than {} bytes is refused", self.limit))
        })?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(compression: Compression, blob: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        compression.bounded_reader(blob, blob.len() as u64)?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn members_and_frames_may_follow_one_another_and_nothing_else_may() {
        let members = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(inflate(Compression::Gzip, &members).unwrap(), b"one two");
        assert!(inflate(Compression::Gzip, &[&members[..], b"garbage"].concat()).is_err());
        assert!(inflate(Compression::Gzip, &members[..members.len() - 1]).is_err());
        let frames = [zstd::encode_all(&b"one "[..], 1).unwrap(), zstd::encode_all(&b"two"[..], 1).unwrap()].concat();
        assert_eq!(inflate(Compression::Zstd, &frames).unwrap(), b"one two");
        assert!(inflate(Compression::Zstd, &[&frames[..], b"garbage"].concat()).is_err());
        assert!(inflate(Compression::Zstd, &frames[..frames.len() - 1]).is_err());
    }

    #[test]
    fn what_inflates_beyond_its_limit_is_an_error_and_no_end() {
        let mut bounded = Bounded { plain: io::repeat(0), limit: 1000, left: 1000 };
        let mut content = Vec::new();
        assert!(bounded.by_ref().take(1000).read_to_end(&mut content).is_ok());
        let error = bounded.read(&mut [0]).unwrap_err().to_string();
        assert_eq!(error, "a layer of this size that inflates to more than 1000 bytes is refused");
    }

    #[test]
    fn the_first_bytes_tell_and_what_layers_cannot_have_is_named() {
        assert_eq!(Compression::sniff(&gzip(b"x")).unwrap(), Compression::Gzip);
        assert_eq!(Compression::sniff(&zstd::encode_all(&b"x"[..], 1).unwrap()).unwrap(), Compression::Zstd);
        assert_eq!(Compression::sniff(b"./\0\0\0\0").unwrap(), Compression::None);
        assert_eq!(Compression::sniff(b"").unwrap(), Compression::None);
        assert!(Compression::sniff(b"\xfd7zXZ\0").unwrap_err().to_string().contains("xz"));
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            assert_eq!(Compression::of(compression.media_type()), Some(compression));
        }
    }

    #[test]
    fn a_window_that_would_eat_the_hosts_memory_is_refused() {
        let frame = |log: u32| {
            let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
            encoder.long_distance_matching(true).unwrap();
            encoder.window_log(log).unwrap();
            encoder.write_all(b"x").unwrap();
            encoder.finish().unwrap()
        };
        assert!(inflate(Compression::Zstd, &frame(27)).is_ok());
        assert!(inflate(Compression::Zstd, &frame(28)).is_err());
    }
}
