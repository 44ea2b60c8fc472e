//! `--filter` of images: which of them are meant. As docker: values of one key are alternatives, but labels, all of which
//! must be there; different keys must all fit.

use jiff::Timestamp;
use lighter_engine::images::reference::Reference;
use lighter_engine::images::store::{Image, Store};
use regex::Regex;

use super::super::logs::moment;
use super::glob;
use crate::error::Failure;

/// Keys that only looking at images has.
pub(crate) const LOOKING: &[&str] = &["dangling", "label", "label!", "before", "since", "reference", "until"];

/// Keys of what is removed.
pub(crate) const PRUNING: &[&str] = &["until", "label", "label!"];

/// Keys of images that are removed.
pub(crate) const PRUNING_IMAGES: &[&str] = &["dangling", "until", "label", "label!"];

/// Conditions on an image.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    dangling: Option<bool>,
    /// `NAME` or `NAME=VALUE`.
    labels: Vec<String>,
    not_labels: Vec<String>,
    references: Vec<String>,
    /// Made before this.
    before: Option<Timestamp>,
    /// Made after this.
    after: Option<Timestamp>,
}

impl Filter {
    /// Reads `KEY=VALUE` texts, whose keys are among `known`; `before` and `since` name images of `store`.
    pub(crate) fn parse(texts: &[String], known: &[&str], store: &Store) -> Result<Filter, Failure> {
        let mut filter = Filter::default();
        for text in texts {
            let malformed = || Failure::text(format!("--filter `{text}`: use {}=VALUE", known.join("=, ")));
            let (key, value) = text.split_once('=').filter(|(key, _)| known.contains(key)).ok_or_else(malformed)?;
            match key {
                "dangling" => filter.dangling = Some(is_true(value).ok_or_else(malformed)?),
                "label" => filter.labels.push(value.to_owned()),
                "label!" => filter.not_labels.push(value.to_owned()),
                "reference" => filter.references.push(value.to_owned()),
                "until" => filter.is_before(Some(moment(value)?)),
                "before" => filter.is_before(made(&find(store, value)?)),
                "since" => filter.after = filter.after.max(made(&find(store, value)?)),
                _ => return Err(malformed()),
            }
        }
        Ok(filter)
    }

    fn is_before(&mut self, time: Option<Timestamp>) {
        self.before = [self.before, time].into_iter().flatten().min();
    }

    /// Takes away whether only images without a name are meant, if that was said.
    pub(crate) fn take_dangling(&mut self) -> Option<bool> {
        self.dangling.take()
    }

    /// Adds a pattern of names; several are alternatives.
    pub(crate) fn named(&mut self, pattern: &str) {
        self.references.push(pattern.to_owned());
    }

    /// Tells whether the image is meant, whatever its names.
    pub(crate) fn fits(&self, image: &Image) -> bool {
        let made = made(image);
        let is_older = self.before.is_none_or(|before| made.is_some_and(|made| made < before));
        let is_newer = self.after.is_none_or(|after| made.is_some_and(|made| made > after));
        let has = |label: &String| has_label(image, label);
        is_older
            && is_newer
            && self.dangling.is_none_or(|dangling| image.references.is_empty() == dangling)
            && self.labels.iter().all(has)
            && !self.not_labels.iter().any(has)
    }

    /// Tells whether this name of an image is meant; `None` is an image without a name.
    pub(crate) fn fits_name(&self, name: Option<&Reference>) -> bool {
        self.references.is_empty()
            || name.is_some_and(|name| {
                let (whole, repository) = (name.familiar(), name.familiar_name());
                self.references.iter().any(|pattern| glob::fits(pattern, &whole) || glob::fits(pattern, &repository))
            })
    }
}

/// Returns when the image was made, if it says so.
pub(crate) fn made(image: &Image) -> Option<Timestamp> {
    image.config.created().as_ref().and_then(|text| text.parse().ok())
}

fn has_label(image: &Image, wanted: &str) -> bool {
    let labels = image.config.config().as_ref().and_then(|config| config.labels().clone()).unwrap_or_default();
    match wanted.split_once('=') {
        Some((name, value)) => labels.get(name).is_some_and(|own| own == value),
        None => labels.contains_key(wanted),
    }
}

/// Reads a name of a filter, which is a regular expression that a part of the name must fit.
pub(in crate::verbs) fn pattern(text: &str) -> Result<Regex, Failure> {
    Regex::new(text).map_err(|error| Failure::text(format!("--filter `name={text}`: {error}")))
}

/// Reads a truth value of a filter.
pub(in crate::verbs) fn is_true(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" => Some(true),
        "false" | "0" | "f" => Some(false),
        _ => None,
    }
}

fn find(store: &Store, name: &str) -> Result<Image, Failure> {
    store.find(name)?.ok_or_else(|| super::no_such(name))
}
