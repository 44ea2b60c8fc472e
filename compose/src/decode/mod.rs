//! The canonical document read into the model.
//!
//! Runs in the command; pure. What the document may say and lighter cannot do, or what means nothing to the kernel (an
//! address that is none), is not an error here but a refusal: `config` shows it, whatever makes containers stops at it.

mod build;
mod develop;
mod device_request;
mod endpoint;
mod file_object;
mod healthcheck;
mod hook;
mod isolation;
mod logging;
mod mount;
mod network;
mod port;
mod process;
mod reader;
mod resources;
mod restart;
mod service;
mod volume;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::Project;
use crate::schema::{self, Shape};
use crate::source::Environment;
use crate::support;
use crate::yaml::Node;
use reader::Reader;

/// What a project is beside its document.
pub(crate) struct Frame {
    pub name: String,
    pub working_directory: PathBuf,
    pub files: Vec<PathBuf>,
    pub env_files: Vec<PathBuf>,
    pub disabled: Vec<String>,
    pub profiles: Vec<String>,
    pub interpolated: bool,
}

/// Reads the project out of its canonical document; `variables` give configs and secrets their values.
pub(crate) fn project(document: Node, frame: Frame, variables: Environment) -> Project {
    let values = &variables;
    let mut refusals = Vec::new();
    schema::refusals(&document, &Shape::Object(&schema::PROJECT), "", &mut refusals);
    let ineffective = support::ineffective(&document);
    let mut reader = Reader { refusals };
    let services = section(&document, "services", |key, node| service::read(key, node, &mut reader));
    let networks = section(&document, "networks", |key, node| network::read(key, node, &mut reader));
    let volumes = section(&document, "volumes", |key, node| volume::read(key, node, &mut reader));
    let configs =
        section(&document, "configs", |key, node| file_object::read(key, node, "configs", values, &mut reader));
    let secrets =
        section(&document, "secrets", |key, node| file_object::read(key, node, "secrets", values, &mut reader));
    Project {
        name: frame.name,
        working_directory: frame.working_directory,
        files: frame.files,
        env_files: frame.env_files,
        services,
        disabled: frame.disabled,
        profiles: frame.profiles,
        networks,
        volumes,
        configs,
        secrets,
        refusals: reader.refusals,
        ineffective,
        interpolated: frame.interpolated,
        variables,
        document,
    }
}

fn section<T>(document: &Node, name: &str, mut read: impl FnMut(&str, &Node) -> T) -> BTreeMap<String, T> {
    let entries = document.get(name).map_or(&[][..], Node::entries);
    entries.iter().map(|entry| (entry.key.clone(), read(&entry.key, &entry.value))).collect()
}
