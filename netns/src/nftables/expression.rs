//! Rules: the expressions the kernel runs on a packet, in the order in which they are written. Pure.
//!
//! Registers are the 4-byte ones (`NFT_REG32_00` on). Every value a rule loads for one look-up lies in neighbouring
//! registers, which is how the kernel reads a concatenated key.

use super::set::Field;
use crate::netlink::Attributes;

/// First 4-byte register (`NFT_REG32_00`).
const FIRST_REGISTER: u32 = 8;
/// Register that takes the verdict (`NFT_REG_VERDICT`).
const VERDICT_REGISTER: u32 = 0;

/// What is asked for devices that are bridges (`NFT_META_IIFKIND`, `NFT_META_OIFKIND`), and the answer.
const INPUT_KIND: i32 = 26;
const OUTPUT_KIND: i32 = 27;
const BRIDGE: [u8; 16] = *b"bridge\0\0\0\0\0\0\0\0\0\0";

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Drops it for good.
    Drop,
    /// Ends this table's say; chains of other tables still see it.
    Accept,
    /// Goes back to the calling chain, or to the policy.
    Return,
    /// Goes on in another chain and comes back.
    Jump(&'static str),
}

/// An end of a connection, as the place of its port, which TCP, UDP and SCTP have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Source = 0,
    Destination = 2,
}

/// One rule being written: matches first, then what to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    expressions: Attributes,
    /// Next free register, counted from the first.
    free: u32,
}

impl Rule {
    pub(crate) fn new() -> Rule {
        Rule::default()
    }

    fn expression(mut self, name: &str, attributes: Attributes) -> Rule {
        let expression = Attributes::new().text(1, name).nest(2, attributes);
        self.expressions = self.expressions.nest(1, expression);
        self
    }

    /// Takes registers for a value of `field`'s length; returns the first.
    fn take(&mut self, field: Field) -> u32 {
        let register = FIRST_REGISTER + self.free;
        self.free += field.registers();
        register
    }

    fn load_meta(mut self, key: i32, field: Field) -> Rule {
        let register = self.take(field);
        self.expression("meta", Attributes::new().u32(1, register).u32(2, key as u32))
    }

    fn load_payload(mut self, base: i32, offset: u32, length: u32, field: Field) -> Rule {
        let register = self.take(field);
        let attributes = Attributes::new().u32(1, register).u32(2, base as u32).u32(3, offset).u32(4, length);
        self.expression("payload", attributes)
    }

    /// Loads the device a packet came in by.
    pub(crate) fn load_input(self) -> Rule {
        self.load_meta(libc::NFT_META_IIFNAME, Field::Interface)
    }

    /// Loads the device a packet leaves by.
    pub(crate) fn load_output(self) -> Rule {
        self.load_meta(libc::NFT_META_OIFNAME, Field::Interface)
    }

    /// Goes on only with packets that came in by a bridge, whosever it is.
    pub(crate) fn only_from_bridge(self) -> Rule {
        self.load_meta(INPUT_KIND, Field::Interface).equals(&BRIDGE)
    }

    /// Goes on only with packets that leave by a bridge.
    pub(crate) fn only_to_bridge(self) -> Rule {
        self.load_meta(OUTPUT_KIND, Field::Interface).equals(&BRIDGE)
    }

    /// Loads the transport protocol.
    pub(crate) fn load_protocol(self) -> Rule {
        self.load_meta(libc::NFT_META_L4PROTO, Field::Protocol)
    }

    /// Loads the IPv4 source address (RFC 791, bytes 12–15).
    pub(crate) fn load_source(self) -> Rule {
        self.load_payload(libc::NFT_PAYLOAD_NETWORK_HEADER, 12, 4, Field::Address)
    }

    /// Loads the IPv4 destination address (RFC 791, bytes 16–19).
    pub(crate) fn load_destination(self) -> Rule {
        self.load_payload(libc::NFT_PAYLOAD_NETWORK_HEADER, 16, 4, Field::Address)
    }

    /// Loads the IPv6 source address (RFC 8200, 3, bytes 8–23).
    pub(crate) fn load_source6(self) -> Rule {
        self.load_payload(libc::NFT_PAYLOAD_NETWORK_HEADER, 8, 16, Field::Address6)
    }

    /// Loads the IPv6 destination address (RFC 8200, 3, bytes 24–39).
    pub(crate) fn load_destination6(self) -> Rule {
        self.load_payload(libc::NFT_PAYLOAD_NETWORK_HEADER, 24, 16, Field::Address6)
    }

    /// Loads the destination port.
    pub(crate) fn load_port(self) -> Rule {
        self.load_port_of(End::Destination)
    }

    pub(crate) fn load_port_of(self, end: End) -> Rule {
        self.load_payload(libc::NFT_PAYLOAD_TRANSPORT_HEADER, end as u32, 2, Field::Port)
    }

    /// Goes on only if what was loaded is in `set`, and frees the registers.
    pub(crate) fn among(self, set: &str) -> Rule {
        self.lookup(set, Attributes::new())
    }

    /// Goes on only if what was loaded is not in `set`, and frees the registers.
    pub(crate) fn not_among(self, set: &str) -> Rule {
        self.lookup(set, Attributes::new().u32(5, libc::NFT_LOOKUP_F_INV as u32))
    }

    fn lookup(mut self, set: &str, attributes: Attributes) -> Rule {
        self.free = 0;
        let key = Attributes::after(Attributes::new().text(1, set).u32(2, FIRST_REGISTER).into_bytes());
        self.expression("lookup", Attributes::after([key.into_bytes(), attributes.into_bytes()].concat()))
    }

    fn compare(mut self, operator: i32, value: &[u8]) -> Rule {
        self.free = 0;
        let data = Attributes::new().bytes(1, value);
        self.expression("cmp", Attributes::new().u32(1, FIRST_REGISTER).u32(2, operator as u32).nest(3, data))
    }

    /// Goes on only with IPv4 packets: a table of family `inet` sees both.
    pub(crate) fn only_ipv4(self) -> Rule {
        self.load_meta(libc::NFT_META_NFPROTO, Field::Protocol).compare(libc::NFT_CMP_EQ, &[libc::NFPROTO_IPV4 as u8])
    }

    /// Goes on only with IPv6 packets.
    pub(crate) fn only_ipv6(self) -> Rule {
        self.load_meta(libc::NFT_META_NFPROTO, Field::Protocol).compare(libc::NFT_CMP_EQ, &[libc::NFPROTO_IPV6 as u8])
    }

    /// Goes on only with ICMPv6 messages of this type (RFC 4443, 2.1).
    pub(crate) fn only_icmpv6(self, kind: u8) -> Rule {
        self.load_protocol().equals(&[libc::IPPROTO_ICMPV6 as u8]).first_byte_is(kind)
    }

    fn first_byte_is(self, value: u8) -> Rule {
        self.load_payload(libc::NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, Field::Protocol).equals(&[value])
    }

    /// Goes on only if the value just loaded is `value`.
    pub(crate) fn equals(self, value: &[u8]) -> Rule {
        self.compare(libc::NFT_CMP_EQ, value)
    }

    /// Goes on only if the name just loaded does not begin with `prefix`, of 16 bytes at most.
    pub(crate) fn begins_unlike(self, prefix: &str) -> Rule {
        self.compare(libc::NFT_CMP_NEQ, prefix.as_bytes())
    }

    /// Goes on only if the source is a loopback address.
    pub(crate) fn source_is_loopback(self) -> Rule {
        self.load_payload(libc::NFT_PAYLOAD_NETWORK_HEADER, 12, 1, Field::Address).equals(&[127])
    }

    /// Goes on only if the destination is a loopback address.
    pub(crate) fn destination_is_loopback(self) -> Rule {
        self.load_payload(libc::NFT_PAYLOAD_NETWORK_HEADER, 16, 1, Field::Address).equals(&[127])
    }

    /// Goes on only if the destination is no address of this host (`fib daddr type != local`).
    pub(crate) fn destination_is_elsewhere(self) -> Rule {
        const OF_DESTINATION: u32 = 1 << 1;
        self.kind_of_address(OF_DESTINATION, libc::NFT_CMP_NEQ)
    }

    /// Goes on only if the source is an address of this host (`fib saddr type local`).
    pub(crate) fn source_is_local(self) -> Rule {
        const OF_SOURCE: u32 = 1;
        self.kind_of_address(OF_SOURCE, libc::NFT_CMP_EQ)
    }

    /// Compares what the host's routes say an address is with "local".
    fn kind_of_address(mut self, of: u32, operator: i32) -> Rule {
        const ADDRESS_TYPE: u32 = 3;
        let register = self.take(Field::Address);
        self.expression("fib", Attributes::new().u32(1, register).u32(2, ADDRESS_TYPE).u32(3, of))
            .compare(operator, &u32::from(libc::RTN_LOCAL).to_ne_bytes())
    }

    /// Goes on only if one of `bits` is set in what connection tracking knows under `key`.
    fn connection(mut self, key: i32, bits: u32) -> Rule {
        let register = self.take(Field::Address);
        let mask = Attributes::new().bytes(1, &bits.to_ne_bytes());
        let zero = Attributes::new().bytes(1, &[0; 4]);
        self.expression("ct", Attributes::new().u32(1, register).u32(2, key as u32))
            .expression(
                "bitwise",
                Attributes::new().u32(1, register).u32(2, register).u32(3, 4).nest(4, mask).nest(5, zero),
            )
            .compare(libc::NFT_CMP_NEQ, &[0; 4])
    }

    /// Goes on only with packets of a connection that was let through before, or that belongs to one
    /// (`ct state established,related`).
    pub(crate) fn only_known(self) -> Rule {
        self.connection(libc::NFT_CT_STATE, 2 | 4)
    }

    /// Goes on only with packets whose destination was translated (`ct status dnat`, `IPS_DST_NAT`).
    pub(crate) fn only_translated(self) -> Rule {
        self.connection(libc::NFT_CT_STATUS, 1 << 5)
    }

    /// Ends the rule with a verdict.
    pub(crate) fn verdict(self, verdict: Verdict) -> Rule {
        let (code, chain) = match verdict {
            Verdict::Drop => (libc::NF_DROP, None),
            Verdict::Accept => (libc::NF_ACCEPT, None),
            Verdict::Return => (libc::NFT_RETURN, None),
            Verdict::Jump(chain) => (libc::NFT_JUMP, Some(chain)),
        };
        let verdict = Attributes::new().u32(1, code as u32);
        let verdict = chain.into_iter().fold(verdict, |verdict, chain| verdict.text(2, chain));
        let data = Attributes::new().nest(2, verdict);
        self.expression("immediate", Attributes::new().u32(1, VERDICT_REGISTER).nest(2, data))
    }

    /// Ends the rule by writing the port of one end into the packet, whose checksum lies at byte `checksum` behind the IP header. No
    /// connection is tracked for it, as what is sent and what is answered do not fit together: an answer needs a rule of its own.
    pub(crate) fn write_port(mut self, end: End, port: u16, checksum: u32) -> Rule {
        /// The Internet checksum (RFC 1071), which the kernel brings up to date (`NFT_PAYLOAD_CSUM_INET`).
        const INTERNET_CHECKSUM: u32 = 1;
        self.free = 0;
        let register = self.take(Field::Port);
        let data = Attributes::new().bytes(1, &port.to_be_bytes());
        let place = Attributes::new().u32(2, libc::NFT_PAYLOAD_TRANSPORT_HEADER as u32).u32(3, end as u32).u32(4, 2);
        self.expression("immediate", Attributes::new().u32(1, register).nest(2, data))
            .expression("payload", place.u32(5, register).u32(6, INTERNET_CHECKSUM).u32(7, checksum))
            .expression("notrack", Attributes::new())
    }

    /// Ends the rule by giving the packet the sender's address of the device it leaves by.
    pub(crate) fn masquerade(self) -> Rule {
        self.expression("masq", Attributes::new())
    }

    /// Ends the rule by sending the IPv4 packet to the address and port that `map` has for what was loaded, if any.
    pub(crate) fn translate_by(self, map: &str) -> Rule {
        self.lookup(map, Attributes::new().u32(3, FIRST_REGISTER)).translate(libc::NFPROTO_IPV4, Field::Address)
    }

    /// The same for an IPv6 packet.
    pub(crate) fn translate6_by(self, map: &str) -> Rule {
        self.lookup(map, Attributes::new().u32(3, FIRST_REGISTER)).translate(libc::NFPROTO_IPV6, Field::Address6)
    }

    /// The address lies in the first registers, the port behind it.
    fn translate(self, family: i32, address: Field) -> Rule {
        let kind = Attributes::new().u32(1, libc::NFT_NAT_DNAT as u32).u32(2, family as u32);
        self.expression("nat", kind.u32(3, FIRST_REGISTER).u32(5, FIRST_REGISTER + address.registers()))
    }

    /// Hands out the rule as the value of `NFTA_RULE_EXPRESSIONS`.
    pub(super) fn into_expressions(self) -> Attributes {
        self.expressions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attributes;

    /// Names of the expressions, in order.
    fn names(rule: Rule) -> Vec<String> {
        let bytes = rule.into_expressions().into_bytes();
        attributes(&bytes)
            .map(|(_, expression)| attributes(expression).next().expect("has a name").1)
            .map(|name| String::from_utf8_lossy(name).trim_end_matches('\0').to_owned())
            .collect()
    }

    #[test]
    fn a_rule_is_its_matches_then_its_verdict() {
        let rule =
            Rule::new().load_input().among("bridges").only_ipv4().destination_is_loopback().verdict(Verdict::Drop);
        assert_eq!(names(rule), ["meta", "lookup", "meta", "cmp", "payload", "cmp", "immediate"]);
    }

    #[test]
    fn the_parts_of_a_key_lie_in_neighbouring_registers() {
        let bytes = Rule::new().load_input().load_destination().into_expressions().into_bytes();
        let registers: Vec<_> = attributes(&bytes)
            .map(|(_, expression)| attributes(expression).nth(1).expect("has attributes").1)
            .map(|values| attributes(values).next().expect("has a register").1.to_vec())
            .collect();
        assert_eq!(registers, [8u32.to_be_bytes(), 12u32.to_be_bytes()]);
    }
}
