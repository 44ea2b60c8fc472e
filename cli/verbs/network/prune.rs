//! `lighter network prune`

use std::collections::BTreeSet;

use lighter_engine::netns::Network;
use lighter_engine::{DEFAULT_NETWORK, Engine, NetworkMode};

use super::list::fits;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::confirm;

#[derive(clap::Args)]
pub(crate) struct PruneArgs {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only those that fit: until=, label=, label!=, name=, id=, driver=
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

pub(super) fn run(ctx: &Context, engine: &Engine, args: &PruneArgs) -> Result<(), Failure> {
    let used = used(engine)?;
    let mut unused: Vec<Network> = Vec::new();
    for network in engine.net().networks()? {
        if network.name != DEFAULT_NETWORK && !used.contains(&network.name) && fits(&network, &args.filter, false)? {
            unused.push(network);
        }
    }
    if unused.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = unused.iter().map(|network| network.name.as_str()).collect();
    let warning = format!("WARNING! This will remove the networks {}.", names.join(", "));
    if !args.force && !confirm::ask(&ctx.ui, &warning)? {
        return Ok(());
    }
    ctx.ui.line("Deleted Networks:")?;
    for network in unused {
        // One that has got a container since it was looked at is in use.
        match engine.delete_network(&network.id) {
            Err(lighter_engine::netns::NetworkError::InUse { .. }) => {}
            result => result.map_err(Failure::from).and_then(|()| ctx.ui.line(&network.name))?,
        }
    }
    Ok(())
}

/// Returns the names of the networks some container is on, or will be when it starts.
pub(in crate::verbs) fn used(engine: &Engine) -> Result<BTreeSet<String>, Failure> {
    let mut used = BTreeSet::new();
    for container in engine.intact_containers()? {
        used.extend(container.state.endpoints.iter().map(|endpoint| endpoint.network_name.clone()));
        if let NetworkMode::Bridge(attachments) = engine.network_mode(&container.id, &container.spec)? {
            used.extend(attachments.into_iter().map(|attachment| attachment.network));
        }
    }
    Ok(used)
}
