//! What becomes of each container of one service.

use std::collections::BTreeSet;

use lighter_engine::{ContainerSpec, MountKind, NetworkMode};

use super::Why;
use super::difference::difference;
use super::up::UpOptions;
use crate::model::Service;
use crate::observe::{Observed, ObservedContainer};
use crate::specify::Template;

/// What becomes of one container.
#[derive(Debug)]
pub(super) enum Fate<'a> {
    /// It stays as it is, running or not.
    Keep(&'a ObservedContainer),
    /// It gives way to one of the same number.
    Replace { old: &'a ObservedContainer, spec: Box<ContainerSpec>, why: Why },
    /// There is none of this number.
    Create { spec: Box<ContainerSpec> },
    /// It goes.
    Delete { old: &'a ObservedContainer, why: Why },
}

/// What is known about a service when its containers are decided on.
pub(super) struct Situation<'a, 'f> {
    pub project: &'a str,
    pub service: &'a Service,
    pub template: &'a Template,
    pub observed: &'a Observed,
    pub options: &'a UpOptions,
    /// Whether the user named the service, or named none.
    pub is_target: bool,
    /// Something whose remaking takes every container of the service with it.
    pub follows: Option<String>,
    /// Networks that are made anew: a container on one of them goes before it.
    pub freed: &'f [String],
}

impl<'a> Situation<'a, '_> {
    /// Returns what becomes of the containers, by number.
    pub(super) fn fates(&self) -> Vec<Fate<'a>> {
        let wanted = self.options.scale.get(&self.service.name).copied().unwrap_or(self.service.replicas);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut present: Vec<_> = self.observed.replicas(self.service_name()).collect();
        // Those that would be replaced anyway go first, then the highest numbers.
        present.sort_by_key(|container| (self.reason(container).is_some(), container.number));
        let surplus = present.split_off(wanted.min(present.len()));
        let mut fates: Vec<Fate<'a>> = Vec::new();
        for container in surplus {
            fates.push(Fate::Delete { old: container, why: Why::TooMany });
        }
        present.sort_by_key(|container| container.number);
        let mut numbers: BTreeSet<u32> = present.iter().map(|container| container.number).collect();
        for container in &present {
            fates.push(match self.reason(container) {
                None => Fate::Keep(container),
                Some(why) => Fate::Replace { old: container, spec: self.successor(container), why },
            });
        }
        for _ in present.len()..wanted {
            // the lowest that is free: after a command was killed, or a container lost, the names are again those of a new project
            let number = (1..).find(|number| !numbers.contains(number)).unwrap_or(u32::MAX);
            numbers.insert(number);
            fates.push(Fate::Create { spec: Box::new(self.spec(number)) });
        }
        fates
    }

    /// The name of the service, living as long as the host's picture does.
    fn service_name(&self) -> &'a str {
        &self.service.name
    }

    fn spec(&self, number: u32) -> ContainerSpec {
        self.template.replica(self.project, &self.service.name, number)
    }

    /// Returns why a container has to be replaced, or [`None`] if it may stay.
    fn reason(&self, container: &ObservedContainer) -> Option<Why> {
        let spec = self.spec(container.number);
        if let Some(network) = self.freed.iter().find(|network| is_on(container, network)) {
            return Some(Why::Follows(format!("network {network}")));
        }
        if let Some(what) = &self.follows {
            return Some(Why::Follows(what.clone()));
        }
        if self.options.no_recreate {
            return None;
        }
        if self.options.force_recreate && (self.is_target || self.options.always_recreate_deps) {
            return Some(Why::Asked);
        }
        if container.spec.image.id != spec.image.id {
            return Some(Why::Image { from: container.spec.image.id.clone(), to: spec.image.id });
        }
        if container.config_hash == self.template.config_hash && container.name == spec.name {
            return None;
        }
        let mut fields = difference(&container.spec, &spec);
        if container.name != spec.name {
            fields.insert(0, format!("container_name `{}` → `{}`", container.name, spec.name));
        }
        if fields.is_empty() {
            fields.push("its configuration has changed".to_owned());
        }
        Some(Why::Changed(fields))
    }

    /// Returns the specification of the container that takes the place of `old`, with its anonymous volumes.
    fn successor(&self, old: &ObservedContainer) -> Box<ContainerSpec> {
        let mut spec = self.spec(old.number);
        if self.options.renew_anonymous_volumes {
            return Box::new(spec);
        }
        let anonymous = |target: &str| {
            old.spec.mounts.iter().filter(|mount| mount.target == target).find_map(|mount| match &mount.kind {
                MountKind::Volume { name, anonymous: true, .. } => Some(name.clone()),
                _ => None,
            })
        };
        for mount in &mut spec.mounts {
            if let MountKind::Volume { name, anonymous: true, .. } = &mut mount.kind
                && let Some(inherited) = anonymous(&mount.target)
            {
                *name = inherited;
            }
        }
        Box::new(spec)
    }
}

/// Returns whether a container is on a network.
pub(super) fn is_on(container: &ObservedContainer, network: &str) -> bool {
    match &container.spec.network {
        NetworkMode::Bridge(attachments) => attachments.iter().any(|at| at.network == network),
        _ => false,
    }
}
