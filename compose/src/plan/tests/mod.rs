//! Plans as text: a project, a host, and the steps between them.

mod down;
mod host;
mod up;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lighter_engine::{ContainerSpec, ImageSource};

use super::UpOptions;
use crate::model::{Project, Service};
use crate::observe::Observed;
use crate::source::{Environment, Source};
use crate::specify::{self, Template};

/// Loads a project called `shop`.
fn project(text: &str) -> Project {
    let source = Source {
        files: vec![PathBuf::from("-")],
        stdin: Some(text.to_owned()),
        project_name: Some("shop".to_owned()),
        working_directory: PathBuf::from("/nowhere"),
        ..Source::default()
    };
    crate::load(&source, &Environment::new()).unwrap().project
}

/// Returns the templates of a project whose images all run `serve` and are as old as their tags.
fn templates(project: &Project) -> BTreeMap<String, Template> {
    project.services.iter().map(|(name, service)| (name.clone(), template(project, service))).collect()
}

fn template(project: &Project, service: &Service) -> Template {
    let reference = service.image.clone().unwrap();
    let image = ImageSource { id: format!("sha256:{reference}"), reference };
    let args = service.process.command.clone().unwrap_or_else(|| vec!["serve".to_owned()]);
    let mut spec = ContainerSpec::new(String::new(), image, args);
    spec.env = service.process.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let files = specify::content_files(project, service, Path::new("/var/lib/lighter/projects"));
    spec.mounts = specify::mounts(project, service, &files);
    specify::complete(project, service, spec, files)
}

/// Returns the text of the plan of `up`.
fn up(text: &str, observed: &Observed, options: &UpOptions) -> String {
    match plan(text, observed, options) {
        Ok(plan) => plan.to_string(),
        Err(error) => format!("error: {error}\n"),
    }
}

fn plan(text: &str, observed: &Observed, options: &UpOptions) -> Result<super::Plan, super::PlanError> {
    let project = project(text);
    super::up::up(&project, &templates(&project), observed, options)
}

/// Returns an empty host.
fn nothing() -> Observed {
    Observed { project: "shop".to_owned(), ..Observed::default() }
}

/// Returns the host after `up` of a project, everything running.
fn running(text: &str) -> Observed {
    host::after(&nothing(), &plan(text, &nothing(), &UpOptions::default()).unwrap())
}
