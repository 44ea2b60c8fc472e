//! Walks through a message without ever leaving it. Pure.

/// Longest name in bytes, with its length bytes (RFC 1035, 2.3.4).
const LONGEST_NAME: usize = 255;
/// The two bits of a length byte that make it a pointer (RFC 1035, 4.1.4); the other combinations are unused.
const POINTER: u8 = 0b1100_0000;

/// A place in a message; every reading moves it on, `None` means the message ends or lies.
pub(super) struct Reader<'a> {
    message: &'a [u8],
    pub(super) place: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8], place: usize) -> Reader<'a> {
        Reader { message, place }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.place.checked_add(count)?;
        let bytes = self.message.get(self.place..end)?;
        self.place = end;
        Some(bytes)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// Reads a name that is not compressed: its labels, in small letters, with a dot between them.
    ///
    /// Bytes that are no letters of a host name are kept as escapes (RFC 1035, 5.1), so that no two names read the same.
    pub(super) fn plain_name(&mut self) -> Option<String> {
        let start = self.place;
        let mut name = String::new();
        loop {
            let length = self.u8()?;
            if length & POINTER != 0 {
                return None;
            }
            if self.place - start + usize::from(length) > LONGEST_NAME {
                return None;
            }
            if length == 0 {
                return Some(name);
            }
            if !name.is_empty() {
                name.push('.');
            }
            self.bytes(usize::from(length))?.iter().for_each(|byte| push_escaped(&mut name, *byte));
        }
    }

    /// Skips a name, compressed or not.
    pub(super) fn skip_name(&mut self) -> Option<()> {
        let start = self.place;
        while self.place - start <= LONGEST_NAME {
            match self.u8()? {
                0 => return Some(()),
                length if length & POINTER == POINTER => return self.u8().map(|_| ()),
                length if length & POINTER != 0 => return None,
                length => self.bytes(usize::from(length)).map(|_| ())?,
            }
        }
        None
    }
}

fn push_escaped(name: &mut String, byte: u8) {
    match byte {
        b'.' | b'\\' => name.extend(['\\', char::from(byte)]),
        b'!'..=b'~' => name.push(char::from(byte.to_ascii_lowercase())),
        _ => name.push_str(&format!("\\{byte:03}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_in_small_letters_and_escaped() {
        let mut reader = Reader::new(b"\x03WeB\x04a.b\x07\x00rest", 0);
        assert_eq!(reader.plain_name().unwrap(), "web.a\\.b\\007");
        assert_eq!(reader.bytes(4), Some(b"rest".as_slice()));
        assert_eq!(reader.u8(), None);
    }

    #[test]
    fn pointers_and_endless_names_are_refused() {
        assert_eq!(Reader::new(b"\xc0\x0c", 0).plain_name(), None);
        assert_eq!(Reader::new(b"\x40a\x00", 0).plain_name(), None);
        let long = [[1, b'a'].repeat(200), vec![0]].concat();
        assert_eq!(Reader::new(&long, 0).plain_name(), None);
        assert_eq!(Reader::new(&long, 0).skip_name(), None);
    }

    #[test]
    fn a_compressed_name_is_skipped_not_followed() {
        let mut reader = Reader::new(b"\x01a\xc0\x00\x2a", 0);
        assert_eq!(reader.skip_name(), Some(()));
        assert_eq!(reader.u8(), Some(42));
    }
}
