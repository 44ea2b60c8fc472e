//! `build`.

use super::service::FILE_GRANT;
use super::shape::{Field, Numbers, Object, Repeats, Shape};

const TEXTS: Shape = Shape::List(&Shape::Text, Repeats::Keep);

/// Every attribute of `build`.
pub(super) static FIELDS: Object = Object::new(&[
    Field::new("context", Shape::Text),
    Field::new("dockerfile", Shape::Text),
    Field::new("dockerfile_inline", Shape::Text),
    Field::new("entitlements", TEXTS),
    Field::new("args", Shape::KeyValues { empty: false }),
    Field::new("provenance", Shape::TextOrBoolean),
    Field::new("sbom", Shape::TextOrBoolean),
    Field::new("ssh", Shape::Ssh),
    Field::new("labels", Shape::KeyValues { empty: true }),
    Field::new("cache_from", TEXTS),
    Field::new("cache_to", TEXTS),
    Field::new("no_cache", Shape::Boolean),
    Field::new("no_cache_filter", Shape::TextOrList(Repeats::Refuse)),
    Field::new("additional_contexts", Shape::KeyValues { empty: true }),
    Field::new("pull", Shape::Boolean),
    Field::new("extra_hosts", Shape::ExtraHosts),
    Field::new("isolation", Shape::Text),
    Field::new("network", Shape::Text),
    Field::new("target", Shape::Text),
    Field::new("secrets", Shape::List(&Shape::ShortOr("source", &FILE_GRANT), Repeats::Keep)),
    Field::new("shm_size", Shape::Size(Numbers::Whole)),
    Field::new("tags", Shape::List(&Shape::Text, Repeats::Replace)),
    Field::new("ulimits", Shape::Ulimits),
    Field::new("platforms", TEXTS),
    Field::new("privileged", Shape::Boolean),
]);
