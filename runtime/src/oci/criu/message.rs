//! Messages to and from `criu swrk`: the part of protocol buffers that its `rpc.proto` uses.
//!
//! *Pure.*

/// A message to be sent: fields by number, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::oci) struct Message(pub(in crate::oci) Vec<(u32, Value)>);

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::oci) enum Value {
    /// A number, an enumerator, or a truth value as 0 or 1; none is negative here.
    Number(u64),
    /// A text.
    Text(String),
    /// A message within.
    Message(Message),
}

/// Number and length-prefixed: the wire types of [`Value`] (protocol buffers, "Encoding").
const VARINT: u32 = 0;
const LENGTH: u32 = 2;

impl Message {
    pub(in crate::oci) fn number(self, field: u32, number: impl Into<u64>) -> Self {
        self.with(field, Value::Number(number.into()))
    }

    pub(in crate::oci) fn text(self, field: u32, text: impl Into<String>) -> Self {
        self.with(field, Value::Text(text.into()))
    }

    pub(in crate::oci) fn message(self, field: u32, message: Self) -> Self {
        self.with(field, Value::Message(message))
    }

    /// Adds a flag; one that is not set is left out, which means the same.
    pub(in crate::oci) fn flag(self, field: u32, set: bool) -> Self {
        if set { self.number(field, 1u8) } else { self }
    }

    fn with(mut self, field: u32, value: Value) -> Self {
        self.0.push((field, value));
        self
    }

    /// Returns the message as it is sent.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (field, value) in &self.0 {
            let inner = match value {
                Value::Number(number) => {
                    put_varint(&mut bytes, u64::from(field << 3 | VARINT));
                    put_varint(&mut bytes, *number);
                    continue;
                }
                Value::Text(text) => text.clone().into_bytes(),
                Value::Message(message) => message.encode(),
            };
            put_varint(&mut bytes, u64::from(field << 3 | LENGTH));
            put_varint(&mut bytes, inner.len() as u64);
            bytes.extend(inner);
        }
        bytes
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// An answer, or a question in the course of a request (`criu_resp`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Response {
    /// What it is about (`criu_req_type`).
    pub(super) kind: u64,
    pub(super) success: bool,
    /// The point of the work that was reached.
    pub(super) script: String,
    /// The first process, as soon as there is one.
    pub(super) pid: Option<i32>,
    /// Why not.
    pub(super) errno: Option<i32>,
    pub(super) why: String,
}

impl Response {
    /// Reads a message; `None` when it is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut response = Self::default();
        for field in fields(bytes)? {
            match field {
                (1, Part::Number(kind)) => response.kind = kind,
                (2, Part::Number(success)) => response.success = success != 0,
                (4, Part::Bytes(restored)) => response.pid = number(restored, 1)?.or(response.pid),
                (5, Part::Bytes(notice)) => {
                    response.pid = number(notice, 2)?.or(response.pid);
                    let script = fields(notice)?.into_iter().rev().find_map(|part| part.text(1));
                    response.script = script.unwrap_or_default();
                }
                (7, Part::Number(errno)) => response.errno = i32::try_from(errno).ok(),
                (9, Part::Bytes(why)) => response.why = String::from_utf8_lossy(why).into_owned(),
                _ => {}
            }
        }
        Some(response)
    }
}

/// A field of a message that was received.
enum Part<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// A number and a part.
trait Numbered {
    fn text(self, field: u64) -> Option<String>;
}

impl Numbered for (u64, Part<'_>) {
    fn text(self, field: u64) -> Option<String> {
        match self {
            (number, Part::Bytes(bytes)) if number == field => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }
}

fn number(message: &[u8], field: u64) -> Option<Option<i32>> {
    let found = fields(message)?.into_iter().rev().find_map(|part| match part {
        (number, Part::Number(value)) if number == field => i32::try_from(value).ok(),
        _ => None,
    });
    Some(found)
}

fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Part<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes)?;
        let part = match key & 7 {
            0 => Part::Number(take_varint(&mut bytes)?),
            1 => Part::Bytes(take(&mut bytes, 8)?),
            2 => {
                let length = take_varint(&mut bytes)?;
                Part::Bytes(take(&mut bytes, usize::try_from(length).ok()?)?)
            }
            5 => Part::Bytes(take(&mut bytes, 4)?),
            _ => return None,
        };
        fields.push((key >> 3, part));
    }
    Some(fields)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_written_as_protocol_buffers_are() {
        let inner = Message::default().text(1, "a").flag(2, false).flag(3, true);
        let message = Message::default().number(1, 300u32).message(20, inner);
        // The number and its encoding are the example of the description of the format.
        assert_eq!(message.encode(), [0x08, 0xac, 0x02, 0xa2, 0x01, 5, 0x0a, 1, b'a', 0x18, 1]);
    }

    #[test]
    fn a_notice_is_read_with_its_process() {
        let notice = Message::default().text(1, "post-restore").number(2, 77u32);
        let bytes = Message::default().number(1, 6u32).number(2, 1u32).message(5, notice).encode();
        let expected =
            Response { kind: 6, success: true, script: "post-restore".into(), pid: Some(77), ..Response::default() };
        assert_eq!(Response::decode(&bytes), Some(expected));
    }

    #[test]
    fn a_failure_is_read_with_its_reason() {
        let bytes = Message::default().number(1, 1u32).number(2, 0u32).number(7, 52u32).text(9, "no").encode();
        let expected = Response { kind: 1, errno: Some(52), why: "no".into(), ..Response::default() };
        assert_eq!(Response::decode(&bytes), Some(expected));
    }

    proptest! {
        #[test]
        fn whatever_is_received_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _read_or_refused = Response::decode(&bytes);
        }

        #[test]
        fn a_number_comes_back(number: u64) {
            let bytes = Message::default().number(1, number).encode();
            prop_assert_eq!(Response::decode(&bytes).map(|response| response.kind), Some(number));
        }
    }
}
