//! `lighter inspect`: one object as docker shows it.

use lighter_engine::{Container, Engine, Health, MountKind, NetworkMode, Status};
use serde_json::{Map, Value, json};

use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};

/// Show everything about containers or images
#[derive(clap::Args)]
pub(crate) struct InspectArgs {
    /// Containers, services of the project in this folder, images, volumes or networks
    #[arg(required = true)]
    names: Vec<String>,
    /// A template instead of JSON: '{{.State.Pid}}'
    #[arg(short, long)]
    format: Option<Format>,
    /// Only objects of this type
    #[arg(long = "type", value_parser = ["container", "image", "volume", "network"])]
    kind: Option<String>,
}

pub(crate) fn run(ctx: &Context, args: &InspectArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let mut objects = Vec::new();
    let mut failures = Vec::new();
    for name in &args.names {
        match object(ctx, &engine, name, args.kind.as_deref()) {
            Ok(found) => objects.extend(found),
            Err(failure) => failures.push(failure),
        }
    }
    show(ctx, &objects, args.format.as_ref())?;
    target::last_of(failures, &ctx.ui)
}

/// Prints objects as one JSON array, or each through a template.
pub(super) fn show(ctx: &Context, objects: &[Value], format: Option<&Format>) -> Result<(), Failure> {
    match format {
        Some(Format::Template(pieces)) => {
            objects.iter().try_for_each(|object| ctx.ui.line(format::fill(pieces, object)?))
        }
        _ => {
            let text = serde_json::to_string_pretty(objects)?;
            ctx.ui.line(text)
        }
    }
}

fn object(ctx: &Context, engine: &Engine, name: &str, kind: Option<&str>) -> Result<Vec<Value>, Failure> {
    let wanted = |this: &str| kind.is_none_or(|kind| kind == this);
    if wanted("container") {
        match target::find(ctx, engine, name) {
            Ok(found) => return found.iter().map(|container| self::container(engine, container)).collect(),
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
        "GraphDriver": {"Name": "overlay", "Data": {
            "UpperDir": paths.upper(), "WorkDir": paths.work(), "MergedDir": paths.rootfs(),
        }},
        "CgroupPath": state.cgroup,
        "HostConfig": host_config(container),
        "Mounts": mounts(engine, container)?,
        "Config": config(engine, container),
        "NetworkSettings": network_settings(engine, container)?,
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

fn host_config(container: &Container) -> Value {
    let spec = &container.spec;
    let (limits, isolation) = (&spec.resources, &spec.isolation);
    let (policy, retries) = match spec.restart {
        lighter_engine::RestartPolicy::OnFailure { max } => ("on-failure".to_owned(), max.unwrap_or(0)),
        other => (other.to_string(), 0),
    };
    let bindings = spec.ports.iter().map(|port| {
        let host_ip = port.host_ip.map(|ip| ip.to_string()).unwrap_or_default();
        let host_port = port.host_port.map(|port| port.to_string()).unwrap_or_default();
        (format!("{}/{}", port.target, port.protocol), json!({"HostIp": host_ip, "HostPort": host_port}))
    });
    let mode = match &spec.network {
        NetworkMode::Bridge(attachments) => attachments.first().map(|a| a.network.clone()).unwrap_or_default(),
        NetworkMode::Host => "host".to_owned(),
        NetworkMode::None => "none".to_owned(),
        NetworkMode::Container(id) => format!("container:{id}"),
    };
    json!({
        "NetworkMode": mode,
        "PortBindings": grouped(bindings),
        "RestartPolicy": {"Name": policy, "MaximumRetryCount": retries},
        "AutoRemove": spec.auto_remove,
        "CapAdd": isolation.cap_add,
        "CapDrop": isolation.cap_drop,
        "Privileged": isolation.privileged,
        "ReadonlyRootfs": isolation.read_only,
        "Links": spec.links.iter().map(|link| format!("{}:{}", link.target, link.alias)).collect::<Vec<_>>(),
        "Dns": spec.dns,
        "DnsSearch": spec.dns_search,
        "DnsOptions": spec.dns_options,
        "ExtraHosts": spec.extra_hosts.iter().map(|(name, address)| format!("{name}:{address}")).collect::<Vec<_>>(),
        "ShmSize": spec.shm_size,
        "Memory": limits.memory.unwrap_or(0),
        "MemorySwap": limits.memory_swap.unwrap_or(0),
        "NanoCpus": limits.nano_cpus.unwrap_or(0),
        "CpuShares": limits.cpu_shares.unwrap_or(0),
        "CpusetCpus": limits.cpuset_cpus.clone().unwrap_or_default(),
        "PidsLimit": limits.pids,
        "Init": spec.init,
        "OomKillDisable": limits.oom_kill_disable,
        "LogConfig": log_config(&spec.log),
    })
}

fn log_config(log: &lighter_engine::LogOptions) -> Value {
    use lighter_engine::LogDriver;
    let config = match log.driver {
        LogDriver::JsonFile | LogDriver::Local => {
            let size = if log.max_size == u64::MAX { "-1".to_owned() } else { log.max_size.to_string() };
            let compress = log.compress.to_string();
            json!({"max-size": size, "max-file": log.max_files.to_string(), "compress": compress})
        }
        _ => log.tag.as_ref().map_or(json!({}), |tag| json!({"tag": tag})),
    };
    json!({"Type": log.driver.word(), "Config": config})
}

fn config(engine: &Engine, container: &Container) -> Value {
    let spec = &container.spec;
    let (entrypoint, command) = spec.args.split_at(spec.entrypoint_len.min(spec.args.len()));
    let published = spec.ports.iter().map(|port| format!("{}/{}", port.target, port.protocol));
    let exposed = spec.exposed.iter().cloned().chain(published);
    json!({
        "Hostname": engine.hostname(&container.id, spec),
        "Domainname": spec.domainname.clone().unwrap_or_default(),
        "User": spec.user,
        "ExposedPorts": exposed.map(|port| (port, json!({}))).collect::<Map<_, _>>(),
        "Tty": spec.tty,
        "OpenStdin": spec.open_stdin,
        "Env": spec.env,
        "Cmd": command,
        "Entrypoint": entrypoint,
        "Image": spec.image.reference,
        "WorkingDir": spec.working_dir,
        "Labels": spec.labels,
        "StopSignal": spec.stop_signal.clone().unwrap_or_else(|| "SIGTERM".to_owned()),
    })
}

fn mounts(engine: &Engine, container: &Container) -> Result<Vec<Value>, Failure> {
    let mut mounts = Vec::new();
    for mount in &container.spec.mounts {
        let mut object = match &mount.kind {
            MountKind::Bind { source, propagation, .. } => {
                json!({"Type": "bind", "Source": source, "Propagation": propagation.option()})
            }
            MountKind::Volume { name, .. } => {
                let source = engine.volume(name)?.map(|volume| volume.mountpoint);
                json!({"Type": "volume", "Name": name, "Source": source, "Driver": "local", "Propagation": ""})
            }
            MountKind::Tmpfs { .. } => json!({"Type": "tmpfs", "Source": "", "Propagation": ""}),
        };
        object["Destination"] = json!(mount.target);
        object["Mode"] = json!("");
        object["RW"] = json!(!mount.read_only);
        mounts.push(object);
    }
    Ok(mounts)
}

fn network_settings(engine: &Engine, container: &Container) -> Result<Value, Failure> {
    let text = |address: Option<std::net::IpAddr>| address.map_or_else(String::new, |address| address.to_string());
    let bound = container.state.ports.iter().map(|port| {
        let binding = json!({"HostIp": port.host_ip, "HostPort": port.host_port.to_string()});
        (format!("{}/{}", port.target, port.protocol), binding)
    });
    let mut endpoints: Map<_, _> = container
        .state
        .endpoints
        .iter()
        .map(|endpoint| {
            let (ipv4, ipv6) = (endpoint.ipv4(), endpoint.ipv6());
            let object = json!({
                "NetworkID": endpoint.network,
                "Gateway": text(ipv4.map(|address| address.gateway)),
                "IPAddress": text(ipv4.map(|address| address.address)),
                "IPPrefixLen": ipv4.map_or(0, |address| address.prefix),
                "IPv6Gateway": text(ipv6.map(|address| address.gateway)),
                "GlobalIPv6Address": text(ipv6.map(|address| address.address)),
                "GlobalIPv6PrefixLen": ipv6.map_or(0, |address| address.prefix),
                "MacAddress": endpoint.mac,
                "GwPriority": endpoint.gw_priority,
                "DNSNames": endpoint.names,
                "Interface": endpoint.interface,
            });
            (endpoint.network_name.clone(), object)
        })
        .collect();
    // A container that does not run is on its networks all the same, without an address.
    for (name, object) in waiting(engine, container)? {
        endpoints.entry(name).or_insert(object);
    }
    let first = container.state.endpoints.first().and_then(lighter_engine::netns::Endpoint::ipv4);
    Ok(json!({
        "Ports": grouped(bound),
        "IPAddress": text(first.map(|address| address.address)),
        "Gateway": text(first.map(|address| address.gateway)),
        "Networks": endpoints,
    }))
}

/// Returns the networks a container is on at its next start, but for those that are gone; docker counts `host` and `none` as
/// such.
fn waiting(engine: &Engine, container: &Container) -> Result<Vec<(String, Value)>, Failure> {
    let attachments = match engine.network_mode(&container.id, &container.spec)? {
        NetworkMode::Bridge(attachments) => attachments,
        NetworkMode::Host => return Ok(vec![("host".to_owned(), json!({}))]),
        NetworkMode::None => return Ok(vec![("none".to_owned(), json!({}))]),
        NetworkMode::Container(_) => return Ok(Vec::new()),
    };
    let mut waiting = Vec::new();
    for attachment in attachments {
        if let Ok(wishes) = engine.endpoint_wishes(&container.id, &container.spec, std::slice::from_ref(&attachment)) {
            let object = wishes.first().map(|wish| json!({"NetworkID": wish.network, "DNSNames": wish.names}));
            waiting.extend(object.map(|object| (attachment.network, object)));
        }
    }
    Ok(waiting)
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
