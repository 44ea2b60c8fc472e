//! `lighter network`

mod connect;
mod create;
mod list;
mod object;
pub(super) mod prune;

use lighter_engine::Engine;
use lighter_engine::netns::Network;

pub(super) use object::object;

use super::inspect;
use super::target::last_of;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::Inspection;

/// Manage networks
#[derive(clap::Subcommand)]
pub(crate) enum NetworkVerb {
    /// Make a network
    Create(create::CreateArgs),
    /// List networks
    #[command(visible_alias = "list")]
    Ls(list::ListArgs),
    /// Show everything about networks
    Inspect {
        /// Networks, by name or id
        #[arg(required = true)]
        names: Vec<String>,
        /// A template instead of JSON
        #[arg(short, long)]
        format: Option<Inspection>,
        /// Docker's, for what the nodes of a swarm know of it: there is no more to show
        #[arg(short, long, hide = true)]
        verbose: bool,
    },
    /// Remove networks
    #[command(visible_alias = "remove")]
    Rm {
        /// Networks, by name or id
        #[arg(required = true)]
        names: Vec<String>,
        /// No failure for a network that is not there
        #[arg(short, long)]
        force: bool,
    },
    /// Remove networks that no container is on, running or not
    Prune(prune::PruneArgs),
    /// Connect a container to one more network, now if it runs, and at every start
    Connect(connect::ConnectArgs),
    /// Disconnect a container from a network, now if it runs, and for every start
    Disconnect(connect::DisconnectArgs),
    /// Load bridges and firewall rules again, after somebody has flushed them
    Reload,
}

pub(crate) fn run(ctx: &Context, verb: &NetworkVerb) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    match verb {
        NetworkVerb::Create(args) => create::run(ctx, &engine, args),
        NetworkVerb::Ls(args) => list::run(ctx, &engine, args),
        NetworkVerb::Inspect { names, format, .. } => {
            let found = |name: &str| Ok(vec![object(&engine, &find(&engine, name)?)?]);
            inspect::each(ctx, names, format.as_ref(), found)
        }
        NetworkVerb::Rm { names, force } => remove(ctx, &engine, names, *force),
        NetworkVerb::Prune(args) => prune::run(ctx, &engine, args),
        NetworkVerb::Connect(args) => connect::connect(ctx, &engine, args),
        NetworkVerb::Disconnect(args) => connect::disconnect(ctx, &engine, args),
        NetworkVerb::Reload => {
            engine.net().reconcile()?.iter().for_each(|note| ctx.ui.warn(note));
            Ok(())
        }
    }
}

fn remove(ctx: &Context, engine: &Engine, names: &[String], force: bool) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for name in names {
        if force && engine.net().network(name)?.is_none() {
            continue;
        }
        match find(engine, name).and_then(|network| Ok(engine.delete_network(&network.id)?)) {
            Ok(()) => ctx.ui.line(name)?,
            Err(failure) => failures.push(failure),
        }
    }
    last_of(failures, &ctx.ui)
}

fn find(engine: &Engine, name: &str) -> Result<Network, Failure> {
    engine.net().network(name)?.ok_or_else(|| Failure::text(format!("no such network: {name}")))
}
