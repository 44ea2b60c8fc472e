//! What firewalls of others keep from containers. Whoever holds the lock; looks, and changes nothing.
//!
//! A packet has to be accepted in every table: what another one drops of forwarded packets, ours cannot let through. ufw,
//! firewalld and Docker drop all they were not told to accept, so this has to be said, with the words they want to be told in.

use super::{Content, Table};
use crate::bridge::PREFIX;
use crate::netlink::{Netlink, NetlinkError};
use crate::nftables::{Always, ListedChain, ListedRule, list_chains, list_rules};
use crate::xtables::{Filter, Protocol};

/// Returns a sentence for each chain that drops forwarded packets and was told nothing about our bridges.
pub(super) fn obstacles(ours: &Table, content: &Content) -> Result<Vec<String>, NetlinkError> {
    if content.bridges().is_empty() {
        return Ok(Vec::new());
    }
    Ok([of_nftables(ours, content)?, of_legacy(content)].concat())
}

fn of_nftables(ours: &Table, content: &Content) -> Result<Vec<String>, NetlinkError> {
    let mut netlink = Netlink::netfilter()?;
    let mut chains = netlink.dump(list_chains(), ListedChain::read)?;
    chains.retain(|chain| chain.table != ours.name());
    let forwards =
        |chain: &&ListedChain| chain.point == Some(libc::NF_INET_FORWARD) && sees(chain.family, content.has_ipv6());
    let hooked: Vec<_> = chains.iter().filter(forwards).collect();
    if hooked.is_empty() {
        return Ok(Vec::new());
    }
    let rules = netlink.dump(list_rules(), ListedRule::read)?;
    let closed = |chain: &&&ListedChain| drops(chain, &rules) && !knows(chain, &rules, content);
    let place =
        |chain: &ListedChain| format!("nftables chain `{}` of `{} {}`", chain.name, word(chain.family), chain.table);
    Ok(hooked.iter().filter(closed).map(|chain| sentence(&place(chain), &remedy(chain, &chains))).collect())
}

/// Returns a sentence for each table of iptables-legacy that drops forwarded packets.
fn of_legacy(content: &Content) -> Vec<String> {
    let protocols = [Some(Protocol::Ipv4), content.has_ipv6().then_some(Protocol::Ipv6)];
    let told = |name: &str| name.starts_with(PREFIX) || content.bridges().contains(name);
    let obstacle = |protocol: Protocol| {
        let filter = Filter::read(protocol)?;
        let program = protocol.program();
        let remedy = remedy_of_iptables(program, "FORWARD", |beginning| filter.has_chain(beginning));
        (filter.drops() && !filter.mentions(told)).then(|| sentence(&format!("{program} chain `FORWARD`"), &remedy))
    };
    protocols.into_iter().flatten().filter_map(obstacle).collect()
}

/// Returns whether a table of this family sees the packets of containers.
fn sees(family: u8, has_ipv6: bool) -> bool {
    match i32::from(family) {
        libc::NFPROTO_IPV4 | libc::NFPROTO_INET => true,
        libc::NFPROTO_IPV6 => has_ipv6,
        _ => false,
    }
}

/// Returns whether a packet nobody spoke of is dropped: by the last rule, or by the policy.
fn drops(chain: &ListedChain, rules: &[ListedRule]) -> bool {
    let mut own = rules.iter().filter(|rule| is_in(rule, chain) && rule.chain == chain.name);
    match own.find_map(|rule| (rule.always != Always::Neither).then_some(rule.always)) {
        Some(always) => always == Always::Drops,
        None => chain.drops,
    }
}

/// Returns whether the table has a rule about our bridges: its owner has decided.
fn knows(chain: &ListedChain, rules: &[ListedRule], content: &Content) -> bool {
    let named =
        |rule: &ListedRule| rule.mentions(PREFIX) || content.bridges().iter().any(|bridge| rule.mentions(bridge));
    rules.iter().any(|rule| is_in(rule, chain) && named(rule))
}

fn is_in(rule: &ListedRule, chain: &ListedChain) -> bool {
    rule.family == chain.family && rule.table == chain.table
}

fn sentence(place: &str, remedy: &str) -> String {
    format!(
        "the firewall of this host drops what containers send and get ({place}); allow it, unpublished ports stay closed: \
         {remedy}"
    )
}

fn word(family: u8) -> &'static str {
    match i32::from(family) {
        libc::NFPROTO_IPV4 => "ip",
        libc::NFPROTO_IPV6 => "ip6",
        _ => "inet",
    }
}

/// Returns the commands that let packets of our bridges through, in the words of the table's owner.
fn remedy(chain: &ListedChain, all: &[ListedChain]) -> String {
    let has = |beginning: &str| {
        all.iter().any(|other| {
            other.family == chain.family && other.table == chain.table && other.name.starts_with(beginning)
        })
    };
    let (family, table, name) = (word(chain.family), &chain.table, &chain.name);
    let iptables = if family == "ip6" { "ip6tables" } else { "iptables" };
    match table.as_str() {
        "firewalld" => {
            format!("firewall-cmd --permanent --zone=trusted --add-interface={PREFIX}+ && firewall-cmd --reload")
        }
        "filter" if family != "inet" => remedy_of_iptables(iptables, name, has),
        _ => {
            let insert = |way: &str| format!("nft insert rule {family} {table} {name} {way} '\"{PREFIX}*\"' accept");
            format!("{} && {}", insert("iifname"), insert("oifname"))
        }
    }
}

/// The same where rules were written by iptables or ip6tables, ufw and Docker among others. `has` tells whether there is a chain
/// whose name begins so.
fn remedy_of_iptables(program: &str, chain: &str, has: impl Fn(&str) -> bool) -> String {
    if has("ufw") {
        return format!("ufw route allow in on {PREFIX}+ && ufw route allow out on {PREFIX}+");
    }
    let chain = if has("DOCKER-USER") { "DOCKER-USER" } else { chain };
    let insert = |way: &str| format!("{program} -I {chain} {way} {PREFIX}+ -j ACCEPT");
    format!("{} && {}", insert("-i"), insert("-o"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(family: i32, table: &str, name: &str) -> ListedChain {
        let family = u8::try_from(family).unwrap();
        ListedChain { family, table: table.into(), name: name.into(), point: None, drops: true }
    }

    #[test]
    fn each_firewall_is_told_in_its_own_words() {
        let forward = chain(libc::NFPROTO_IPV4, "filter", "FORWARD");
        let docker = [forward.clone(), chain(libc::NFPROTO_IPV4, "filter", "DOCKER-USER")];
        let ufw = [forward.clone(), chain(libc::NFPROTO_IPV4, "filter", "ufw-before-forward")];
        let own = chain(libc::NFPROTO_INET, "fw", "fwd");
        let expected = [
            (
                remedy(&forward, &docker),
                "iptables -I DOCKER-USER -i lt-+ -j ACCEPT && iptables -I DOCKER-USER -o lt-+ -j ACCEPT",
            ),
            (remedy(&forward, &ufw), "ufw route allow in on lt-+ && ufw route allow out on lt-+"),
            (remedy(&forward, &[]), "iptables -I FORWARD -i lt-+ -j ACCEPT && iptables -I FORWARD -o lt-+ -j ACCEPT"),
            (
                remedy(&own, &[]),
                "nft insert rule inet fw fwd iifname '\"lt-*\"' accept && nft insert rule inet fw fwd oifname '\"lt-*\"' accept",
            ),
        ];
        for (remedy, expected) in expected {
            assert_eq!(remedy, expected);
        }
    }
}
