//! `--debug-shell`: a shell in the state before the step that has failed.

use std::io::IsTerminal;

use lighter_engine::images::build::StepProcess;
use lighter_engine::{ContainerSpec, Engine, ImageSource, LayerStack, RemoveOptions, StartOptions};

use crate::context::Context;
use crate::error::Failure;
use crate::session::{self, Attachment};

/// Opens the shell and waits for its end; what is changed in it is gone then.
pub(super) fn open(ctx: &Context, engine: &Engine, process: &StepProcess) -> Result<(), Failure> {
    let is_terminal = std::io::stdin().is_terminal();
    let name = format!("lighter-debug-{}", &lighter_engine::random_name()[..12]);
    let image = ImageSource { reference: process.title.clone(), id: String::new() };
    let mut spec = ContainerSpec::new(name, image, vec!["/bin/sh".to_owned()]);
    spec.layers = Some(LayerStack { lowers: process.lowers.clone(), root: process.root.clone(), is_volatile: true });
    spec.env = process.env.clone();
    spec.working_dir = process.working_dir.clone();
    spec.user = process.user.clone();
    spec.tty = is_terminal;
    spec.open_stdin = true;
    ctx.ui.note(format!("a shell before `{}`; the command was: {}", process.title, process.args.join(" ")));
    let container = engine.create_ephemeral(spec)?;
    let ended = attend(engine, &container, is_terminal);
    engine.remove(&container, RemoveOptions { force: true, volumes: true })?;
    ended
}

fn attend(engine: &Engine, container: &lighter_engine::Container, terminal: bool) -> Result<(), Failure> {
    let started = engine.start(container, StartOptions { attach: true, terminal: session::size() })?;
    if let Some(client) = started.attached {
        let how = Attachment { input: true, terminal, proxy_signals: false, ..Attachment::outputs() };
        session::attach(engine, container, client, how)?;
    }
    Ok(())
}
