//! Netlink messages (netlink(7), `struct nlmsghdr`). Pure.

use super::attribute::Attributes;

/// Length of a message's header in bytes.
pub(super) const HEADER: usize = 16;

/// One request, and in words what it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
    act: String,
}

impl Message {
    /// `act` reads after "failed to" and names its object; `family` is the family's own header, unpadded.
    pub(crate) fn new(act: impl Into<String>, kind: u16, family: &[u8], attributes: Attributes) -> Message {
        let mut body = family.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend_from_slice(&attributes.into_bytes());
        Message { kind, flags: libc::NLM_F_REQUEST as u16, body, act: act.into() }
    }

    pub(crate) fn flags(mut self, flags: i32) -> Message {
        self.flags |= u16::try_from(flags).expect("netlink flags are 16 bits wide");
        self
    }

    pub(crate) fn act(&self) -> &str {
        &self.act
    }

    pub(super) fn write(&self, sequence: u32, out: &mut Vec<u8>) {
        let length = u32::try_from(HEADER + self.body.len()).expect("messages are cut far below 4 GiB");
        out.extend_from_slice(&length.to_ne_bytes());
        out.extend_from_slice(&self.kind.to_ne_bytes());
        out.extend_from_slice(&self.flags.to_ne_bytes());
        out.extend_from_slice(&sequence.to_ne_bytes());
        out.extend_from_slice(&0u32.to_ne_bytes());
        out.extend_from_slice(&self.body);
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

/// One answer.
#[derive(Debug)]
pub(super) struct Reply<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

/// Reads the answers in one datagram; stops at the first that does not fit.
pub(super) fn replies(mut bytes: &[u8]) -> impl Iterator<Item = Reply<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_ne_bytes(bytes.get(0..4)?.try_into().ok()?)).ok()?;
        let reply = Reply {
            kind: u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?),
            flags: u16::from_ne_bytes(bytes.get(6..8)?.try_into().ok()?),
            sequence: u32::from_ne_bytes(bytes.get(8..12)?.try_into().ok()?),
            body: bytes.get(HEADER..length)?,
        };
        bytes = bytes.get(length.checked_next_multiple_of(4)?..).unwrap_or_default();
        Some(reply)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_back_as_it_was_written() {
        let message = Message::new("try", 16, &[2, 0, 0], Attributes::new().text(3, "lo")).flags(libc::NLM_F_ACK);
        let mut bytes = Vec::new();
        message.write(7, &mut bytes);
        let read: Vec<_> = replies(&bytes).collect();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].kind, read[0].flags, read[0].sequence), (16, 5, 7));
        assert_eq!(read[0].body, [2, 0, 0, 0, 7, 0, 3, 0, b'l', b'o', 0, 0]);
    }

    #[test]
    fn a_length_that_lies_ends_the_reading() {
        assert_eq!(replies(&[255; 64]).count(), 0);
        assert_eq!(replies(&[0; 64]).count(), 0);
    }
}
