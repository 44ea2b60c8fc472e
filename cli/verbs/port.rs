//! `lighter port`

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// List the published ports of a container
#[derive(clap::Args)]
pub(crate) struct PortArgs {
    /// Container, or service of the project in this folder
    container: String,
    /// Only where this port of the container leads from: `80` or `53/udp`
    port: Option<String>,
}

pub(crate) fn run(ctx: &Context, args: &PortArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let container = target::find_one(ctx, &engine, &args.container)?;
    let wanted = args.port.as_ref().map(|port| if port.contains('/') { port.clone() } else { format!("{port}/tcp") });
    let mut found = false;
    for port in &container.state.ports {
        let target = format!("{}/{}", port.target, port.protocol);
        let from = port.host().to_string();
        match &wanted {
            None => ctx.ui.line(format!("{target} -> {from}"))?,
            Some(wanted) if *wanted == target => ctx.ui.line(from)?,
            Some(_) => continue,
        }
        found = true;
    }
    match wanted {
        Some(wanted) if !found => {
            Err(Failure::text(format!("no public port '{wanted}' published for {}", args.container)))
        }
        _ => Ok(()),
    }
}
