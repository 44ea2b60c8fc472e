//! `lighter run`

mod explain;
mod flags;
mod network;
pub(crate) mod parse;
mod specification;

use std::process::ExitCode;
use std::time::SystemTime;

use lighter_engine::images::pull::{Presence, PullOptions};
use lighter_engine::images::reference::Reference;
use lighter_engine::images::store::Image;
use lighter_engine::{Container, Engine, RemoveOptions, StartOptions, images};

use crate::context::Context;
use crate::error::{Failure, ours};
use crate::session::{self, Attachment};
use crate::ui::progress;

use explain::{Explain, Explanation};
pub(crate) use flags::RunFlags;
pub(in crate::verbs) use network::apply_options;
pub(crate) use parse::{publish, volume};
pub(crate) use specification::env_file;

/// Make a container and run a command in it
#[derive(clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    flags: RunFlags,
    /// Leave it running and print its id
    #[arg(short, long)]
    detach: bool,
    /// Hand signals on to the container
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    sig_proxy: bool,
    /// Tell on stderr each step of the start, with its time and the shell command that does the same
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    explain: Option<Explain>,
}

pub(crate) fn run(ctx: &Context, args: &RunArgs) -> Result<ExitCode, Failure> {
    if !args.detach {
        session::check_terminal(args.flags.tty, args.flags.interactive).map_err(ours)?;
    }
    let engine = ctx.recovered_engine().map_err(ours)?;
    let image = ensure_image(ctx, &engine, &args.flags).map_err(ours)?;
    let explanation = args.explain.map(Explanation::begin).transpose().map_err(ours)?;
    let container = create_from(ctx, &engine, &args.flags, &image).map_err(ours)?;
    let started = engine.start(&container, StartOptions { attach: !args.detach });
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
    let how = Attachment {
        input: args.flags.interactive,
        terminal: args.flags.tty,
        proxy_signals: args.sig_proxy && !args.flags.tty,
    };
    let code =
        session::attach(&engine, &container, client, how).map_err(|failure| abandon(&engine, &container, failure))?;
    let code = match code {
        Some(code) => code,
        // its monitor was killed: the container goes on under another one
        None => engine.recover().map(|()| engine.wait(&container, None))??.unwrap_or(1),
    };
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
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
    create_from(ctx, engine, flags, &image)
}

fn create_from(ctx: &Context, engine: &Engine, flags: &RunFlags, image: &Image) -> Result<Container, Failure> {
    let spec = specification::specification(ctx, engine, flags, image)?;
    let container = engine.create(spec)?;
    if let Some(path) = &flags.cidfile {
        std::fs::write(path, &container.id).map_err(|error| {
            let _ = engine.remove(&container, RemoveOptions { force: true, volumes: true });
            Failure::text(format!("write the container id to `{}`: {error}", path.display()))
        })?;
    }
    Ok(container)
}

/// Returns the image, pulled if the policy says so or if the one here is for another platform than was asked for.
fn ensure_image(ctx: &Context, engine: &Engine, flags: &RunFlags) -> Result<Image, Failure> {
    let name = &flags.image;
    let (presence, image) = engine.images().presence(name)?;
    let fitting = image.filter(|image| flags.platform.as_ref().is_none_or(|platform| image.runs_on(platform)));
    let presence = if fitting.is_some() { presence } else { Presence::Absent };
    if !flags.pull.must_pull(presence, SystemTime::now()) {
        let missing =
            || Failure::text(format!("no such image: {name}")).hint(format!("get it with: lighter pull {name}"));
        return fitting.ok_or_else(missing);
    }
    let reference: Reference = name.parse()?;
    if !flags.quiet {
        ctx.ui.note(format!("Pulling {}", reference.familiar()));
    }
    let options = PullOptions { platform: flags.platform.clone(), ..ctx.pull_options(None)? };
    let progress = progress::pull(ctx.ui.interactive, flags.quiet);
    Ok(images::pull::pull(engine.images(), &reference, &options, progress.as_ref())?)
}
