//! A service.

use super::shape::{Field, Numbers, Object, Repeats, Scalars, Shape};
use super::{build, deploy, words};

const TEXTS: Shape = Shape::List(&Shape::Text, Repeats::Refuse);
const UNITED_TEXTS: Shape = Shape::List(&Shape::Text, Repeats::Replace);
const LABELS: Shape = Shape::KeyValues { empty: true };
const OPTIONS: Shape = Shape::TextMap(Scalars::Numbers);

/// Every attribute of a service.
pub(crate) static FIELDS: Object = Object::new(&[
    Field::new("profiles", UNITED_TEXTS),
    Field::new("annotations", LABELS),
    Field::kept("attach", Shape::Boolean),
    Field::kept("build", Shape::ShortOr("context", &build::FIELDS)),
    Field::kept("develop", Shape::NullOr(&DEVELOP)),
    Field::kept("blkio_config", Shape::Object(&BLKIO)),
    Field::new("cap_add", UNITED_TEXTS),
    Field::new("cap_drop", UNITED_TEXTS),
    Field::new("cgroup_parent", Shape::Text),
    Field::new("cgroup", Shape::Word(&["host", "private"])),
    Field::new("cpu_count", Shape::Between(0, i64::MAX as i128)).refused(),
    Field::new("cpu_percent", Shape::Between(0, 100)).refused(),
    Field::new("cpu_period", Shape::Integer(Numbers::Any)),
    Field::new("cpu_quota", Shape::Integer(Numbers::Any)),
    Field::new("cpu_rt_period", Shape::Integer(Numbers::Any)),
    Field::new("cpu_rt_runtime", Shape::Integer(Numbers::Any)),
    Field::new("cpus", Shape::Number),
    Field::new("cpuset", Shape::Text),
    Field::new("cpu_shares", Shape::Integer(Numbers::Any)),
    Field::kept("command", Shape::Command),
    Field::new("configs", Shape::List(&Shape::ShortOr("source", &FILE_GRANT), Repeats::Replace)),
    Field::new("container_name", Shape::Matching(words::is_container_name, words::CONTAINER_NAME)),
    Field::kept("credential_spec", Shape::Object(&CREDENTIAL_SPEC)).refused(),
    Field::new("depends_on", Shape::NamesOr(&Shape::Object(&DEPENDENCY))),
    Field::kept("deploy", Shape::NullOr(&deploy::FIELDS)),
    Field::new("device_cgroup_rules", TEXTS),
    Field::new("devices", Shape::List(&Shape::Device, Repeats::Replace)),
    Field::new("dns", Shape::TextOrList(Repeats::Replace)),
    Field::new("dns_opt", UNITED_TEXTS),
    Field::new("dns_search", Shape::TextOrList(Repeats::Replace)),
    Field::new("domainname", Shape::Text),
    Field::kept("entrypoint", Shape::Command),
    Field::kept("provider", Shape::Object(&PROVIDER)).refused(),
    Field::new("environment", Shape::KeyValues { empty: false }),
    Field::new("env_file", Shape::EnvFiles),
    Field::new("expose", Shape::List(&Shape::TextOrNumber, Repeats::Replace)),
    Field::new("extends", Shape::ShortOr("service", &EXTENDS)),
    Field::new("external_links", TEXTS),
    Field::new("extra_hosts", Shape::ExtraHosts),
    Field::new("group_add", Shape::List(&Shape::TextOrNumber, Repeats::Refuse)),
    Field::new("gpus", Shape::Gpus),
    Field::new("hostname", Shape::Text),
    Field::kept("healthcheck", Shape::Object(&HEALTHCHECK)),
    Field::new("image", Shape::Text),
    Field::kept("init", Shape::Boolean),
    Field::new("ipc", Shape::Text),
    Field::new("isolation", Shape::Text).refused(),
    Field::new("labels", LABELS),
    Field::new("label_file", Shape::TextOrList(Repeats::Keep)),
    Field::new("links", UNITED_TEXTS),
    Field::kept("logging", Shape::Logging),
    Field::new("mem_limit", Shape::Size(Numbers::Any)),
    Field::new("mem_reservation", Shape::Size(Numbers::Whole)),
    Field::new("memswap_limit", Shape::Size(Numbers::Any)),
    Field::new("mem_swappiness", Shape::Size(Numbers::Whole)),
    Field::new("mac_address", Shape::Text),
    Field::new("models", Shape::NamesOr(&Shape::NullOr(&MODEL_GRANT))).refused(),
    Field::new("network_mode", Shape::Text),
    Field::new("networks", Shape::NamesOr(&Shape::NullOr(&ENDPOINT))),
    Field::new("oom_kill_disable", Shape::Boolean),
    Field::new("oom_score_adj", Shape::Between(-1000, 1000)),
    Field::new("pid", Shape::TextOrNull),
    Field::new("pids_limit", Shape::Integer(Numbers::Any)),
    Field::new("platform", Shape::Text),
    Field::new("ports", Shape::List(&Shape::Port, Repeats::Replace)),
    Field::new("privileged", Shape::Boolean),
    Field::new("pull_policy", Shape::Matching(words::is_pull_policy, words::PULL_POLICY)),
    Field::new("pull_refresh_after", Shape::Text).meaningless("the reference does not read it either").unprinted(),
    Field::new("read_only", Shape::Boolean),
    Field::new("restart", Shape::Text),
    Field::new("runtime", Shape::Text),
    Field::kept("scale", Shape::Integer(Numbers::Whole)),
    Field::new("secrets", Shape::List(&Shape::ShortOr("source", &FILE_GRANT), Repeats::Replace)),
    Field::new("security_opt", TEXTS),
    Field::new("shm_size", Shape::Size(Numbers::Any)),
    Field::new("stdin_open", Shape::Boolean),
    Field::kept("stop_grace_period", Shape::Duration),
    Field::new("stop_signal", Shape::Text),
    Field::new("storage_opt", Shape::TextMap(Scalars::Any)).refused(),
    Field::new("sysctls", LABELS),
    Field::new("tmpfs", Shape::TextOrList(Repeats::Replace)),
    Field::new("tty", Shape::Boolean),
    Field::new("ulimits", Shape::Ulimits),
    Field::new("use_api_socket", Shape::StrictBoolean).refused(),
    Field::new("user", Shape::Text),
    Field::new("userns_mode", Shape::Text),
    Field::new("uts", Shape::Text),
    Field::new("volumes", Shape::List(&Shape::Mount, Repeats::Replace)),
    Field::new("volumes_from", TEXTS),
    Field::new("working_dir", Shape::Text),
    Field::new("pre_start", Shape::List(&Shape::Object(&INIT_HOOK), Repeats::Keep)).refused(),
    Field::new("post_start", Shape::List(&Shape::Object(&HOOK), Repeats::Keep)),
    Field::new("pre_stop", Shape::List(&Shape::Object(&HOOK), Repeats::Keep)),
]);

static BLKIO: Object = Object {
    extensions: false,
    ..Object::new(&[
        Field::new("weight", Shape::Natural(Numbers::Whole)),
        Field::new("weight_device", Shape::List(&Shape::Object(&BLKIO_WEIGHT), Repeats::Keep)),
        Field::new("device_read_bps", Shape::List(&Shape::Object(&BLKIO_RATE), Repeats::Keep)),
        Field::new("device_read_iops", Shape::List(&Shape::Object(&BLKIO_RATE), Repeats::Keep)),
        Field::new("device_write_bps", Shape::List(&Shape::Object(&BLKIO_RATE), Repeats::Keep)),
        Field::new("device_write_iops", Shape::List(&Shape::Object(&BLKIO_RATE), Repeats::Keep)),
    ])
};

static BLKIO_RATE: Object = Object {
    extensions: false,
    ..Object::new(&[Field::kept("path", Shape::Text), Field::kept("rate", Shape::Size(Numbers::Whole))])
};

static BLKIO_WEIGHT: Object = Object {
    extensions: false,
    ..Object::new(&[Field::kept("path", Shape::Text), Field::kept("weight", Shape::Natural(Numbers::Whole))])
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
        Field::new("restart", Shape::Boolean),
        Field::kept("required", Shape::StrictBoolean),
    ])
};

static DEVELOP: Object = Object::new(&[Field::new("watch", Shape::List(&Shape::Object(&WATCH), Repeats::Keep))]);

static WATCH: Object = Object {
    required: &["path", "action"],
    ..Object::new(&[
        Field::kept("path", Shape::Path),
        Field::kept("action", Shape::Word(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"])),
        Field::new("target", Shape::Text),
        Field::new("exec", Shape::Object(&HOOK)),
        Field::new("include", Shape::TextOrList(Repeats::Refuse)),
        Field::new("ignore", Shape::TextOrList(Repeats::Refuse)),
        Field::new("initial_sync", Shape::StrictBoolean),
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
        Field::kept("required", Shape::Boolean),
        Field::new("format", Shape::Text),
    ],
    required: &["path"],
    extensions: false,
};

/// An item of `env_file`.
pub(super) static ENV_FILE_ITEM: Shape = Shape::ShortOr("path", &ENV_FILE);

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
    Field::new("test", Shape::Probe),
    Field::kept("timeout", Shape::Duration),
    Field::kept("interval", Shape::Duration),
    Field::kept("retries", Shape::Natural(Numbers::Any)),
    Field::kept("start_period", Shape::Duration),
    Field::kept("start_interval", Shape::Duration),
    Field::new("disable", Shape::Boolean),
]);

/// A command run in a container at a turn of its life.
pub(crate) static HOOK: Object = Object {
    required: &["command"],
    ..Object::new(&[
        Field::kept("command", Shape::Command),
        Field::new("user", Shape::Text),
        Field::new("privileged", Shape::Boolean),
        Field::new("working_dir", Shape::Text),
        Field::new("environment", Shape::KeyValues { empty: false }),
    ])
};

static INIT_HOOK: Object = Object::new(&[
    Field::kept("command", Shape::Command),
    Field::new("image", Shape::Text),
    Field::new("user", Shape::Text),
    Field::new("privileged", Shape::Boolean),
    Field::new("working_dir", Shape::Text),
    Field::new("environment", Shape::KeyValues { empty: false }),
    Field::new("per_replica", Shape::Boolean),
]);

pub(super) static LOGGING: Object =
    Object::new(&[Field::new("driver", Shape::Text), Field::new("options", Shape::TextMap(Scalars::NumbersOrNull))]);

static MODEL_GRANT: Object =
    Object::new(&[Field::new("endpoint_var", Shape::Text), Field::new("model_var", Shape::Text)]);

static ENDPOINT: Object = Object::new(&[
    Field::new("aliases", UNITED_TEXTS),
    Field::new("driver_opts", OPTIONS),
    Field::new("gw_priority", Shape::StrictNumber),
    Field::new("interface_name", Shape::Text),
    Field::new("ipv4_address", Shape::Text),
    Field::new("ipv6_address", Shape::Text),
    Field::new("link_local_ips", UNITED_TEXTS),
    Field::new("mac_address", Shape::Text),
    Field::new("priority", Shape::StrictNumber),
]);

pub(super) static PORT: Object = Object::new(&[
    Field::new("name", Shape::Text),
    Field::new("mode", Shape::Text),
    Field::new("host_ip", Shape::Text),
    Field::new("target", Shape::Natural(Numbers::Whole)),
    Field::new("published", Shape::TextOrNumber),
    Field::new("protocol", Shape::Text),
    Field::new("app_protocol", Shape::Text),
]);

static PROVIDER: Object = Object {
    required: &["type"],
    ..Object::new(&[Field::new("type", Shape::Text), Field::new("options", Shape::TextsMap)])
};

pub(super) static MOUNT: Object = Object {
    required: &["type"],
    ..Object::new(&[
        Field::new("type", Shape::Word(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"])),
        Field::new("source", Shape::Text),
        Field::new("target", Shape::Text),
        Field::new("read_only", Shape::Boolean),
        Field::new("consistency", Shape::Text).meaningless("a host shares its own files at once"),
        Field::kept("bind", Shape::Object(&MOUNT_BIND)),
        Field::kept("volume", Shape::Object(&MOUNT_VOLUME)),
        Field::kept("tmpfs", Shape::Object(&MOUNT_TMPFS)),
        Field::kept("image", Shape::Object(&MOUNT_IMAGE)),
    ])
};

static MOUNT_BIND: Object = Object::new(&[
    Field::new("selinux", Shape::Word(&["z", "Z"])).meaningless("files are not labelled"),
    Field::new("propagation", Shape::Text),
    Field::kept("create_host_path", Shape::Boolean),
    Field::new("recursive", Shape::Word(&["enabled", "disabled", "writable", "readonly"])),
]);

static MOUNT_IMAGE: Object = Object::new(&[Field::new("subpath", Shape::Text)]);

static MOUNT_TMPFS: Object =
    Object::new(&[Field::new("size", Shape::Size(Numbers::Natural)), Field::new("mode", Shape::OctalNumber)]);

static MOUNT_VOLUME: Object = Object::new(&[
    Field::new("labels", LABELS).refused(),
    Field::new("nocopy", Shape::Boolean),
    Field::new("subpath", Shape::Text),
]);

/// A limit as a mapping.
pub(super) static LIMIT: Object = Object {
    required: &["soft", "hard"],
    ..Object::new(&[
        Field::kept("soft", Shape::Integer(Numbers::Whole)),
        Field::kept("hard", Shape::Integer(Numbers::Whole)),
    ])
};

/// A limit, in either form.
pub(super) static ULIMIT: Shape = Shape::Object(&LIMIT);
