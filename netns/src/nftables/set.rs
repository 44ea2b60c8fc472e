//! Sets and maps, and the keys in them. Pure.

use crate::netlink::Attributes;

/// Flag of a set that maps its keys to values (`NFT_SET_MAP`).
const MAP: u32 = 8;
/// Length of a device name with its closing zeros, in bytes (`IFNAMSIZ`).
const INTERFACE: usize = 16;
/// Length of a register in bytes.
const REGISTER: u32 = 4;

/// What nft(8) notes of a set (`NFTA_SET_USERDATA`) whose keys it would else read from the end, as numbers of the network's order:
/// the entry 0, four bytes long, which is 1 for the host's.
const HOST_ORDER: [u8; 6] = {
    let [a, b, c, d] = 1u32.to_ne_bytes();
    [0, 4, a, b, c, d]
};

/// One part of a key or value, with the kernel's idea of its length and nft(8)'s of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// `ifname`
    Interface,
    /// `ipv4_addr`
    Address,
    /// `ipv6_addr`
    Address6,
    /// `inet_proto`
    Protocol,
    /// `inet_service`
    Port,
}

impl Field {
    /// Length in bytes, with the padding that lines up the next part with a register.
    fn length(self) -> u32 {
        if matches!(self, Field::Interface | Field::Address6) { 16 } else { REGISTER }
    }

    /// Number of registers that hold it.
    pub(super) fn registers(self) -> u32 {
        self.length() / REGISTER
    }

    /// Number under which nft(8) knows the type; the kernel keeps it unread, `nft list` needs it.
    fn number(self) -> u32 {
        match self {
            Field::Address => 7,
            Field::Address6 => 8,
            Field::Protocol => 12,
            Field::Port => 13,
            Field::Interface => 41,
        }
    }
}

/// A set, or with `value` a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) key: &'static [Field],
    pub(crate) value: &'static [Field],
}

/// The number of a concatenated type: six bits for each part, as nft(8) packs them.
fn type_number(fields: &[Field]) -> u32 {
    fields.iter().fold(0, |number, field| number << 6 | field.number())
}

fn length(fields: &[Field]) -> u32 {
    fields.iter().map(|field| field.length()).sum()
}

impl Set {
    /// Writes the attributes of `NFT_MSG_NEWSET` after the table's name; `id` is the set's number within the transaction.
    pub(super) fn attributes(&self, table: Attributes, id: u32) -> Attributes {
        let set = table
            .text(2, self.name)
            .u32(3, if self.value.is_empty() { 0 } else { MAP })
            .u32(4, type_number(self.key))
            .u32(5, length(self.key));
        let set =
            if self.value.is_empty() { set } else { set.u32(6, type_number(self.value)).u32(7, length(self.value)) };
        let set = set.u32(10, id);
        match self.key {
            [Field::Interface] => set.bytes(13, &HOST_ORDER),
            _ => set, // nft(8) takes the rest for what it is
        }
    }
}

/// One member of a set, or one key of a map with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Element {
    /// Joins the parts of a key; each is padded to the four bytes of a register.
    pub(crate) fn key(parts: &[&[u8]]) -> Element {
        Element { key: padded(parts), value: Vec::new() }
    }

    pub(crate) fn value(self, parts: &[&[u8]]) -> Element {
        Element { value: padded(parts), ..self }
    }

    /// Writes `NFTA_LIST_ELEM` with key and value (`NFTA_SET_ELEM_KEY`, `NFTA_SET_ELEM_DATA`).
    pub(super) fn attributes(&self, list: Attributes) -> Attributes {
        let element = Attributes::new().nest(1, Attributes::new().bytes(1, &self.key));
        let element =
            if self.value.is_empty() { element } else { element.nest(2, Attributes::new().bytes(1, &self.value)) };
        list.nest(1, element)
    }
}

fn padded(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(part);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// Returns a device's name as a part of a key.
pub(crate) fn interface_key(name: &str) -> [u8; INTERFACE] {
    let mut key = [0; INTERFACE];
    key.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    // The numbers are those `nft --debug=mnl` 1.0.6 shows for the same types.
    #[test]
    fn concatenated_types_have_the_numbers_of_nft() {
        assert_eq!(type_number(&[Field::Interface, Field::Address]), 0x0a47);
        assert_eq!(length(&[Field::Interface, Field::Address]), 0x14);
        assert_eq!(type_number(&[Field::Address, Field::Protocol, Field::Port]), 0x730d);
        assert_eq!(type_number(&[Field::Address, Field::Port]), 0x1cd);
    }

    #[test]
    fn an_element_is_written_as_nft_writes_it() {
        let element =
            Element::key(&[&[127, 0, 0, 1], &[6], &80u16.to_be_bytes()]).value(&[&[1, 2, 3, 4], &90u16.to_be_bytes()]);
        assert_eq!(element.key, [127, 0, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0]);
        assert_eq!(element.value, [1, 2, 3, 4, 0, 90, 0, 0]);
        assert_eq!(element.attributes(Attributes::new()).into_bytes().len(), 40);
    }
}
