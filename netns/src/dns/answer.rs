//! Decides what to say to a question. Pure.

use std::net::Ipv4Addr;

use super::wire::{A, ANY, Code, INTERNET, PTR, Query, Record, Response, TRANSFERS};
use super::zone::Zone;

/// The domain of names of IPv4 addresses (RFC 1035, 3.5).
const REVERSE: &str = ".in-addr.arpa";

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
        let wanted = matches!(query.kind, A | ANY);
        let records = if wanted { rotated(addresses, turn) } else { Vec::new() };
        return Answer::Own(Response::new(query, Code::NoError).with(records));
    }
    match reversed(&query.name) {
        Some(address) if zone.contains(address) => Answer::Own(name_of(query, zone, address)),
        _ if zone.is_open => Answer::Ask,
        _ => Answer::Own(Response::new(query, Code::NoSuchName)),
    }
}

fn rotated(addresses: &[Ipv4Addr], turn: usize) -> Vec<Record> {
    let mut records: Vec<_> = addresses.iter().map(|address| Record::Address(address.octets())).collect();
    records.rotate_left(turn % addresses.len().max(1));
    records
}

fn name_of(query: &Query, zone: &Zone, address: Ipv4Addr) -> Response {
    let Some(name) = zone.name(address) else { return Response::new(query, Code::NoSuchName) };
    let wanted = matches!(query.kind, PTR | ANY);
    let records = if wanted { vec![Record::Name(name.to_owned())] } else { Vec::new() };
    Response::new(query, Code::NoError).with(records)
}

/// Reads the address out of a name like `2.0.18.172.in-addr.arpa`.
fn reversed(name: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut labels = name.strip_suffix(REVERSE)?.split('.');
    for octet in octets.iter_mut().rev() {
        *octet = labels.next()?.parse().ok()?;
    }
    labels.next().is_none().then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::zone::tests::{lease, network};

    const AAAA: u16 = 28;

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
        Zone::of(&[network(internal)], &[lease(2, &["web-1", "web"]), lease(3, &["web-2", "web"])])
    }

    fn own(query: &Query, code: Code, records: Vec<Record>) -> Answer {
        Answer::Own(Response::new(query, code).with(records))
    }

    #[test]
    fn replicas_take_turns() {
        let (two, three) = (Record::Address([172, 18, 0, 2]), Record::Address([172, 18, 0, 3]));
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
