//! `build`.

use super::service::FILE_GRANT;
use super::shape::{Field, Object, Repeats, Shape};

const TEXTS: Shape = Shape::List(&Shape::Text, Repeats::Keep);
const KEY_VALUES: Shape = Shape::KeyValues { empty: false };

/// Every attribute of `build`.
pub(super) static FIELDS: Object = Object::new(&[
    Field::new("additional_contexts", Shape::KeyValues { empty: true }),
    Field::new("args", KEY_VALUES),
    Field::new("cache_from", TEXTS),
    Field::new("cache_to", TEXTS),
    Field::new("context", Shape::Text),
    Field::new("dockerfile", Shape::Text),
    Field::new("dockerfile_inline", Shape::Text),
    Field::new("entitlements", TEXTS),
    Field::new("extra_hosts", Shape::ExtraHosts),
    Field::new("isolation", Shape::Text),
    Field::new("labels", Shape::KeyValues { empty: true }),
    Field::new("network", Shape::Text),
    Field::new("no_cache", Shape::Boolean),
    Field::new("no_cache_filter", Shape::TextOrList(Repeats::Keep)),
    Field::new("platforms", TEXTS),
    Field::new("privileged", Shape::Boolean),
    Field::new("provenance", Shape::Scalar),
    Field::new("pull", Shape::Boolean),
    Field::new("sbom", Shape::Scalar),
    Field::new("secrets", Shape::List(&Shape::ShortOr("source", &FILE_GRANT), Repeats::Keep)),
    Field::new("shm_size", Shape::Size),
    Field::new("ssh", KEY_VALUES),
    Field::new("tags", TEXTS),
    Field::new("target", Shape::Text),
    Field::new("ulimits", Shape::Ulimits),
]);
