//! The user's terminal or pipes, joined to a container's process until it ends.

mod attached;
mod executed;
mod terminal;

pub(crate) use attached::{Attachment, PROXIED, attach, check_terminal};
pub(crate) use executed::pump;
pub(crate) use terminal::size;
