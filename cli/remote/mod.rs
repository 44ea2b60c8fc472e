//! Verbs on other hosts: the same binary there, reached by ssh. See docs/adr/0029.
//!
//! ```text
//! this host: lighter -H ssh://… VERB ── ssh ──▶ that host: lighter __remote ─▶ lighter __carried FOLDER (the verb)
//! ```
//! No word of the user's is on a command line that a shell reads: all of them are in the header, byte for byte.

mod archive;
mod carry;
mod contexts;
mod far;
mod folder;
mod host;
mod install;
mod near;
mod project;
mod ssh;
mod wire;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;

pub(crate) use carry::{Visit, Way, source_file, word_file};
pub(crate) use contexts::{Contexts, DEFAULT, NamedHost};
pub(crate) use far::{COMMAND_VERB, VERB, main as serve};
pub(crate) use host::Host;
pub(crate) use install::{install, version};
pub(crate) use ssh::log_in;

use crate::args::{Cli, Verb};
use crate::context::Invocation;
use crate::error::{Failure, ours};
use crate::verbs::compose::ComposeVerb;
use crate::verbs::container::ContainerVerb;
use carry::Luggage;

/// Which host is meant
#[derive(clap::Args, Debug, Clone, Default)]
pub(crate) struct Where {
    /// Run the verb on another host: ssh://[USER@]HOST[:PORT] [env: LIGHTER_HOST]
    #[arg(short = 'H', long, value_name = "HOST", help_heading = "Global options")]
    pub(crate) host: Option<String>,
    /// Run the verb on the host of a context [env: LIGHTER_CONTEXT] [default: `context use`]
    #[arg(short, long, value_name = "NAME", conflicts_with = "host", help_heading = "Global options")]
    pub(crate) context: Option<String>,
}

/// Returns the other host that is meant; `None` = this one.
pub(crate) fn host(chosen: &Where, invocation: &Invocation) -> Result<Option<Host>, Failure> {
    let variable = |name: &str| invocation.environment.get(name).filter(|value| !value.is_empty());
    if let Some(text) = &chosen.host {
        return parse(text).map(Some);
    }
    if let Some(name) = &chosen.context {
        return named(name, invocation);
    }
    if let Some(text) = variable("LIGHTER_HOST") {
        return parse(text).map(Some);
    }
    if let Some(name) = variable("LIGHTER_CONTEXT") {
        return named(name, invocation);
    }
    match variable("DOCKER_HOST") {
        // a socket of an engine on this host: what it is asked for can be done here as well
        Some(text) if text.starts_with("unix://") || text.starts_with("fd://") => Ok(None),
        Some(text) => parse(text).map(Some).map_err(|failure| {
            failure.hint("DOCKER_HOST is set: unset it to work on this host, or set it to an ssh:// address")
        }),
        None => match Contexts::of(invocation).and_then(|contexts| contexts.current()) {
            Ok(name) => named(&name, invocation),
            Err(_) => Ok(None), // without a home nobody has chosen anything
        },
    }
}

fn parse(text: &str) -> Result<Host, Failure> {
    text.parse().map_err(|why: String| Failure::text(why))
}

fn named(name: &str, invocation: &Invocation) -> Result<Option<Host>, Failure> {
    if name == DEFAULT {
        return Ok(None);
    }
    let context = Contexts::of(invocation)?.get(name)?;
    if context.host.is_empty() { Ok(None) } else { parse(&context.host).map(Some) }
}

/// Runs a command line on another host.
pub(crate) fn run(
    host: &Host,
    mut cli: Cli,
    argv: Vec<OsString>,
    invocation: &Invocation,
) -> Result<ExitCode, Failure> {
    let is_run = matches!(cli.verb, Verb::Run(_) | Verb::Container(ContainerVerb::Run(_)));
    let code = packed(&mut cli, &argv, invocation).and_then(|luggage| {
        let arguments = argv.into_iter().map(OsStringExt::into_vec).collect();
        near::run(host, arguments, invocation, &luggage)
    });
    // as docker's `run` when there is no engine to ask
    if is_run { code.map_err(ours) } else { code }
}

/// Collects what goes along with a command line.
fn packed(cli: &mut Cli, argv: &[OsString], invocation: &Invocation) -> Result<Luggage, Failure> {
    refuse(&cli.verb)?;
    let mut luggage = Luggage::default();
    carry::list(&mut cli.verb, invocation, &mut luggage)?;
    pack_project(cli, invocation, &mut luggage)?;
    carry::environment(argv, invocation, &mut luggage);
    Ok(luggage)
}

/// Refuses what would look at this host's files again and again.
fn refuse(verb: &Verb) -> Result<(), Failure> {
    let watches = match verb {
        Verb::Up(args) => args.watch,
        Verb::Watch(_) => true,
        Verb::Compose(args) => match &args.verb {
            ComposeVerb::Up(args) => args.watch,
            verb => matches!(verb, ComposeVerb::Watch(_)),
        },
        _ => false,
    };
    match watches {
        true => Err(Failure::text("watch looks at files of this host: it is not supported on another")),
        false => Ok(()),
    }
}

/// Packs the project if the verb needs its files; for all others its name is enough, and may be lacking.
fn pack_project(cli: &Cli, invocation: &Invocation, luggage: &mut Luggage) -> Result<(), Failure> {
    let args = match &cli.verb {
        Verb::Compose(args) => crate::verbs::compose::joined(&cli.project, args.options.project.clone()),
        _ => cli.project.clone(),
    };
    if carry::needs_project(&cli.verb) {
        return project::pack(&args, invocation, luggage);
    }
    if let Some(name) = project::name(&args, invocation) {
        luggage.environment.insert("COMPOSE_PROJECT_NAME".to_owned(), name);
    }
    Ok(())
}

/// Is the command on the other host: returns its command line, parsed, and what it is invoked with.
pub(crate) fn carried(folder: &Path) -> Result<(Cli, Invocation), Failure> {
    let told = far::told(folder)?;
    let mut cli = crate::grammar::read(crate::context::argv_of(told.arguments)).map_err(|error| {
        let text = error.to_string();
        let text = text.trim_start_matches("error: ").trim_end();
        Failure::text(format!("the other host has another version of lighter: {text}"))
    })?;
    carry::replace(&mut cli.verb, &told.working_directory, &told.places)?;
    if let Some(project) = told.project {
        if let Verb::Compose(args) = &mut cli.verb {
            args.options.project = crate::args::ProjectArgs::default();
        }
        cli.project = project;
    }
    let mut invocation = Invocation::from_environment()?;
    invocation.working_directory = told.working_directory;
    Ok((cli, invocation))
}
