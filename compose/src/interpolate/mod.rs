//! Variables in text: `${NAME:-default}` and its kin.
//!
//! Runs in the command; pure. [`template`] knows the notation, [`document`] walks a tree with it. Environment files use the
//! same notation.

mod document;
pub(crate) mod template;

pub(crate) use document::{Scope, interpolate, interpolate_text};
