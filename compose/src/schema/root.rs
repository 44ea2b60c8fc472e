//! The top level, and the things that services share.

use super::shape::{Field, Object, Repeats, Scalars, Shape};

const LABELS: Shape = Shape::KeyValues { empty: true };
const OPTIONS: Shape = Shape::TextMap(Scalars::Numbers);

/// The whole document.
pub(crate) static PROJECT: Object = Object::new(&[
    Field::new("version", Shape::Text),
    Field::new("name", Shape::Text),
    Field::new("include", Shape::List(&Shape::ShortOr("path", &INCLUDE), Repeats::Keep)),
    Field::new("services", Shape::Named(&SERVICE)),
    Field::new("networks", Shape::Named(&Shape::NullOr(&NETWORK))),
    Field::new("volumes", Shape::Named(&Shape::NullOr(&VOLUME))),
    Field::new("secrets", Shape::Named(&Shape::Object(&SECRET))),
    Field::new("configs", Shape::Named(&Shape::Object(&CONFIG))),
    Field::new("models", Shape::Named(&Shape::Object(&MODEL))),
]);

/// A service, as an item of `services`.
pub(crate) static SERVICE: Shape = Shape::Object(&super::service::FIELDS);

static INCLUDE: Object = Object {
    fields: &[
        Field::new("path", Shape::TextOrList(Repeats::Keep)),
        Field::new("project_directory", Shape::Path),
        Field::new("env_file", Shape::TextOrList(Repeats::Keep)),
    ],
    required: &["path"],
    extensions: false,
};

static NETWORK: Object = Object::new(&[
    Field::new("name", Shape::Text),
    Field::new("driver", Shape::Text),
    Field::new("driver_opts", OPTIONS),
    Field::new("ipam", Shape::Object(&IPAM)),
    Field::new("external", Shape::External),
    Field::new("internal", Shape::Boolean),
    Field::new("attachable", Shape::Boolean).meaningless("any container of the host can join"),
    Field::new("labels", LABELS),
    Field::kept("enable_ipv4", Shape::Boolean),
    Field::kept("enable_ipv6", Shape::Boolean),
]);

static IPAM: Object = Object::new(&[
    Field::new("driver", Shape::Text),
    Field::new("config", Shape::List(&Shape::Object(&IPAM_POOL), Repeats::Replace)),
    Field::new("options", Shape::TextMap(Scalars::Text)).refused().unprinted(),
]);

static IPAM_POOL: Object = Object::new(&[
    Field::new("subnet", Shape::Text),
    Field::new("gateway", Shape::Text),
    Field::new("ip_range", Shape::Text),
    Field::new("aux_addresses", Shape::TextMap(Scalars::Text)),
]);

static VOLUME: Object = Object::new(&[
    Field::new("name", Shape::Text),
    Field::new("driver", Shape::Text),
    Field::new("driver_opts", OPTIONS),
    Field::new("external", Shape::External),
    Field::new("labels", LABELS),
]);

static CONFIG: Object = Object::new(&[
    Field::new("name", Shape::Text),
    Field::new("file", Shape::Path),
    Field::new("environment", Shape::Text),
    Field::new("content", Shape::Text),
    Field::new("external", Shape::External),
    Field::new("labels", LABELS).meaningless("nothing is kept that could carry them"),
    Field::new("template_driver", Shape::Text).refused(),
]);

static SECRET: Object = Object::new(&[
    Field::new("name", Shape::Text),
    Field::new("file", Shape::Path),
    Field::new("environment", Shape::Text),
    Field::new("external", Shape::External),
    Field::new("labels", LABELS).meaningless("nothing is kept that could carry them"),
    Field::new("driver", Shape::Text).refused(),
    Field::new("driver_opts", OPTIONS).refused(),
    Field::new("template_driver", Shape::Text).refused(),
]);

static MODEL: Object = Object {
    fields: &[
        Field::new("name", Shape::Text),
        Field::new("model", Shape::Text),
        Field::new("context_size", Shape::StrictInteger),
        Field::new("runtime_flags", Shape::List(&Shape::Text, Repeats::Keep)),
    ],
    required: &["model"],
    extensions: true,
};
