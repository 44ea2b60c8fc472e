//! PAX extended headers: `LENGTH KEY=VALUE\n`, where the value may hold any bytes.
//!
//! Runs in the shell command's process, in a layer's extracting thread; pure. POSIX.1-2017 pax, "pax Extended Header";
//! `SCHILY.xattr.` is star's key for extended attributes and the one image layers use; `GNU.sparse.` is GNU tar's.

use std::collections::BTreeMap;

use super::entry::Timestamp;

/// Key prefix of an extended attribute.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// What an extended header overrides for the entry after it; an empty value overrides nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) sparse: SparseRecords,
}

/// The `GNU.sparse.` records, of all three versions of that format.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SparseRecords {
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    /// Size of the file with its holes (`realsize` of version 1.0, `size` of the older ones).
    pub(super) size: Option<u64>,
    /// Offsets and lengths in turn (version 0.1), or collected from repeated records (0.0).
    pub(super) map: Vec<u64>,
}

/// Reads all records of an extended header.
///
/// # Errors
/// A word for what is malformed.
pub(super) fn parse(mut records: &[u8]) -> Result<Extension, &'static str> {
    let mut extension = Extension::default();
    while !records.is_empty() {
        let record = split_record(&mut records)?;
        extension.set(record.key, record.value)?;
    }
    Ok(extension)
}

struct Record<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

/// Splits the first record off, trusting its length and nothing else: values may contain newlines.
fn split_record<'a>(records: &mut &'a [u8]) -> Result<Record<'a>, &'static str> {
    const MALFORMED: &str = "extended header record is malformed";
    let all = *records;
    let space = all.iter().take(20).position(|byte| *byte == b' ').ok_or(MALFORMED)?;
    let length = decimal(&all[..space]).and_then(|length| usize::try_from(length).ok()).ok_or(MALFORMED)?;
    if length <= space + 1 || length > all.len() || all[length - 1] != b'\n' {
        return Err(MALFORMED);
    }
    let pair = &all[space + 1..length - 1];
    let equals = pair.iter().position(|byte| *byte == b'=').ok_or(MALFORMED)?;
    let (key, value) = (&pair[..equals], &pair[equals + 1..]);
    if key.is_empty() || key.contains(&0) {
        return Err(MALFORMED);
    }
    *records = &all[length..];
    Ok(Record { key, value })
}

impl Extension {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        // of attributes too: so POSIX, Docker and umoci have it
        if value.is_empty() {
            return Ok(());
        }
        if let Some(name) = key.strip_prefix(XATTR) {
            self.xattrs.insert(name.to_vec(), value.to_vec());
            return Ok(());
        }
        match key {
            b"path" => self.path = Some(text(value)?),
            b"linkpath" => self.link = Some(text(value)?),
            b"size" => self.size = Some(unsigned(value)?),
            b"uid" => self.uid = Some(unsigned(value)?),
            b"gid" => self.gid = Some(unsigned(value)?),
            b"mtime" => self.mtime = Some(timestamp(value).ok_or("extended header has a malformed time")?),
            _ => return self.sparse.set(key, value),
        }
        Ok(())
    }
}

impl SparseRecords {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        match key {
            b"GNU.sparse.major" => self.major = Some(unsigned(value)?),
            b"GNU.sparse.minor" => self.minor = Some(unsigned(value)?),
            b"GNU.sparse.name" => self.name = Some(text(value)?),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.size = Some(unsigned(value)?),
            b"GNU.sparse.map" => {
                self.map = value.split(|byte| *byte == b',').map(unsigned).collect::<Result<_, _>>()?
            }
            b"GNU.sparse.offset" => self.push(unsigned(value)?, 0)?,
            b"GNU.sparse.numbytes" => self.push(unsigned(value)?, 1)?,
            _ => {}
        }
        Ok(())
    }

    /// Adds an offset (`parity` 0) or a length (1); they must alternate, offset first.
    fn push(&mut self, value: u64, parity: usize) -> Result<(), &'static str> {
        if self.map.len() % 2 != parity {
            return Err("sparse map is malformed");
        }
        self.map.push(value);
        Ok(())
    }
}

fn text(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    if value.contains(&0) { Err("extended header has a name with a NUL byte") } else { Ok(value.to_vec()) }
}

fn unsigned(value: &[u8]) -> Result<u64, &'static str> {
    decimal(value).ok_or("extended header has a malformed number")
}

/// Decodes decimal digits; nothing but digits, and not beyond 2⁶³-1, the largest size a file can have.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |sum, byte| match byte {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })?;
    i64::try_from(value).is_ok().then_some(value)
}

/// Decodes `[-]SECONDS[.FRACTION]`; what is finer than a nanosecond is cut off.
fn timestamp(value: &[u8]) -> Option<Timestamp> {
    let (is_negative, digits) = match value.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    let dot = digits.iter().position(|byte| *byte == b'.');
    let seconds = i64::try_from(decimal(&digits[..dot.unwrap_or(digits.len())])?).ok()?;
    let nanoseconds = fraction(dot.map_or(&[][..], |dot| &digits[dot + 1..]))?;
    Some(match (is_negative, nanoseconds) {
        (false, _) => Timestamp { seconds, nanoseconds },
        (true, 0) => Timestamp { seconds: -seconds, nanoseconds },
        (true, _) => Timestamp { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

/// Turns the digits after a decimal point into nanoseconds.
fn fraction(digits: &[u8]) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((0..9).fold(0, |sum, place| sum * 10 + u32::from(digits.get(place).map_or(0, |digit| digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_binary_attribute_keeps_its_newlines_and_nuls() {
        let extension = parse(b"35 SCHILY.xattr.security.x=\x01\n=\0 1 \n12 path=a b\n").unwrap();
        assert_eq!(extension.xattrs[&b"security.x"[..]], b"\x01\n=\0 1 ");
        assert_eq!(extension.path.unwrap(), b"a b");
    }

    #[test]
    fn times_keep_their_nanoseconds_on_both_sides_of_1970() {
        for (value, seconds, nanoseconds) in [
            ("1700000000.123456789", 1_700_000_000, 123_456_789),
            ("1700000000.1234567891", 1_700_000_000, 123_456_789),
            ("1", 1, 0),
            ("1.", 1, 0),
            ("-1.25", -2, 750_000_000),
            ("-0.5", -1, 500_000_000),
        ] {
            assert_eq!(timestamp(value.as_bytes()), Some(Timestamp { seconds, nanoseconds }));
        }
        for value in ["1.x", ".5", "", "-", "--1"] {
            assert_eq!(timestamp(value.as_bytes()), None);
        }
    }

    #[test]
    fn malformed_records_are_errors() {
        for records in [
            &b"5 a=\n"[..],
            b"6 a=b",
            b"99 a=b\n",
            b"x a=b\n",
            b"6 ab\n\n",
            b"6 =ab\n",
            b"0 a=b\n",
            b"-6 a=b\n",
            b" ",
            b"13 size=-1\n\n",
            b"11 path=\0a\n",
            b"12 size=1x2\n",
        ] {
            // An empty value is no error: it overrides nothing.
            let is_fine = records == b"5 a=\n";
            assert_eq!(parse(records).is_ok(), is_fine, "{}", String::from_utf8_lossy(records));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_read(records in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&records);
        }

        #[test]
        fn any_attribute_value_survives(value in proptest::collection::vec(any::<u8>(), 1..300)) {
            let body = [b" SCHILY.xattr.user.a=".as_slice(), &value, b"\n"].concat();
            let length = (1..=4).map(|digits| body.len() + digits).find(|all| all.to_string().len() + body.len() == *all);
            let record = [length.unwrap().to_string().as_bytes(), &body].concat();
            prop_assert_eq!(&parse(&record).unwrap().xattrs[&b"user.a"[..]], &value);
        }
    }
}
