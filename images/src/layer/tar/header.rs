//! Decodes one 512-byte header block.
//!
//! Runs in the shell command's process, in a layer's extracting thread; pure.

use tar::{EntryType, Header};

use super::BLOCK;
use super::entry::{Device, Timestamp};

/// What one header block says by itself, before extended headers are merged in.
pub(super) struct Fields {
    pub(super) path: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) entry_type: EntryType,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) size: u64,
    pub(super) mtime: Timestamp,
    pub(super) device: Device,
}

/// Decodes `block`, after checking its checksum.
///
/// # Errors
/// A word for what is malformed.
pub(super) fn decode(block: &[u8; BLOCK]) -> Result<Fields, &'static str> {
    if !has_valid_checksum(block) {
        return Err("header checksum does not match");
    }
    let header = Header::from_byte_slice(block);
    let unsigned = |range, what| number(&block[range], what).and_then(|value| u64::try_from(value).map_err(|_| what));
    Ok(Fields {
        path: header.path_bytes().into_owned(),
        link: header.link_name_bytes().unwrap_or_default().into_owned(),
        entry_type: header.entry_type(),
        mode: (unsigned(100..108, "mode is not a number")? & 0o7777) as u32,
        uid: unsigned(108..116, "owner is not a number")?,
        gid: unsigned(116..124, "group is not a number")?,
        size: unsigned(124..136, "size is not a number")?,
        mtime: Timestamp { seconds: number(&block[136..148], "time is not a number")?, nanoseconds: 0 },
        device: decode_device(header, block)?,
    })
}

/// Device numbers exist in the ustar and GNU forms only; in the oldest form other text stands there.
fn decode_device(header: &Header, block: &[u8; BLOCK]) -> Result<Device, &'static str> {
    let is_device = matches!(header.entry_type(), EntryType::Char | EntryType::Block);
    if !is_device || (header.as_ustar().is_none() && header.as_gnu().is_none()) {
        return Ok(Device { major: 0, minor: 0 });
    }
    let part = |range, what| number(&block[range], what).and_then(|value| u32::try_from(value).map_err(|_| what));
    Ok(Device {
        major: part(329..337, "major device number is out of range")?,
        minor: part(337..345, "minor device number is out of range")?,
    })
}

/// Sums the block with the checksum field read as spaces; old writers summed signed bytes, which is as good.
fn has_valid_checksum(block: &[u8; BLOCK]) -> bool {
    // A fuzzer would spend its life on getting sums right.
    if cfg!(fuzzing) {
        return true;
    }
    let Ok(expected) = number(&block[148..156], "") else { return false };
    let (mut unsigned, mut signed) = (0i64, 0i64);
    for (index, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&index) { b' ' } else { *byte };
        unsigned += i64::from(byte);
        signed += i64::from(byte as i8);
    }
    expected == unsigned || expected == signed
}

/// Decodes a numeric field: octal text, or (first bit set) a big-endian two's complement number of the GNU form.
pub(super) fn number(field: &[u8], what: &'static str) -> Result<i64, &'static str> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => base_256(field).ok_or(what),
        _ => octal(field).ok_or(what),
    }
}

fn octal(field: &[u8]) -> Option<i64> {
    let is_filler = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_filler(byte)).unwrap_or(field.len());
    let text = &field[start..];
    let digits = &text[..text.iter().position(is_filler).unwrap_or(text.len())];
    if !text[digits.len()..].iter().all(is_filler) {
        return None;
    }
    digits.iter().try_fold(0i64, |sum, byte| match byte {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(i64::from(byte - b'0')),
        _ => None,
    })
}

fn base_256(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    let is_negative = first & 0x40 != 0;
    // The topmost bit only marks the form: replace it by a copy of the sign.
    let first = if is_negative { first | 0x80 } else { first & 0x7f };
    let start = if is_negative { -1i64 } else { 0 };
    std::iter::once(&first)
        .chain(&field[1..])
        .try_fold(start, |sum, byte| sum.checked_mul(256).map(|shifted| shifted | i64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_go_reads_them() {
        let table: [(&[u8], Option<i64>); 12] = [
            (b"0000644\0", Some(0o644)),
            (b" 644 \0\0\0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"", Some(0)),
            (b"12345678", None),
            (b"12 34\0\0\0", None),
            (b"-0000001", None),
            (b"\x80\0\0\0\0\0\0\x01", Some(1)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", Some(i64::MIN)),
        ];
        for (field, value) in table {
            assert_eq!(number(field, "x").ok(), value, "{field:?}");
        }
    }

    #[test]
    fn a_block_with_a_wrong_checksum_is_refused() {
        let mut header = Header::new_ustar();
        header.set_path("a").unwrap();
        header.set_size(0);
        header.set_cksum();
        assert!(decode(header.as_bytes()).is_ok());
        header.as_mut_bytes()[0] = b'b';
        assert_eq!(decode(header.as_bytes()).err(), Some("header checksum does not match"));
    }
}
