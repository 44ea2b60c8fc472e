//! `lighter compose build`, and building what a project needs before it is planned.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use lighter_compose::images::name_of;
use lighter_compose::model::{Build, FileContent, Service, Ulimit};
use lighter_compose::{Project, selection};
use lighter_engine::Engine;
use lighter_engine::images::build::{NamedContext, Secret};
use lighter_engine::images::pull::PullPolicy;
use serde_json::json;

use super::config::load_services;
use super::{interrupt, outcome};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::build::{BuildFlags, Job, Source, place_of};

/// Build the images of services
#[derive(clap::Args)]
pub(crate) struct BuildArgs {
    /// Services (default: all that have a `build`)
    services: Vec<String>,
    /// Value of an ARG, instead of the file's
    #[arg(long, value_name = "NAME=VALUE")]
    build_arg: Vec<String>,
    /// Carry out every step anew
    #[arg(long)]
    no_cache: bool,
    /// Ask registries even for images that are here
    #[arg(long)]
    pull: bool,
    /// Push the images to their registries
    #[arg(long)]
    push: bool,
    /// What the services depend on too
    #[arg(long)]
    with_dependencies: bool,
    /// Agent for RUN: `default`, or ID=SOCKET
    #[arg(long, value_name = "AGENT")]
    ssh: Vec<String>,
    /// Limit of memory of RUN
    #[arg(short, long, value_name = "BYTES")]
    memory: Option<String>,
    /// Only look for mistakes in the Dockerfiles
    #[arg(long)]
    check: bool,
    /// Print what would be built as a bake file, and build nothing
    #[arg(long)]
    print: bool,
    /// How progress is shown: auto, tty, plain, rawjson, quiet
    #[arg(long, value_name = "STYLE", value_parser = ["auto", "tty", "plain", "rawjson", "json", "quiet"], hide_possible_values = true)]
    progress: Option<String>,
    /// No progress
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(ctx: &Context, project: &ProjectArgs, args: &BuildArgs) -> Result<(), Failure> {
    let interrupt = interrupt::listen()?;
    let project = load_services(ctx, project, &args.services)?.project;
    let selected =
        selection::select(&project, &args.services, args.with_dependencies).map_err(|fault| outcome::fault(*fault))?;
    let order = in_order(&project, &selected)?;
    if ctx.manner.dry_run {
        return order.iter().try_for_each(|service| ctx.ui.line(format!("build {}", name_of(&project, service))));
    }
    if args.print {
        return ctx.ui.line(format!("{:#}", bake(&project, &order)));
    }
    let engine = ctx.recovered_engine()?;
    for service in order {
        one(ctx, &engine, &project, service, args, interrupt.flag())?;
    }
    Ok(())
}

/// Returns the services whose images are to be built: those that the store lacks; with `all` those that are there too.
pub(super) fn needed(
    engine: &Engine,
    project: &Project,
    services: &[String],
    all: bool,
) -> Result<Vec<String>, Failure> {
    let mut wanted = Vec::new();
    for name in services {
        let Some(service) = project.services.get(name).filter(|service| service.build.is_some()) else { continue };
        let is_there = engine.images().find(&name_of(project, service))?.is_some();
        if all || service.pull_policy == PullPolicy::Build || !is_there {
            wanted.push(name.clone());
        }
    }
    Ok(wanted)
}

/// Builds the images that services need, as [`needed`] says.
pub(super) fn missing(
    ctx: &Context,
    engine: &Engine,
    project: &Project,
    services: &[String],
    how: &Building<'_>,
) -> Result<(), Failure> {
    let wanted = needed(engine, project, services, how.all)?;
    let args = BuildArgs { quiet: how.quiet, ..BuildArgs::none() };
    for service in in_order(project, &wanted)? {
        one(ctx, engine, project, service, &args, how.cancelled)?;
    }
    Ok(())
}

/// How a verb that needs images builds them.
pub(super) struct Building<'a> {
    /// `--build`: also what is there.
    pub(super) all: bool,
    pub(super) quiet: bool,
    pub(super) cancelled: &'a AtomicBool,
}

impl BuildArgs {
    fn none() -> BuildArgs {
        BuildArgs {
            services: Vec::new(),
            build_arg: Vec::new(),
            no_cache: false,
            pull: false,
            push: false,
            with_dependencies: false,
            ssh: Vec::new(),
            memory: None,
            check: false,
            print: false,
            progress: None,
            quiet: false,
        }
    }
}

/// Returns the services that have a `build`, each after those whose images are its contexts.
fn in_order<'a>(project: &'a Project, services: &[String]) -> Result<Vec<&'a Service>, Failure> {
    let mut order: Vec<&Service> = Vec::new();
    for name in services {
        add(project, name, &mut Vec::new(), &mut order)?;
    }
    Ok(order)
}

fn add<'a>(
    project: &'a Project,
    name: &str,
    path: &mut Vec<String>,
    order: &mut Vec<&'a Service>,
) -> Result<(), Failure> {
    let Some(service) = project.services.get(name) else {
        return Err(Failure::text(format!("`additional_contexts` names service `{name}`, which does not exist")));
    };
    let Some(build) = &service.build else { return Ok(()) };
    if order.iter().any(|other| other.name == name) {
        return Ok(());
    }
    if path.iter().any(|other| other == name) {
        return Err(Failure::text(format!(
            "the images of services {} and {name} are built from one another",
            path.join(", ")
        )));
    }
    path.push(name.to_owned());
    for other in build.services() {
        add(project, other, path, order)?;
    }
    path.pop();
    order.push(service);
    Ok(())
}

fn one(
    ctx: &Context,
    engine: &Engine,
    project: &Project,
    service: &Service,
    args: &BuildArgs,
    cancelled: &AtomicBool,
) -> Result<(), Failure> {
    let Some(build) = &service.build else { return Ok(()) };
    let job = job(ctx, engine, project, service, build, args)?;
    if args.check {
        return crate::verbs::build::check(ctx, &job.request).map(drop);
    }
    if !args.quiet {
        ctx.ui.note(format!(" …  build {}", name_of(project, service)));
    }
    job.run(ctx, engine, cancelled).map(drop).map_err(|stopped| stopped.into_failure())
}

fn job(
    ctx: &Context,
    engine: &Engine,
    project: &Project,
    service: &Service,
    build: &Build,
    args: &BuildArgs,
) -> Result<Job, Failure> {
    let here = &project.working_directory;
    let platforms: Vec<&String> = service.platform.iter().chain(&build.platforms).collect();
    if build.platforms.len() > 1 && service.platform.is_none() && args.push {
        return Err(Failure::text(format!(
            "service `{}`: images for several platforms are not supported",
            service.name
        )));
    }
    let mut flags = BuildFlags::default();
    flags.name(std::iter::once(name_of(project, service)).chain(build.tags.clone()).collect());
    flags.limit(build.target.clone(), platforms.first().map(|platform| (*platform).clone()), args.memory.clone());
    flags.again(args.no_cache || build.no_cache, build.no_cache_filter.clone(), args.pull || build.pull);
    flags.assist(build.network.clone(), build.extra_hosts.clone(), ssh(build, args));
    flags.carry(build.cache_from.clone(), build.cache_to.clone(), args.push);
    flags.show(args.progress.clone(), args.quiet);
    let mut allowed = build.entitlements.clone();
    if build.privileged {
        allowed.extend(["network.host", "security.insecure"].map(str::to_owned));
    }
    flags.allow(allowed, args.build_arg.clone());
    let source = source(ctx, engine, build)?;
    let mut job = Job::new(ctx, &flags, source)?;
    let mut arguments = build.args.clone();
    arguments.append(&mut job.request.arguments); // the command line's win
    job.request.arguments = arguments;
    job.request.labels = build.labels.clone();
    job.request.run.shm_size = build.shm_size;
    let limit = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let ulimit = |(name, value): (&String, &Ulimit)| (name.clone(), limit(value.soft), limit(value.hard));
    job.request.run.ulimits = build.ulimits.iter().map(ulimit).collect();
    for (name, place) in &build.additional_contexts {
        job.request.contexts.insert(name.clone(), context(project, place, here)?);
    }
    job.request.secrets = secrets(project, service, build)?;
    Ok(job)
}

fn source(ctx: &Context, engine: &Engine, build: &Build) -> Result<Source, Failure> {
    let context = if build.context.is_empty() { "." } else { &build.context };
    match &build.dockerfile_inline {
        Some(text) => Source::in_folder(Path::new(context), None, Some(text.clone())),
        None => {
            let file = build.dockerfile.as_ref().map(PathBuf::from);
            let is_remote = lighter_engine::images::build::is_remote(context);
            // A Dockerfile's name starts from the context.
            let file = file.map(|file| if is_remote { file } else { Path::new(context).join(file) });
            Source::find(ctx, engine, context, file.as_deref())
        }
    }
}

fn context(project: &Project, place: &str, here: &Path) -> Result<NamedContext, Failure> {
    match place.strip_prefix("service:") {
        None => place_of(place, here),
        Some(name) => {
            let service = project.services.get(name);
            let service = service.ok_or_else(|| Failure::text(format!("context `{place}`: no such service")))?;
            Ok(NamedContext::Image(name_of(project, service)))
        }
    }
}

fn ssh(build: &Build, args: &BuildArgs) -> Vec<String> {
    let of_file = build.ssh.iter().map(|(id, socket)| match socket.is_empty() {
        true => id.clone(),
        false => format!("{id}={socket}"),
    });
    of_file.chain(args.ssh.clone()).collect()
}

fn secrets(project: &Project, service: &Service, build: &Build) -> Result<BTreeMap<String, Secret>, Failure> {
    let mut secrets = BTreeMap::new();
    for grant in &build.secrets {
        let of = format!("secret `{}` of the build of service `{}`", grant.source, service.name);
        let object = project.secrets.get(&grant.source);
        let object = object.ok_or_else(|| Failure::text(format!("{of} is not in the file")))?;
        let secret = match &object.content {
            FileContent::File(path) => Secret::File(path.clone()),
            FileContent::Inline(text) => Secret::Value(text.clone().into_bytes()),
            FileContent::Variable { name, value } => {
                let missing = || Failure::text(format!("{of}: variable `{name}` is not set"));
                Secret::Value(value.clone().ok_or_else(missing)?.into_bytes())
            }
            FileContent::External => return Err(Failure::text(format!("{of} is external, which is not supported"))),
        };
        let id = if grant.target.is_empty() { grant.source.clone() } else { grant.target.clone() };
        secrets.insert(id, secret);
    }
    Ok(secrets)
}

/// Returns what `docker buildx bake` would be given.
fn bake(project: &Project, services: &[&Service]) -> serde_json::Value {
    let mut targets = serde_json::Map::new();
    for service in services {
        let Some(build) = &service.build else { continue };
        let tags: Vec<String> = std::iter::once(name_of(project, service)).chain(build.tags.clone()).collect();
        let mut target = json!({"context": build.context, "tags": tags, "output": ["type=docker"]});
        let mut set = |name: &str, value: serde_json::Value, is_set: bool| {
            if is_set {
                target[name] = value;
            }
        };
        set("dockerfile", json!(build.dockerfile), build.dockerfile.is_some());
        set("dockerfile-inline", json!(build.dockerfile_inline), build.dockerfile_inline.is_some());
        set("args", json!(build.args), !build.args.is_empty());
        set("labels", json!(build.labels), !build.labels.is_empty());
        set("target", json!(build.target), build.target.is_some());
        set("contexts", json!(build.additional_contexts), !build.additional_contexts.is_empty());
        set("platforms", json!(build.platforms), !build.platforms.is_empty());
        set("no-cache", json!(true), build.no_cache);
        set("pull", json!(true), build.pull);
        targets.insert(service.name.clone(), target);
    }
    let names: Vec<&String> = services.iter().map(|service| &service.name).collect();
    json!({"group": {"default": {"targets": names}}, "target": targets})
}
