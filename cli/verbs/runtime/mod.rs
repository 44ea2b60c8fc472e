//! `lighter runtime …`, and all of lighter when it is called `runc` or `lighter-runc`: an OCI runtime by the command line
//! of runc, for engines that bring images, networks and supervision of their own.

mod bundle;
mod checkpoint;
mod create;
mod delete;
mod events;
mod exec;
mod features;
mod kill;
mod list;
mod log;
mod pause;
mod process;
mod ps;
mod resume;
mod run;
mod spec;
mod start;
mod state;
mod update;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use lighter_engine::runtime::cgroup::Driver;
use lighter_engine::runtime::oci::{DEFAULT_ROOT, OciError, Root};
use lighter_engine::runtime::sealed;

use crate::error::{self, Failure};
use log::{Log, LogFormat};

/// Exit code of `exec` when the process could not be started at all, as runc has it.
const NOT_STARTED: u8 = 255;

/// Runs containers from OCI bundles, for engines that bring images and networks of their own
#[derive(Parser)]
#[command(name = "lighter-runc", arg_required_else_help = true, max_term_width = 100)]
#[command(version = concat!("version ", env!("CARGO_PKG_VERSION"), "\nspec: 1.3.0"))]
struct RuntimeCli {
    #[command(flatten)]
    args: RuntimeArgs,
}

/// Run containers from OCI bundles by the command line of runc
#[derive(Args)]
pub(crate) struct RuntimeArgs {
    #[command(flatten)]
    options: RuntimeOptions,
    #[command(subcommand)]
    verb: RuntimeVerb,
}

/// Where containers are kept, and who is told what
#[derive(Args)]
struct RuntimeOptions {
    /// Directory of the containers' state
    #[arg(long, value_name = "DIR", default_value = DEFAULT_ROOT, help_heading = "Runtime options")]
    root: PathBuf,
    /// File that errors and warnings are appended to, besides standard error
    #[arg(long, value_name = "FILE", help_heading = "Runtime options")]
    log: Option<PathBuf>,
    /// How they are written there
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Runtime options")]
    log_format: LogFormat,
    /// Write more to the log
    #[arg(long, help_heading = "Runtime options")]
    debug: bool,
    /// Make cgroups by way of systemd; `cgroupsPath` is then `slice:prefix:name`
    #[arg(long, help_heading = "Runtime options")]
    systemd_cgroup: bool,
    /// Ignored: there is no rootless mode
    #[arg(long, value_name = "WHEN", default_value = "auto", value_parser = ["auto", "false"], hide = true)]
    rootless: String,
    /// Ignored: `criu` is looked for in PATH
    #[arg(long, value_name = "FILE", hide = true)]
    criu: Option<PathBuf>,
}

#[derive(Subcommand)]
enum RuntimeVerb {
    Create(create::CreateArgs),
    Start(start::StartArgs),
    Run(run::RunArgs),
    Exec(exec::ExecArgs),
    State(state::StateArgs),
    Kill(kill::KillArgs),
    Delete(delete::DeleteArgs),
    List(list::ListArgs),
    Ps(ps::PsArgs),
    Pause(pause::PauseArgs),
    Resume(resume::ResumeArgs),
    Update(Box<update::UpdateArgs>),
    Events(events::EventsArgs),
    Spec(spec::SpecArgs),
    Features(features::FeaturesArgs),
    Checkpoint(checkpoint::CheckpointArgs),
    Restore(checkpoint::RestoreArgs),
}

impl RuntimeVerb {
    fn needs_root(&self) -> bool {
        !matches!(self, Self::Spec(_) | Self::Features(_))
    }

    /// A process of a container is made by these, which must run from a sealed copy.
    fn clones(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Run(_) | Self::Exec(_))
    }
}

/// What every verb of the runtime starts from.
struct RuntimeContext {
    root: Root,
    driver: Driver,
    log: Log,
}

impl RuntimeContext {
    /// Tells the user, and the log, what could not be done in full.
    fn warn_all(&self, warnings: &[String]) {
        warnings.iter().for_each(|warning| self.log.warn(warning));
    }

    /// Writes to standard output.
    fn print(&self, text: &str) -> Result<(), Failure> {
        use std::io::Write;
        std::io::stdout().lock().write_all(text.as_bytes()).map_err(crate::ui::output_failure)
    }
}

/// Takes the arguments of a call that is one of the runtime: by the program's name, or by its first word.
///
/// The name is put in front of them; everything else of lighter is left alone, as engines call often.
pub(crate) fn arguments(argv: &[OsString]) -> Option<Vec<OsString>> {
    let name = argv.first().and_then(|path| Path::new(path).file_name()).unwrap_or_default();
    let skipped = if name == "runc" || name == "lighter-runc" {
        1
    } else if argv.get(1).is_some_and(|verb| verb == "runtime") {
        2
    } else {
        return None;
    };
    Some([OsString::from("lighter-runc")].into_iter().chain(argv.iter().skip(skipped).cloned()).collect())
}

/// Runs the runtime with its own arguments.
pub(crate) fn main(argv: Vec<OsString>) -> ExitCode {
    match RuntimeCli::try_parse_from(argv) {
        Ok(cli) => run(cli.args),
        Err(error) => {
            let _ = error.print(); // nobody to tell that telling failed
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(error::FAILED))
        }
    }
}

/// Does what was asked.
pub(crate) fn run(args: RuntimeArgs) -> ExitCode {
    let RuntimeArgs { options, verb } = args;
    let log = Log::new(options.log, options.log_format);
    let driver = if options.systemd_cgroup { Driver::Systemd } else { Driver::Cgroupfs };
    let context = RuntimeContext { root: Root::new(&options.root), driver, log };
    match dispatch(&context, verb) {
        Ok(code) => code,
        Err(failure) => {
            context.log.fail(&failure);
            failure.exit_code()
        }
    }
}

fn dispatch(ctx: &RuntimeContext, verb: RuntimeVerb) -> Result<ExitCode, Failure> {
    if verb.needs_root() && !nix::unistd::geteuid().is_root() {
        return Err(crate::context::not_root());
    }
    if verb.clones() {
        sealed::ensure()?;
    }
    let done = |result: Result<(), Failure>| result.map(|()| ExitCode::SUCCESS);
    match verb {
        RuntimeVerb::Create(args) => done(create::run(ctx, &args)),
        RuntimeVerb::Start(args) => done(start::run(ctx, &args)),
        RuntimeVerb::Run(args) => run::run(ctx, &args),
        RuntimeVerb::Exec(args) => exec::run(ctx, &args),
        RuntimeVerb::State(args) => done(state::run(ctx, &args)),
        RuntimeVerb::Kill(args) => done(kill::run(ctx, &args)),
        RuntimeVerb::Delete(args) => done(delete::run(ctx, &args)),
        RuntimeVerb::List(args) => done(list::run(ctx, &args)),
        RuntimeVerb::Ps(args) => done(ps::run(ctx, &args)),
        RuntimeVerb::Pause(args) => done(pause::run(ctx, &args)),
        RuntimeVerb::Resume(args) => done(resume::run(ctx, &args)),
        RuntimeVerb::Update(args) => done(update::run(ctx, &args)),
        RuntimeVerb::Events(args) => done(events::run(ctx, &args)),
        RuntimeVerb::Spec(args) => done(spec::run(ctx, &args)),
        RuntimeVerb::Features(args) => done(features::run(ctx, &args)),
        RuntimeVerb::Checkpoint(args) => done(checkpoint::checkpoint(ctx, &args)),
        RuntimeVerb::Restore(args) => done(checkpoint::restore(ctx, &args)),
    }
}

/// A failed operation on a container, named by act and id.
fn failed(act: &str, id: &str) -> impl Fn(OciError) -> Failure {
    let act = format!("{act} `{id}`");
    move |error| Failure::text(format!("{act}: {}", error::chain(&error)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        RuntimeCli::command().debug_assert();
    }

    #[test]
    fn a_call_of_the_runtime_is_known_by_name_or_first_word() {
        let argv = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let expected = Some(argv(&["lighter-runc", "state", "box"]));
        assert_eq!(arguments(&argv(&["/usr/bin/runc", "state", "box"])), expected);
        assert_eq!(arguments(&argv(&["lighter-runc", "state", "box"])), expected);
        assert_eq!(arguments(&argv(&["lighter", "runtime", "state", "box"])), expected);
        assert_eq!(arguments(&argv(&["lighter", "run", "runtime"])), None);
        assert_eq!(arguments(&[]), None);
    }
}
