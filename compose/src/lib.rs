//! Compose text to project to plan to containers.
//!
//! Runs in **the command** (`lighter up`, `lighter config` …) only; neither a monitor nor a container's init links a line
//! of it. The way of data is one direction: [`load`] reads files and is pure from then on, [`render`] prints what it read,
//! `observe` looks at the host, `plan` decides, `apply` changes.
//!
//! What must hold after [`load`]: every reference between services, networks, volumes, configs and secrets resolves, every
//! relative path is absolute, every short form is its long form, and no attribute was dropped. What the project asks for and
//! lighter cannot do is listed in [`Project::refusals`], with its place in the text.

mod canonical;
mod consistency;
mod decode;
pub mod diagnostic;
mod dotenv;
mod forms;
pub mod graph;
pub mod hash;
mod interpolate;
pub mod load;
mod merge;
pub mod model;
pub mod names;
mod normalise;
mod paths;
mod profiles;
pub mod render;
mod schema;
mod service_environment;
pub mod source;
pub mod units;
mod yaml;

pub use diagnostic::{Diagnostic, Label, Position, Severity, SourceText, Span};
pub use load::{LoadError, Loaded, load, resolve_name};
pub use model::Project;
pub use source::{Environment, Source};
