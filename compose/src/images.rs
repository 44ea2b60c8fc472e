//! The images of a project: which are wanted, and which the store has.
//!
//! Runs in the command, between loading and planning: from here on every image is fixed by its id. Pulling is the caller's
//! business, who shows the progress.

use std::collections::BTreeMap;

use lighter_engine::Engine;
use lighter_engine::images::store::{Image, StoreError};

use crate::diagnostic::{Diagnostic, Fault, Span};
use crate::model::{Project, PullPolicy, Service};
use crate::names;

/// The image of each service, by name of the service.
pub type Images = BTreeMap<String, Image>;

/// An image that a service wants.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The service.
    pub service: String,
    /// The reference as the file has it, or the name that a build would give.
    pub reference: String,
    /// When to pull it.
    pub policy: PullPolicy,
    /// `os[/arch[/variant]]`, if the file says so.
    pub platform: Option<String>,
    /// Whether the service has a `build`: such an image is not expected in a registry.
    pub is_built: bool,
    /// Where the file names it.
    pub at: Option<Span>,
}

impl Wanted {
    /// Returns whether the image has to be pulled, given whether the store has it.
    pub fn must_pull(&self, is_present: bool) -> bool {
        match self.policy {
            // When the last pull was is not recorded; a pull of what has not changed costs one request.
            PullPolicy::Always | PullPolicy::Every(_) => true,
            PullPolicy::Never | PullPolicy::Build => false,
            PullPolicy::Missing => !is_present && !self.is_built,
        }
    }
}

/// Why the images of a project are not all there.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// An image is missing, with the place that names it.
    #[error(transparent)]
    Missing(#[from] Fault),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns what the services want, in the order given; names that are no service of the project are passed over.
pub fn wanted(project: &Project, services: &[String]) -> Vec<Wanted> {
    services.iter().filter_map(|name| project.services.get(name)).map(|service| want(project, service)).collect()
}

fn want(project: &Project, service: &Service) -> Wanted {
    let place = if service.image.is_some() { "image" } else { "build" };
    Wanted {
        service: service.name.clone(),
        reference: service.image.clone().unwrap_or_else(|| names::built_image(&project.name, &service.name)),
        policy: service.pull_policy,
        platform: service.platform.clone(),
        is_built: service.build.is_some(),
        at: project.span(&["services", &service.name, place]),
    }
}

/// Finds the images of the services in the store.
///
/// # Errors
/// The first that is missing, as it must have been pulled before.
pub fn find(project: &Project, services: &[String], engine: &Engine) -> Result<Images, ImagesError> {
    let mut images = Images::new();
    for wanted in wanted(project, services) {
        match engine.images().find(&wanted.reference)? {
            Some(image) => _ = images.insert(wanted.service, image),
            None => return Err(missing(&wanted).into()),
        }
    }
    Ok(images)
}

fn missing(wanted: &Wanted) -> Fault {
    let Wanted { service, reference, .. } = wanted;
    let fault = match wanted.is_built {
        true => Diagnostic::error(format!("service `{service}` needs `build`, which is not supported by lighter yet"))
            .hint(format!("an image named `{reference}` in the store is used as it is")),
        false => Diagnostic::error(format!("image `{reference}` of service `{service}` is not in the store")),
    };
    Box::new(match &wanted.at {
        Some(at) => fault.at(at),
        None => fault,
    })
}
