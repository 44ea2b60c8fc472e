//! The first page of help: verbs as people look for them.

use std::io::{IsTerminal, Write};

use clap::{Command, builder::StyledStr};

/// Verbs by what they are about; a verb that is in no group is listed at the end.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Projects", &["up", "down", "ls", "plan", "apply", "config", "scale", "watch", "compose"]),
    (
        "Containers",
        &[
            "run",
            "create",
            "start",
            "stop",
            "restart",
            "kill",
            "pause",
            "unpause",
            "wait",
            "rm",
            "rename",
            "update",
            "ps",
            "logs",
            "exec",
            "attach",
            "cp",
            "diff",
            "inspect",
            "port",
            "top",
            "stats",
            "events",
            "commit",
            "export",
            "container",
        ],
    ),
    (
        "Images",
        &[
            "build", "pull", "push", "images", "rmi", "tag", "history", "save", "load", "import", "search", "image",
            "builder",
        ],
    ),
    ("Registries", &["login", "logout", "registry"]),
    ("Networks, volumes and the host", &["network", "volume", "system", "info", "version", "boot"]),
    ("Other hosts", &["context", "machine"]),
    ("For other programs", &["runtime", "completion", "man"]),
];

/// The parts of the page: clap's, with the verbs where it would list them in a row.
const TEMPLATE: &str = "{about}\n\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}";

/// Prints the page, in colors if `to` is a terminal.
pub(crate) fn print(command: Command, to: &mut (impl Write + IsTerminal)) {
    let page = first_page(command);
    let written = if to.is_terminal() { write!(to, "{}", page.ansi()) } else { write!(to, "{page}") };
    let _ = written; // nobody to tell that telling failed
}

fn first_page(command: Command) -> StyledStr {
    let verbs = grouped(&command);
    command.before_help(verbs).help_template(TEMPLATE).render_help()
}

fn grouped(command: &Command) -> String {
    let verbs: Vec<_> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).collect();
    let width = verbs.iter().map(|verb| verb.get_name().len()).max().unwrap_or_default();
    let line = |verb: &&Command| {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        format!("  {:<width$}  {about}\n", verb.get_name())
    };
    let named = |name: &&str| verbs.iter().find(|verb| verb.get_name() == *name);
    let mut text = String::new();
    for (title, names) in GROUPS {
        let lines: String = names.iter().filter_map(named).map(line).collect();
        text.push_str(&format!("{title}:\n{lines}\n"));
    }
    let rest = verbs.iter().filter(|verb| !GROUPS.iter().any(|(_, names)| names.contains(&verb.get_name())));
    let rest: String = rest.map(line).collect();
    if rest.is_empty() { text } else { format!("{text}More:\n{rest}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_verb_is_on_the_first_page_once() {
        let page = first_page(crate::args::Cli::command()).to_string();
        for verb in crate::args::Cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let lines = page.lines().filter(|line| line.starts_with(&format!("  {} ", verb.get_name())));
            assert_eq!(lines.count(), 1, "{}", verb.get_name());
            // 100 columns, and the names stand in 14 of them
            assert!(verb.get_about().is_some_and(|about| about.to_string().len() <= 86), "{}", verb.get_name());
        }
        assert!(page.contains("Containers:") && page.contains("--context"), "{page}");
    }
}
