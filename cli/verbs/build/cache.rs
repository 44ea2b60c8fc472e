//! `--cache-from` and `--cache-to`.

use std::collections::BTreeMap;
use std::path::Path;

use lighter_engine::images::build::{CacheExtent, CachePlace};

use super::request::fields;
use crate::error::Failure;

/// A cache that is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) place: CachePlace,
    pub(super) extent: CacheExtent,
}

/// Reads `--cache-from`.
pub(super) fn sources(texts: &[String], here: &Path) -> Result<Vec<CachePlace>, Failure> {
    let source = |text: &String| {
        let wrong = |why: &str| Failure::text(format!("--cache-from `{text}`: {why}"));
        if !text.contains('=') {
            return Ok(CachePlace::Image(text.parse()?)); // as docker reads it
        }
        place(&fields(text), "src", here)?.ok_or_else(|| wrong("use type=local,src=FOLDER or type=registry,ref=IMAGE"))
    };
    texts.iter().map(source).collect()
}

/// Reads `--cache-to`, but for `type=inline`.
pub(super) fn targets(texts: &[String], here: &Path) -> Result<Vec<Target>, Failure> {
    let target = |text: &String| {
        let wrong = |why: &str| Failure::text(format!("--cache-to `{text}`: {why}"));
        let fields = match text.contains('=') {
            true => fields(text),
            false => BTreeMap::from([("type", "registry"), ("ref", text.as_str())]),
        };
        let extent = match fields.get("mode") {
            None | Some(&"max") => CacheExtent::All,
            Some(&"min") => CacheExtent::Result,
            Some(_) => return Err(wrong("`mode` is min or max")),
        };
        let place = place(&fields, "dest", here)?;
        let place = place.ok_or_else(|| wrong("use type=local,dest=FOLDER, type=registry,ref=IMAGE or type=inline"))?;
        Ok(Target { place, extent })
    };
    texts.iter().filter(|text| !is_marked_inline(text)).map(target).collect()
}

/// Tells whether the image is to bring the records of its own steps.
pub(super) fn is_inline(texts: &[String]) -> bool {
    texts.iter().any(|text| is_marked_inline(text))
}

fn is_marked_inline(text: &str) -> bool {
    fields(text).get("type") == Some(&"inline")
}

/// Reads a place; `key` is what a folder is called. `None` if it is none.
fn place(fields: &BTreeMap<&str, &str>, key: &str, here: &Path) -> Result<Option<CachePlace>, Failure> {
    let known = ["type", key, "ref", "mode"];
    if let Some(other) = fields.keys().find(|name| !known.contains(name)) {
        return Err(Failure::text(format!("a cache with `{other}` is not supported")));
    }
    match (fields.get("type"), fields.get(key), fields.get("ref")) {
        (Some(&"local"), Some(folder), None) => Ok(Some(CachePlace::Folder(here.join(folder)))),
        (Some(&"registry"), None, Some(reference)) => Ok(Some(CachePlace::Image(reference.parse()?))),
        (Some(&("local" | "registry")) | None, ..) => Ok(None),
        (Some(other), ..) => Err(Failure::text(format!("a cache of type `{other}` is not supported"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_folders_or_images() {
        let here = Path::new("/here");
        let read = |text: &str| sources(&[text.to_owned()], here).map_err(|failure| failure.to_string());
        let image = |name: &str| CachePlace::Image(name.parse().unwrap());
        assert_eq!(read("type=local,src=c").unwrap(), [CachePlace::Folder("/here/c".into())]);
        assert_eq!(read("type=registry,ref=h:5/a:b").unwrap(), [image("h:5/a:b")]);
        assert_eq!(read("a:b").unwrap(), [image("a:b")]);
        for text in ["type=gha", "type=local", "type=registry,src=x", "type=local,src=a,token=b", "src=x"] {
            assert!(read(text).is_err(), "{text}");
        }
        let written = |text: &str| targets(&[text.to_owned()], here).map_err(|failure| failure.to_string());
        let (place, extent) = (image("a"), CacheExtent::Result);
        assert_eq!(written("type=registry,ref=a,mode=min").unwrap(), [Target { place, extent }]);
        assert_eq!(written("type=inline").unwrap(), []);
        assert!(written("type=local,dest=x,mode=some").is_err() && written("type=local,src=x").is_err());
    }
}
