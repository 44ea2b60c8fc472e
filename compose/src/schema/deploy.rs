//! `deploy`: what of it concerns one host is done, the rest is for a swarm.

use super::shape::{Field, Numbers, Object, Repeats, Shape};

/// Why most of `deploy` has no effect.
const SWARM: &str = "only a swarm of hosts does it";

const TEXTS: Shape = Shape::List(&Shape::Text, Repeats::Keep);
const UNIQUE_TEXTS: Shape = Shape::List(&Shape::Text, Repeats::Refuse);

/// Every attribute of `deploy`.
pub(super) static FIELDS: Object = Object::new(&[
    Field::new("mode", Shape::Text).meaningless(SWARM),
    Field::kept("replicas", Shape::Integer(Numbers::Whole)),
    Field::new("labels", Shape::KeyValues { empty: true }).meaningless(SWARM),
    Field::kept("update_config", Shape::Object(&UPDATE)).meaningless(SWARM),
    Field::kept("rollback_config", Shape::Object(&UPDATE)).meaningless(SWARM),
    Field::new("resources", Shape::Object(&RESOURCES)),
    Field::kept("restart_policy", Shape::Object(&RESTART_POLICY)),
    Field::new("placement", Shape::Object(&PLACEMENT)).meaningless(SWARM),
    Field::new("endpoint_mode", Shape::Text).meaningless(SWARM),
]);

static PLACEMENT: Object = Object::new(&[
    Field::new("constraints", TEXTS),
    Field::new("preferences", Shape::List(&Shape::Object(&PREFERENCE), Repeats::Keep)),
    Field::new("max_replicas_per_node", Shape::Natural(Numbers::Whole)),
]);

static PREFERENCE: Object = Object::new(&[Field::new("spread", Shape::Text)]);

static RESOURCES: Object = Object::new(&[
    Field::kept("limits", Shape::Object(&LIMITS)),
    Field::kept("reservations", Shape::Object(&RESERVATIONS)),
]);

static LIMITS: Object = Object::new(&[
    Field::new("cpus", Shape::Number),
    Field::new("memory", Shape::Size(Numbers::None)),
    Field::new("pids", Shape::Integer(Numbers::Whole)),
]);

static RESERVATIONS: Object = Object::new(&[
    Field::new("cpus", Shape::Number).meaningless(SWARM),
    Field::new("memory", Shape::Size(Numbers::None)),
    Field::new("devices", Shape::List(&Shape::DeviceRequest(&DEVICE_REQUEST), Repeats::Keep)),
    Field::new("generic_resources", Shape::List(&Shape::Object(&GENERIC), Repeats::Keep)).meaningless(SWARM),
]);

static GENERIC: Object = Object::new(&[Field::kept("discrete_resource_spec", Shape::Object(&DISCRETE))]);

static DISCRETE: Object =
    Object::new(&[Field::kept("kind", Shape::Text), Field::kept("value", Shape::Integer(Numbers::Any))]);

static DEVICE_REQUEST: Object = Object { required: &["capabilities"], ..Object::new(&REQUEST_FIELDS) };

/// An item of `gpus`.
pub(super) static GPU: Shape = Shape::DeviceRequest(&GPU_REQUEST);

/// A request for processors, which has the capability `gpu` without saying so.
static GPU_REQUEST: Object = Object::new(&REQUEST_FIELDS);

const REQUEST_FIELDS: [Field; 5] = [
    Field::new("capabilities", UNIQUE_TEXTS),
    Field::new("driver", Shape::Text),
    Field::new("count", Shape::Count),
    Field::new("device_ids", UNIQUE_TEXTS),
    Field::new("options", Shape::KeyValues { empty: true }),
];

static RESTART_POLICY: Object = Object::new(&[
    Field::new("condition", Shape::Text),
    Field::kept("delay", Shape::Duration).meaningless(SWARM),
    Field::kept("max_attempts", Shape::Natural(Numbers::Whole)),
    Field::kept("window", Shape::Duration).meaningless(SWARM),
]);

static UPDATE: Object = Object::new(&[
    Field::kept("parallelism", Shape::Natural(Numbers::Whole)),
    Field::new("delay", Shape::Duration),
    Field::new("failure_action", Shape::Text),
    Field::new("monitor", Shape::Duration),
    Field::new("max_failure_ratio", Shape::Number),
    Field::new("order", Shape::Word(&["start-first", "stop-first"])),
]);
