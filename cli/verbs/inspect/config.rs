//! `Config`: what a container is by itself, wherever it runs.

use std::time::Duration;

use lighter_engine::{Container, ContainerSpec, Engine, HealthCheck, Mount, MountKind, Probe};
use serde_json::{Map, Value, json};

/// Returns `Config` of a container.
pub(super) fn config(engine: &Engine, container: &Container) -> Value {
    let spec = &container.spec;
    let (entrypoint, command) = spec.args.split_at(spec.entrypoint_len.min(spec.args.len()));
    let mut config = json!({
        "Hostname": engine.hostname(&container.id, spec),
        "Domainname": spec.domainname.clone().unwrap_or_default(),
        "User": spec.user,
        "ExposedPorts": spec.exposed_ports().map(|port| (port, json!({}))).collect::<Map<_, _>>(),
        "Tty": spec.tty,
        "AttachStdin": spec.attached.stdin,
        "AttachStdout": spec.attached.stdout,
        "AttachStderr": spec.attached.stderr,
        "OpenStdin": spec.open_stdin,
        "StdinOnce": spec.open_stdin && spec.attached.stdin,
        "Volumes": volumes(spec),
        "OnBuild": Value::Null,
        "Env": spec.env,
        "Cmd": command,
        "Entrypoint": entrypoint,
        "Image": spec.image.reference,
        "WorkingDir": spec.working_dir,
        "Labels": spec.labels,
    });
    if let Some(signal) = &spec.stop_signal {
        config["StopSignal"] = json!(signal);
    }
    if let Some(check) = &spec.health {
        config["Healthcheck"] = healthcheck(check);
    }
    if let Some(grace) = spec.stop_grace {
        config["StopTimeout"] = json!(grace.as_secs());
    }
    config
}

/// Returns the paths at which a container has volumes of its own; null without any.
fn volumes(spec: &ContainerSpec) -> Value {
    let is_own = |mount: &&Mount| matches!(mount.kind, MountKind::Volume { anonymous: true, .. });
    let paths: Map<_, _> = spec.mounts.iter().filter(is_own).map(|mount| (mount.target.clone(), json!({}))).collect();
    if paths.is_empty() { Value::Null } else { Value::Object(paths) }
}

/// Returns a health check; times are in nanoseconds.
fn healthcheck(check: &HealthCheck) -> Value {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let test: Vec<&str> = match &check.probe {
        Probe::Exec(command) => std::iter::once("CMD").chain(command.iter().map(String::as_str)).collect(),
        Probe::Shell(command) => vec!["CMD-SHELL", command],
    };
    json!({
        "Test": test,
        "Interval": nanoseconds(check.interval),
        "Timeout": nanoseconds(check.timeout),
        "Retries": check.retries,
        "StartPeriod": nanoseconds(check.start_period),
        "StartInterval": nanoseconds(check.start_interval.unwrap_or_default()),
    })
}
