//! `lighter inspect`: one object as docker shows it.

use lighter_engine::{Container, Engine, Health, Ipc, MountKind, Namespace, NetworkMode, Status};
use serde_json::{Map, Value, json};

use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::Inspection;

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
    let mut config = json!({
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
        "MemorySwap": limits.memory_swap.unwrap_or_else(|| twice(limits.memory)),
        "NanoCpus": limits.nano_cpus.unwrap_or(0),
        "CpuShares": limits.cpu_shares.unwrap_or(0),
        "CpusetCpus": limits.cpuset_cpus.clone().unwrap_or_default(),
        "PidsLimit": limits.pids,
        "Init": spec.init,
        "OomKillDisable": limits.oom_kill_disable,
        "LogConfig": log_config(&spec.log),
    });
    if let (Some(config), Value::Object(rest)) = (config.as_object_mut(), rest_of_host_config(spec)) {
        config.extend(rest);
    }
    config
}

fn namespace(namespace: &Namespace) -> String {
    match namespace {
        Namespace::Private => String::new(),
        Namespace::Host => "host".to_owned(),
        Namespace::Container(id) => format!("container:{id}"),
    }
}

fn ipc(ipc: &Ipc) -> String {
    match ipc {
        Ipc::Private => "private".to_owned(),
        Ipc::Shareable => "shareable".to_owned(),
        Ipc::None => "none".to_owned(),
        Ipc::Host => "host".to_owned(),
        Ipc::Container(id) => format!("container:{id}"),
    }
}

/// Returns what is rarely looked at.
fn rest_of_host_config(spec: &lighter_engine::ContainerSpec) -> Value {
    let (limits, isolation) = (&spec.resources, &spec.isolation);
    let host = |is_host: bool, otherwise: &'static str| if is_host { "host" } else { otherwise };
    json!({
        "Binds": binds(spec),
        "GroupAdd": spec.group_add,
        "PidMode": namespace(&isolation.pid),
        "IpcMode": ipc(&isolation.ipc),
        "CgroupnsMode": host(isolation.host_cgroup, "private"),
        "UTSMode": namespace(&isolation.uts),
        "UsernsMode": if isolation.own_users { "private" } else { "" },
        "SecurityOpt": security_options(isolation),
        "Sysctls": isolation.sysctls,
        "VolumesFrom": Value::Null,
        "PublishAllPorts": false,
        "OomScoreAdj": isolation.oom_score_adj.unwrap_or(0),
        "Runtime": spec.runtime.as_deref().unwrap_or("lighter"),
        "CgroupParent": spec.cgroup_parent.clone().unwrap_or_default(),
        "Devices": devices(spec),
        "Ulimits": ulimits(isolation),
        "MemoryReservation": limits.memory_reservation.unwrap_or(0),
        "CpuPeriod": limits.cpu_period.unwrap_or(0),
        "CpuQuota": limits.cpu_quota.unwrap_or(0),
        "CpusetMems": limits.cpuset_mems.clone().unwrap_or_default(),
        "BlkioWeight": limits.blkio_weight.unwrap_or(0),
    })
}

/// As much swap as memory is allowed when nothing is said of it.
fn twice(memory: Option<u64>) -> i64 {
    i64::try_from(memory.unwrap_or(0).saturating_mul(2)).unwrap_or(i64::MAX)
}

/// Returns bind mounts and named volumes as `-v` writes them.
fn binds(spec: &lighter_engine::ContainerSpec) -> Vec<String> {
    let bind = |mount: &lighter_engine::Mount| {
        let source = match &mount.kind {
            MountKind::Bind { source, .. } => source.display().to_string(),
            MountKind::Volume { name, anonymous: false, .. } => name.clone(),
            _ => return None,
        };
        Some(format!("{source}:{}{}", mount.target, if mount.read_only { ":ro" } else { "" }))
    };
    spec.mounts.iter().filter_map(bind).collect()
}

fn security_options(isolation: &lighter_engine::Isolation) -> Vec<&'static str> {
    let all = [
        (isolation.no_new_privileges, "no-new-privileges"),
        (isolation.seccomp_unconfined, "seccomp=unconfined"),
        (isolation.paths_unconfined, "systempaths=unconfined"),
    ];
    all.into_iter().filter_map(|(is_set, option)| is_set.then_some(option)).collect()
}

fn ulimits(isolation: &lighter_engine::Isolation) -> Vec<Value> {
    // -1 is without limit, as docker writes it
    let number = |limit: u64| i64::try_from(limit).unwrap_or(-1);
    let ulimit = |limit: &lighter_engine::Ulimit| json!({"Name": limit.name, "Soft": number(limit.soft), "Hard": number(limit.hard)});
    isolation.ulimits.iter().map(ulimit).collect()
}

fn devices(spec: &lighter_engine::ContainerSpec) -> Vec<Value> {
    let device = |device: &lighter_engine::Device| json!({"PathOnHost": device.source, "PathInContainer": device.target, "CgroupPermissions": device.permissions});
    spec.devices.iter().map(device).collect()
}

fn log_config(log: &lighter_engine::LogOptions) -> Value {
    use lighter_engine::LogDriver;
    let config = match log.driver {
        LogDriver::JsonFile | LogDriver::Local => {
            let size = if log.max_size == u64::MAX { "-1".to_owned() } else { log.max_size.to_string() };
            let compress = log.compress.to_string();
            let mut config = json!({"max-size": size, "max-file": log.max_files.to_string(), "compress": compress});
            for (option, names) in
                [("labels", &log.labels), ("env", &log.env)].into_iter().filter(|(_, names)| !names.is_empty())
            {
                config[option] = json!(names.join(","));
            }
            config
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
        "AttachStdin": false,
        "AttachStdout": false,
        "AttachStderr": false,
        "OpenStdin": spec.open_stdin,
        "StdinOnce": false,
        "OnBuild": Value::Null,
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
            MountKind::Image { reference, .. } => {
                json!({"Type": "image", "Source": reference, "Propagation": ""})
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
    let plug = container.state.endpoints.first();
    Ok(json!({
        "Bridge": "",
        "SandboxID": "",
        "SandboxKey": container.state.init.map_or_else(String::new, |init| format!("/proc/{}/ns/net", init.pid)),
        "Ports": ports(container, grouped(bound)),
        "IPAddress": text(first.map(|address| address.address)),
        "IPPrefixLen": first.map_or(0, |address| address.prefix),
        "Gateway": text(first.map(|address| address.gateway)),
        "GlobalIPv6Address": text(plug.and_then(|plug| plug.ipv6()).map(|address| address.address)),
        "MacAddress": plug.map(|plug| plug.mac.to_string()).unwrap_or_default(),
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

/// Adds the ports that are exposed and not published, as null, while the container runs.
fn ports(container: &Container, published: Value) -> Value {
    let Value::Object(mut ports) = published else { return published };
    if container.state.status.is_active() {
        container.spec.exposed.iter().for_each(|port| _ = ports.entry(port.clone()).or_insert(Value::Null));
    }
    Value::Object(ports)
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
