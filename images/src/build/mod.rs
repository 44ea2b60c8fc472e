//! Builds images from Dockerfiles.

mod expand;
mod fault;
mod ignore;
mod instruction;
mod lexer;
mod mount;
mod parse;
mod path;
mod pattern;
mod words;

pub use expand::ExpandError;
pub use fault::{Fault, Problem};
pub use pattern::PatternError;
