//! `deploy`: what of it concerns one host is done, the rest is for a swarm.

use super::shape::{Field, Object, Repeats, Shape};

const TEXTS: Shape = Shape::List(&Shape::Text, Repeats::Keep);

/// Every attribute of `deploy`.
pub(super) static FIELDS: Object = Object::new(&[
    Field::new("endpoint_mode", Shape::Text).meaningless(),
    Field::new("labels", Shape::KeyValues { empty: true }).meaningless(),
    Field::new("mode", Shape::Text).meaningless(),
    Field::kept("placement", Shape::Object(&PLACEMENT)).meaningless(),
    Field::kept("replicas", Shape::Integer),
    Field::kept("resources", Shape::Object(&RESOURCES)),
    Field::kept("restart_policy", Shape::Object(&RESTART_POLICY)),
    Field::kept("rollback_config", Shape::Object(&UPDATE)).meaningless(),
    Field::kept("update_config", Shape::Object(&UPDATE)).meaningless(),
]);

static PLACEMENT: Object = Object::new(&[
    Field::new("constraints", TEXTS),
    Field::new("max_replicas_per_node", Shape::Integer),
    Field::new("preferences", Shape::List(&Shape::Object(&PREFERENCE), Repeats::Keep)),
]);

static PREFERENCE: Object = Object::new(&[Field::new("spread", Shape::Text)]);

static RESOURCES: Object = Object::new(&[
    Field::kept("limits", Shape::Object(&LIMITS)),
    Field::kept("reservations", Shape::Object(&RESERVATIONS)),
]);

static LIMITS: Object = Object::new(&[
    Field::new("cpus", Shape::Number),
    Field::new("memory", Shape::Size),
    Field::new("pids", Shape::Integer),
]);

static RESERVATIONS: Object = Object::new(&[
    Field::new("cpus", Shape::Number).meaningless(),
    Field::new("devices", Shape::List(&Shape::Object(&DEVICE_REQUEST), Repeats::Keep)).refused(),
    Field::new("generic_resources", Shape::List(&Shape::Object(&GENERIC), Repeats::Keep)).meaningless(),
    Field::new("memory", Shape::Size),
]);

static GENERIC: Object = Object::new(&[Field::new("discrete_resource_spec", Shape::Object(&DISCRETE))]);

static DISCRETE: Object = Object::new(&[Field::new("kind", Shape::Text), Field::new("value", Shape::Integer)]);

/// A request for devices, here and as an item of `gpus`.
pub(crate) static DEVICE_REQUEST: Object = Object::new(&[
    Field::new("capabilities", TEXTS),
    Field::new("count", Shape::Count),
    Field::new("device_ids", TEXTS),
    Field::new("driver", Shape::Text),
    Field::new("options", Shape::KeyValues { empty: true }),
]);

static RESTART_POLICY: Object = Object::new(&[
    Field::new("condition", Shape::Text),
    Field::kept("delay", Shape::Duration).meaningless(),
    Field::kept("max_attempts", Shape::Integer),
    Field::kept("window", Shape::Duration).meaningless(),
]);

static UPDATE: Object = Object::new(&[
    Field::new("delay", Shape::Duration),
    Field::new("failure_action", Shape::Text),
    Field::new("max_failure_ratio", Shape::Number),
    Field::new("monitor", Shape::Duration),
    Field::new("order", Shape::Word(&["start-first", "stop-first"])),
    Field::kept("parallelism", Shape::Integer),
]);
