//! A host that does what a plan says, without containers.

use std::collections::BTreeMap;

use lighter_engine::{MountKind, Status};

use crate::model::{Condition, Dependency};
use crate::names;
use crate::observe::{Observed, ObservedContainer, ObservedNetwork, ObservedVolume};
use crate::plan::{Op, Plan};

/// Returns the host after every step of the plan, which must be in an order that can be done.
pub(super) fn after(before: &Observed, plan: &Plan) -> Observed {
    let mut host = before.clone();
    for (index, step) in plan.steps.iter().enumerate() {
        assert!(step.after.iter().all(|id| *id < index), "step {index} comes before what it needs");
        apply(&step.op, &mut host);
    }
    let key = |container: &ObservedContainer| (container.service.clone(), container.oneoff, container.number);
    host.containers.sort_by_key(key);
    host
}

fn apply(op: &Op, host: &mut Observed) {
    match op {
        Op::CreateNetwork(spec) => {
            let network = ObservedNetwork {
                id: format!("id-{}", spec.name),
                name: spec.name.clone(),
                project: spec.labels.get(names::PROJECT).cloned(),
                config_hash: spec.labels.get(names::CONFIG_HASH).cloned(),
            };
            assert!(host.networks.insert(spec.name.clone(), network).is_none(), "network {} is there", spec.name);
        }
        Op::DeleteNetwork { name, .. } => assert!(host.networks.remove(name).is_some(), "network {name} is not there"),
        Op::CreateVolume(spec) => {
            let volume = ObservedVolume {
                name: spec.name.clone(),
                project: spec.labels.get(names::PROJECT).cloned(),
                config_hash: spec.labels.get(names::CONFIG_HASH).cloned(),
            };
            host.volumes.insert(spec.name.clone(), volume);
        }
        Op::DeleteVolume { name } => _ = host.volumes.remove(name),
        Op::WriteFiles(_) => host.content = Some("/var/lib/lighter/projects/shop".into()),
        Op::DeleteFiles(_) => host.content = None,
        Op::CreateContainer { spec, .. } => {
            assert!(host.containers.iter().all(|other| other.name != spec.name), "the name {} is taken", spec.name);
            host.containers.push(made(spec));
        }
        Op::Start(container) => find(host, &container.name).status = Status::Running,
        Op::Wait { .. } => {}
        Op::Stop { container, .. } | Op::Kill { container, .. } => find(host, &container.name).status = Status::Exited,
        Op::Delete { container, .. } => {
            assert!(!find(host, &container.name).status.is_active(), "{} runs and is deleted", container.name);
            host.containers.retain(|other| other.name != container.name);
        }
    }
}

fn find<'a>(host: &'a mut Observed, name: &str) -> &'a mut ObservedContainer {
    host.containers.iter_mut().find(|container| container.name == name).expect("a container that is there")
}

fn made(spec: &lighter_engine::ContainerSpec) -> ObservedContainer {
    let mut spec = spec.clone();
    for mount in &mut spec.mounts {
        if let MountKind::Volume { name, anonymous: true, .. } = &mut mount.kind
            && name.is_empty()
        {
            *name = format!("anonymous-of-{}", spec.name);
        }
    }
    let label = |name: &str| spec.labels.get(name).cloned().unwrap_or_default();
    ObservedContainer {
        id: format!("id-{}", spec.name),
        name: spec.name.clone(),
        service: label(names::SERVICE),
        number: label(names::CONTAINER_NUMBER).parse().unwrap_or(0),
        oneoff: label(names::ONEOFF) == "True",
        config_hash: label(names::CONFIG_HASH),
        status: Status::Created,
        health: None,
        exit_code: None,
        depends_on: depends_on(&label(names::DEPENDS_ON)),
        spec,
    }
}

fn depends_on(label: &str) -> BTreeMap<String, Dependency> {
    let one = |text: &str| {
        let (name, rest) = text.split_once(':')?;
        let (condition, restart) = rest.split_once(':')?;
        let condition = Condition::from_word(condition)?;
        Some((name.to_owned(), Dependency { condition, required: true, restart: restart == "true" }))
    };
    label.split(',').filter_map(one).collect()
}
