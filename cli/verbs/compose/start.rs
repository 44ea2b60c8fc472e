//! `lighter compose start`

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lighter_compose::observe::Observed;
use lighter_compose::{observe, plan};

use super::config::load_services;
use super::{outcome, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Start the project's containers
#[derive(clap::Args)]
pub(crate) struct StartArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// Return when they run, or are healthy if they have a health check
    #[arg(long)]
    wait: bool,
    /// Seconds after which --wait gives up
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    wait_timeout: Option<u64>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &StartArgs) -> Result<(), Failure> {
    let name = super::project_name(ctx, project)?;
    let engine = ctx.recovered_engine()?;
    let turn = outcome::turn(ctx, &engine, &name)?;
    let observed = observe(&name, &engine)?;
    select::check(ctx, project, &observed, &args.services)?;
    check_made(ctx, project, &observed, &args.services)?;
    let mut plan = plan::control::start(&observed, &args.services);
    if args.wait {
        plan::control::wait_for_started(&observed, &args.services, &mut plan);
    }
    let deadline = args.wait_timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let until = outcome::Until { turn: Some(&turn), interrupted: &AtomicBool::new(false), deadline };
    outcome::apply_until(ctx, &engine, &plan, until)
}

/// Checks that there is something to start of each service, as far as files say which there are: what was never made is an error,
/// as docker has it.
fn check_made(ctx: &Context, project: &ProjectArgs, observed: &Observed, named: &[String]) -> Result<(), Failure> {
    let Ok(loaded) = load_services(ctx, project, named) else { return Ok(()) };
    let services = loaded.project.services.values();
    let meant = services.filter(|service| named.is_empty() || named.contains(&service.name));
    let mut wanted = meant.filter(|service| service.replicas > 0);
    match wanted.find(|service| observed.replicas(&service.name).next().is_none()) {
        Some(service) => {
            let text = format!("service `{}` has no container to start", service.name);
            Err(Failure::text(text).hint("`lighter compose create` makes it, `lighter compose up` starts it too"))
        }
        None => Ok(()),
    }
}
