//! `HostConfig`: what a container is allowed, and what it has of the host.

use lighter_engine::runtime::defaults;
use lighter_engine::{
    ContainerSpec, DeviceWeight, Ipc, Isolation, Mount, MountKind, Namespace, NetworkMode, Resources, Throttled,
};
use serde_json::{Map, Value, json};

/// Returns `HostConfig` of a container.
pub(super) fn host_config(spec: &ContainerSpec) -> Value {
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
        "PortBindings": super::grouped(bindings),
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
    for rest in [rest_of_host_config(spec), block_io(limits), elsewhere()] {
        if let (Some(config), Value::Object(rest)) = (config.as_object_mut(), rest) {
            config.extend(rest);
        }
    }
    if !spec.annotations.is_empty() {
        config["Annotations"] = json!(spec.annotations);
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
fn rest_of_host_config(spec: &ContainerSpec) -> Value {
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
        "CpuRealtimePeriod": limits.cpu_rt_period.unwrap_or(0),
        "CpuRealtimeRuntime": limits.cpu_rt_runtime.unwrap_or(0),
        "MemorySwappiness": limits.memory_swappiness,
        "DeviceCgroupRules": isolation.device_rules,
        "DeviceRequests": device_requests(spec),
        "Tmpfs": tmpfs(spec),
        "MaskedPaths": confined(isolation, defaults::masked_paths),
        "ReadonlyPaths": confined(isolation, defaults::readonly_paths),
    })
}

/// Returns paths that are hidden or read-only in a container, unless it has everything.
fn confined(isolation: &Isolation, paths: fn() -> Vec<String>) -> Value {
    if isolation.privileged || isolation.paths_unconfined { Value::Null } else { json!(paths()) }
}

fn block_io(limits: &Resources) -> Value {
    let rates = |what: Throttled| {
        let fitting = limits.blkio_throttles.iter().filter(|throttle| throttle.what == what);
        fitting.map(|throttle| json!({"Path": throttle.device, "Rate": throttle.rate})).collect::<Vec<_>>()
    };
    let weight = |device: &DeviceWeight| json!({"Path": device.device, "Weight": device.weight});
    json!({
        "BlkioWeight": limits.blkio_weight.unwrap_or(0),
        "BlkioWeightDevice": limits.blkio_weight_devices.iter().map(weight).collect::<Vec<_>>(),
        "BlkioDeviceReadBps": rates(Throttled::ReadBytes),
        "BlkioDeviceWriteBps": rates(Throttled::WriteBytes),
        "BlkioDeviceReadIOps": rates(Throttled::Reads),
        "BlkioDeviceWriteIOps": rates(Throttled::Writes),
    })
}

/// Returns what there is on Windows, or with a daemon, alone.
fn elsewhere() -> Value {
    json!({
        "Cgroup": "",
        "ConsoleSize": [0, 0],
        "ContainerIDFile": "",
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumBandwidth": 0,
        "IOMaximumIOps": 0,
        "Isolation": "",
        "VolumeDriver": "",
    })
}

/// Returns devices by the names of CDI, as `--device VENDOR/CLASS=NAME` and `--gpus` ask for them.
fn device_requests(spec: &ContainerSpec) -> Value {
    match &*spec.cdi_devices {
        [] => Value::Null,
        names => json!([{"Driver": "cdi", "Count": 0, "DeviceIDs": names, "Capabilities": null, "Options": {}}]),
    }
}

/// Returns where there is memory, with the options of mount(8).
fn tmpfs(spec: &ContainerSpec) -> Map<String, Value> {
    let options = |mount: &Mount| {
        let MountKind::Tmpfs { size, mode, options } = &mount.kind else { return None };
        let size = size.map(|size| format!("size={size}"));
        let mode = mode.map(|mode| format!("mode={mode:o}"));
        let options: Vec<_> = options.iter().cloned().chain(size).chain(mode).collect();
        Some((mount.target.clone(), Value::from(options.join(","))))
    };
    spec.mounts.iter().filter_map(options).collect()
}

/// As much swap as memory is allowed when nothing is said of it.
fn twice(memory: Option<u64>) -> i64 {
    i64::try_from(memory.unwrap_or(0).saturating_mul(2)).unwrap_or(i64::MAX)
}

/// Returns bind mounts and named volumes as `-v` writes them.
fn binds(spec: &ContainerSpec) -> Vec<String> {
    let bind = |mount: &Mount| {
        let source = match &mount.kind {
            MountKind::Bind { source, .. } => source.display().to_string(),
            MountKind::Volume { name, anonymous: false, .. } => name.clone(),
            _ => return None,
        };
        Some(format!("{source}:{}{}", mount.target, if mount.read_only { ":ro" } else { "" }))
    };
    spec.mounts.iter().filter_map(bind).collect()
}

fn security_options(isolation: &Isolation) -> Vec<&'static str> {
    let all = [
        (isolation.no_new_privileges, "no-new-privileges"),
        (isolation.seccomp_unconfined, "seccomp=unconfined"),
        (isolation.paths_unconfined, "systempaths=unconfined"),
    ];
    all.into_iter().filter_map(|(is_set, option)| is_set.then_some(option)).collect()
}

fn ulimits(isolation: &Isolation) -> Vec<Value> {
    // -1 is without limit, as docker writes it
    let number = |limit: u64| i64::try_from(limit).unwrap_or(-1);
    let ulimit = |limit: &lighter_engine::Ulimit| json!({"Name": limit.name, "Soft": number(limit.soft), "Hard": number(limit.hard)});
    isolation.ulimits.iter().map(ulimit).collect()
}

fn devices(spec: &ContainerSpec) -> Vec<Value> {
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
