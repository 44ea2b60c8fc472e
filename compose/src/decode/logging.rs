//! `logging`: drivers and options are the engine's, by the names that Docker has for them.

use std::collections::BTreeMap;

use lighter_engine::{LogOptionError, LogOptions};

use super::reader::Reader;
use crate::model::Logging;
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Logging {
    let Some(node) = service.get("logging") else { return LogOptions::default() };
    let path = format!("{path}.logging");
    let driver = node.get("driver");
    let options = node.get("options").map_or(&[][..], Node::entries);
    let words: BTreeMap<String, String> = options
        .iter()
        .map(|option| (option.key.as_str().to_owned(), option.value.as_text().unwrap_or_default().to_owned()))
        .collect();
    LogOptions::parse(driver.and_then(Node::as_text), &words).unwrap_or_else(|error| {
        let (place, path) = match &error {
            LogOptionError::Driver(_) => (driver, format!("{path}.driver")),
            LogOptionError::Option { option, .. } | LogOptionError::Value { option, .. } => {
                let entry = options.iter().find(|entry| entry.key.as_str() == option);
                (entry.map(|entry| &entry.value), format!("{path}.options.{option}"))
            }
        };
        reader.refuse(place.unwrap_or(node), format!("`{path}`: {error}"));
        LogOptions::default()
    })
}
