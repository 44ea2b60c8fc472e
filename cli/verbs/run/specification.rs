//! From flags and an image to what the engine makes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lighter_engine::images::store::Image;
use lighter_engine::{
    Attached, ContainerSpec, Engine, HealthCheck, ImageSource, LayerStack, Mount, Probe, ProcessChoice, PublishedPort,
};

use super::flags::{LifeFlags, Stream};
use super::{RunFlags, isolation, limits, mount, network, parse};
use crate::context::Context;
use crate::error::Failure;

pub(super) fn specification(
    ctx: &Context,
    engine: &Engine,
    flags: &RunFlags,
    image: Option<&Image>,
) -> Result<ContainerSpec, Failure> {
    flags.refused.check()?;
    let name = flags.name.clone().unwrap_or_else(|| format!("lighter-{}", &lighter_engine::random_name()[..12]));
    let entrypoint = flags.entrypoint.clone();
    let choice = ProcessChoice {
        entrypoint: entrypoint.map(|program| if program.is_empty() { vec![] } else { vec![program] }),
        command: Some(flags.command()).filter(|command| !command.is_empty()),
        env: environment(ctx, flags)?,
        user: flags.user.clone(),
        working_dir: flags.workdir.clone(),
        stop_signal: flags.life.stop_signal.clone(),
        labels: labels(ctx, flags)?,
    };
    let mounts = mount::all(ctx, &flags.mounts)?;
    let mut spec = match (image, &flags.rootfs) {
        (Some(image), _) => ContainerSpec::from_image(name, flags.reference().to_owned(), image, choice, mounts),
        (None, folder) => in_folder(ctx, name, folder.as_deref().unwrap_or(Path::new("/")), (choice, mounts))?,
    };
    spec.group_add = flags.group_add.clone();
    spec.volumes_from = mount::lenders(&flags.mounts)?;
    spec.annotations = pairs("--annotation", &flags.annotation)?;
    spec.tty = flags.tty;
    spec.open_stdin = flags.interactive;
    let joined = |stream| flags.joins(stream);
    spec.attached =
        Attached { stdin: joined(Stream::Stdin), stdout: joined(Stream::Stdout), stderr: joined(Stream::Stderr) };
    spec.auto_remove = flags.rm;
    devices(flags, &mut spec)?;
    networking(ctx, engine, flags, &mut spec)?;
    spec.resources = limits::resources(&flags.limits)?;
    spec.cgroup_parent = flags.limits.cgroup_parent.clone().filter(|parent| !parent.is_empty());
    spec.isolation = isolation::isolation(ctx, engine, flags)?;
    spec.runtime = flags.isolation.runtime.clone().filter(|name| !name.is_empty());
    life(flags, &mut spec)?;
    Ok(spec)
}

/// Returns the specification of a container on a folder of the host.
fn in_folder(
    ctx: &Context,
    name: String,
    folder: &Path,
    (choice, mounts): (ProcessChoice, Vec<Mount>),
) -> Result<ContainerSpec, Failure> {
    let folder = ctx.invocation.working_directory.join(folder);
    let folder = std::fs::canonicalize(&folder)
        .map_err(|error| Failure::text(format!("use `{}` as a root file system: {error}", folder.display())))?;
    let source = ImageSource { reference: folder.display().to_string(), id: String::new() };
    let entrypoint = choice.entrypoint.unwrap_or_default();
    let entrypoint_len = entrypoint.len();
    let args = entrypoint.into_iter().chain(choice.command.unwrap_or_default()).collect();
    let mut spec = ContainerSpec::new(name, source, args);
    spec.entrypoint_len = entrypoint_len;
    spec.layers = Some(LayerStack { lowers: vec![folder.clone()], root: Some(folder), is_volatile: false });
    spec.set_env(choice.env);
    spec.user = choice.user.unwrap_or_default();
    spec.working_dir = choice.working_dir.unwrap_or(spec.working_dir);
    spec.stop_signal = choice.stop_signal;
    spec.labels = choice.labels;
    spec.mounts = mounts;
    Ok(spec)
}

/// Tells devices of the host from names that CDI specifications give.
fn devices(flags: &RunFlags, spec: &mut ContainerSpec) -> Result<(), Failure> {
    for text in &flags.mounts.device {
        match lighter_engine::is_cdi_name(text) {
            true => spec.cdi_devices.push(text.clone()),
            false => spec.devices.push(parse::device(text)),
        }
    }
    if let Some(wish) = &flags.mounts.gpus {
        spec.cdi_devices.extend(parse::gpus(wish)?);
    }
    if let Some(size) = &flags.mounts.shm_size {
        spec.shm_size = Some(parse::bytes(size)?).filter(|size| *size > 0).unwrap_or(spec.shm_size);
    }
    Ok(())
}

fn networking(ctx: &Context, engine: &Engine, flags: &RunFlags, spec: &mut ContainerSpec) -> Result<(), Failure> {
    let wishes = &flags.networking;
    spec.network = network::mode(engine, wishes)?;
    if let Some(warning) = network::check(wishes, &spec.network)? {
        ctx.ui.warn(warning);
    }
    spec.hostname = wishes.hostname.clone();
    spec.domainname = wishes.domainname.clone();
    spec.links = wishes.link.iter().map(|text| network::link(engine, text)).collect::<Result<_, _>>()?;
    for text in &wishes.publish {
        spec.ports.extend(parse::publish(text)?);
    }
    spec.exposed.extend(wishes.expose.iter().map(|port| parse::exposed(port)));
    if wishes.publish_all {
        spec.ports.extend(unpublished(spec));
    }
    spec.extra_hosts = wishes.add_host.iter().map(|text| host_line(text)).collect::<Result<_, _>>()?;
    spec.dns = wishes.dns.clone();
    spec.dns_search = wishes.dns_search.clone();
    spec.dns_options = wishes.dns_option.clone();
    Ok(())
}

fn life(flags: &RunFlags, spec: &mut ContainerSpec) -> Result<(), Failure> {
    let life = &flags.life;
    spec.health = health(life, spec.health.take())?;
    spec.restart = life.restart.parse()?;
    spec.stop_grace = life.stop_timeout.map(Duration::from_secs);
    spec.log = log(life)?;
    spec.init = life.init;
    if let Some(signal) = &spec.stop_signal {
        lighter_engine::signal::parse(signal)?;
    }
    if flags.rm && spec.restart != lighter_engine::RestartPolicy::No {
        return Err(Failure::text("--rm and --restart contradict each other"));
    }
    Ok(())
}

fn environment(ctx: &Context, flags: &RunFlags) -> Result<Vec<String>, Failure> {
    // What is said of this container alone wins over what docker's configuration says of all.
    let mut env: Vec<_> = ctx.proxies().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    for path in &flags.env_file {
        env.extend(env_file(ctx, path)?);
    }
    for text in &flags.env {
        if text.is_empty() || text.starts_with('=') {
            return Err(Failure::text(format!("--env `{text}`: use NAME=VALUE or NAME")));
        }
        env.push(variable(ctx, text));
    }
    Ok(env)
}

/// Completes `--env NAME` with our own value; one that we do not have is taken away from what the image sets.
pub(crate) fn variable(ctx: &Context, text: &str) -> String {
    ctx.pair(text).unwrap_or_else(|| text.to_owned())
}

fn labels(ctx: &Context, flags: &RunFlags) -> Result<BTreeMap<String, String>, Failure> {
    let mut labels = Vec::new();
    for path in &flags.label_file {
        labels.extend(lines(ctx, path)?);
    }
    labels.extend(flags.label.iter().cloned());
    pairs("--label", &labels)
}

/// Reads the variables of a file, a line each; a name alone takes our own value.
pub(crate) fn env_file(ctx: &Context, path: &Path) -> Result<Vec<String>, Failure> {
    Ok(lines(ctx, path)?.iter().filter_map(|line| ctx.pair(line)).collect())
}

/// Reads a file of `NAME=VALUE` or `NAME`, as docker does: no quotes, no blanks before or in a name, `#` for remarks.
fn lines(ctx: &Context, path: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(ctx.invocation.path(path))
        .map_err(|error| Failure::text(format!("read `{}`: {error}", path.display())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let checked = lines.map(|line| {
        let name = line.split('=').next().unwrap_or_default();
        match name.is_empty() || name.contains(char::is_whitespace) {
            true => Err(Failure::text(format!("`{}`: `{name}` in line `{line}` is no name", path.display()))),
            false => Ok(line.to_owned()),
        }
    });
    checked.collect()
}

/// Returns a free port of the host for each port that is exposed and not published.
fn unpublished(spec: &ContainerSpec) -> Vec<PublishedPort> {
    let exposed = spec.exposed.iter().filter_map(|text| parse::publish(text).ok()).flatten();
    let has = |port: &PublishedPort| {
        spec.ports.iter().any(|other| (other.target, &other.protocol) == (port.target, &port.protocol))
    };
    exposed.filter(|port| !has(port)).collect()
}

fn health(flags: &LifeFlags, image: Option<HealthCheck>) -> Result<Option<HealthCheck>, Failure> {
    if flags.no_healthcheck {
        return match flags.sets_health() {
            true => Err(Failure::text("--no-healthcheck and --health-* contradict each other")),
            false => Ok(None),
        };
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

pub(super) fn pairs(flag: &str, texts: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        if name.is_empty() {
            return Err(Failure::text(format!("{flag} `{text}`: use NAME=VALUE")));
        }
        Ok((name.to_owned(), value.to_owned()))
    };
    texts.iter().map(pair).collect()
}

fn log(flags: &LifeFlags) -> Result<lighter_engine::LogOptions, Failure> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Failure::text(format!("--log-opt `{text}`: use NAME=VALUE"))),
    };
    let options = flags.log_opt.iter().map(pair).collect::<Result<_, _>>()?;
    Ok(lighter_engine::LogOptions::parse(flags.log_driver.as_deref(), &options)?)
}
