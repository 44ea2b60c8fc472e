//! Netlink attributes: type, length and value, padded to four bytes (netlink(7), `struct nlattr`). Pure.

/// Flag of an attribute whose value is attributes; the kernel demands it from nfnetlink users.
const NESTED: u16 = libc::NLA_F_NESTED as u16;
/// The bits of the type that are the type.
const TYPE_MASK: u16 = libc::NLA_TYPE_MASK as u16;
/// Length of type and length, in bytes.
const HEADER: usize = 4;

/// A list of attributes being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    pub(crate) fn new() -> Attributes {
        Attributes::default()
    }

    /// Starts with a fixed header in front of the attributes, as `VETH_INFO_PEER` wants it.
    pub(crate) fn after(header: Vec<u8>) -> Attributes {
        Attributes(header)
    }

    pub(crate) fn bytes(mut self, kind: u16, value: &[u8]) -> Attributes {
        let length = HEADER + value.len();
        let field = u16::try_from(length).expect("no attribute of ours comes near 64 KiB: lists are cut into messages");
        self.0.extend_from_slice(&field.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds a number in the byte order of this machine, as rtnetlink wants it.
    pub(crate) fn native_u32(self, kind: u16, value: u32) -> Attributes {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds a number in network byte order, as nfnetlink wants it.
    pub(crate) fn u32(self, kind: u16, value: u32) -> Attributes {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Adds a text with its closing zero.
    pub(crate) fn text(self, kind: u16, value: &str) -> Attributes {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    pub(crate) fn nest(self, kind: u16, inner: Attributes) -> Attributes {
        self.bytes(kind | NESTED, &inner.0)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a list of attributes; stops at the first that does not fit.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(0..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & TYPE_MASK, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_padded_to_four_bytes_and_read_back() {
        let bytes = Attributes::new().text(3, "lo").nest(18, Attributes::new().u32(1, 7)).into_bytes();
        assert_eq!(bytes.len(), 8 + 12);
        let read: Vec<_> = attributes(&bytes).collect();
        assert_eq!(read, [(3, b"lo\0".as_slice()), (18, &[8, 0, 1, 0, 0, 0, 0, 7])]);
    }

    #[test]
    fn a_cut_list_ends_early_and_never_panics() {
        let whole = Attributes::new().text(3, "eth0").native_u32(4, 1500).into_bytes();
        for length in 0..whole.len() {
            assert!(attributes(&whole[..length]).count() <= 1);
        }
        assert_eq!(attributes(&[1, 0, 3, 0]).count(), 0, "a length below the header's own");
    }
}
