//! DNS messages as bytes (RFC 1035, section 4; EDNS: RFC 6891). Pure, and fed by strangers: nothing here may panic,
//! recurse or follow a pointer.
//!
//! Only the question is read. A question is the first name in its message, so it cannot be compressed, and answers of
//! other servers are passed on without a look at their records: that leaves no compression to undo.

mod query;
mod reader;
mod response;

pub(super) use query::{Query, Unfit};
pub(super) use response::{Code, Record, Response};

/// Length of a message's header in bytes (RFC 1035, 4.1.1).
pub(super) const HEADER: usize = 12;
/// Type of an address record (RFC 1035, 3.2.2).
pub(super) const A: u16 = 1;
/// Type of an IPv6 address record (RFC 3596, 2.1).
pub(super) const AAAA: u16 = 28;
/// Type of a name record (RFC 1035, 3.2.2).
pub(super) const PTR: u16 = 12;
/// Type of EDNS's own record (RFC 6891, 6.1.1).
pub(super) const OPT: u16 = 41;
/// Question types that ask for a whole zone (RFC 1995, RFC 1035).
pub(super) const TRANSFERS: [u16; 2] = [251, 252];
/// Question type that asks for everything (RFC 1035, 3.2.3).
pub(super) const ANY: u16 = 255;
/// The class of the Internet (RFC 1035, 3.2.4).
pub(super) const INTERNET: u16 = 1;

/// Bit of the second header word that marks a response (RFC 1035, 4.1.1, QR).
const RESPONSE: u16 = 1 << 15;

/// Replaces the id of a message.
pub(super) fn set_id(message: &mut [u8], id: u16) {
    if let Some(place) = message.get_mut(..2) {
        place.copy_from_slice(&id.to_be_bytes());
    }
}

/// Returns whether `message` is a response with this id to this question, letters compared without case.
pub(super) fn answers(message: &[u8], id: u16, question: &[u8]) -> bool {
    let Some(header) = message.first_chunk::<HEADER>() else { return false };
    let word = |index: usize| u16::from_be_bytes([header[index], header[index + 1]]);
    let echoed = message.get(HEADER..HEADER + question.len());
    word(0) == id
        && word(2) & RESPONSE != 0
        && word(4) == 1
        && echoed.is_some_and(|echoed| echoed.eq_ignore_ascii_case(question))
}

/// Returns the response code of a message (RFC 1035, 4.1.1, RCODE).
pub(super) fn code(message: &[u8]) -> Option<u8> {
    message.get(3).map(|byte| byte & 0x0f)
}
