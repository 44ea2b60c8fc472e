//! The kernel inside a `bzImage`, which unpacks itself when it starts: under emulation that takes up to 20 s.
//!
//! Unpacked beforehand it is an ELF file that starts by the Xen PVH entry point, without firmware or real mode.
//! Fields: Linux, Documentation/arch/x86/boot.rst.

use std::ops::Range;

/// Offsets of `setup_sects` (1 byte), `header` (4), `payload_offset` (4), `payload_length` (4).
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// Program that unpacks a payload; it reads standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Lz4,
    Xz,
    Zstd,
}

/// Returns where in `image` the compressed kernel is, and how it is compressed; nothing if this is unknown.
pub(crate) fn payload(image: &[u8]) -> Option<(Range<usize>, Compression)> {
    if image.get(MAGIC..MAGIC + 4)? != b"HdrS" {
        return None;
    }
    let number = |at: usize| {
        let bytes = image.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let setup = (usize::from(*image.get(SETUP_SECTORS)?) + 1) * 512;
    let start = setup.checked_add(number(PAYLOAD_OFFSET)?)?;
    // The last four bytes are the length of the unpacked kernel and belong to no format.
    let end = start.checked_add(number(PAYLOAD_LENGTH)?)?.checked_sub(4)?;
    let compression = match image.get(start..end)?.get(..4)? {
        [0x02, 0x21, 0x4c, 0x18] => Compression::Lz4,
        [0xfd, b'7', b'z', b'X'] => Compression::Xz,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        _ => return None,
    };
    Some((start..end, compression))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn image(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 512 * 4];
        image[SETUP_SECTORS] = 2;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[PAYLOAD_OFFSET] = 100;
        image[PAYLOAD_LENGTH] = u8::try_from(payload.len()).unwrap();
        image[1636..1636 + payload.len()].copy_from_slice(payload);
        image
    }

    #[test]
    fn the_payload_is_found_by_the_header() {
        assert_eq!(payload(&image(b"\x28\xb5\x2f\xfdrest1234")), Some((1636..1644, Compression::Zstd)));
        assert_eq!(payload(&image(b"\x02\x21\x4c\x18rest1234")).unwrap().1, Compression::Lz4);
        assert_eq!(payload(&image(b"unknown 1234")), None);
        assert_eq!(payload(b"\x7fELF"), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(offset: u32, length: u32, sectors: u8) {
            let mut image = image(b"\x28\xb5\x2f\xfdrest1234");
            image[SETUP_SECTORS] = sectors;
            image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&offset.to_le_bytes());
            image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&length.to_le_bytes());
            if let Some((range, _)) = payload(&image) {
                prop_assert!(range.end <= image.len());
            }
        }
    }
}
