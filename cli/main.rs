//! `lighter`: runs OCI images and Compose projects without any resident engine.
//!
//! This crate is the only one that prints, exits, and reads the command line and the process environment.

mod absent;
mod args;
mod context;
mod error;
mod grammar;
mod proxies;
mod remote;
mod session;
mod sys;
mod template;
mod ui;
mod verbs;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use lighter_engine::monitor;

use crate::args::Cli;
use crate::context::{Context, Invocation};
use crate::error::Failure;
use crate::ui::progress::{self, Style};

/// musl's own allocator asks the kernel for each few pages it hands out and gives them back at once: half of what a short
/// command takes.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let argv: Vec<_> = std::env::args_os().collect();
    if argv.get(1).is_some_and(|verb| verb == monitor::MONITOR_VERB) {
        return ExitCode::from(monitor::main());
    }
    if let Some(arguments) = verbs::runtime::init::arguments(&argv) {
        return verbs::runtime::init::main(arguments);
    }
    if let Some(argv) = verbs::runtime::arguments(&argv) {
        return verbs::runtime::main(argv);
    }
    if is_exec(&argv) && nix::unistd::geteuid().is_root() {
        // it begins anew, from a sealed copy: now, so that the command line is read only once
        let _ = lighter_engine::runtime::sealed::ensure(); // said by the verb, if it comes to that
    }
    if verbs::completion::answered() {
        return ExitCode::SUCCESS;
    }
    if argv.get(1).is_some_and(|verb| verb == session::KEEPER_VERB) {
        session::be_keeper();
        return ExitCode::SUCCESS;
    }
    if argv.get(1).is_some_and(|verb| verb == remote::VERB) {
        return ExitCode::from(remote::serve());
    }
    let color = context::wants_color();
    match parsed(argv).and_then(|(cli, invocation, argv)| run(cli, invocation, argv)) {
        Ok(code) => code,
        Err(failure) => {
            failure.print(color);
            failure.exit_code()
        }
    }
}

/// Tells `exec`, `compose … exec` and `container exec`; another word `exec` after the last two costs a moment and nothing else.
fn is_exec(argv: &[OsString]) -> bool {
    match argv.get(1).and_then(|verb| verb.to_str()) {
        Some("exec") => true,
        Some("compose" | "container") => argv.iter().skip(2).any(|word| word == "exec"),
        _ => false,
    }
}

/// Reads the command line: our own, or one that another host has sent.
fn parsed(argv: Vec<OsString>) -> Result<(Cli, Invocation, Vec<OsString>), Failure> {
    if let [_, verb, folder] = argv.as_slice()
        && verb == remote::COMMAND_VERB
    {
        let (mut cli, invocation) = remote::carried(Path::new(folder))?;
        cli.place = remote::Where { host: None, context: Some(remote::DEFAULT.to_owned()) };
        return Ok((cli, invocation, argv));
    }
    let cli = grammar::read(context::argv_of(argv.clone())).map_err(|error| {
        if let Some(failure) = absent::explain(&error, &argv) {
            return failure;
        }
        match argv.get(1..) {
            Some([]) => ui::help::print(Cli::command(), &mut std::io::stderr()),
            Some([word]) if word == "--help" || word == "-h" || word == "help" => {
                ui::help::print(Cli::command(), &mut std::io::stdout());
            }
            _ => _ = error.print(), // nobody to tell that telling failed
        }
        Failure::silent(u8::try_from(error.exit_code()).unwrap_or(2))
    })?;
    Ok((cli, Invocation::from_environment()?, argv))
}

fn run(cli: Cli, invocation: Invocation, argv: Vec<OsString>) -> Result<ExitCode, Failure> {
    if !cli.verb.stays_here()
        && let Some(host) = remote::host(&cli.place, &invocation)?
    {
        return remote::run(&host, cli, argv, &invocation);
    }
    if cli.verb.needs_root() && !nix::unistd::geteuid().is_root() {
        return Err(context::not_root());
    }
    let context = Context::new(&cli, invocation);
    verbs::run(&context, cli.verb).or_else(|failure| match progress::style(&context, None, false) {
        Ok(Style::Json) => {
            failure.print_json();
            Ok(failure.exit_code())
        }
        _ => Err(failure),
    })
}
