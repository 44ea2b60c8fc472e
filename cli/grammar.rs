//! Reads the command line by the grammar of its verb alone: that of all verbs takes longer to build than many of them to run.
//!
//! What does not fit is read again by the whole grammar, which knows what to say about it.

mod valued;

use std::ffi::OsString;

use clap::{Args, Command, CommandFactory, FromArgMatches, Parser};

use crate::args::{Cli, Globals, Manner, ProjectArgs};
use crate::remote::Where;
use crate::verbs::{self, compose};

/// Reads the words of a command, the program's name first.
///
/// # Errors
/// What clap says of words that are not in the grammar, and the pages of help and version.
pub(crate) fn read(argv: Vec<OsString>) -> Result<Cli, clap::Error> {
    match by_verb(&argv) {
        Some(cli) => Ok(cli),
        None => Cli::try_parse_from(&argv).or_else(|error| {
            if !error.use_stderr() {
                return Err(error); // a page of help, or the version
            }
            // if it is not that which is wrong, the error is about words that the user knows
            fitting(valued::valued(Cli::command()), &argv).ok_or(error)
        }),
    }
}

/// Reads words of which the first is a verb that is called often; `None` if it is not, or if they do not fit.
fn by_verb(argv: &[OsString]) -> Option<Cli> {
    let (first, rest) = argv.get(1..)?.split_first()?;
    let verb = match first.to_str()? {
        "compose" => of_compose(rest)?,
        verb => of_lighter(verb)?,
    };
    let command = Command::new("lighter").args_override_self(true);
    let command = Where::augment_args(Globals::augment_args(command));
    let command = Manner::augment_args(ProjectArgs::augment_args(command));
    fitting(command.subcommand(verb), argv)
}

/// Reads words by a grammar that knows but one of a parser's verbs; `None` if they do not fit.
pub(crate) fn fitting<T: FromArgMatches>(command: Command, argv: &[OsString]) -> Option<T> {
    let matches = command.subcommand_required(true).try_get_matches_from(argv).ok()?;
    T::from_arg_matches(&matches).ok()
}

fn of_lighter(verb: &str) -> Option<Command> {
    let command = Command::new(verb.to_owned());
    Some(match verb {
        "up" => compose::up::UpArgs::augment_args(command),
        "down" => compose::down::DownArgs::augment_args(command),
        "run" => verbs::run::RunArgs::augment_args(command),
        "create" => verbs::create::CreateArgs::augment_args(command),
        "ps" => verbs::ps::PsArgs::augment_args(command),
        "logs" => verbs::logs::LogsArgs::augment_args(command),
        "exec" => verbs::exec::ExecArgs::augment_args(command),
        "start" => verbs::start::StartArgs::augment_args(command),
        "stop" => verbs::stop::StopArgs::augment_args(command),
        "restart" => verbs::restart::RestartArgs::augment_args(command),
        "kill" => verbs::kill::KillArgs::augment_args(command),
        "cp" => verbs::cp::CpArgs::augment_args(command),
        "wait" => verbs::wait::WaitArgs::augment_args(command),
        "rm" => verbs::rm::RmArgs::augment_args(command),
        "inspect" => verbs::inspect::InspectArgs::augment_args(command),
        "port" => verbs::port::PortArgs::augment_args(command),
        "build" => verbs::build::BuildArgs::augment_args(command),
        "pull" => verbs::pull::PullArgs::augment_args(command),
        "images" => verbs::images::ImagesArgs::augment_args(command),
        "rmi" => verbs::rmi::RmiArgs::augment_args(command),
        "tag" => verbs::tag::TagArgs::augment_args(command),
        _ => return None,
    })
}

/// The grammar of `compose` with the one verb that is among the words.
fn of_compose(words: &[OsString]) -> Option<Command> {
    let verb = words.iter().filter_map(|word| word.to_str()).find_map(|verb| {
        let command = Command::new(verb.to_owned());
        Some(match verb {
            "up" => compose::up::UpArgs::augment_args(command),
            "down" => compose::down::DownArgs::augment_args(command),
            "build" => compose::build::BuildArgs::augment_args(command),
            "ps" => compose::ps::PsArgs::augment_args(command),
            "logs" => compose::logs::LogsArgs::augment_args(command),
            "exec" => compose::exec::ExecArgs::augment_args(command),
            "run" => compose::run::RunArgs::augment_args(command),
            "start" => compose::start::StartArgs::augment_args(command),
            "stop" => compose::stop::StopArgs::augment_args(command),
            "restart" => compose::restart::RestartArgs::augment_args(command),
            "kill" => compose::kill::KillArgs::augment_args(command),
            "rm" => compose::rm::RmArgs::augment_args(command),
            "port" => compose::port::PortArgs::augment_args(command),
            "pull" => compose::pull::PullArgs::augment_args(command),
            _ => return None,
        })
    })?;
    // its options ask for a version, which only the whole grammar shows
    let command = Command::new("compose").version("").disable_version_flag(true).subcommand_required(true);
    Some(compose::ComposeOptions::augment_args(command).subcommand(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_grammar_of_each_verb_is_what_the_whole_one_has() {
        let mut whole = Cli::command();
        whole.build();
        let shape = |command: &mut Command, verb: &str| {
            command.build();
            let verb = command.find_subcommand(verb).unwrap_or_else(|| panic!("{verb}"));
            let mut arguments: Vec<_> = verb.get_arguments().map(|argument| format!("{argument:?}")).collect();
            arguments.sort();
            arguments
        };
        let (mut lighter, mut composed) = (0, 0);
        for verb in whole.get_subcommands().map(|verb| verb.get_name().to_owned()).collect::<Vec<_>>() {
            let Some(alone) = of_lighter(&verb) else { continue };
            lighter += 1;
            let one = Globals::augment_args(Command::new("lighter")).subcommand(alone);
            assert_eq!(shape(&mut one.clone(), &verb), shape(&mut whole.clone(), &verb), "{verb}");
        }
        let compose = whole.find_subcommand("compose").unwrap().clone();
        for verb in compose.get_subcommands().map(|verb| verb.get_name().to_owned()).collect::<Vec<_>>() {
            let Some(alone) = of_compose(&words(&verb)) else { continue };
            composed += 1;
            let mut one = Globals::augment_args(Command::new("lighter")).subcommand(alone);
            one.build();
            let mut alone = one.find_subcommand("compose").unwrap().clone();
            assert_eq!(shape(&mut alone, &verb), shape(&mut compose.clone(), &verb), "compose {verb}");
        }
        assert_eq!((lighter, composed), (21, 14));
    }

    #[test]
    fn words_that_do_not_fit_are_left_to_the_whole_grammar() {
        for line in [
            "lighter",
            "lighter --root /x ps",
            "lighter ps --no-such",
            "lighter compose -p up down up",
            "lighter run -h",
        ] {
            assert!(by_verb(&words(line)).is_none(), "{line}");
        }
        for line in ["lighter ps -a --root /x", "lighter compose -f a.yaml up -d", "lighter run --rm i up --no-such"] {
            assert!(by_verb(&words(line)).is_some(), "{line}");
        }
    }

    #[test]
    fn a_project_is_named_like_a_verb() {
        let cli = read(words("lighter compose -p up down")).unwrap_or_else(|error| panic!("{error}"));
        let crate::args::Verb::Compose(args) = cli.verb else { panic!("not compose") };
        assert_eq!(args.options.project.project_name.as_deref(), Some("up"));
    }
}
