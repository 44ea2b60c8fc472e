//! `--filter` of `builder du` and `builder prune`: docker's words for what the cache has.

use std::time::{Duration, SystemTime};

use lighter_engine::images::build::CacheEntry;

use crate::error::Failure;
use crate::verbs::run::parse;

/// One condition.
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    /// `until=24h`, `unused-for=24h`.
    UnusedFor(Duration),
    /// `id=` the beginning of an id.
    Id(String),
    /// `type=regular`, a step, or `exec.cachemount`.
    IsMount(bool),
    /// `description=` a part of it.
    Description(String),
}

/// Conditions that all must hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    conditions: Vec<Condition>,
}

impl Filter {
    /// Reads `KEY=VALUE` texts.
    pub(super) fn of(texts: &[String]) -> Result<Filter, Failure> {
        let conditions = texts.iter().map(|text| condition(text)).collect::<Result<_, _>>()?;
        Ok(Filter { conditions })
    }

    /// Tells whether an entry is meant.
    pub(super) fn matches(&self, entry: &CacheEntry) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::UnusedFor(least) => SystemTime::now().duration_since(entry.used).unwrap_or_default() >= *least,
            Condition::Id(beginning) => entry.id.starts_with(beginning.as_str()),
            Condition::IsMount(is_mount) => entry.is_mount == *is_mount,
            Condition::Description(part) => entry.description.contains(part.as_str()),
        })
    }
}

fn condition(text: &str) -> Result<Condition, Failure> {
    let wrong = |why: &str| Failure::text(format!("--filter `{text}`: {why}"));
    let (key, value) = text.split_once('=').ok_or_else(|| wrong("use KEY=VALUE"))?;
    match key {
        "until" | "unused-for" => Ok(Condition::UnusedFor(parse::duration(value)?)),
        "id" => Ok(Condition::Id(value.trim_start_matches("sha256:").to_owned())),
        "description" => Ok(Condition::Description(value.to_owned())),
        "type" => match value {
            "regular" | "step" => Ok(Condition::IsMount(false)),
            "exec.cachemount" | "mount" => Ok(Condition::IsMount(true)),
            _ => Err(wrong("`type` is regular or exec.cachemount")),
        },
        _ => Err(wrong("use until, id, type or description")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Condition, String> {
        condition(text).map_err(|failure| failure.to_string())
    }

    #[test]
    fn filters_have_dockers_words() {
        assert_eq!(read("until=24h"), Ok(Condition::UnusedFor(Duration::from_secs(86400))));
        assert_eq!(read("id=sha256:ab"), Ok(Condition::Id("ab".into())));
        assert_eq!(read("type=exec.cachemount"), Ok(Condition::IsMount(true)));
        assert_eq!(read("description=apt"), Ok(Condition::Description("apt".into())));
        for text in ["until", "until=x", "type=source.local", "inuse=true", ""] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
