//! `lighter network create`

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use lighter_engine::Engine;
use lighter_engine::netns::{Driver, Families, NetworkSpec, RangeSpec};

use crate::context::Context;
use crate::error::Failure;

#[derive(clap::Args)]
pub(crate) struct CreateArgs {
    /// Its name
    name: String,
    /// Subnet, as `10.1.0.0/24` or `fd00:1::/64`: one of each family (default: a free one)
    #[arg(long, value_name = "RANGE")]
    subnet: Vec<String>,
    /// Address of the host on a subnet (default: its first)
    #[arg(long, value_name = "ADDRESS")]
    gateway: Vec<IpAddr>,
    /// Part of a subnet from which addresses are given
    #[arg(long, value_name = "RANGE")]
    ip_range: Vec<String>,
    /// Address that is not given to anybody who does not ask for it
    #[arg(long, value_name = "NAME=ADDRESS")]
    aux_address: Vec<String>,
    /// IPv4 addresses
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ipv4: bool,
    /// IPv6 addresses too
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ipv6: bool,
    /// No way in or out but between its containers
    #[arg(long)]
    internal: bool,
    /// Containers may be connected by hand; they always may
    #[arg(long)]
    attachable: bool,
    /// Label
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Option of the driver
    #[arg(short, long = "opt", value_name = "NAME=VALUE")]
    option: Vec<String>,
    /// How containers are connected
    #[arg(short, long, value_parser = ["bridge", "macvlan", "ipvlan"], default_value = "bridge")]
    driver: String,
    /// Who chooses addresses: only `default`
    #[arg(long, value_parser = ["default"], default_value = "default", hide_default_value = true)]
    ipam_driver: String,
    /// Where it is known: only `local`
    #[arg(long, value_parser = ["local"], default_value = "local", hide_default_value = true)]
    scope: String,
}

pub(super) fn run(ctx: &Context, engine: &Engine, args: &CreateArgs) -> Result<(), Failure> {
    let families = Families::of(args.ipv4, args.ipv6 || args.subnet.iter().any(|subnet| subnet.contains(':')));
    let spec = NetworkSpec {
        name: args.name.clone(),
        driver: match args.driver.as_str() {
            "macvlan" => Driver::Macvlan,
            "ipvlan" => Driver::Ipvlan,
            _ => Driver::Bridge,
        },
        families: families.ok_or_else(|| Failure::text("a network has IPv4 or IPv6 addresses, or both"))?,
        ranges: ranges(args)?,
        internal: args.internal,
        labels: pairs(&args.label),
        options: pairs(&args.option),
        ..NetworkSpec::default()
    };
    ctx.ui.line(engine.create_network(&spec)?.id)
}

fn pairs(texts: &[String]) -> BTreeMap<String, String> {
    let pair = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    texts.iter().map(|text| pair(text).unwrap_or_else(|| (text.clone(), String::new()))).collect()
}

/// Puts gateways, parts and reserved addresses to the subnets they lie in.
fn ranges(args: &CreateArgs) -> Result<Vec<RangeSpec>, Failure> {
    let subnets = args.subnet.iter().map(|text| Ok(RangeSpec::new(read("--subnet", text)?)));
    let mut ranges = subnets.collect::<Result<Vec<RangeSpec>, Failure>>()?;
    for gateway in &args.gateway {
        within("--gateway", *gateway, &mut ranges)?.gateway = Some(*gateway);
    }
    for text in &args.ip_range {
        let pool: ipnet::IpNet = read("--ip-range", text)?;
        within("--ip-range", pool.addr(), &mut ranges)?.pool = Some(pool);
    }
    for (name, text) in pairs(&args.aux_address) {
        let address: IpAddr = read("--aux-address", &text)?;
        within("--aux-address", address, &mut ranges)?.reserved.insert(name, address);
    }
    Ok(ranges)
}

fn read<T: FromStr>(flag: &str, text: &str) -> Result<T, Failure>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Failure::text(format!("{flag} `{text}`: {error}")))
}

fn within<'a>(flag: &str, address: IpAddr, ranges: &'a mut [RangeSpec]) -> Result<&'a mut RangeSpec, Failure> {
    let outside = || Failure::text(format!("{flag} `{address}`: it lies in no --subnet"));
    ranges.iter_mut().find(|range| range.subnet.contains(&address)).ok_or_else(outside)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: CreateArgs,
    }

    fn parsed(line: &str) -> Result<Vec<RangeSpec>, String> {
        let words = ["create"].into_iter().chain(line.split_whitespace());
        ranges(&Line::parse_from(words).args).map_err(|failure| failure.to_string())
    }

    #[test]
    fn what_belongs_to_a_subnet_is_found_by_its_address() {
        let line = "lan --subnet fd00:1::/64 --subnet 10.1.0.0/16 --gateway 10.1.0.254 --ip-range 10.1.7.0/24 \
                    --aux-address nas=10.1.0.9 --gateway fd00:1::9";
        let ranges = parsed(line).unwrap();
        assert_eq!(ranges[0].gateway, Some("fd00:1::9".parse().unwrap()));
        let expected = RangeSpec {
            subnet: "10.1.0.0/16".parse().unwrap(),
            gateway: Some("10.1.0.254".parse().unwrap()),
            pool: Some("10.1.7.0/24".parse().unwrap()),
            reserved: [("nas".to_owned(), "10.1.0.9".parse().unwrap())].into(),
        };
        assert_eq!(ranges[1], expected);
        assert_eq!(parsed("lan --gateway 10.1.0.1").unwrap_err(), "--gateway `10.1.0.1`: it lies in no --subnet");
    }
}
