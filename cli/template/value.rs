//! Values as text/template prints and judges them.

use serde_json::Value;

/// Fields that are lists in docker's types, and null where nobody has filled them; Go prints `[]` for those too.
pub(crate) const LISTS: [&str; 26] = [
    "Aliases",
    "Binds",
    "BlkioDeviceReadBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceWriteIOps",
    "CapAdd",
    "CapDrop",
    "Cmd",
    "DNSNames",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Entrypoint",
    "Env",
    "ExecIDs",
    "ExtraHosts",
    "GroupAdd",
    "Links",
    "MaskedPaths",
    "OnBuild",
    "ReadonlyPaths",
    "SecondaryIPAddresses",
    "SecondaryIPv6Addresses",
    "SecurityOpt",
    "Ulimits",
    "VolumesFrom",
];

/// As [`LISTS`], of maps.
const MAPS: [&str; 7] = ["Annotations", "DriverOpts", "ExposedPorts", "Labels", "Sysctls", "Tmpfs", "Volumes"];

/// A value, or `None` where a map has no such key.
pub(super) type Datum = Option<Value>;

/// Returns what Go prints: texts as they are, `[a b]`, `map[key:value]`.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(list) => format!("[{}]", list.iter().map(text_of).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{key}:{}", text_of(value)));
            format!("map[{}]", pairs.collect::<Vec<_>>().join(" "))
        }
    }
}

/// As [`text_of`]; what is not there is `<no value>`.
pub(super) fn shown(datum: &Datum) -> String {
    datum.as_ref().map_or_else(|| "<no value>".to_owned(), text_of)
}

/// As [`shown`], of the field of that name.
pub(super) fn shown_field(name: &str, datum: &Datum) -> String {
    match datum {
        Some(Value::Null) if LISTS.contains(&name) => "[]".to_owned(),
        Some(Value::Null) if MAPS.contains(&name) => "map[]".to_owned(),
        _ => shown(datum),
    }
}

/// Returns whether `if` takes it for true: it is neither nothing nor empty nor zero.
pub(super) fn is_true(datum: &Datum) -> bool {
    match datum {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
    }
}

/// Says what a value is, for a message.
pub(super) fn kind_of(datum: &Datum) -> &'static str {
    match datum {
        None | Some(Value::Null) => "nothing",
        Some(Value::Bool(_)) => "a truth value",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    }
}
