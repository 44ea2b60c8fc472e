//! `lighter`: runs OCI images and Compose projects without any resident engine.
//!
//! This crate is the only one that prints, exits, and reads the command line and the process environment.

mod args;
mod context;
mod error;
mod session;
mod ui;
mod verbs;

use std::process::ExitCode;

use clap::Parser;
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
    if let Some(argv) = verbs::runtime::arguments(&argv) {
        return verbs::runtime::main(argv);
    }
    let cli = match Cli::try_parse_from(context::argv_of(argv)) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print(); // nobody to tell that telling failed
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let color = context::wants_color();
    match run(cli) {
        Ok(code) => code,
        Err(failure) => {
            failure.print(color);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let invocation = Invocation::from_environment()?;
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
