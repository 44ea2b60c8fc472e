//! The images of a project: which are wanted, and which the store has.
//!
//! Runs in the command, between loading and planning: from here on every image is fixed by its id. Pulling is the caller's
//! business, who shows the progress.

use std::collections::BTreeMap;
use std::time::SystemTime;

use lighter_engine::Engine;
use lighter_engine::images::pull::Presence;
use lighter_engine::images::store::{Image, StoreError};

use crate::diagnostic::{Diagnostic, Fault, Span};
use crate::model::{Mount, MountKind, Project, PullPolicy, Service};
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
    /// Whether the file has an `image` for it.
    pub is_named: bool,
    /// Whether the service only mounts it.
    pub is_mounted: bool,
    /// Where the file names it.
    pub at: Option<Span>,
}

impl Wanted {
    /// Returns whether the image has to be pulled now, given whether the store has it; `policy` takes the place of the
    /// service's own.
    ///
    /// What is built is expected in a registry only if the service's own policy says so.
    pub fn must_pull(&self, policy: Option<PullPolicy>, presence: Presence, now: SystemTime) -> bool {
        let is_expected = !self.is_built || (policy.is_none() && self.policy != PullPolicy::Missing);
        is_expected && policy.unwrap_or(self.policy).must_pull(presence, now)
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

/// Returns what the services want, in the order given, and after each one the images that it mounts; names that are no service
/// of the project are passed over.
pub fn wanted(project: &Project, services: &[String]) -> Vec<Wanted> {
    let services = services.iter().filter_map(|name| project.services.get(name));
    services.flat_map(|service| std::iter::once(want(project, service)).chain(mounted(project, service))).collect()
}

fn mounted(project: &Project, service: &Service) -> impl Iterator<Item = Wanted> {
    let reference = |mount: &Mount| match &mount.kind {
        MountKind::Image(image) => Some(image.reference.clone()),
        _ => None,
    };
    let builds = |other: &Service, reference: &str| other.build.is_some() && name_of(project, other) == reference;
    service.mounts.iter().filter_map(reference).map(move |reference| {
        let is_built = project.services.values().any(|other| builds(other, &reference));
        Wanted {
            service: service.name.clone(),
            policy: PullPolicy::Missing,
            platform: service.platform.clone(),
            is_built,
            is_named: !is_built,
            is_mounted: true,
            at: project.span(&["services", &service.name, "volumes"]),
            reference,
        }
    })
}

/// Returns the name of a service's image: the file's, or the one that a build gives.
pub fn name_of(project: &Project, service: &Service) -> String {
    service.image.clone().unwrap_or_else(|| names::built_image(&project.name, &service.name))
}

fn want(project: &Project, service: &Service) -> Wanted {
    let place = if service.image.is_some() { "image" } else { "build" };
    Wanted {
        service: service.name.clone(),
        reference: name_of(project, service),
        policy: service.pull_policy,
        platform: service.platform.clone(),
        is_built: service.build.is_some(),
        is_named: service.image.is_some(),
        is_mounted: false,
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
            Some(_) if wanted.is_mounted => {}
            Some(image) => _ = images.insert(wanted.service, image),
            None => return Err(missing(&wanted).into()),
        }
    }
    Ok(images)
}

/// As [`find`], without those that are missing: for a plan that is only looked at.
///
/// # Errors
/// The store cannot be read.
pub fn present(project: &Project, services: &[String], engine: &Engine) -> Result<Images, StoreError> {
    let services = services.iter().filter_map(|name| project.services.get(name));
    let found = |service: &Service| {
        let image = engine.images().find(&name_of(project, service))?;
        Ok(image.map(|image| (service.name.clone(), image)))
    };
    services.filter_map(|service| found(service).transpose()).collect()
}

fn missing(wanted: &Wanted) -> Fault {
    let Wanted { service, reference, .. } = wanted;
    let fault = match wanted.is_built {
        true => Diagnostic::error(format!("image `{reference}` of service `{service}` is not built"))
            .hint("build it: lighter compose build"),
        false => Diagnostic::error(format!("image `{reference}` of service `{service}` is not in the store")),
    };
    Box::new(match &wanted.at {
        Some(at) => fault.at(at),
        None => fault,
    })
}
