//! Flags with a truth value, as docker's command line takes them: `--rm=false`, `-d=true`, `-it=false`. The last one counts.
//!
//! A grammar of its own, read only when the usual one has failed: in that one, and in its pages of help, a flag is a flag.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command};

/// Lets every flag of a command and of its verbs take a truth value.
pub(super) fn valued(command: Command) -> Command {
    command.mut_args(with_value).mut_subcommands(valued)
}

fn with_value(argument: Arg) -> Arg {
    let is_flag = matches!(argument.get_action(), ArgAction::SetTrue);
    if !is_flag && !takes_truth(&argument) {
        return argument;
    }
    let argument = argument.value_parser(ValueParser::new(truth));
    match is_flag {
        true => {
            let argument = argument.action(ArgAction::Set).num_args(0..=1).require_equals(true);
            argument.default_missing_value("true").default_value("false")
        }
        false => argument,
    }
}

/// Tells the options whose value is a truth value anyway.
fn takes_truth(argument: &Arg) -> bool {
    let possible = argument.get_possible_values();
    possible.iter().map(clap::builder::PossibleValue::get_name).eq(["true", "false"])
}

/// Reads a truth value as Go's `strconv.ParseBool`.
fn truth(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("it is neither true nor false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn flags_take_truth_values_and_the_last_of_several_counts() {
        let read = |line: &str| {
            let matches = valued(Cli::command()).try_get_matches_from(line.split(' '))?;
            let (_, verb) = matches.subcommand().expect("there is a verb");
            Ok::<_, clap::Error>((verb.get_flag("all"), verb.get_flag("quiet")))
        };
        for (line, expected) in [
            ("lighter ps -a -a", (true, false)),
            ("lighter ps --all=true --quiet=F", (true, false)),
            ("lighter ps -a -q --all=false", (false, true)),
            ("lighter ps -a=0 -q=1", (false, true)),
            ("lighter ps -aq=false", (true, false)),
            ("lighter ps --all=False --all", (true, false)),
        ] {
            assert_eq!(read(line).unwrap_or_else(|error| panic!("{error}")), expected, "{line}");
        }
        for wrong in ["lighter ps --all=yes", "lighter ps --all= -q", "lighter ps --all true"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let run = |line: &str| valued(Cli::command()).try_get_matches_from(line.split(' '));
        assert!(run("lighter run -it=false --sig-proxy=0 --name a --name b busybox --rm=no").is_ok());
    }
}
