//! `lighter compose port`

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Show where a port of a service is published
#[derive(clap::Args)]
pub(crate) struct PortArgs {
    /// Service
    service: String,
    /// Port in the container
    port: u16,
    /// Protocol
    #[arg(long, default_value = "tcp", value_parser = ["tcp", "udp", "sctp"])]
    protocol: String,
    /// Number of the replica
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    index: u32,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &PortArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let container = select::replica(&engine, &name, &args.service, args.index)?;
    let bound = &container.state.ports;
    let is_meant = |target: u16, protocol: &str| target == args.port && protocol.eq_ignore_ascii_case(&args.protocol);
    match bound.iter().find(|port| is_meant(port.target, &port.protocol.to_string())) {
        Some(port) => ctx.ui.line(std::net::SocketAddr::new(port.host_ip, port.host_port).to_string()),
        None => {
            let wanted = format!("{}/{}", args.port, args.protocol);
            let all = crate::verbs::ps::ports(&container);
            Err(Failure::text(format!("no port {wanted} for container {}: {all}", container.spec.name)))
        }
    }
}
