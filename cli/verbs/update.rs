//! `lighter update`

use lighter_engine::{ContainerUpdate, Resources, RestartPolicy};

use super::run::parse;
use super::target;
use crate::context::Context;
use crate::error::Failure;

/// Change limits and restart policy of containers, whether they run or not
#[derive(clap::Args)]
pub(crate) struct UpdateArgs {
    /// Containers, or services of the project in this folder
    #[arg(required = true)]
    containers: Vec<String>,
    /// Limit of memory
    #[arg(short, long, value_name = "BYTES")]
    memory: Option<String>,
    /// Soft limit of memory
    #[arg(long, value_name = "BYTES")]
    memory_reservation: Option<String>,
    /// Limit of memory and swap together, -1 for no limit of swap
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Number of CPUs
    #[arg(long, conflicts_with_all = ["cpu_period", "cpu_quota"])]
    cpus: Option<f64>,
    /// Relative weight of CPU time
    #[arg(short, long)]
    cpu_shares: Option<u64>,
    /// Length of a period of CPU time, in microseconds
    #[arg(long, value_name = "US")]
    cpu_period: Option<u64>,
    /// CPU time in a period, in microseconds; -1 for no limit
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// CPUs that may be used: `0-2,4`
    #[arg(long, value_name = "CPUS")]
    cpuset_cpus: Option<String>,
    /// Memory nodes that may be used: `0,1`
    #[arg(long, value_name = "NODES")]
    cpuset_mems: Option<String>,
    /// Number of processes, -1 for no limit
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Weight of block input and output, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
    /// Restart policy: no, always, unless-stopped, on-failure[:N]
    #[arg(long)]
    restart: Option<RestartPolicy>,
}

pub(crate) fn run(ctx: &Context, args: &UpdateArgs) -> Result<(), Failure> {
    let update = ContainerUpdate { resources: resources(args)?, restart: args.restart };
    if update == ContainerUpdate::default() {
        return Err(Failure::text("there is nothing to change: name a limit, or --restart"));
    }
    let engine = ctx.recovered_engine()?;
    target::each(ctx, &engine, &args.containers, |engine, one| {
        engine.update(one, &update)?.iter().for_each(|warning| ctx.ui.warn(warning));
        Ok(())
    })
}

fn resources(args: &UpdateArgs) -> Result<Resources, Failure> {
    let bytes = |text: &Option<String>| text.as_deref().map(parse::bytes).transpose();
    let memory_swap = match args.memory_swap.as_deref() {
        Some("-1") => Some(-1),
        Some(text) => Some(i64::try_from(parse::bytes(text)?)?),
        None => None,
    };
    Ok(Resources {
        memory: bytes(&args.memory)?,
        memory_swap,
        memory_reservation: bytes(&args.memory_reservation)?,
        nano_cpus: args.cpus.map(|cpus| (cpus * 1e9) as u64),
        cpu_shares: args.cpu_shares,
        cpu_period: args.cpu_period,
        cpu_quota: args.cpu_quota,
        cpuset_cpus: args.cpuset_cpus.clone(),
        cpuset_mems: args.cpuset_mems.clone(),
        pids: args.pids_limit,
        blkio_weight: args.blkio_weight,
        ..Resources::default()
    })
}
