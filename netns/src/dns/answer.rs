//! Decides what to say to a question. Pure.

use std::net::{IpAddr, Ipv6Addr};

use super::wire::{A, AAAA, ANY, Code, INTERNET, PTR, Query, Record, Response, TRANSFERS};
use super::zone::Zone;

/// The domain of names of IPv4 addresses (RFC 1035, 3.5), and of IPv6 ones (RFC 3596, 2.5).
const REVERSE: &str = ".in-addr.arpa";
const REVERSE6: &str = ".ip6.arpa";

/// What to say to a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// This.
    Own(Response),
    /// What the host's servers say.
    Ask,
}

/// Answers `query` from `zone`; `turn` is a number that grows, by which the replicas of a service take turns.
pub(super) fn answer(query: &Query, zone: &Zone, turn: usize) -> Answer {
    if query.class != INTERNET || TRANSFERS.contains(&query.kind) {
        return Answer::Own(Response::new(query, Code::Refused));
    }
    if let Some(addresses) = zone.addresses(&query.name) {
        // A name we have is ours whatever is asked of it. "No such record" for an IPv6 address keeps resolvers from
        // taking the name for unknown.
        let wanted = |address: &&IpAddr| match query.kind {
            ANY => true,
            kind => kind == if address.is_ipv4() { A } else { AAAA },
        };
        let records = addresses.iter().filter(wanted).map(|address| Record::Address(*address)).collect();
        return Answer::Own(Response::new(query, Code::NoError).with(rotated(records, turn)));
    }
    match reversed(&query.name) {
        Some(address) if zone.contains(address) => Answer::Own(name_of(query, zone, address)),
        _ if zone.is_open => Answer::Ask,
        _ => Answer::Own(Response::new(query, Code::NoSuchName)),
    }
}

fn rotated(mut records: Vec<Record>, turn: usize) -> Vec<Record> {
    let count = records.len().max(1);
    records.rotate_left(turn % count);
    records
}

fn name_of(query: &Query, zone: &Zone, address: IpAddr) -> Response {
    let Some(name) = zone.name(address) else { return Response::new(query, Code::NoSuchName) };
    let wanted = matches!(query.kind, PTR | ANY);
    let records = if wanted { vec![Record::Name(name.to_owned())] } else { Vec::new() };
    Response::new(query, Code::NoError).with(records)
}

/// Reads the address out of a name like `2.0.18.172.in-addr.arpa`, or of one with the 32 digits of an IPv6 address.
fn reversed(name: &str) -> Option<IpAddr> {
    match name.strip_suffix(REVERSE) {
        Some(labels) => reversed4(labels),
        None => reversed6(name.strip_suffix(REVERSE6)?),
    }
}

fn reversed4(labels: &str) -> Option<IpAddr> {
    let mut octets = [0; 4];
    let mut labels = labels.split('.');
    for octet in octets.iter_mut().rev() {
        *octet = labels.next()?.parse().ok()?;
    }
    labels.next().is_none().then(|| octets.into())
}

fn reversed6(labels: &str) -> Option<IpAddr> {
    let mut bits = 0u128;
    let mut labels = labels.split('.');
    for digit in 0..32 {
        let label = labels.next().filter(|label| label.len() == 1)?;
        bits |= u128::from(u8::from_str_radix(label, 16).ok()?) << (4 * digit);
    }
    labels.next().is_none().then(|| Ipv6Addr::from(bits).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;
    use crate::dns::zone::tests::network;
    use crate::state::tests::lease;

    fn query(name: &str, kind: u16) -> Query {
        Query {
            id: 1,
            recursion_desired: true,
            name: name.to_owned(),
            kind,
            class: INTERNET,
            question: Vec::new(),
            limit: 512,
            edns: false,
        }
    }

    fn zone(internal: bool) -> Zone {
        Zone::of(&[network(internal)], &[lease(2, &["web-1", "web"]), lease(3, &["web-2", "web"])], &[])
    }

    fn own(query: &Query, code: Code, records: Vec<Record>) -> Answer {
        Answer::Own(Response::new(query, code).with(records))
    }

    #[test]
    fn replicas_take_turns() {
        let (two, three) = (Record::Address([172, 18, 0, 2].into()), Record::Address([172, 18, 0, 3].into()));
        let web = query("web", A);
        assert_eq!(answer(&web, &zone(false), 0), own(&web, Code::NoError, vec![two.clone(), three.clone()]));
        assert_eq!(answer(&web, &zone(false), 1), own(&web, Code::NoError, vec![three, two]));
    }

    #[test]
    fn a_name_without_ipv6_is_no_unknown_name() {
        let web = query("web", AAAA);
        assert_eq!(answer(&web, &zone(false), 0), own(&web, Code::NoError, vec![]));
    }

    #[test]
    fn each_family_is_answered_by_its_own_addresses_and_reverse_names() {
        let mut both = lease(2, &["web"]);
        let ipv6: IpAddr = "fd00:1::2".parse().unwrap();
        both.endpoint.addresses.push(Address { address: ipv6, prefix: 64, gateway: "fd00:1::1".parse().unwrap() });
        let zone = Zone::of(&[network(false)], &[both], &[]);
        let web = query("web", AAAA);
        assert_eq!(answer(&web, &zone, 0), own(&web, Code::NoError, vec![Record::Address(ipv6)]));
        let Answer::Own(any) = answer(&query("web", ANY), &zone, 0) else { panic!("the name is ours") };
        assert_eq!(
            any,
            Response::new(&query("web", ANY), Code::NoError)
                .with(vec![Record::Address([172, 18, 0, 2].into()), Record::Address(ipv6),])
        );
        let reverse = query("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa", PTR);
        assert_eq!(answer(&reverse, &zone, 0), Answer::Ask, "28 digits are no address");
        let reverse = query("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa", PTR);
        assert_eq!(
            answer(&reverse, &zone, 0),
            own(&reverse, Code::NoError, vec![Record::Name("web.web_default".into())])
        );
    }

    #[test]
    fn an_unknown_name_is_asked_for_elsewhere_unless_the_networks_are_internal() {
        for name in ["example.com", "wpad", ""] {
            let other = query(name, A);
            assert_eq!(answer(&other, &zone(false), 0), Answer::Ask);
            assert_eq!(answer(&other, &zone(true), 0), own(&other, Code::NoSuchName, vec![]));
        }
    }

    #[test]
    fn an_address_of_ours_has_a_name_and_is_never_asked_for_elsewhere() {
        let known = query("2.0.18.172.in-addr.arpa", PTR);
        let name = Record::Name("web-1.web_default".into());
        assert_eq!(answer(&known, &zone(false), 0), own(&known, Code::NoError, vec![name]));
        let unused = query("9.0.18.172.in-addr.arpa", PTR);
        assert_eq!(answer(&unused, &zone(false), 0), own(&unused, Code::NoSuchName, vec![]));
        assert_eq!(answer(&query("1.1.1.1.in-addr.arpa", PTR), &zone(false), 0), Answer::Ask);
        assert_eq!(answer(&query("x.2.0.18.172.in-addr.arpa", PTR), &zone(false), 0), Answer::Ask);
    }

    #[test]
    fn other_classes_and_transfers_are_refused() {
        let transfer = query("web", 252);
        assert_eq!(answer(&transfer, &zone(false), 0), own(&transfer, Code::Refused, vec![]));
        let chaos = Query { class: 3, ..query("version.bind", 16) };
        assert_eq!(answer(&chaos, &zone(false), 0), own(&chaos, Code::Refused, vec![]));
    }
}
