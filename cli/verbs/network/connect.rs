//! `lighter network connect` and `disconnect`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lighter_engine::{Attachment, Engine};

use super::find;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::run::{apply_options, link};
use crate::verbs::target;

#[derive(clap::Args)]
pub(crate) struct ConnectArgs {
    /// The network, by name or id
    network: String,
    /// Container, or service of the project in this folder
    container: String,
    /// Fixed IPv4 address
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<Ipv4Addr>,
    /// Fixed IPv6 address
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<Ipv6Addr>,
    /// Further address of the link
    #[arg(long, value_name = "ADDRESS")]
    link_local_ip: Vec<IpAddr>,
    /// Further name on the network
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// Further name for another container, for this one alone: `CONTAINER[:NAME]`
    #[arg(long, value_name = "CONTAINER[:NAME]")]
    link: Vec<String>,
    /// The network with the highest gives the default route
    #[arg(long, value_name = "N", default_value_t = 0, allow_hyphen_values = true)]
    gw_priority: i64,
    /// Option, `com.docker.network.endpoint.ifname=NAME` or `com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.NAME=VALUE,…`
    #[arg(long, value_name = "NAME=VALUE")]
    driver_opt: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct DisconnectArgs {
    /// The network, by name or id
    network: String,
    /// Container, or service of the project in this folder
    container: String,
    /// No failure if it is not there or not connected
    #[arg(short, long)]
    force: bool,
}

pub(super) fn connect(ctx: &Context, engine: &Engine, args: &ConnectArgs) -> Result<(), Failure> {
    let network = find(engine, &args.network)?;
    let container = target::find_one(ctx, engine, &args.container)?;
    let mut wish = Attachment {
        aliases: args.alias.clone(),
        address: args.ip,
        address6: args.ip6,
        link_local: args.link_local_ip.clone(),
        gw_priority: args.gw_priority,
        ..Attachment::to(network.name)
    };
    let options: Vec<_> = args.driver_opt.iter().map(String::as_str).collect();
    apply_options("--driver-opt", &options, &mut wish)?;
    let links = args.link.iter().map(|text| link(engine, text)).collect::<Result<Vec<_>, _>>()?;
    engine.link(&container, &links)?;
    engine.connect_network(&container, wish)?.iter().for_each(|note| ctx.ui.warn(note));
    Ok(())
}

pub(super) fn disconnect(ctx: &Context, engine: &Engine, args: &DisconnectArgs) -> Result<(), Failure> {
    let disconnected = find(engine, &args.network).and_then(|network| {
        let container = target::find_one(ctx, engine, &args.container)?;
        Ok(engine.disconnect_network(&container, &network)?)
    });
    if args.force { Ok(()) } else { disconnected }
}
