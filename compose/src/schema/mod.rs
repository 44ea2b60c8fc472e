//! What a compose file may say: every attribute with its shape, in tables.
//!
//! Runs in the command; pure. One table serves every stage: [`crate::merge`] takes its rule from the shape,
//! [`check`] the accepted types, [`crate::canonical`] the one form of the value, [`crate::render`] what is left out, and
//! [`refusals`] what lighter cannot do. So an attribute is described once, and none can pass a stage unknown.
//!
//! Source of the tables: Compose Specification and its JSON schema (compose-spec.json).

mod build;
mod check;
mod deploy;
mod expected;
mod refusals;
mod root;
mod service;
mod shape;
mod suggest;
mod words;

pub(crate) use check::check;
pub(crate) use refusals::refusals;
pub(crate) use root::{PROJECT, SERVICE};
pub(crate) use shape::{Field, Object, Repeats, Shape, Support, identity};
pub(crate) use suggest::nearest;
