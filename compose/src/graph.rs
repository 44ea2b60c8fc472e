//! The order of services: who is started before whom.
//!
//! Runs in the command.

use std::collections::BTreeMap;

use crate::model::Service;

/// Returns the services in an order in which each comes after what it depends on, equals by name.
///
/// Dependencies outside of `services` are left out. A loaded project has no cycle, so every service is in the result.
pub fn start_order(_services: &BTreeMap<String, Service>) -> Vec<&str> {
    todo!()
}
