//! What a shape takes, in words.

use super::shape::{Numbers, Shape};

/// Names what must stand there, with its article: "a list".
pub(super) fn expected(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any => "a value",
        Shape::Text | Shape::TextOrNull | Shape::Path | Shape::Word(_) => "a text",
        Shape::Matching(_, words) => words,
        Shape::TextOrNumber => "a text or a number",
        Shape::TextOrBoolean => "a text, true or false",
        Shape::Integer(_) | Shape::Natural(_) | Shape::Between(..) | Shape::Count | Shape::StrictInteger => {
            "a whole number"
        }
        Shape::Number | Shape::StrictNumber => "a number",
        Shape::Boolean | Shape::StrictBoolean => "true or false",
        Shape::Size(Numbers::None) => "a text with a size such as \"512m\"",
        Shape::Size(_) => "a size such as 512m",
        Shape::Duration => "a duration such as 1m30s",
        Shape::OctalText | Shape::OctalNumber => "an octal mode such as \"0444\"",
        Shape::Command | Shape::Probe | Shape::TextOrList(_) => "a text or a list of texts",
        Shape::List(..) => "a list",
        Shape::Named(_) | Shape::TextMap(_) | Shape::TextsMap | Shape::Ulimits => "a mapping",
        Shape::Object(_) | Shape::NullOr(_) | Shape::Logging | Shape::DeviceRequest(_) => "a mapping",
        Shape::NamesOr(_) => "a list of names or a mapping",
        Shape::KeyValues { .. } | Shape::Ssh => "a mapping or a list of KEY=VALUE",
        Shape::ExtraHosts => "a mapping or a list of HOST=ADDRESS",
        Shape::Gpus => "`all` or a list",
        Shape::ShortOr(..) | Shape::Mount | Shape::Device => "a text or a mapping",
        Shape::Port => "a text, a number or a mapping",
        Shape::EnvFiles => "a text or a list",
        Shape::External => "true, false or a mapping",
    }
}
