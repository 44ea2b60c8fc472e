//! A service.

use super::shape::{Field, Object, Repeats, Shape};
use super::{build, deploy};

const TEXTS: Shape = Shape::List(&Shape::Text, Repeats::Refuse);
const LABELS: Shape = Shape::KeyValues { empty: true };

/// Every attribute of a service.
pub(crate) static FIELDS: Object = Object::new(&[
    Field::new("annotations", LABELS),
    Field::kept("attach", Shape::Boolean),
    Field::kept("build", Shape::ShortOr("context", &build::FIELDS)),
    Field::new("blkio_config", Shape::Object(&BLKIO)).refused(),
    Field::new("cap_add", Shape::List(&Shape::Text, Repeats::Replace)),
    Field::new("cap_drop", Shape::List(&Shape::Text, Repeats::Replace)),
    Field::new("cgroup", Shape::Word(&["host", "private"])),
    Field::new("cgroup_parent", Shape::Text).refused(),
    Field::kept("command", Shape::Command),
    Field::new("configs", Shape::List(&Shape::ShortOr("source", &FILE_GRANT), Repeats::Replace)),
    Field::new("container_name", Shape::Text),
    Field::new("cpu_count", Shape::Integer).refused(),
    Field::new("cpu_percent", Shape::Integer).refused(),
    Field::new("cpu_period", Shape::Integer),
    Field::new("cpu_quota", Shape::Integer),
    Field::new("cpu_rt_period", Shape::Integer).refused(),
    Field::new("cpu_rt_runtime", Shape::Integer).refused(),
    Field::new("cpu_shares", Shape::Integer),
    Field::new("cpus", Shape::Number),
    Field::new("cpuset", Shape::Text),
    Field::kept("credential_spec", Shape::Object(&CREDENTIAL_SPEC)).refused(),
    Field::new("depends_on", Shape::NamesOr(&Shape::Object(&DEPENDENCY))),
    Field::kept("deploy", Shape::NullOr(&deploy::FIELDS)),
    Field::new("develop", Shape::NullOr(&DEVELOP)),
    Field::new("device_cgroup_rules", TEXTS).refused(),
    Field::new("devices", Shape::List(&Shape::Device, Repeats::Replace)),
    Field::new("dns", Shape::TextOrList(Repeats::Replace)),
    Field::new("dns_opt", Shape::TextOrList(Repeats::Replace)),
    Field::new("dns_search", Shape::TextOrList(Repeats::Replace)),
    Field::new("domainname", Shape::Text),
    Field::kept("entrypoint", Shape::Command),
    Field::new("env_file", Shape::EnvFiles),
    Field::new("environment", Shape::KeyValues { empty: false }),
    Field::new("expose", Shape::List(&Shape::TextOrNumber, Repeats::Replace)),
    Field::new("extends", Shape::ShortOr("service", &EXTENDS)),
    Field::new("external_links", TEXTS).refused(),
    Field::new("extra_hosts", Shape::ExtraHosts),
    Field::new("gpus", Shape::Gpus).refused(),
    Field::new("group_add", Shape::List(&Shape::TextOrNumber, Repeats::Refuse)),
    Field::kept("healthcheck", Shape::Object(&HEALTHCHECK)),
    Field::new("hostname", Shape::Text),
    Field::new("image", Shape::Text),
    Field::kept("init", Shape::Boolean),
    Field::new("ipc", Shape::Text),
    Field::new("isolation", Shape::Text).refused(),
    Field::new("label_file", Shape::TextOrList(Repeats::Keep)),
    Field::new("labels", LABELS),
    Field::new("links", Shape::List(&Shape::Text, Repeats::Replace)).refused(),
    Field::kept("logging", Shape::Logging),
    Field::new("mac_address", Shape::Text).refused(),
    Field::new("mem_limit", Shape::Size),
    Field::new("mem_reservation", Shape::Size),
    Field::new("mem_swappiness", Shape::Integer).refused(),
    Field::new("memswap_limit", Shape::Size),
    Field::new("models", Shape::NamesOr(&Shape::NullOr(&MODEL_GRANT))).refused(),
    Field::new("network_mode", Shape::Text),
    Field::new("networks", Shape::NamesOr(&Shape::NullOr(&ENDPOINT))),
    Field::new("oom_kill_disable", Shape::Boolean),
    Field::new("oom_score_adj", Shape::Integer),
    Field::new("pid", Shape::Text),
    Field::new("pids_limit", Shape::Integer),
    Field::new("platform", Shape::Text),
    Field::new("ports", Shape::List(&Shape::Port, Repeats::Replace)),
    Field::new("post_start", Shape::List(&Shape::Object(&HOOK), Repeats::Keep)).refused(),
    Field::new("pre_start", Shape::List(&Shape::Object(&INIT_HOOK), Repeats::Keep)).refused(),
    Field::new("pre_stop", Shape::List(&Shape::Object(&HOOK), Repeats::Keep)).refused(),
    Field::new("privileged", Shape::Boolean),
    Field::new("profiles", Shape::List(&Shape::Text, Repeats::Replace)),
    Field::kept("provider", Shape::Object(&PROVIDER)).refused(),
    Field::new("pull_policy", Shape::Text),
    Field::new("pull_refresh_after", Shape::Text).meaningless(),
    Field::new("read_only", Shape::Boolean),
    Field::new("restart", Shape::Text),
    Field::new("runtime", Shape::Text).refused(),
    Field::kept("scale", Shape::Integer),
    Field::new("secrets", Shape::List(&Shape::ShortOr("source", &FILE_GRANT), Repeats::Replace)),
    Field::new("security_opt", TEXTS),
    Field::new("shm_size", Shape::Size),
    Field::new("stdin_open", Shape::Boolean),
    Field::kept("stop_grace_period", Shape::Duration),
    Field::new("stop_signal", Shape::Text),
    Field::new("storage_opt", Shape::TextMap).refused(),
    Field::new("sysctls", LABELS),
    Field::new("tmpfs", Shape::TextOrList(Repeats::Replace)),
    Field::new("tty", Shape::Boolean),
    Field::new("ulimits", Shape::Ulimits),
    Field::new("use_api_socket", Shape::Boolean).refused(),
    Field::new("user", Shape::Text),
    Field::new("userns_mode", Shape::Text).refused(),
    Field::new("uts", Shape::Text),
    Field::new("volumes", Shape::List(&Shape::Mount, Repeats::Replace)),
    Field::new("volumes_from", TEXTS).refused(),
    Field::new("working_dir", Shape::Text),
]);

static BLKIO: Object = Object {
    extensions: false,
    ..Object::new(&[
        Field::new("device_read_bps", Shape::List(&Shape::Object(&BLKIO_RATE), Repeats::Keep)),
        Field::new("device_read_iops", Shape::List(&Shape::Object(&BLKIO_RATE), Repeats::Keep)),
        Field::new("device_write_bps", Shape::List(&Shape::Object(&BLKIO_RATE), Repeats::Keep)),
        Field::new("device_write_iops", Shape::List(&Shape::Object(&BLKIO_RATE), Repeats::Keep)),
        Field::new("weight", Shape::Integer),
        Field::new("weight_device", Shape::List(&Shape::Object(&BLKIO_WEIGHT), Repeats::Keep)),
    ])
};

static BLKIO_RATE: Object =
    Object { extensions: false, ..Object::new(&[Field::new("path", Shape::Text), Field::new("rate", Shape::Size)]) };

static BLKIO_WEIGHT: Object = Object {
    extensions: false,
    ..Object::new(&[Field::new("path", Shape::Text), Field::new("weight", Shape::Integer)])
};

static CREDENTIAL_SPEC: Object = Object::new(&[
    Field::new("config", Shape::Text),
    Field::new("file", Shape::Text),
    Field::new("registry", Shape::Text),
]);

static DEPENDENCY: Object = Object {
    required: &["condition"],
    ..Object::new(&[
        Field::new("condition", Shape::Word(&["service_started", "service_healthy", "service_completed_successfully"])),
        Field::kept("required", Shape::Boolean),
        Field::new("restart", Shape::Boolean),
    ])
};

static DEVELOP: Object = Object::new(&[Field::new("watch", Shape::List(&Shape::Object(&WATCH), Repeats::Keep))]);

static WATCH: Object = Object {
    required: &["path", "action"],
    ..Object::new(&[
        Field::new("action", Shape::Word(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"])),
        Field::new("exec", Shape::Object(&HOOK)),
        Field::new("ignore", Shape::TextOrList(Repeats::Keep)),
        Field::new("include", Shape::TextOrList(Repeats::Keep)),
        Field::new("initial_sync", Shape::Boolean),
        Field::new("path", Shape::Path),
        Field::new("target", Shape::Text),
    ])
};

pub(super) static DEVICE: Object = Object {
    required: &["source"],
    ..Object::new(&[
        Field::new("source", Shape::Text),
        Field::new("target", Shape::Text),
        Field::new("permissions", Shape::Text),
    ])
};

pub(super) static ENV_FILE: Object = Object {
    fields: &[
        Field::new("path", Shape::Path),
        Field::new("format", Shape::Text),
        Field::kept("required", Shape::Boolean),
    ],
    required: &["path"],
    extensions: false,
};

static EXTENDS: Object = Object {
    fields: &[Field::new("service", Shape::Text), Field::new("file", Shape::Path)],
    required: &["service"],
    extensions: false,
};

/// A config or secret in a service, and a secret in a build.
pub(super) static FILE_GRANT: Object = Object::new(&[
    Field::new("source", Shape::Text),
    Field::new("target", Shape::Text),
    Field::new("uid", Shape::Text),
    Field::new("gid", Shape::Text),
    Field::kept("mode", Shape::OctalText),
]);

static HEALTHCHECK: Object = Object::new(&[
    Field::new("disable", Shape::Boolean),
    Field::kept("interval", Shape::Duration),
    Field::kept("retries", Shape::Integer),
    Field::kept("start_interval", Shape::Duration),
    Field::kept("start_period", Shape::Duration),
    Field::new("test", Shape::Probe),
    Field::kept("timeout", Shape::Duration),
]);

static HOOK: Object = Object::new(&HOOK_FIELDS);

const HOOK_FIELDS: [Field; 5] = [
    Field::kept("command", Shape::Command),
    Field::new("environment", Shape::KeyValues { empty: false }),
    Field::new("privileged", Shape::Boolean),
    Field::new("user", Shape::Text),
    Field::new("working_dir", Shape::Text),
];

static INIT_HOOK: Object = Object::new(&[
    Field::kept("command", Shape::Command),
    Field::new("environment", Shape::KeyValues { empty: false }),
    Field::new("image", Shape::Text),
    Field::new("per_replica", Shape::Boolean),
    Field::new("privileged", Shape::Boolean),
    Field::new("user", Shape::Text),
    Field::new("working_dir", Shape::Text),
]);

pub(super) static LOGGING: Object =
    Object::new(&[Field::new("driver", Shape::Text), Field::new("options", Shape::TextMap)]);

static MODEL_GRANT: Object =
    Object::new(&[Field::new("endpoint_var", Shape::Text), Field::new("model_var", Shape::Text)]);

static ENDPOINT: Object = Object::new(&[
    Field::new("aliases", Shape::List(&Shape::Text, Repeats::Replace)),
    Field::new("driver_opts", Shape::TextMap).refused(),
    Field::new("gw_priority", Shape::StrictNumber),
    Field::new("interface_name", Shape::Text).refused(),
    Field::new("ipv4_address", Shape::Text),
    Field::new("ipv6_address", Shape::Text).refused(),
    Field::new("link_local_ips", Shape::List(&Shape::Text, Repeats::Replace)).refused(),
    Field::new("mac_address", Shape::Text),
    Field::new("priority", Shape::StrictNumber),
]);

pub(super) static PORT: Object = Object::new(&[
    Field::new("app_protocol", Shape::Text),
    Field::new("host_ip", Shape::Text),
    Field::new("mode", Shape::Text),
    Field::new("name", Shape::Text),
    Field::new("protocol", Shape::Text),
    Field::new("published", Shape::TextOrNumber),
    Field::new("target", Shape::Integer),
]);

static PROVIDER: Object = Object {
    required: &["type"],
    ..Object::new(&[Field::new("type", Shape::Text), Field::new("options", Shape::Any)])
};

pub(super) static MOUNT: Object = Object {
    required: &["type"],
    ..Object::new(&[
        Field::kept("bind", Shape::Object(&MOUNT_BIND)),
        Field::new("consistency", Shape::Text).meaningless(),
        Field::kept("image", Shape::Object(&MOUNT_IMAGE)),
        Field::new("read_only", Shape::Boolean),
        Field::new("source", Shape::Text),
        Field::new("target", Shape::Text),
        Field::kept("tmpfs", Shape::Object(&MOUNT_TMPFS)),
        Field::new("type", Shape::Word(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"])),
        Field::kept("volume", Shape::Object(&MOUNT_VOLUME)),
    ])
};

static MOUNT_BIND: Object = Object::new(&[
    Field::kept("create_host_path", Shape::Boolean),
    Field::new("propagation", Shape::Text),
    Field::new("recursive", Shape::Word(&["enabled", "disabled", "writable", "readonly"])),
    Field::new("selinux", Shape::Word(&["z", "Z"])).meaningless(),
]);

static MOUNT_IMAGE: Object = Object::new(&[Field::new("subpath", Shape::Text)]);

static MOUNT_TMPFS: Object = Object::new(&[Field::new("mode", Shape::OctalNumber), Field::new("size", Shape::Size)]);

static MOUNT_VOLUME: Object = Object::new(&[
    Field::new("labels", LABELS).refused(),
    Field::new("nocopy", Shape::Boolean),
    Field::new("subpath", Shape::Text),
]);
