//! The decisions of `up`, service by service.
//!
//! Pure. Services are decided on in start order; a container is started after everything its service waits for, and waits
//! are steps of their own.

use std::collections::BTreeMap;

use lighter_engine::{ContainerSpec, Ipc, MountKind, Namespace, NetworkMode, VolumesFrom};

use super::objects::{self, Made, reference};
use super::replicas::{Fate, Situation, is_on};
use super::up::{PlanError, UpOptions};
use super::{Condition, ContainerRef, Op, Plan, StepId, Why};
use crate::diagnostic::Diagnostic;
use crate::model::{self, Lender, Project, Service};
use crate::observe::{Observed, ObservedContainer};
use crate::specify::Template;

/// What is known and decided so far.
pub(super) struct Planner<'a> {
    project: &'a Project,
    templates: &'a BTreeMap<String, Template>,
    observed: &'a Observed,
    options: &'a UpOptions,
    plan: Plan,
    /// For each changed network, the steps after which nothing is on it.
    freed: BTreeMap<String, Vec<StepId>>,
    /// For each service, its containers and the steps that start them.
    ready: BTreeMap<String, Vec<(ContainerRef, Option<StepId>)>>,
    /// Services whose containers are made anew.
    remade: Vec<String>,
    /// Services that run and want to be restarted with what they depend on, and with which of it.
    restarted: BTreeMap<String, String>,
    /// The steps that stop containers, by id.
    stopped: BTreeMap<String, StepId>,
    /// The steps that delete containers, by id.
    deleted: BTreeMap<String, StepId>,
    networks: Made,
    volumes: Made,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        project: &'a Project,
        templates: &'a BTreeMap<String, Template>,
        observed: &'a Observed,
        options: &'a UpOptions,
    ) -> Self {
        Self {
            project,
            templates,
            observed,
            options,
            plan: Plan::default(),
            freed: BTreeMap::new(),
            ready: BTreeMap::new(),
            remade: Vec::new(),
            restarted: BTreeMap::new(),
            stopped: BTreeMap::new(),
            deleted: BTreeMap::new(),
            networks: Made::new(),
            volumes: Made::new(),
        }
    }

    /// Plans `services`, which are in start order.
    pub(super) fn plan(mut self, services: &[String]) -> Result<Plan, PlanError> {
        self.volumes = objects::volumes(self.project, services, self.observed, &mut self.plan)?;
        let changed = self.changed_networks(services);
        let mut decided = Vec::new();
        let project = self.project;
        for service in services.iter().filter_map(|name| project.services.get(name)) {
            decided.push((service, self.decide(service, &changed)?));
        }
        for (service, fates) in decided.iter().rev() {
            self.stop_ahead(service, fates);
        }
        self.free(&changed);
        self.networks = objects::networks(self.project, services, self.observed, &self.freed, &mut self.plan)?;
        self.orphans();
        for (service, fates) in decided {
            self.service(service, fates)?;
        }
        if self.options.wait {
            self.wait_for_all(services);
        }
        Ok(self.plan)
    }

    /// Returns the networks to be made anew, by name.
    ///
    /// A network with containers that this plan does not make again stays as it is: `up web` must not end `db`.
    fn changed_networks(&mut self, services: &[String]) -> Vec<String> {
        if self.options.no_recreate {
            return Vec::new();
        }
        let returns = |container: &ObservedContainer| services.contains(&container.service) && !container.oneoff;
        let (free, others): (Vec<_>, Vec<_>) = objects::changed_networks(self.project, self.observed)
            .into_iter()
            .map(|network| network.name.clone())
            .partition(|name| self.on(name).all(returns));
        let stays = |name| format!("network `{name}` differs from the file and stays: others are on it");
        self.plan.warnings.extend(others.into_iter().map(stays));
        free
    }

    /// Returns the containers on a network.
    fn on(&self, network: &str) -> impl Iterator<Item = &'a ObservedContainer> {
        self.observed.containers.iter().filter(move |container| is_on(container, network))
    }

    /// Stops and deletes every container on these networks, before the networks themselves.
    fn free(&mut self, networks: &[String]) {
        for network in networks {
            let why = Why::Follows(format!("network {network}"));
            let on_it: Vec<_> = self.on(network).collect();
            let steps = on_it.into_iter().map(|container| self.delete(container, why.clone())).collect();
            self.freed.insert(network.clone(), steps);
        }
    }

    /// Warns of containers without a service, or deletes them.
    fn orphans(&mut self) {
        let known = |name: &str| {
            self.project.services.contains_key(name) || self.project.disabled.iter().any(|other| other == name)
        };
        let orphans: Vec<_> = self.observed.containers.iter().filter(|container| !known(&container.service)).collect();
        if self.options.remove_orphans {
            for container in orphans {
                self.delete(container, Why::Orphan);
            }
        } else if !orphans.is_empty() {
            let names: Vec<_> = orphans.iter().map(|container| container.name.as_str()).collect();
            let all = names.join(", ");
            let warning = format!("containers without a service in the file: {all}; --remove-orphans deletes them");
            self.plan.warnings.push(warning);
        }
    }

    /// Returns whether only what the service needs is meant, not its containers.
    fn is_stood_in_for(&self, service: &Service) -> bool {
        self.options.stand_in && self.options.services.contains(&service.name)
    }

    fn template(&self, service: &Service) -> Result<&'a Template, PlanError> {
        self.templates.get(&service.name).ok_or_else(|| PlanError::NoTemplate(service.name.clone()))
    }

    /// Decides what becomes of a service's containers, after those of all it depends on.
    fn decide(&mut self, service: &'a Service, freed: &[String]) -> Result<Vec<Fate<'a>>, PlanError> {
        if self.is_stood_in_for(service) {
            return Ok(Vec::new());
        }
        let situation = Situation {
            project: &self.project.name,
            service,
            template: self.template(service)?,
            observed: self.observed,
            options: self.options,
            is_target: self.options.services.is_empty() || self.options.services.contains(&service.name),
            follows: self.followed(service),
            freed,
        };
        let fates = situation.fates();
        if let Some(dependency) = self.restarting_dependency(service)
            && self.observed.replicas(&service.name).any(|container| container.status.is_active())
        {
            self.restarted.insert(service.name.clone(), dependency);
        }
        if fates.iter().any(|fate| matches!(fate, Fate::Replace { .. })) {
            self.remade.push(service.name.clone());
        }
        Ok(fates)
    }

    /// Stops the containers of a service that is restarted with what it depends on, before that is stopped.
    fn stop_ahead(&mut self, service: &Service, fates: &[Fate<'_>]) {
        let Some(dependency) = self.restarted.get(&service.name).cloned() else { return };
        for fate in fates {
            match fate {
                Fate::Keep(old) => _ = self.stop(old, &Why::RestartsWith(dependency.clone())),
                Fate::Replace { old, why, .. } | Fate::Delete { old, why } => _ = self.stop(old, why),
                Fate::Create { .. } => {}
            }
        }
    }

    fn service(&mut self, service: &Service, fates: Vec<Fate<'_>>) -> Result<(), PlanError> {
        let template = self.template(service)?;
        if self.is_stood_in_for(service) {
            self.waits(service);
            if !template.files.is_empty() {
                self.plan.push(Op::WriteFiles(template.files.clone()), Why::Asked, Vec::new());
            }
            return Ok(());
        }
        let files = self.files(template, &fates);
        for fate in fates {
            self.container(service, template, fate, files)?;
        }
        Ok(())
    }

    /// Names what is made anew and takes this service's containers with it.
    fn followed(&self, service: &Service) -> Option<String> {
        let mut lenders = crate::specify::lenders(service);
        lenders.find(|name| self.remade.iter().any(|remade| remade == name)).map(|name| format!("service {name}"))
    }

    /// Names a dependency with which this service wants to be restarted, and which is made anew or restarted itself.
    fn restarting_dependency(&self, service: &Service) -> Option<String> {
        let mut restarting = service.depends_on.iter().filter(|(_, dependency)| dependency.restart);
        let goes = |name: &String| self.remade.contains(name) || self.restarted.contains_key(name);
        restarting.find(|(name, _)| goes(name)).map(|(name, _)| name.clone())
    }

    /// Adds the step that writes the content of configs and secrets, if a container is made.
    fn files(&mut self, template: &Template, fates: &[Fate<'_>]) -> Option<StepId> {
        let makes = fates.iter().any(|fate| matches!(fate, Fate::Create { .. } | Fate::Replace { .. }));
        (makes && !template.files.is_empty())
            .then(|| self.plan.push(Op::WriteFiles(template.files.clone()), Why::Missing, Vec::new()))
    }

    fn container(
        &mut self,
        service: &Service,
        template: &Template,
        fate: Fate<'_>,
        files: Option<StepId>,
    ) -> Result<(), PlanError> {
        match fate {
            Fate::Keep(old) => self.keep(service, old),
            Fate::Delete { old, why } => _ = self.delete(old, why),
            Fate::Replace { old, spec, why } => {
                let gone = self.delete(old, why.clone());
                self.make(service, template, spec, why, [gone].into_iter().chain(files).collect())?;
            }
            Fate::Create { spec } => self.make(service, template, spec, Why::Missing, files.into_iter().collect())?,
        }
        Ok(())
    }

    /// Adds a container and its start.
    fn make(
        &mut self,
        service: &Service,
        template: &Template,
        mut spec: Box<ContainerSpec>,
        why: Why,
        mut after: Vec<StepId>,
    ) -> Result<(), PlanError> {
        after.extend(self.objects_of(&spec));
        let network_of = match &template.network_of {
            None => None,
            Some(lender) => {
                let (container, made) = self.lender(service, lender, ("network", "network_mode"))?;
                after.extend(made);
                Some(container)
            }
        };
        if let Some(lender) = &template.pid_of {
            let (container, made) = self.lender(service, lender, ("processes", "pid"))?;
            after.extend(made);
            spec.isolation.pid = Namespace::Container(container);
        }
        if let Some(lender) = &template.ipc_of {
            let (container, made) = self.lender(service, lender, ("shared memory", "ipc"))?;
            after.extend(made);
            spec.isolation.ipc = Ipc::Container(container);
        }
        for from in &template.volumes_from {
            let container = match &from.lender {
                Lender::Container(name) => name.clone(),
                Lender::Service(name) => {
                    let (container, made) = self.lender(service, name, ("volumes", "volumes_from"))?;
                    after.extend(made);
                    container
                }
            };
            spec.volumes_from.push(VolumesFrom { container, read_only: from.read_only });
        }
        let made = ContainerRef::made(spec.name.clone());
        let create = self.plan.push(Op::CreateContainer { spec, network_of }, why.clone(), after);
        let start = self.start(service, made.clone(), why, vec![create]);
        self.ready.entry(service.name.clone()).or_default().push((made, start.or(Some(create))));
        Ok(())
    }

    /// Returns the container that lends `what`, by the attribute of that name, to `service`, and the step that starts it.
    fn lender(
        &self,
        service: &Service,
        lender: &str,
        (what, attribute): (&str, &str),
    ) -> Result<(String, Option<StepId>), PlanError> {
        if let Some((container, step)) = self.ready.get(lender).and_then(|ready| ready.first()) {
            return Ok((container.name.clone(), *step));
        }
        match self.observed.replicas(lender).next() {
            Some(container) => Ok((container.name.clone(), None)),
            None => {
                let name = &service.name;
                let fault = format!("service `{name}` shares the {what} of `{lender}`, which has no container");
                let place = self.project.span(&["services", name, attribute]);
                let fault = Diagnostic::error(fault);
                Err(PlanError::Invalid(Box::new(place.map_or(fault.clone(), |span| fault.at(&span)))))
            }
        }
    }

    /// A container that stays is started if it does not run, or has been stopped ahead of what its service depends on.
    fn keep(&mut self, service: &Service, old: &ObservedContainer) {
        let container = reference(old);
        let step = match (self.stopped.get(&old.id), self.restarted.get(&service.name)) {
            (Some(stopped), Some(dependency)) => {
                let (why, after) = (Why::RestartsWith(dependency.clone()), vec![*stopped]);
                self.start(service, container.clone(), why, after)
            }
            _ if old.status.is_active() => None,
            _ => self.start(service, container.clone(), Why::NotRunning, Vec::new()),
        };
        self.ready.entry(service.name.clone()).or_default().push((container, step));
    }

    /// Adds the start of a container, after what its service waits for.
    fn start(
        &mut self,
        service: &Service,
        container: ContainerRef,
        why: Why,
        mut after: Vec<StepId>,
    ) -> Option<StepId> {
        if self.options.no_start {
            return None;
        }
        after.extend(self.waits(service));
        Some(self.plan.push(Op::Start(container), why, after))
    }

    /// Adds what a service waits for, each wait once, and returns the steps.
    fn waits(&mut self, service: &Service) -> Vec<StepId> {
        let mut steps = Vec::new();
        for (name, dependency) in &service.depends_on {
            for (container, started) in self.ready.get(name).cloned().unwrap_or_default() {
                let condition = match dependency.condition {
                    model::Condition::Started => {
                        steps.extend(started);
                        continue;
                    }
                    model::Condition::Healthy => Condition::Healthy,
                    model::Condition::CompletedSuccessfully => Condition::Completed,
                };
                steps.push(self.wait(container, condition, dependency.required, &service.name, started));
            }
        }
        steps
    }

    /// Adds a wait, or joins one that is there already for the same reason.
    fn wait(
        &mut self,
        container: ContainerRef,
        condition: Condition,
        required: bool,
        for_whom: &str,
        started: Option<StepId>,
    ) -> StepId {
        let op = Op::Wait { container, condition, required };
        if let Some(index) = self.plan.steps.iter().position(|step| step.op == op) {
            if let Why::Needed(who) = &mut self.plan.steps[index].why
                && !who.iter().any(|other| other == for_whom)
            {
                who.push(for_whom.to_owned());
            }
            return index;
        }
        self.plan.push(op, Why::Needed(vec![for_whom.to_owned()]), started.into_iter().collect())
    }

    fn wait_for_all(&mut self, services: &[String]) {
        for name in services {
            let Some(template) = self.templates.get(name) else { continue };
            let condition = match template.spec.health {
                // Who is waited for to have ended will not be found running.
                _ if self.is_one_shot(name) => Condition::Completed,
                Some(_) => Condition::Healthy,
                None => Condition::Running,
            };
            for (container, started) in self.ready.get(name).cloned().unwrap_or_default() {
                self.plan.push(
                    Op::Wait { container, condition, required: true },
                    Why::Asked,
                    started.into_iter().collect(),
                );
            }
        }
    }

    /// Returns whether somebody depends on the service having done its work.
    fn is_one_shot(&self, name: &str) -> bool {
        let mut services = self.project.services.values();
        services.any(|service| service.awaits_end_of(name))
    }

    /// Returns the steps that make the networks and volumes of a container.
    fn objects_of(&self, spec: &ContainerSpec) -> Vec<StepId> {
        let networks = match &spec.network {
            NetworkMode::Bridge(attachments) => attachments.iter().map(|at| at.network.clone()).collect(),
            _ => Vec::new(),
        };
        let volumes = spec.mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Volume { name, anonymous: false, .. } => self.volumes.get(name),
            _ => None,
        });
        networks.iter().filter_map(|name| self.networks.get(name)).chain(volumes).copied().collect()
    }

    /// Adds the stop of a container, once and if it runs, after those of all that are restarted with its service.
    fn stop(&mut self, container: &ObservedContainer, why: &Why) -> Option<StepId> {
        if !container.status.is_active() || self.stopped.contains_key(&container.id) {
            return self.stopped.get(&container.id).copied();
        }
        let restarts = |service: &&Service| service.depends_on.get(&container.service).is_some_and(|on| on.restart);
        let dependents = self.project.services.values().filter(restarts);
        let ahead = dependents.flat_map(|service| self.observed.replicas(&service.name));
        let after = ahead.filter_map(|container| self.stopped.get(&container.id)).copied().collect();
        let stop = Op::Stop { container: reference(container), grace: self.options.timeout };
        let step = self.plan.push(stop, why.clone(), after);
        self.stopped.insert(container.id.clone(), step);
        Some(step)
    }

    /// Adds the end of a container, once: stop, if it runs, and deletion. Its anonymous volumes stay, for its successor,
    /// unless they are to be new.
    fn delete(&mut self, container: &ObservedContainer, why: Why) -> StepId {
        if let Some(step) = self.deleted.get(&container.id) {
            return *step;
        }
        let after = self.stop(container, &why).into_iter().collect();
        let delete = Op::Delete { container: reference(container), volumes: self.options.renew_anonymous_volumes };
        let step = self.plan.push(delete, why, after);
        self.deleted.insert(container.id.clone(), step);
        step
    }
}
