//! `lighter config --services` and its like: one fact of a project a line.

use std::collections::BTreeSet;

use lighter_compose::{Project, graph, hash, names};

use crate::error::Failure;

/// What to list instead of the project
#[derive(clap::Args, Default)]
pub(super) struct ListArgs {
    /// Only the names of the services, dependencies first
    #[arg(long)]
    services: bool,
    /// Only the names of the volumes
    #[arg(long)]
    volumes: bool,
    /// Only the names of the networks
    #[arg(long)]
    networks: bool,
    /// Only the names of the models
    #[arg(long)]
    models: bool,
    /// Only the images
    #[arg(long)]
    images: bool,
    /// Only the profiles, also of services that are not active
    #[arg(long)]
    profiles: bool,
    /// Only the hashes of these services, joined by commas; `*` is all
    #[arg(long, value_name = "SERVICES")]
    hash: Option<String>,
    /// Only the variables that the files mention
    #[arg(long)]
    pub(super) variables: bool,
    /// Only the variables that interpolation sees
    #[arg(long)]
    environment: bool,
}

impl ListArgs {
    /// Returns the lines asked for, if any are.
    pub(super) fn lines(&self, project: &Project) -> Result<Option<Vec<String>>, Failure> {
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        let lines = match self {
            Self { services: true, .. } => owned(graph::start_order(&project.services)),
            Self { volumes: true, .. } => project.volumes.keys().cloned().collect(),
            Self { networks: true, .. } => project.networks.keys().cloned().collect(),
            Self { models: true, .. } => owned(project.models()),
            Self { hash: Some(services), .. } => hashes(project, services)?,
            Self { profiles: true, .. } => project.profiles.clone(),
            Self { images: true, .. } => images(project),
            Self { environment: true, .. } => {
                project.variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
            }
            _ => return Ok(None),
        };
        Ok(Some(lines))
    }
}

/// Returns the image of each service, that of a build under the name it will have.
fn images(project: &Project) -> Vec<String> {
    let image = |(name, service): (&String, &lighter_compose::model::Service)| match &service.image {
        Some(image) => image.clone(),
        None => names::built_image(&project.name, name),
    };
    project.services.iter().map(image).collect()
}

fn hashes(project: &Project, services: &str) -> Result<Vec<String>, Failure> {
    let named: BTreeSet<&str> = match services {
        "*" => project.services.keys().map(String::as_str).collect(),
        _ => services.split(',').collect(),
    };
    let hash = |name: &&str| match project.services.get(*name) {
        Some(service) => Ok(format!("{name} {}", hash::config_hash(service))),
        None => Err(Failure::text(format!("no such service `{}`", name.escape_debug()))),
    };
    named.iter().map(hash).collect()
}
