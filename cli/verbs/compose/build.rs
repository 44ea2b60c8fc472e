//! `lighter compose build`, and building what a project needs before it is planned.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use lighter_compose::images::name_of;
use lighter_compose::model::{Build, FileContent, Service, Ulimit};
use lighter_compose::{Project, selection};
use lighter_engine::Engine;
use lighter_engine::images::build::{BuildProgress, NamedContext, Secret};
use lighter_engine::images::platform::Platform;
use lighter_engine::images::pull::PullPolicy;
use serde_json::json;

use super::building::{self, Target};
use super::config::load_services;
use super::{interrupt, outcome};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::build_progress::Together;
use crate::verbs::build::{self, BuildFlags, Job, Place, Source, Stopped, Watching, keeps_git, place_of};

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
    /// Docker's; there is one builder, `default`
    #[arg(long, hide = true, value_name = "NAME")]
    builder: Option<String>,
    /// Keep beside the images what they were built from: true, false, mode=min, mode=max
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    provenance: Option<String>,
    /// Docker's; `false` is what is done
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sbom: Option<String>,
    /// Docker's; no context is sent anywhere
    #[arg(long, hide = true)]
    compress: bool,
    /// Docker's; containers of steps never stay
    #[arg(long, hide = true)]
    force_rm: bool,
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
    let builds =
        Builds { ctx, engine: &engine, project: &project, args, for_start: false, cancelled: interrupt.flag() };
    builds.all(&order)
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
    let builds = Builds { ctx, engine, project, args: &args, for_start: true, cancelled: how.cancelled };
    builds.all(&in_order(project, &wanted)?)
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
            builder: None,
            provenance: None,
            sbom: None,
            compress: false,
            force_rm: false,
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

/// The builds of a project's services.
struct Builds<'a> {
    ctx: &'a Context,
    engine: &'a Engine,
    project: &'a Project,
    args: &'a BuildArgs,
    /// Whether containers are to start of the images, so that one platform is enough.
    for_start: bool,
    cancelled: &'a AtomicBool,
}

impl Builds<'_> {
    /// Builds these services' images, those that do not stand on one another at once.
    fn all(&self, order: &[&Service]) -> Result<(), Failure> {
        let (ctx, args) = (self.ctx, self.args);
        let style = build::style(ctx, args.progress.as_deref(), args.quiet)?;
        let progress = style.progress();
        let together = Together::new(progress.as_ref());
        // Findings stand in the order of the services.
        let limit = if args.check { 1 } else { outcome::parallel_limit(ctx)? };
        let one = |name: &str| self.one(&self.project.services[name], &together.part(name));
        let targets: Vec<Target<'_>> = order.iter().map(|service| Target::of(service)).collect();
        building::all(&targets, limit, self.cancelled, &one).map_err(Stopped::into_failure)
    }

    fn one(&self, service: &Service, progress: &dyn BuildProgress) -> Result<(), Stopped> {
        let Some(build) = &service.build else { return Ok(()) };
        let job = self.job(service, build)?;
        if self.args.check {
            return Ok(build::check(self.ctx, &job.request).map(drop)?);
        }
        if !self.args.quiet {
            self.ctx.ui.note(format!(" …  build {}", name_of(self.project, service)));
        }
        job.run(self.ctx, self.engine, Watching { progress, cancelled: self.cancelled }).map(drop)
    }

    fn job(&self, service: &Service, build: &Build) -> Result<Job, Failure> {
        let here = &self.project.working_directory;
        let mut job = Job::new(self.ctx, &self.flags(service, build)?, source(self.ctx, self.engine, build)?)?;
        let request = &mut job.request;
        let mut arguments = build.args.clone();
        arguments.append(&mut request.arguments); // the command line's win
        request.arguments = arguments;
        request.labels = build.labels.clone();
        request.run.shm_size = build.shm_size;
        let limit = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
        let ulimit = |(name, value): (&String, &Ulimit)| (name.clone(), limit(value.soft), limit(value.hard));
        request.run.ulimits = build.ulimits.iter().map(ulimit).collect();
        for (name, place) in &build.additional_contexts {
            request.contexts.insert(name.clone(), context(self.project, place, here)?);
        }
        request.secrets = secrets(self.project, service, build)?;
        Ok(job)
    }

    /// Returns the platforms to build for: all of the build's, or what containers are to start on: the service's, else that
    /// of the build's which runs here, else its first.
    fn platforms(&self, service: &Service, build: &Build) -> Vec<String> {
        if !self.for_start && !build.platforms.is_empty() {
            return build.platforms.clone();
        }
        let host = Platform::host().to_string();
        let own = service.platform.as_ref().or_else(|| build.platforms.iter().find(|name| **name == host));
        own.or(build.platforms.first()).cloned().into_iter().collect()
    }

    /// Returns what `lighter build` would be told.
    fn flags(&self, service: &Service, build: &Build) -> Result<BuildFlags, Failure> {
        let args = self.args;
        let mut flags = BuildFlags::default();
        flags.name(std::iter::once(name_of(self.project, service)).chain(build.tags.clone()).collect());
        flags.limit(build.target.clone(), self.platforms(service, build), args.memory.clone());
        flags.again(args.no_cache || build.no_cache, build.no_cache_filter.clone(), args.pull || build.pull);
        flags.assist(build.network.clone(), build.extra_hosts.clone(), ssh(build, args));
        flags.carry(build.cache_from.clone(), build.cache_to.clone(), args.push);
        flags.show(args.progress.clone(), args.quiet);
        let provenance = args.provenance.as_ref().or(build.provenance.as_ref());
        flags.attest(provenance.cloned(), args.sbom.as_ref().or(build.sbom.as_ref()).cloned(), args.builder.clone());
        let mut allowed = build.entitlements.clone();
        if build.privileged {
            allowed.extend(["network.host", "security.insecure"].map(str::to_owned));
        }
        flags.allow(allowed, args.build_arg.clone());
        Ok(flags)
    }
}

fn source(ctx: &Context, engine: &Engine, build: &Build) -> Result<Source, Failure> {
    let context = if build.context.is_empty() { "." } else { &build.context };
    let is_remote = lighter_engine::images::build::is_remote(context);
    // A Dockerfile's name starts from the context.
    let of_file = |file: &String| if is_remote { PathBuf::from(file) } else { Path::new(context).join(file) };
    let file = build.dockerfile.as_ref().map(of_file);
    let keeps_git = build.args.iter().any(|(name, value)| keeps_git(&format!("{name}={value}")));
    let inline = build.dockerfile_inline.as_deref();
    Source::find(ctx, engine, Place { context, file: file.as_deref(), inline, keeps_git })
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
        set("cache-from", json!(build.cache_from), !build.cache_from.is_empty());
        set("cache-to", json!(build.cache_to), !build.cache_to.is_empty());
        set("entitlements", json!(build.entitlements), !build.entitlements.is_empty());
        set("extra-hosts", json!(build.extra_hosts), !build.extra_hosts.is_empty());
        set("network", json!(build.network), build.network.is_some());
        set("no-cache-filter", json!(build.no_cache_filter), !build.no_cache_filter.is_empty());
        set("no-cache", json!(true), build.no_cache);
        set("pull", json!(true), build.pull);
        targets.insert(service.name.clone(), target);
    }
    let names: Vec<&String> = services.iter().map(|service| &service.name).collect();
    json!({"group": {"default": {"targets": names}}, "target": targets})
}
