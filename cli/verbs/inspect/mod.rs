//! `lighter inspect`: one object as docker shows it.

mod config;
mod host_config;
mod mounts;
mod network_settings;

use lighter_engine::{Container, Engine, Health, Status};
use serde_json::{Map, Value, json};

use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::template;
use crate::ui::format::Inspection;

/// Fields of `Config` and `HostConfig` that docker leaves out as long as nobody has filled them.
const LEFT_OUT: [&str; 4] = ["ExposedPorts", "Init", "Sysctls", "Tmpfs"];

/// Show everything about containers or images
#[derive(clap::Args)]
pub(crate) struct InspectArgs {
    /// Containers, services of the project in this folder, images, volumes or networks
    #[arg(required = true)]
    names: Vec<String>,
    /// A template instead of JSON: '{{.State.Pid}}'
    #[arg(short, long)]
    format: Option<Inspection>,
    /// Show what containers take on the disk
    #[arg(short, long)]
    size: bool,
    /// Only objects of this type
    #[arg(long = "type", value_parser = ["container", "image", "volume", "network"])]
    kind: Option<String>,
}

/// Show everything about containers
#[derive(clap::Args)]
pub(crate) struct ContainerInspectArgs {
    /// Containers, or services of the project in this folder
    #[arg(required = true)]
    names: Vec<String>,
    /// A template instead of JSON: '{{.State.Pid}}'
    #[arg(short, long)]
    format: Option<Inspection>,
    /// Show what they take on the disk
    #[arg(short, long)]
    size: bool,
}

pub(crate) fn run(ctx: &Context, args: &InspectArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let what = (args.kind.as_deref(), args.size);
    each(ctx, &args.names, args.format.as_ref(), |name| object(ctx, &engine, name, what))
}

pub(crate) fn run_container(ctx: &Context, args: &ContainerInspectArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let what = (Some("container"), args.size);
    each(ctx, &args.names, args.format.as_ref(), |name| object(ctx, &engine, name, what))
}

/// Prints what `find` finds as one JSON array, or each through a template; what is absent is a failure, after the others are
/// shown.
pub(super) fn each(
    ctx: &Context,
    names: &[String],
    format: Option<&Inspection>,
    find: impl Fn(&str) -> Result<Vec<Value>, Failure>,
) -> Result<(), Failure> {
    let (mut objects, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match find(name) {
            Ok(found) => objects.extend(found),
            Err(failure) => failures.push(failure),
        }
    }
    match format {
        Some(Inspection::Template(template)) => {
            objects.iter().try_for_each(|object| ctx.ui.line(template.fill(object)?))?;
        }
        Some(Inspection::Json) => ctx.ui.line(serde_json::to_string(&objects)?)?,
        None => ctx.ui.line(serde_json::to_string_pretty(&objects)?)?,
    }
    target::last_of(failures, &ctx.ui)
}

/// Finds an object of this kind, or of any; `has_size` for containers.
fn object(
    ctx: &Context,
    engine: &Engine,
    name: &str,
    (kind, has_size): (Option<&str>, bool),
) -> Result<Vec<Value>, Failure> {
    let wanted = |this: &str| kind.is_none_or(|kind| kind == this);
    if wanted("container") {
        match target::find(ctx, engine, name) {
            Ok(found) => return found.iter().map(|container| sized(engine, container, has_size)).collect(),
            Err(failure) if kind.is_some() => return Err(failure),
            Err(_) => {} // perhaps it is something else
        }
    }
    if wanted("image")
        && let Some(image) = engine.images().find(name)?
    {
        return Ok(vec![super::image::inspect::object(engine, &image)?]);
    }
    if wanted("volume")
        && let Some(volume) = engine.volume(name)?
    {
        return Ok(vec![super::volume::object(&volume)]);
    }
    if wanted("network")
        && let Some(network) = engine.net().network(name)?
    {
        return Ok(vec![super::network::object(engine, &network)?]);
    }
    Err(Failure::text(format!("no such {}: {name}", kind.unwrap_or("object"))))
}

fn sized(engine: &Engine, container: &Container, has_size: bool) -> Result<Value, Failure> {
    let mut object = self::container(engine, container)?;
    if has_size {
        let (own, image) = (engine.changes_size(container)?, engine.images().find(&container.spec.image.id)?);
        object["SizeRw"] = json!(own);
        object["SizeRootFs"] = json!(own + image.map_or(0, |image| image.size));
    }
    Ok(object)
}

/// Returns the directories of a container's files: where they are seen while it runs, and what that is made of. The image's are left out
/// when it is gone.
fn graph_driver(engine: &Engine, container: &Container) -> Result<Value, Failure> {
    let paths = container.paths();
    let mut data = json!({
        "UpperDir": paths.upper(), "WorkDir": paths.work(), "MergedDir": engine.root_directory(container)?,
    });
    if let Ok(layers) = engine.layers_of(container) {
        let lowers: Vec<_> = layers.lowers.iter().map(|lower| lower.to_string_lossy()).collect();
        data["LowerDir"] = json!(lowers.join(":"));
    }
    Ok(data)
}

fn container(engine: &Engine, container: &Container) -> Result<Value, Failure> {
    let (spec, state) = (&container.spec, &container.state);
    let never = "0001-01-01T00:00:00Z"; // docker's way to say that it has not happened
    let time = |time: Option<jiff::Timestamp>| time.map_or_else(|| never.to_owned(), |time| time.to_string());
    let (path, args) = spec.args.split_first().map_or(("", &[][..]), |(path, args)| (path.as_str(), args));
    let mut status = json!({
        "Status": state.status.word(),
        "Running": matches!(state.status, Status::Running | Status::Paused),
        "Paused": state.status == Status::Paused,
        "Restarting": state.status == Status::Restarting,
        "OOMKilled": state.oom_killed,
        "Dead": false,
        "Pid": state.init.map_or(0, |init| init.pid),
        "ExitCode": state.exit_code.unwrap_or(0),
        "Error": state.error.clone().unwrap_or_default(),
        "StartedAt": time(state.started_at),
        "FinishedAt": time(state.finished_at),
    });
    if let Some(health) = &container.health {
        status["Health"] = self::health(health);
    }
    let paths = container.paths();
    Ok(json!({
        "Id": container.id,
        "Created": time(state.created_at),
        "Path": path,
        "Args": args,
        "State": status,
        "Image": spec.image.id,
        "ResolvConfPath": paths.etc().join("resolv.conf"),
        "HostnamePath": paths.etc().join("hostname"),
        "HostsPath": paths.etc().join("hosts"),
        "LogPath": paths.log(),
        "Name": format!("/{}", spec.name),
        "RestartCount": state.restart_count,
        "Driver": "overlay",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": Value::Null,
        "GraphDriver": {"Name": "overlay", "Data": graph_driver(engine, container)?},
        "CgroupPath": state.cgroup,
        "HostConfig": unfilled(host_config::host_config(&container.spec)),
        "Mounts": mounts::mounts(engine, container)?,
        "Config": unfilled(config::config(engine, container)),
        "NetworkSettings": network_settings::network_settings(engine, container)?,
    }))
}

fn health(health: &Health) -> Value {
    let log: Vec<_> = health
        .log
        .iter()
        .map(|probe| {
            json!({"Start": probe.start, "End": probe.end, "ExitCode": probe.exit_code, "Output": probe.output})
        })
        .collect();
    json!({"Status": health.status.word(), "FailingStreak": health.failing_streak, "Log": log})
}

/// Returns a record as docker has it: what nobody has filled is null there, or not there.
fn unfilled(mut record: Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        other => *other == Value::Bool(false),
    };
    if let Some(fields) = record.as_object_mut() {
        fields.retain(|name, value| !(LEFT_OUT.contains(&name.as_str()) && is_empty(value)));
        let lists =
            fields.iter_mut().filter(|(name, value)| template::LISTS.contains(&name.as_str()) && is_empty(value));
        lists.for_each(|(_, list)| *list = Value::Null);
    }
    record
}

/// Collects bindings of the same port into one list.
fn grouped(bindings: impl Iterator<Item = (String, Value)>) -> Value {
    let mut ports = Map::new();
    for (port, binding) in bindings {
        let list = ports.entry(port).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(binding);
        }
    }
    Value::Object(ports)
}
