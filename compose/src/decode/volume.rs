//! The top-level volumes.

use super::reader::{Reader, flag, pairs, text};
use crate::model::Volume;
use crate::yaml::Node;

pub(super) fn read(key: &str, node: &Node, reader: &mut Reader) -> Volume {
    let external = flag(node, "external");
    if let Some(driver) = node.get("driver").filter(|driver| !external && driver.as_text() != Some("local")) {
        let word = driver.as_text().unwrap_or_default();
        reader.refuse(
            driver,
            format!("`volumes.{key}.driver` `{word}` is not supported by lighter: it has `local` only"),
        );
    }
    let options = pairs(node, "driver_opts");
    if let (Err(error), Some(place)) = (lighter_engine::check_volume_options(&options), node.get("driver_opts")) {
        reader.refuse(place, format!("`volumes.{key}.driver_opts`: {error}"));
    }
    Volume {
        key: key.to_owned(),
        name: text(node, "name").unwrap_or_default(),
        external,
        options,
        labels: pairs(node, "labels"),
    }
}
