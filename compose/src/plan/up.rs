//! `up`: from what there is to what the file says.
//!
//! Pure. What is decided, service by service, is in [`super::planner`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::Plan;
use super::planner::Planner;
use crate::diagnostic::Fault;
use crate::model::Project;
use crate::observe::Observed;
use crate::selection;
use crate::specify::Template;

/// How `up` differs from the usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpOptions {
    /// The services meant; empty is all of them.
    pub services: Vec<String>,
    /// `--no-deps`: not what they depend on.
    pub no_deps: bool,
    /// `--force-recreate`: even when nothing has changed.
    pub force_recreate: bool,
    /// `--always-recreate-deps`: what they depend on too.
    pub always_recreate_deps: bool,
    /// `--no-recreate`: not even when something has changed.
    pub no_recreate: bool,
    /// `--no-start`: make, but do not start.
    pub no_start: bool,
    /// `--remove-orphans`: delete containers whose services are not in the file any more.
    pub remove_orphans: bool,
    /// `--renew-anon-volumes`: do not carry anonymous volumes over.
    pub renew_anonymous_volumes: bool,
    /// `--scale SERVICE=N`: instead of what the file says.
    pub scale: BTreeMap<String, u32>,
    /// `--timeout`: for containers that are replaced.
    pub timeout: Option<Duration>,
    /// `run`: only what the named services need, not they themselves.
    pub stand_in: bool,
    /// `--wait`: until the services run, or are healthy where they have a health check.
    pub wait: bool,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The project cannot be had, with the place in its file.
    #[error(transparent)]
    Invalid(#[from] Fault),
    /// A service of the plan has no template: its image was not looked up.
    #[error("plan service `{0}`: its image is not known")]
    NoTemplate(String),
}

/// Plans `up`. `templates` must hold every service that [`selection::select`] returns for the options.
///
/// # Errors
/// Something the project asks for cannot be had, an unknown service, a missing external network or volume.
pub fn up(
    project: &Project,
    templates: &BTreeMap<String, Template>,
    observed: &Observed,
    options: &UpOptions,
) -> Result<Plan, PlanError> {
    if let Some(refusal) = project.refusals.first() {
        return Err(PlanError::Invalid(Box::new(refusal.clone())));
    }
    selection::check_scale(project, &options.scale)?;
    let services = selection::select(project, &options.services, !options.no_deps)?;
    Planner::new(project, templates, observed, options).plan(&services)
}
