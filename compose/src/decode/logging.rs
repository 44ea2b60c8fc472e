//! `logging`: lighter keeps logs itself, in the format of `json-file`.

use super::reader::Reader;
use crate::model::Logging;
use crate::units;
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Logging {
    let mut logging = Logging::default();
    let Some(node) = service.get("logging") else { return logging };
    let path = format!("{path}.logging");
    match node.get("driver") {
        None => {}
        Some(driver) => match driver.as_text() {
            Some("none") => logging.none = true,
            Some("json-file" | "local") => {}
            other => {
                let word = other.unwrap_or_default();
                reader.refuse(driver, format!("`{path}.driver` `{word}` is not supported by lighter yet"));
                return logging;
            }
        },
    }
    for option in node.get("options").map_or(&[][..], Node::entries) {
        let path = format!("{path}.options.{}", option.key);
        match option.key.as_str() {
            "max-size" => logging.max_size = reader.parse(Some(&option.value), &path, "a size", units::parse_size),
            "max-file" => logging.max_files = reader.parse(Some(&option.value), &path, "a number from 1", files),
            _ => reader.refuse(&option.value, format!("`{path}` is not supported by lighter yet")),
        }
    }
    logging
}

fn files(text: &str) -> Option<u32> {
    text.parse().ok().filter(|files| *files > 0)
}
