//! From flags and an image to what the engine makes.

use std::collections::BTreeMap;
use std::time::Duration;

use lighter_engine::images::store::Image;
use lighter_engine::{ContainerSpec, Engine, HealthCheck, Isolation, Probe, ProcessChoice, PublishedPort, Resources};

use super::{RunFlags, network, parse};
use crate::context::Context;
use crate::error::Failure;

pub(super) fn specification(
    ctx: &Context,
    engine: &Engine,
    flags: &RunFlags,
    image: &Image,
) -> Result<ContainerSpec, Failure> {
    let here = &ctx.invocation.working_directory;
    let name = flags.name.clone().unwrap_or_else(|| format!("lighter-{}", &lighter_engine::random_name()[..12]));
    let mut mounts = Vec::new();
    for text in &flags.volume {
        mounts.push(parse::volume(text, here)?);
    }
    for text in &flags.mount {
        mounts.push(parse::mount(text, here)?);
    }
    for text in &flags.tmpfs {
        mounts.push(parse::tmpfs(text)?);
    }
    let choice = ProcessChoice {
        entrypoint: flags.entrypoint.clone().map(|program| if program.is_empty() { vec![] } else { vec![program] }),
        command: Some(flags.command.clone()).filter(|command| !command.is_empty()),
        env: environment(ctx, flags)?,
        user: flags.user.clone(),
        working_dir: flags.workdir.clone(),
        stop_signal: flags.stop_signal.clone(),
        labels: pairs("--label", &flags.label)?,
    };
    let mut spec = ContainerSpec::from_image(name, flags.image.clone(), image, choice, mounts);
    spec.group_add = flags.group_add.clone();
    spec.hostname = flags.hostname.clone();
    spec.domainname = flags.domainname.clone();
    spec.devices = flags.device.iter().map(|text| parse::device(text)).collect();
    spec.network = network::mode(engine, flags)?;
    spec.links = flags.link.iter().map(|text| network::link(text)).collect();
    for text in &flags.publish {
        spec.ports.extend(parse::publish(text)?);
    }
    spec.exposed.extend(flags.expose.iter().map(|port| parse::exposed(port)));
    if flags.publish_all {
        spec.ports.extend(unpublished(&spec));
    }
    spec.extra_hosts = flags.add_host.iter().map(|text| host_line(text)).collect::<Result<_, _>>()?;
    spec.dns = flags.dns.clone();
    spec.dns_search = flags.dns_search.clone();
    spec.dns_options = flags.dns_option.clone();
    spec.resources = resources(flags)?;
    spec.isolation = isolation(flags)?;
    if let Some(size) = &flags.shm_size {
        spec.shm_size = parse::bytes(size)?;
    }
    spec.tty = flags.tty;
    spec.open_stdin = flags.interactive;
    spec.health = health(flags, spec.health.take())?;
    spec.restart = flags.restart.parse()?;
    spec.stop_grace = flags.stop_timeout.map(Duration::from_secs);
    spec.auto_remove = flags.rm;
    spec.log = log(flags)?;
    spec.resources.oom_kill_disable = flags.oom_kill_disable;
    spec.init = flags.init;
    if let Some(signal) = &spec.stop_signal {
        lighter_engine::signal::parse(signal)?;
    }
    if flags.rm && spec.restart != lighter_engine::RestartPolicy::No {
        return Err(Failure::text("--rm and --restart contradict each other"));
    }
    Ok(spec)
}

/// Reads the variables of a file, a line each; a name alone takes our own value.
pub(crate) fn env_file(ctx: &Context, path: &std::path::Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(ctx.invocation.working_directory.join(path))
        .map_err(|error| Failure::text(format!("read variables from `{}`: {error}", path.display())))?;
    let lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.filter_map(|line| ctx.pair(line)).collect())
}

fn environment(ctx: &Context, flags: &RunFlags) -> Result<Vec<String>, Failure> {
    let mut env = Vec::new();
    for path in &flags.env_file {
        env.extend(env_file(ctx, path)?);
    }
    env.extend(flags.env.iter().filter_map(|pair| ctx.pair(pair)));
    Ok(env)
}

/// Returns a free port of the host for each port that is exposed and not published.
fn unpublished(spec: &ContainerSpec) -> Vec<PublishedPort> {
    let exposed = spec.exposed.iter().filter_map(|text| parse::publish(text).ok()).flatten();
    let has = |port: &PublishedPort| {
        spec.ports.iter().any(|other| (other.target, &other.protocol) == (port.target, &port.protocol))
    };
    exposed.filter(|port| !has(port)).collect()
}

fn resources(flags: &RunFlags) -> Result<Resources, Failure> {
    let bytes = |text: &Option<String>| text.as_deref().map(parse::bytes).transpose();
    let memory_swap = match flags.memory_swap.as_deref() {
        Some("-1") => Some(-1),
        Some(text) => Some(i64::try_from(parse::bytes(text)?)?),
        None => None,
    };
    if memory_swap.is_some() && flags.memory.is_none() {
        return Err(Failure::text("--memory-swap needs --memory"));
    }
    Ok(Resources {
        memory: bytes(&flags.memory)?,
        memory_swap,
        nano_cpus: flags.cpus.map(|cpus| (cpus * 1e9) as u64),
        cpu_shares: flags.cpu_shares,
        cpuset_cpus: flags.cpuset_cpus.clone(),
        pids: flags.pids_limit,
        ..Resources::default()
    })
}

fn isolation(flags: &RunFlags) -> Result<Isolation, Failure> {
    let mut isolation = Isolation {
        privileged: flags.privileged,
        cap_add: flags.cap_add.clone(),
        cap_drop: flags.cap_drop.clone(),
        read_only: flags.read_only,
        ulimits: flags.ulimit.iter().map(|text| parse::ulimit(text)).collect::<Result<_, _>>()?,
        sysctls: pairs("--sysctl", &flags.sysctl)?,
        host_pid: flags.pid.as_deref() == Some("host"),
        host_ipc: flags.ipc.as_deref() == Some("host"),
        ..Isolation::default()
    };
    for option in &flags.security_opt {
        isolation.apply_security_option(option)?;
    }
    Ok(isolation)
}

fn health(flags: &RunFlags, image: Option<HealthCheck>) -> Result<Option<HealthCheck>, Failure> {
    if flags.no_healthcheck {
        return Ok(None);
    }
    let own = flags.health_cmd.clone().map(|line| HealthCheck::new(Probe::Shell(line)));
    let Some(mut check) = own.or(image) else { return Ok(None) };
    let set = |value: &mut Duration, text: &Option<String>| -> Result<(), Failure> {
        text.as_deref().map(parse::duration).transpose().map(|new| *value = new.unwrap_or(*value))
    };
    set(&mut check.interval, &flags.health_interval)?;
    set(&mut check.timeout, &flags.health_timeout)?;
    set(&mut check.start_period, &flags.health_start_period)?;
    if let Some(text) = &flags.health_start_interval {
        check.start_interval = Some(parse::duration(text)?);
    }
    check.retries = flags.health_retries.unwrap_or(check.retries);
    Ok(Some(check))
}

fn host_line(text: &str) -> Result<(String, String), Failure> {
    let pair = text.split_once('=').or_else(|| text.split_once(':'));
    let (name, address) = pair.ok_or_else(|| Failure::text(format!("--add-host `{text}`: use NAME:ADDRESS")))?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if address != "host-gateway" && address.parse::<std::net::IpAddr>().is_err() {
        return Err(Failure::text(format!("--add-host `{text}`: `{address}` is no address")));
    }
    Ok((name.to_owned(), address.to_owned()))
}

fn pairs(flag: &str, texts: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        if name.is_empty() {
            return Err(Failure::text(format!("{flag} `{text}`: use NAME=VALUE")));
        }
        Ok((name.to_owned(), value.to_owned()))
    };
    texts.iter().map(pair).collect()
}

fn log(flags: &RunFlags) -> Result<lighter_engine::LogOptions, Failure> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Failure::text(format!("--log-opt `{text}`: use NAME=VALUE"))),
    };
    let options = flags.log_opt.iter().map(pair).collect::<Result<_, _>>()?;
    Ok(lighter_engine::LogOptions::parse(flags.log_driver.as_deref(), &options)?)
}
