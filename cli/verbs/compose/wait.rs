//! `lighter compose wait`

use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use lighter_compose::plan::DownOptions;
use lighter_compose::{observe, plan};
use lighter_engine::{Container, Engine};

use super::{outcome, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Wait until containers of services have ended; ends with the exit code of the first one
#[derive(clap::Args)]
pub(crate) struct WaitArgs {
    /// Services
    #[arg(required = true)]
    services: Vec<String>,
    /// When the first one has ended, do as `down` does
    #[arg(long)]
    down_project: bool,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &WaitArgs) -> Result<ExitCode, Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let containers = select::containers(&engine, &name, &args.services)?;
    let mut first = None;
    for ended in ends(&engine, containers) {
        let (container, code) = ended?;
        ctx.ui.line(format!("container \"{}\" exited with status code {code}", container.id))?;
        first.get_or_insert(code);
        if args.down_project {
            down(ctx, &engine, &name)?;
            break;
        }
    }
    Ok(ExitCode::from(u8::try_from(first.unwrap_or(0)).unwrap_or(u8::MAX)))
}

/// Waits for all of them at once; the channel closes when all have ended.
fn ends(engine: &Engine, containers: Vec<Container>) -> mpsc::Receiver<Result<(Container, i32), Failure>> {
    let (sender, receiver) = mpsc::channel();
    for container in containers {
        let (engine, sender) = (engine.clone(), sender.clone());
        thread::spawn(move || {
            let code = engine.wait(&container, None).map(Option::unwrap_or_default);
            let _ = sender.send(code.map(|code| (container, code)).map_err(Failure::from)); // another one ended first
        });
    }
    receiver
}

fn down(ctx: &Context, engine: &Engine, project: &str) -> Result<(), Failure> {
    let turn = outcome::turn(ctx, engine, project)?;
    let observed = observe(project, engine)?;
    let options = DownOptions { remove_orphans: true, ..DownOptions::default() };
    outcome::apply_plan(ctx, engine, &turn, &plan::down::down(None, &observed, &options))?;
    Ok(engine.net().teardown_if_unused()?)
}
