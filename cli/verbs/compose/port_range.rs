//! What a port that could not be published has to do with the project's file.

use lighter_compose::apply::{ApplyError, StepError};
use lighter_compose::{Project, names};

/// Says of a port that a container could not get, of which range of the file it is one, and where that stands: a container names
/// its own ports, of which each replica has others.
pub(super) fn of(error: &ApplyError, project: &Project) -> Option<String> {
    let ApplyError::Step { act, source } = error else { return None };
    let StepError::Launch { port: Some(port), .. } = **source else { return None };
    let container = act.strip_prefix("start ")?;
    let number: u32 = container.rsplit('-').next()?.parse().ok()?;
    let service =
        project.services.values().find(|it| names::container(&project.name, &it.name, number) == container)?;
    let mut ranges = service.ports.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.published?)));
    let (index, range) =
        ranges.find(|(_, range)| range.first < range.last && (range.first..=range.last).contains(&port))?;
    let place = project.span_of_port(&service.name, index).map(|span| format!(" ({span})")).unwrap_or_default();
    let name = &service.name;
    Some(format!("service `{name}` publishes {range}{place}, of which container {number} has the ports from {port} on"))
}
