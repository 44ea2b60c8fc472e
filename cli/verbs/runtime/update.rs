//! `lighter runtime update`

use std::path::PathBuf;

use lighter_engine::runtime::oci::load_resources;
use oci_spec::runtime::LinuxResources;
use serde_json::{Map, Value, json};

use super::{RuntimeContext, failed};
use crate::error::Failure;
use crate::verbs::run::parse;

/// Change the limits of a container that runs
#[derive(Debug, clap::Args)]
pub(super) struct UpdateArgs {
    /// File with the limits, as `linux.resources` of `config.json`; `-`: standard input
    #[arg(short, long, value_name = "FILE")]
    resources: Option<PathBuf>,
    /// Weight of block input and output, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
    /// Period of processor time, microseconds
    #[arg(long, value_name = "US")]
    cpu_period: Option<u64>,
    /// Processor time in a period, microseconds; -1: unlimited
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Processor time that may be saved up, microseconds
    #[arg(long, value_name = "US")]
    cpu_burst: Option<u64>,
    /// Share of processor time beside other containers
    #[arg(long, value_name = "SHARES")]
    cpu_share: Option<u64>,
    /// Period of real-time processor time, microseconds
    #[arg(long, value_name = "US")]
    cpu_rt_period: Option<u64>,
    /// Real-time processor time in a period, microseconds
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_rt_runtime: Option<i64>,
    /// Run on these processors, `0-2,7`
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Take memory from these nodes
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Run when nobody else wants to: 1
    #[arg(long, value_name = "0|1", allow_hyphen_values = true)]
    cpu_idle: Option<i64>,
    /// Most memory, `512m`; -1: unlimited
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    memory: Option<String>,
    /// Memory that is left to it when memory is scarce
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    memory_reservation: Option<String>,
    /// Most memory and swap together; -1: unlimited
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Most processes; -1: unlimited
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Ignored, with a warning: the kernel has no such limit any more
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true, hide = true)]
    kernel_memory: Option<String>,
    /// Ignored, with a warning: the kernel has no such limit any more
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true, hide = true)]
    kernel_memory_tcp: Option<String>,
    /// Refused: Intel RDT is not supported
    #[arg(long, value_name = "SCHEMA", hide = true)]
    l3_cache_schema: Option<String>,
    /// Refused: Intel RDT is not supported
    #[arg(long, value_name = "SCHEMA", hide = true)]
    mem_bw_schema: Option<String>,
    /// Name of the container
    id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &UpdateArgs) -> Result<(), Failure> {
    for (given, flag) in [(&args.l3_cache_schema, "--l3-cache-schema"), (&args.mem_bw_schema, "--mem-bw-schema")] {
        if given.is_some() {
            return Err(Failure::text(format!("`{flag}`: Intel RDT is not supported")));
        }
    }
    if args.kernel_memory.is_some() || args.kernel_memory_tcp.is_some() {
        ctx.log.warn("no limit of kernel memory is set: the kernel has none any more");
    }
    let resources = match &args.resources {
        Some(path) => load_resources(path).map_err(failed("update", &args.id))?,
        None => args.resources()?,
    };
    let warnings = ctx.root.update(&args.id, &resources).map_err(failed("update", &args.id))?;
    ctx.warn_all(&warnings);
    Ok(())
}

impl UpdateArgs {
    fn resources(&self) -> Result<LinuxResources, Failure> {
        let memory = [
            ("limit", bytes(self.memory.as_deref())?),
            ("reservation", bytes(self.memory_reservation.as_deref())?),
            ("swap", bytes(self.memory_swap.as_deref())?),
        ];
        let cpu = [
            ("period", self.cpu_period.map(Value::from)),
            ("quota", self.cpu_quota.map(Value::from)),
            ("burst", self.cpu_burst.map(Value::from)),
            ("shares", self.cpu_share.map(Value::from)),
            ("realtimePeriod", self.cpu_rt_period.map(Value::from)),
            ("realtimeRuntime", self.cpu_rt_runtime.map(Value::from)),
            ("cpus", self.cpuset_cpus.clone().map(Value::from)),
            ("mems", self.cpuset_mems.clone().map(Value::from)),
            ("idle", self.cpu_idle.map(Value::from)),
        ];
        let resources = json!({
            "memory": group(memory),
            "cpu": group(cpu),
            "pids": self.pids_limit.map(|limit| json!({"limit": limit})),
            "blockIO": self.blkio_weight.map(|weight| json!({"weight": weight})),
        });
        Ok(serde_json::from_value(resources)?)
    }
}

/// What was given of a group of limits; null when nothing was.
fn group<const N: usize>(limits: [(&str, Option<Value>); N]) -> Value {
    let given: Map<String, Value> =
        limits.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    if given.is_empty() { Value::Null } else { Value::Object(given) }
}

fn bytes(text: Option<&str>) -> Result<Option<Value>, Failure> {
    match text {
        None => Ok(None),
        Some("-1") => Ok(Some(Value::from(-1))),
        Some(text) => Ok(Some(Value::from(parse::bytes(text)?))),
    }
}
