//! `lighter compose start`

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lighter_compose::{observe, plan};

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
    let mut plan = plan::control::start(&observed, &args.services);
    if args.wait {
        plan::control::wait_for_started(&observed, &args.services, &mut plan);
    }
    let deadline = args.wait_timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let until = outcome::Until { turn: Some(&turn), interrupted: &AtomicBool::new(false), deadline };
    outcome::apply_until(ctx, &engine, &plan, until)
}
