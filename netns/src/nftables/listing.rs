//! Chains and rules of every table, as the kernel lists them. Pure.

use crate::netlink::{Attributes, Message, attributes};

/// Length of `struct nfgenmsg` in bytes.
const HEADER: usize = 4;

fn list(act: &'static str, message: i32) -> Message {
    let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | message) as u16;
    Message::new(act, kind, &[libc::AF_UNSPEC as u8, 0, 0, 0], Attributes::new())
}

/// Asks for the chains of every table and family.
pub(crate) fn list_chains() -> Message {
    list("list nftables chains", libc::NFT_MSG_GETCHAIN)
}

/// Asks for the rules of every chain, each chain's in its order.
pub(crate) fn list_rules() -> Message {
    list("list nftables rules", libc::NFT_MSG_GETRULE)
}

/// A chain of anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedChain {
    /// Number of the family (linux/netfilter.h, `NFPROTO_*`).
    pub(crate) family: u8,
    pub(crate) table: String,
    pub(crate) name: String,
    /// Where the kernel calls it, if it does.
    pub(crate) point: Option<i32>,
    /// Whether a packet that comes to its end is dropped.
    pub(crate) drops: bool,
}

impl ListedChain {
    pub(crate) fn read(body: &[u8]) -> Option<ListedChain> {
        let hook = value(body, 4).and_then(|hook| attributes(hook).find(|(kind, _)| *kind == 1));
        Some(ListedChain {
            family: *body.first()?,
            table: text(value(body, 1)?),
            name: text(value(body, 3)?),
            point: hook.and_then(|(_, point)| number(point)),
            drops: value(body, 5).and_then(number) == Some(libc::NF_DROP),
        })
    }
}

/// What a rule does with every packet that comes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Always {
    Accepts,
    Drops,
    /// It depends, or the packet goes on.
    Neither,
}

/// A rule of anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedRule {
    pub(crate) family: u8,
    pub(crate) table: String,
    pub(crate) chain: String,
    /// What it does whatever the packet.
    pub(crate) always: Always,
    expressions: Vec<u8>,
}

impl ListedRule {
    pub(crate) fn read(body: &[u8]) -> Option<ListedRule> {
        let expressions = value(body, 4).unwrap_or_default();
        Some(ListedRule {
            family: *body.first()?,
            table: text(value(body, 1)?),
            chain: text(value(body, 2)?),
            always: always(expressions),
            expressions: expressions.to_vec(),
        })
    }

    /// Returns whether a text is somewhere in the rule: a device's name, or the beginning of one.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.expressions.windows(text.len().max(1)).any(|part| part == text.as_bytes())
    }
}

/// Reads a rule without conditions; what counts or logs decides nothing.
fn always(expressions: &[u8]) -> Always {
    let mut decision = Always::Neither;
    for (_, expression) in attributes(expressions) {
        let field = |wanted| attributes(expression).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
        let (name, details) = (field(1).map(text).unwrap_or_default(), field(2).unwrap_or_default());
        decision = match name.as_str() {
            "counter" | "log" => continue,
            "reject" => Always::Drops,
            // iptables(8) writes REJECT as an extension of its own.
            "target" if details.windows(6).any(|part| part == b"REJECT") => Always::Drops,
            "immediate" => verdict(details),
            _ => return Always::Neither,
        };
    }
    decision
}

fn verdict(details: &[u8]) -> Always {
    let inner = |bytes, wanted| attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let code = inner(details, 2).and_then(|value| inner(value, 2)).and_then(|value| inner(value, 1));
    match code.and_then(number) {
        Some(libc::NF_ACCEPT) => Always::Accepts,
        Some(libc::NF_DROP) => Always::Drops,
        _ => Always::Neither,
    }
}

fn value(body: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(body.get(HEADER..)?).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

fn number(value: &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(value.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nftables::{Rule, Verdict};

    fn read(rule: Rule) -> ListedRule {
        let body = [2, 0, 0, 0].to_vec();
        let rule = Attributes::after(body).text(1, "filter").text(2, "FORWARD").nest(4, rule.into_expressions());
        ListedRule::read(&rule.into_bytes()).unwrap()
    }

    #[test]
    fn a_rule_without_conditions_decides() {
        assert_eq!(read(Rule::new().verdict(Verdict::Drop)).always, Always::Drops);
        assert_eq!(read(Rule::new().verdict(Verdict::Accept)).always, Always::Accepts);
        assert_eq!(read(Rule::new().verdict(Verdict::Jump("x"))).always, Always::Neither);
        assert_eq!(read(Rule::new().only_ipv4().verdict(Verdict::Drop)).always, Always::Neither);
    }

    #[test]
    fn a_device_is_found_in_a_rule() {
        let rule = read(Rule::new().load_input().equals(b"lt-").verdict(Verdict::Accept));
        assert!(rule.mentions("lt-") && !rule.mentions("eth0"));
        assert_eq!((rule.table.as_str(), rule.chain.as_str()), ("filter", "FORWARD"));
    }

    #[test]
    fn a_cut_message_is_no_rule() {
        assert_eq!(ListedRule::read(&[2, 0, 0]), None);
        assert_eq!(ListedChain::read(&[2, 0, 0, 0, 9]), None);
    }
}
