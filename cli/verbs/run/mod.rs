//! `lighter run`

pub(crate) mod explain;
mod flags;
mod isolation;
mod limits;
mod mount;
mod network;
pub(crate) mod parse;
mod specification;

use std::process::ExitCode;
use std::time::SystemTime;

use lighter_engine::images::platform::Platform;
use lighter_engine::images::pull::{Presence, PullOptions};
use lighter_engine::images::reference::Reference;
use lighter_engine::images::store::Image;
use lighter_engine::{Attached, Container, ContainerSpec, CreateError, Engine, RemoveOptions, StartOptions, images};

use crate::context::Context;
use crate::error::{Failure, ours};
use crate::remote::Visit;
use crate::session::{self, Attachment, Ended};
use crate::ui::progress;

use explain::{Explain, Explanation};
pub(crate) use flags::RunFlags;
use flags::Stream;
pub(crate) use isolation::{seccomp_file, seccomp_profile};
pub(crate) use mount::volume;
pub(in crate::verbs) use network::{apply_options, link};
pub(crate) use parse::publish;
pub(crate) use specification::{env_file, variable};

/// Make a container and run a command in it
#[derive(clap::Args)]
#[command(disable_help_flag = true)] // -h is the host name, as docker's
pub(crate) struct RunArgs {
    #[command(flatten)]
    flags: RunFlags,
    /// Leave it running and print its id
    #[arg(short, long)]
    detach: bool,
    /// Hand signals on to the container, unless it has a terminal
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sig_proxy: bool,
    /// Tell on stderr each step of the start, with its time and the shell command that does the same
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    explain: Option<Explain>,
}

impl RunArgs {
    /// Tells of the files that are read and written, as [`RunFlags::files`].
    pub(crate) fn files(&mut self, on: Visit<'_>) -> Result<(), Failure> {
        self.flags.files(on)
    }
}

pub(crate) fn run(ctx: &Context, args: &RunArgs) -> Result<ExitCode, Failure> {
    check(args)?;
    let engine = ctx.recovered_engine().map_err(ours)?;
    let image = ensure_image(ctx, &engine, &args.flags).map_err(ours)?;
    let explanation = args.explain.map(Explanation::begin).transpose().map_err(ours)?;
    engine.prepare_start();
    let record = |engine: &Engine, spec: ContainerSpec| {
        let attached = if args.detach { Attached::default() } else { spec.attached };
        engine.create_to_run(ContainerSpec { attached, ..spec })
    };
    let container = create_from(ctx, &engine, &args.flags, image.as_ref(), record).map_err(ours)?;
    let terminal = args.flags.tty.then(session::size).flatten();
    let started = engine.start(&container, StartOptions { attach: !args.detach, terminal });
    if let Some(explanation) = explanation {
        explanation.show(ctx, &container.id).map_err(ours)?; // before any output of the container, and of a failure too
    }
    let started = started.map_err(|error| {
        let code = error.exit_code();
        Failure::from(error).with_code(code)
    })?;
    started.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
    let Some(client) = started.attached else {
        ctx.ui.line(&container.id)?;
        return Ok(ExitCode::SUCCESS);
    };
    let how = attachment(args);
    if !how.output && !how.error_output {
        ctx.ui.line(&container.id)?;
    }
    let ended =
        session::attach(&engine, &container, client, how).map_err(|failure| abandon(&engine, &container, failure))?;
    let code = match ended {
        Ended::Exited(code) => code,
        Ended::Detached => 0,
        // its monitor was killed: the container goes on under another one
        Ended::MonitorGone => engine.recover().map(|_failures| engine.wait(&container, None))??.unwrap_or(1),
    };
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Refuses what contradicts itself before anything is made.
fn check(args: &RunArgs) -> Result<(), Failure> {
    let flags = &args.flags;
    if args.detach && !flags.attach.is_empty() {
        return Err(ours(Failure::text("--detach and --attach contradict each other")));
    }
    if !args.detach {
        session::check_terminal(flags.tty, flags.interactive)?; // 1, as docker: nothing has been asked of an engine
    }
    Ok(())
}

fn attachment(args: &RunArgs) -> Attachment {
    let flags = &args.flags;
    Attachment {
        input: flags.interactive && flags.joins(Stream::Stdin),
        output: flags.joins(Stream::Stdout),
        error_output: flags.joins(Stream::Stderr),
        terminal: flags.tty,
        proxy_signals: args.sig_proxy && !flags.tty,
        redraw: false,
        detach_keys: flags.detach_keys.clone().unwrap_or_default(),
    }
}

/// Nobody reads its output any more: a container that was to be removed at its end ends now.
fn abandon(engine: &Engine, container: &Container, failure: Failure) -> Failure {
    if container.spec.auto_remove {
        let _ = engine.remove(container, RemoveOptions { force: true, volumes: true });
    }
    failure
}

/// Makes a container from flags; pulls its image if need be.
pub(crate) fn create(ctx: &Context, engine: &Engine, flags: &RunFlags) -> Result<Container, Failure> {
    let image = ensure_image(ctx, engine, flags)?;
    create_from(ctx, engine, flags, image.as_ref(), Engine::create)
}

fn create_from(
    ctx: &Context,
    engine: &Engine,
    flags: &RunFlags,
    image: Option<&Image>,
    record: impl FnOnce(&Engine, ContainerSpec) -> Result<Container, CreateError>,
) -> Result<Container, Failure> {
    let cidfile = flags.cidfile.as_ref().map(|path| ctx.invocation.path(path));
    if let Some(path) = cidfile.as_ref().filter(|path| path.exists()) {
        let text = format!("the file for the container id, `{}`, exists", path.display());
        return Err(Failure::text(text).hint("it is left by another run: remove it when that container is gone"));
    }
    let spec = specification::specification(ctx, engine, flags, image)?;
    let container = record(engine, spec)?;
    if let Some(path) = cidfile {
        std::fs::write(&path, &container.id).map_err(|error| {
            let _ = engine.remove(&container, RemoveOptions { force: true, volumes: true });
            Failure::text(format!("write the container id to `{}`: {error}", path.display()))
        })?;
    }
    Ok(container)
}

/// Returns the image, pulled if the policy says so or if none here is for the platform that was asked for; none for a container
/// on a folder.
fn ensure_image(ctx: &Context, engine: &Engine, flags: &RunFlags) -> Result<Option<Image>, Failure> {
    if flags.rootfs.is_some() {
        return Ok(None);
    }
    let name = flags.reference();
    let (presence, named) = engine.images().presence(name)?;
    let fitting = fitting(ctx, engine, named.as_ref(), flags.platform.as_ref())?;
    let presence = if fitting.is_some() { presence } else { Presence::Absent };
    if !flags.pull.must_pull(presence, SystemTime::now()) {
        let missing = match (&named, &flags.platform) {
            (Some(image), Some(wanted)) => format!("image `{name}` is of platform {}, not {wanted}", image.platform()),
            _ => format!("no such image: {name}"),
        };
        let platform = flags.platform.as_ref().map(|wanted| format!("--platform {wanted} ")).unwrap_or_default();
        let hint = format!("get it with: lighter pull {platform}{name}");
        return fitting.map(Some).ok_or_else(|| Failure::text(missing).hint(hint));
    }
    let reference: Reference = name.parse()?;
    // What is wrong with the flags is said before anything is downloaded for them.
    specification::specification(ctx, engine, flags, None)?;
    if !flags.quiet {
        ctx.ui.note(format!("Pulling {}", reference.familiar()));
    }
    let options = PullOptions { platform: flags.platform.clone(), ..ctx.pull_options(None)? };
    let progress = progress::pull(ctx.ui.interactive, flags.quiet);
    Ok(Some(images::pull::pull(engine.images(), &reference, &options, progress.as_ref())?))
}

/// Returns which of the images that a name stands for is meant: the one for the platform, else the one for this host. Where
/// nobody has asked for a platform, whatever there is will do: an interpreter may run it.
fn fitting(
    ctx: &Context,
    engine: &Engine,
    named: Option<&Image>,
    platform: Option<&Platform>,
) -> Result<Option<Image>, Failure> {
    let host = Platform::host();
    let Some(named) = named else { return Ok(None) };
    if platform.is_none() && named.runs_on(&host) {
        return Ok(Some(named.clone()));
    }
    let found = engine.images().for_platform(named, platform.unwrap_or(&host))?;
    if let Some(image) = &found {
        engine.images().keep(image)?;
        return Ok(found);
    }
    if platform.is_some() {
        return Ok(None);
    }
    let of = named.platform();
    ctx.ui.warn(format!("the image's platform, {of}, is not this host's, {host}, and no platform was asked for"));
    Ok(Some(named.clone()))
}
