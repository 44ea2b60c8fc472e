//! The user's terminal or pipes, joined to a container's process until it ends.

mod attached;
mod detach;
mod executed;
mod terminal;

pub(crate) use attached::{Attachment, Ended, PROXIED, attach, check_terminal};
pub(crate) use detach::DetachKeys;
pub(crate) use executed::{Joining, KEEPER_VERB, be_keeper, pump};
pub(crate) use terminal::{raw, signals, size};
