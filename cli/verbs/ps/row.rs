//! A container as a row of `ps`.

use jiff::Timestamp;
use lighter_engine::{Container, Engine, HealthStatus, MountKind, NetworkMode, Status};
use serde_json::{Value, json};

use crate::error::Failure;
use crate::ui::format::LABELS;
use crate::ui::quantity;

/// Longest place of a mount that is shown, in characters, as docker cuts it.
const LONGEST_MOUNT: usize = 15;

/// Longest command that is shown, in characters, as docker cuts it.
const LONGEST_COMMAND: usize = 20;

/// Returns docker's fields of a container.
pub(crate) fn row(container: &Container, no_trunc: bool) -> Value {
    let command = command(&container.spec.args);
    let shortened = shorten(&command);
    let created = container.state.created_at;
    let labels = &container.spec.labels;
    json!({
        "ID": if no_trunc { container.id.as_str() } else { container.short_id() },
        "Image": container.spec.image.reference,
        "Command": quoted(if no_trunc { &command } else { &shortened }),
        "CreatedAt": created.map(quantity::local),
        "RunningFor": created.map(|time| format!("{} ago", quantity::since(time))),
        "Status": status(container),
        "State": container.state.status.word(),
        "Health": health(container).map_or("", HealthStatus::word),
        "Ports": ports(container),
        "Names": container.spec.name,
        "Labels": labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","),
        "Mounts": mounts(container, no_trunc),
        "LocalVolumes": container.spec.volumes().count().to_string(),
        "Networks": networks(container).join(","),
        "Size": "0B",
        LABELS: labels,
    })
}

/// Returns `12kB (virtual 5.3MB)`: what the container has changed, and that with its image.
pub(super) fn size(engine: &Engine, container: &Container) -> Result<String, Failure> {
    let own = engine.changes_size(container)?;
    let image = match container.is_damaged {
        true => 0,
        false => engine.images().find(&container.spec.image.id)?.map_or(0, |image| image.size),
    };
    Ok(format!("{} (virtual {})", quantity::size(own), quantity::size(own + image)))
}

/// Names of volumes and places of the host.
fn mounts(container: &Container, no_trunc: bool) -> String {
    let names = container.spec.mounts.iter().filter_map(|mount| match &mount.kind {
        MountKind::Volume { name, .. } => Some(name.clone()),
        MountKind::Bind { source, .. } => Some(source.display().to_string()),
        MountKind::Tmpfs { .. } | MountKind::Image { .. } => None,
    });
    let cut = |name: String| match no_trunc || name.chars().count() <= LONGEST_MOUNT {
        true => name,
        false => name.chars().take(LONGEST_MOUNT - 1).chain(['…']).collect(),
    };
    names.map(cut).collect::<Vec<_>>().join(",")
}

pub(crate) fn health(container: &Container) -> Option<HealthStatus> {
    container.health.as_ref().map(|health| health.status)
}

/// Returns `Up 3 minutes (healthy)`, `Exited (1) 2 hours ago` …
pub(crate) fn status(container: &Container) -> String {
    let state = &container.state;
    let since = |time: Option<Timestamp>| time.map(quantity::since).unwrap_or_default();
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Running => {
            let health = match health(container) {
                None => "",
                Some(HealthStatus::Starting) => " (health: starting)",
                Some(HealthStatus::Healthy) => " (healthy)",
                Some(HealthStatus::Unhealthy) => " (unhealthy)",
            };
            format!("Up {}{health}", since(state.started_at))
        }
        Status::Paused => format!("Up {} (Paused)", since(state.started_at)),
        Status::Restarting => {
            format!("Restarting ({}) {} ago", state.exit_code.unwrap_or(0), since(state.finished_at))
        }
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code.unwrap_or(0), since(state.finished_at)),
    }
}

/// Returns `0.0.0.0:8080->80/tcp, 443/tcp`.
pub(crate) fn ports(container: &Container) -> String {
    let bound = &container.state.ports;
    let mut texts: Vec<String> =
        bound.iter().map(|port| format!("{}->{}/{}", port.host(), port.target, port.protocol)).collect();
    if container.state.status.is_active() {
        let published =
            |exposed: &str| bound.iter().any(|port| format!("{}/{}", port.target, port.protocol) == exposed);
        texts.extend(container.spec.exposed.iter().filter(|port| !published(port)).cloned());
    }
    texts.join(", ")
}

pub(crate) fn networks(container: &Container) -> Vec<String> {
    let endpoints = &container.state.endpoints;
    match &container.spec.network {
        _ if !endpoints.is_empty() => endpoints.iter().map(|endpoint| endpoint.network_name.clone()).collect(),
        NetworkMode::Bridge(attachments) => attachments.iter().map(|a| a.network.clone()).collect(),
        NetworkMode::Host => vec!["host".to_owned()],
        NetworkMode::None => vec!["none".to_owned()],
        NetworkMode::Container(id) => vec![format!("container:{id}")],
    }
}

/// Returns a command; arguments with blanks in them are in quotes, as docker shows them.
fn command(args: &[String]) -> String {
    let (program, arguments) = args.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let in_quotes = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
    let words: Vec<_> = std::iter::once(program.to_owned()).chain(arguments.iter().map(in_quotes)).collect();
    words.join(" ")
}

/// Cuts a command so that twenty characters are left, the last of which says so.
fn shorten(command: &str) -> String {
    match command.chars().count() <= LONGEST_COMMAND {
        true => command.to_owned(),
        false => command.chars().take(LONGEST_COMMAND - 1).chain(['…']).collect(),
    }
}

/// Returns a text in quotes on one line, as Go writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            char => quoted.push(char),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_cut_and_quoted_as_docker_does() {
        let shown = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            quoted(&shorten(&command(&words)))
        };
        assert_eq!(shown(&["sleep", "1000"]), r#""sleep 1000""#);
        assert_eq!(shown(&["sh", "-c", "echo out; echo"]), r#""sh -c 'echo out; ec…""#);
        assert_eq!(shown(&["docker-entrypoint.sh"]), r#""docker-entrypoint.sh""#);
        assert_eq!(shown(&["a b", "\"\\\n"]), r#""a b \"\\\n""#);
    }
}
