//! Compose text to project to plan to containers.
//!
//! Runs in **the command** (`lighter up`, `lighter config` …) only; neither a monitor nor a container's init links a line
//! of it. The way of data is one direction:
//!
//! | call | what it does |
//! |---|---|
//! | [`load()`] | reads the files, and is pure from then on: a [`Project`] |
//! | [`render::json`], [`render::yaml`] | prints it (`config`) |
//! | [`selection::select`] | the services a command is about |
//! | [`images::wanted`], [`images::find`] | which images are needed; which the store has. The caller pulls in between |
//! | [`specify::templates`] | service + image: the container that shall be |
//! | [`observe()`] | looks at the host |
//! | [`plan::up::up`], [`plan::down::down`], [`plan::control`] | decides: a [`plan::Plan`], printable, pure |
//! | [`apply()`] | does what the plan says, what is independent at once |
//!
//! What must hold after [`load`]: every reference between services, networks, volumes, configs and secrets resolves, every
//! relative path is absolute, every short form is its long form, and no attribute was dropped. What the project asks for and
//! lighter cannot do is listed in [`Project::refusals`], with its place in the text.

pub mod apply;
mod canonical;
mod consistency;
mod decode;
pub mod diagnostic;
mod dotenv;
mod forms;
pub mod graph;
pub mod hash;
pub mod images;
mod interpolate;
pub mod load;
mod merge;
pub mod model;
pub mod names;
mod narrow;
mod normalise;
pub mod observe;
mod paths;
pub mod plan;
mod profiles;
pub mod render;
mod schema;
pub mod selection;
mod service_environment;
pub mod source;
pub mod specify;
pub mod support;
pub mod units;
pub mod variables;
mod yaml;

pub use apply::apply;
pub use canonical::split_words;
pub use diagnostic::{Diagnostic, Faults, Label, Position, Severity, SourceText, Span};
pub use load::{LoadError, Loaded, load, resolve_name};
pub use model::Project;
pub use observe::observe;
pub use source::{Environment, Source};
