//! Names that are known on this host, for each kind of argument.
//!
//! Arguments are told by their names in the grammar: one that is called `containers` means containers everywhere. What cannot
//! be read, for want of root or of a project, gives no candidates.

use clap::Command;
use clap_complete::{ArgValueCandidates, CompletionCandidate};
use lighter_compose::{Source, load};
use lighter_engine::{Engine, Layout};

use crate::context::Invocation;
use crate::remote::Contexts;

/// What an argument means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Container,
    Image,
    Service,
    Network,
    Volume,
    Context,
    Object,
}

/// Gives every argument of a known name its candidates.
pub(super) fn attach(command: Command) -> Command {
    attach_below(command, "")
}

fn attach_below(command: Command, group: &str) -> Command {
    let verb = command.get_name().to_owned();
    let inner = if group.is_empty() { verb.clone() } else { group.to_owned() };
    let command = command.mut_args(|arg| match kind(group, &verb, arg.get_id().as_str()) {
        Some(kind) => arg.add(ArgValueCandidates::new(move || names(kind))),
        None => arg,
    });
    // the root is no group of its own
    let inner = if inner == "lighter" { String::new() } else { inner };
    command.mut_subcommands(|child| attach_below(child, &inner))
}

/// Returns what an argument of a verb means.
fn kind(group: &str, verb: &str, argument: &str) -> Option<Kind> {
    match (group, verb, argument) {
        ("runtime", ..) => None,
        (_, _, "container" | "containers" | "volumes_from") | (_, "run" | "create", "link") => Some(Kind::Container),
        (_, _, "service" | "services") => Some(Kind::Service),
        (_, _, "image" | "images") | (_, "push", "name") | (_, "run" | "create", "words") => Some(Kind::Image),
        ("network", "rm" | "inspect", "names" | "networks") | (_, _, "network") => Some(Kind::Network),
        ("volume", "rm" | "inspect", "names" | "volumes") => Some(Kind::Volume),
        ("context" | "machine", "use" | "update" | "rm" | "inspect" | "ssh" | "install", "name" | "names") => {
            Some(Kind::Context)
        }
        ("", "lighter", "context") => Some(Kind::Context),
        ("", "inspect", "names") => Some(Kind::Object),
        _ => None,
    }
}

fn names(kind: Kind) -> Vec<CompletionCandidate> {
    let names = Invocation::from_environment().ok().and_then(|invocation| match kind {
        Kind::Container => {
            let containers = containers(&invocation);
            Some(containers.unwrap_or_default().into_iter().chain(services(&invocation).unwrap_or_default()).collect())
        }
        Kind::Image => images(&invocation),
        Kind::Service => services(&invocation),
        Kind::Network => networks(&invocation),
        Kind::Volume => volumes(&invocation),
        Kind::Context => contexts(&invocation),
        Kind::Object => {
            let all = [containers(&invocation), images(&invocation), networks(&invocation), volumes(&invocation)];
            Some(all.into_iter().flatten().flatten().collect())
        }
    });
    names.unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}

fn engine(invocation: &Invocation) -> Option<Engine> {
    let place = |variable: &str, default: &str| {
        let chosen = invocation.environment.get(variable).filter(|text| !text.is_empty());
        invocation.path(chosen.map_or(default, String::as_str).as_ref())
    };
    let root = place("LIGHTER_ROOT", Layout::DEFAULT_ROOT);
    // nothing is made for the sake of a key
    if !root.exists() || !nix::unistd::geteuid().is_root() {
        return None;
    }
    Engine::open(root, place("LIGHTER_RUN", Layout::DEFAULT_RUN)).ok()
}

fn containers(invocation: &Invocation) -> Option<Vec<String>> {
    let containers = engine(invocation)?.containers().ok()?;
    Some(containers.into_iter().map(|container| container.spec.name).collect())
}

fn images(invocation: &Invocation) -> Option<Vec<String>> {
    let images = engine(invocation)?.images().list().ok()?;
    Some(images.iter().flat_map(|image| image.references.iter().map(|name| name.familiar().to_string())).collect())
}

fn networks(invocation: &Invocation) -> Option<Vec<String>> {
    let networks = engine(invocation)?.net().networks().ok()?;
    let words = ["host", "none"].map(str::to_owned);
    Some(networks.into_iter().map(|network| network.name).chain(words).collect())
}

fn volumes(invocation: &Invocation) -> Option<Vec<String>> {
    let volumes = engine(invocation)?.volumes().ok()?;
    Some(volumes.into_iter().map(|volume| volume.name).collect())
}

fn contexts(invocation: &Invocation) -> Option<Vec<String>> {
    let contexts = Contexts::of(invocation).ok()?.all().ok()?;
    Some(contexts.into_iter().map(|context| context.name).collect())
}

/// Lists the services of the project in this folder, whatever their profiles.
fn services(invocation: &Invocation) -> Option<Vec<String>> {
    let working_directory = invocation.working_directory.clone();
    let source = Source { profiles: vec!["*".to_owned()], working_directory, ..Source::default() };
    let loaded = load(&source, &invocation.environment).ok()?;
    Some(loaded.project.services.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_by_name_and_verb() {
        assert_eq!(kind("", "stop", "containers"), Some(Kind::Container));
        assert_eq!(kind("compose", "up", "services"), Some(Kind::Service));
        assert_eq!(kind("network", "rm", "networks"), Some(Kind::Network));
        assert_eq!(kind("runtime", "exec", "container"), None);
        assert_eq!(kind("", "run", "command"), None);
    }
}
