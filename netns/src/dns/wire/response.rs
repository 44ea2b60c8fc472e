//! Writes a response. Pure.

use std::net::IpAddr;

use super::query::Query;
use super::{A, AAAA, HEADER, INTERNET, OPT, PTR, RESPONSE};

/// Bits of the second header word (RFC 1035, 4.1.1).
const AUTHORITATIVE: u16 = 1 << 10;
const TRUNCATED: u16 = 1 << 9;
const RECURSION_DESIRED: u16 = 1 << 8;
const RECURSION_AVAILABLE: u16 = 1 << 7;
/// The name of the question, as a pointer to it (RFC 1035, 4.1.4).
const NAME_OF_QUESTION: [u8; 2] = [0xc0, HEADER as u8];
/// Largest question over UDP in bytes that we say to take: fits any link's packet (DNS flag day 2020).
const OUR_LIMIT: u16 = 1232;
/// Length in bytes of the record that says so.
const EDNS: usize = 11;
/// How long an answer may be kept, in seconds. A container may be replaced at any moment; within these seconds a program
/// that asks again and again costs little.
const TTL: u32 = 5;

/// What became of a question (RFC 1035, 4.1.1, RCODE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dns) enum Code {
    /// It is answered, if only by "no such record".
    NoError = 0,
    /// It could not be read.
    FormatError = 1,
    /// Nobody who could answer it did.
    ServerFailure = 2,
    /// There is no such name.
    NoSuchName = 3,
    /// Its kind is not known here.
    NotImplemented = 4,
    /// It is not answered here.
    Refused = 5,
}

/// One record, with the name of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dns) enum Record {
    /// An address.
    Address(IpAddr),
    /// A name: labels with dots between.
    Name(String),
}

impl Record {
    fn encode(&self) -> Vec<u8> {
        let (kind, value) = match self {
            Record::Address(IpAddr::V4(address)) => (A, address.octets().to_vec()),
            Record::Address(IpAddr::V6(address)) => (AAAA, address.octets().to_vec()),
            Record::Name(name) => (PTR, encode_name(name)),
        };
        let mut record = NAME_OF_QUESTION.to_vec();
        record.extend_from_slice(&kind.to_be_bytes());
        record.extend_from_slice(&INTERNET.to_be_bytes());
        record.extend_from_slice(&TTL.to_be_bytes());
        // No value of ours is longer than a name, 255 bytes.
        record.extend_from_slice(&(value.len() as u16).to_be_bytes());
        record.extend_from_slice(&value);
        record
    }
}

/// Writes a name; labels too long to be written are cut, names too long end early.
fn encode_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').map(str::as_bytes).filter(|label| !label.is_empty()) {
        let label = &label[..label.len().min(63)];
        if bytes.len() + label.len() + 2 > 255 {
            break;
        }
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label);
    }
    bytes.push(0);
    bytes
}

/// A response of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dns) struct Response {
    id: u16,
    flags: u16,
    question: Vec<u8>,
    edns: bool,
    records: Vec<Record>,
}

impl Response {
    pub(in crate::dns) fn new(query: &Query, code: Code) -> Response {
        let desired = if query.recursion_desired { RECURSION_DESIRED } else { 0 };
        Response {
            id: query.id,
            flags: RESPONSE | AUTHORITATIVE | desired | RECURSION_AVAILABLE | code as u16,
            question: query.question.clone(),
            edns: query.edns,
            records: Vec::new(),
        }
    }

    pub(in crate::dns) fn with(self, records: Vec<Record>) -> Response {
        Response { records, ..self }
    }

    /// Answers a message of which only the header could be read.
    pub(super) fn without_question(id: u16, code: Code) -> Response {
        let flags = RESPONSE | RECURSION_AVAILABLE | code as u16;
        Response { id, flags, question: Vec::new(), edns: false, records: Vec::new() }
    }

    /// Writes it in at most `limit` bytes; records for which there is no room are left out, and the header says so.
    pub(in crate::dns) fn encode(&self, limit: usize) -> Vec<u8> {
        let fixed = HEADER + self.question.len() + if self.edns { EDNS } else { 0 };
        let mut records = Vec::new();
        let mut count: u16 = 0;
        for record in &self.records {
            let record = record.encode();
            if fixed + records.len() + record.len() > limit {
                break;
            }
            records.extend(record);
            count += 1;
        }
        let cut = if usize::from(count) < self.records.len() { TRUNCATED } else { 0 };
        let questions = u16::from(!self.question.is_empty());
        let words = [self.id, self.flags | cut, questions, count, 0, u16::from(self.edns)];
        let mut message = words.map(u16::to_be_bytes).concat();
        message.extend_from_slice(&self.question);
        message.extend_from_slice(&records);
        if self.edns {
            message.push(0);
            message.extend_from_slice(&[OPT, OUR_LIMIT, 0, 0, 0].map(u16::to_be_bytes).concat());
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(edns: bool) -> Query {
        Query {
            id: 0x1234,
            recursion_desired: true,
            name: "web".into(),
            kind: A,
            class: INTERNET,
            question: b"\x03web\x00\x00\x01\x00\x01".to_vec(),
            limit: 512,
            edns,
        }
    }

    #[test]
    fn an_address_is_written_after_its_question() {
        let response = Response {
            records: vec![Record::Address([172, 18, 0, 2].into())],
            ..Response::new(&query(false), Code::NoError)
        };
        let expected = b"\x12\x34\x85\x80\0\x01\0\x01\0\0\0\0\x03web\0\0\x01\0\x01\
                         \xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\xac\x12\0\x02";
        assert_eq!(response.encode(512), expected);
    }

    #[test]
    fn more_than_fits_is_cut_and_said_so() {
        let records = (0..100).map(|last| Record::Address([10, 0, 0, last].into())).collect();
        let response = Response { records, ..Response::new(&query(true), Code::NoError) };
        let cut = response.encode(512);
        assert!(cut.len() <= 512 && cut.len() > 496, "{}", cut.len());
        assert_eq!(cut[2] & 2, 2);
        assert_eq!(cut[7], 30);
        let whole = response.encode(65_535);
        assert_eq!((whole[2] & 2, whole[7]), (0, 100));
    }

    #[test]
    fn edns_is_answered_with_edns() {
        let plain = Response::new(&query(false), Code::NoSuchName).encode(512);
        let extended = Response::new(&query(true), Code::NoSuchName).encode(512);
        assert_eq!(extended.len(), plain.len() + EDNS);
        assert_eq!((extended[11], extended[3] & 15), (1, 3));
    }

    #[test]
    fn a_name_is_written_in_labels_and_never_too_long() {
        assert_eq!(encode_name("web-1.net"), b"\x05web-1\x03net\x00");
        let long = encode_name(&["a".repeat(99).as_str(); 20].join("."));
        assert!(long.len() <= 255 && long.ends_with(&[0]));
    }
}
