//! Reads a question. Pure.

use super::reader::Reader;
use super::response::{Code, Response};
use super::{HEADER, OPT, RESPONSE};

/// Largest response in bytes to one who did not say more (RFC 1035, 4.2.1).
const PLAIN_LIMIT: u16 = 512;
/// Bits of the second header word: the kind of query, 0 being a standard one, and "recursion desired".
const OPCODE: u16 = 0b1111 << 11;
const RECURSION_DESIRED: u16 = 1 << 8;
/// Most records we walk over in search of EDNS's.
const MOST_RECORDS: u16 = 16;

/// A message with one question in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dns) struct Query {
    pub(in crate::dns) id: u16,
    pub(in crate::dns) recursion_desired: bool,
    /// The name in small letters, without a dot at its end.
    pub(in crate::dns) name: String,
    /// Type of the wanted records.
    pub(in crate::dns) kind: u16,
    pub(in crate::dns) class: u16,
    /// The question as it was written, to be echoed.
    pub(in crate::dns) question: Vec<u8>,
    /// Largest response over UDP in bytes.
    pub(in crate::dns) limit: u16,
    /// Whether the asker speaks EDNS and shall see it answered.
    pub(in crate::dns) edns: bool,
}

/// What to do with a message that is no question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dns) enum Unfit {
    /// Nothing: it is a response, or too short to be answered.
    Ignore,
    /// Answer with this.
    Answer(Vec<u8>),
}

impl Query {
    /// Reads a message.
    pub(in crate::dns) fn read(message: &[u8]) -> Result<Query, Unfit> {
        let header = message.first_chunk::<HEADER>().ok_or(Unfit::Ignore)?;
        let word = |index: usize| u16::from_be_bytes([header[index], header[index + 1]]);
        let (id, flags) = (word(0), word(2));
        let refuse = |code| Unfit::Answer(Response::without_question(id, code).encode(usize::from(PLAIN_LIMIT)));
        if flags & RESPONSE != 0 {
            return Err(Unfit::Ignore);
        }
        if flags & OPCODE != 0 {
            return Err(refuse(Code::NotImplemented));
        }
        if word(4) != 1 {
            return Err(refuse(Code::FormatError));
        }
        let records = word(6).saturating_add(word(8)).saturating_add(word(10));
        let query = read_question(message, records).ok_or_else(|| refuse(Code::FormatError))?;
        Ok(Query { id, recursion_desired: flags & RECURSION_DESIRED != 0, ..query })
    }
}

fn read_question(message: &[u8], records: u16) -> Option<Query> {
    let mut reader = Reader::new(message, HEADER);
    let name = reader.plain_name()?;
    let (kind, class) = (reader.u16()?, reader.u16()?);
    let question = message.get(HEADER..reader.place)?.to_vec();
    let size = edns_size(&mut reader, records)?;
    let limit = size.unwrap_or(PLAIN_LIMIT).max(PLAIN_LIMIT);
    Some(Query { id: 0, recursion_desired: false, name, kind, class, question, limit, edns: size.is_some() })
}

/// Returns the size of response that EDNS's record announces in place of a class (RFC 6891, 6.1.2).
fn edns_size(reader: &mut Reader<'_>, records: u16) -> Option<Option<u16>> {
    for _ in 0..records.min(MOST_RECORDS) {
        reader.skip_name()?;
        let (kind, size) = (reader.u16()?, reader.u16()?);
        reader.bytes(4)?;
        let length = reader.u16()?;
        reader.bytes(usize::from(length))?;
        if kind == OPT {
            return Some(Some(size));
        }
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dns::wire::{A, answers};

    /// `dig web` without EDNS.
    const PLAIN: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03weB\x00\x00\x01\x00\x01";

    fn with_edns(size: u16) -> Vec<u8> {
        let mut message = PLAIN.to_vec();
        message[11] = 1;
        message.extend_from_slice(b"\x00\x00\x29");
        message.extend_from_slice(&size.to_be_bytes());
        message.extend_from_slice(&[0; 6]);
        message
    }

    #[test]
    fn a_question_is_read() {
        let query = Query::read(PLAIN).unwrap();
        assert_eq!((query.id, query.name.as_str(), query.kind, query.class), (0x1234, "web", A, 1));
        assert_eq!((query.recursion_desired, query.edns, query.limit), (true, false, 512));
        assert_eq!(query.question, b"\x03weB\x00\x00\x01\x00\x01");
    }

    #[test]
    fn edns_raises_the_limit_and_never_lowers_it() {
        let query = Query::read(&with_edns(1232)).unwrap();
        assert_eq!((query.edns, query.limit), (true, 1232));
        assert_eq!(Query::read(&with_edns(0)).unwrap().limit, 512);
    }

    #[test]
    fn what_is_no_question_is_ignored_or_refused() {
        assert_eq!(Query::read(b""), Err(Unfit::Ignore));
        let response = [&PLAIN[..2], b"\x81", &PLAIN[3..]].concat();
        assert_eq!(Query::read(&response), Err(Unfit::Ignore));
        let update = [&PLAIN[..2], b"\x29", &PLAIN[3..]].concat();
        assert_eq!(Query::read(&update), Err(Unfit::Answer(b"\x12\x34\x80\x84\0\0\0\0\0\0\0\0".to_vec())));
        let two = [&PLAIN[..5], b"\x02", &PLAIN[6..]].concat();
        assert_eq!(Query::read(&two), Err(Unfit::Answer(b"\x12\x34\x80\x81\0\0\0\0\0\0\0\0".to_vec())));
        assert!(matches!(Query::read(&PLAIN[..PLAIN.len() - 1]), Err(Unfit::Answer(_))));
    }

    #[test]
    fn a_response_must_echo_id_and_question() {
        let question = &PLAIN[HEADER..];
        let response = [&PLAIN[..2], b"\x81\x80", &PLAIN[4..]].concat();
        assert!(answers(&response, 0x1234, question));
        assert!(answers(&response.to_ascii_uppercase(), 0x1234, question));
        assert!(!answers(&response, 0x1235, question));
        assert!(!answers(PLAIN, 0x1234, question), "a query is no response");
        assert!(!answers(&response[..20], 0x1234, question));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(message in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Query::read(&message);
            let _ = answers(&message, 1, b"\x00\x00\x01\x00\x01");
        }

        /// Random bytes seldom get past the header; these differ from a good message in a few places.
        #[test]
        fn no_damage_makes_reading_panic(changes in proptest::collection::vec((0usize..40, any::<u8>()), 0..6), cut in 0usize..40) {
            let mut message = with_edns(4096);
            for (place, byte) in changes {
                if let Some(old) = message.get_mut(place) { *old = byte; }
            }
            message.truncate(cut.max(12));
            if let Ok(query) = Query::read(&message) {
                prop_assert!(query.name.len() <= 4 * 255);
                prop_assert!(message[HEADER..].starts_with(&query.question));
            }
        }
    }
}
