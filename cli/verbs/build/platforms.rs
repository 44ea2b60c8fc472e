//! `--platform`, `--annotation` and `--provenance`: which images a build makes, and what is said about each.

use std::collections::BTreeMap;

use lighter_engine::images::build::{BuildRequest, IndexOptions, Provenance};
use lighter_engine::images::platform::Platform;

use super::BuildFlags;
use super::request::{fields, pair};
use crate::error::Failure;

/// What is made of one Dockerfile.
#[derive(Debug, Default)]
pub(super) struct Images {
    /// The platforms, each once; empty is this host's alone.
    platforms: Vec<Platform>,
    annotations: Vec<Annotation>,
    provenance: Option<Provenance>,
}

/// Something said about an image or about the index of all of them.
#[derive(Debug, PartialEq, Eq)]
struct Annotation {
    subject: Subject,
    name: String,
    value: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Subject {
    /// Every image's manifest, or that of one platform.
    Manifest(Option<Platform>),
    Index,
}

impl Images {
    /// Reads the flags.
    pub(super) fn of(flags: &BuildFlags) -> Result<Images, Failure> {
        let mut platforms = Vec::new();
        for name in &flags.platform {
            let platform = name.parse()?;
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        }
        let annotations = flags.annotation.iter().map(|text| annotation(text)).collect::<Result<Vec<_>, _>>()?;
        let images = Images { platforms, annotations, provenance: provenance(flags)? };
        match images.annotations.iter().find(|annotation| annotation.subject == Subject::Index) {
            Some(annotation) if !images.have_index() => Err(Failure::text(format!(
                "--annotation `{}`: an image for one platform has no index, so only its manifest can be annotated",
                annotation.name
            ))),
            _ => Ok(images),
        }
    }

    /// Tells whether they are for several platforms.
    pub(super) fn are_several(&self) -> bool {
        self.platforms.len() > 1
    }

    /// Tells whether provenance is wanted.
    pub(super) fn are_attested(&self) -> bool {
        self.provenance.is_some()
    }

    /// Tells whether an index is made.
    pub(super) fn have_index(&self) -> bool {
        self.are_several() || self.are_attested()
    }

    /// Returns what to build, one request for each image.
    pub(super) fn requests(&self, request: &BuildRequest) -> Vec<BuildRequest> {
        let one = |platform: Option<&Platform>| {
            let annotations = self.annotations_of(platform);
            BuildRequest { platform: platform.cloned(), annotations, ..request.clone() }
        };
        match self.platforms.is_empty() {
            true => vec![one(None)],
            false => self.platforms.iter().map(|platform| one(Some(platform))).collect(),
        }
    }

    /// Returns what the index is to say.
    pub(super) fn of_index(&self) -> IndexOptions {
        let annotations = self.select(|subject| *subject == Subject::Index);
        IndexOptions { annotations, provenance: self.provenance.clone() }
    }

    fn annotations_of(&self, platform: Option<&Platform>) -> BTreeMap<String, String> {
        let platform = platform.cloned().unwrap_or_else(Platform::host);
        self.select(|subject| match subject {
            Subject::Manifest(only) => only.as_ref().is_none_or(|only| *only == platform),
            Subject::Index => false,
        })
    }

    fn select(&self, is_meant: impl Fn(&Subject) -> bool) -> BTreeMap<String, String> {
        let meant = self.annotations.iter().filter(|annotation| is_meant(&annotation.subject));
        meant.map(|annotation| (annotation.name.clone(), annotation.value.clone())).collect()
    }
}

/// Reads `--provenance`, and `--attest` of the type `provenance`; the last one counts.
fn provenance(flags: &BuildFlags) -> Result<Option<Provenance>, Failure> {
    let attested = flags.attest.iter().filter(|text| fields(text).get("type") == Some(&"provenance"));
    let texts = attested.chain(&flags.provenance);
    texts.last().map_or(Ok(None), |text| read_provenance(text))
}

fn read_provenance(text: &str) -> Result<Option<Provenance>, Failure> {
    let wrong = |why: &str| Failure::text(format!("--provenance `{text}`: {why}"));
    match text {
        "false" | "0" | "none" => return Ok(None),
        "true" | "1" | "min" | "max" => {
            return Ok(Some(Provenance { is_full: text == "max", ..Provenance::default() }));
        }
        _ => {}
    }
    let (mut provenance, mut is_disabled) = (Provenance::default(), false);
    for (key, value) in fields(text) {
        match (key, value) {
            ("type", "provenance") | ("version", "v1") | ("disabled", "false") => {}
            ("disabled", "true") => is_disabled = true,
            ("mode", "min" | "max") => provenance.is_full = value == "max",
            ("builder-id", id) => id.clone_into(&mut provenance.builder),
            ("mode", _) => return Err(wrong("`mode` is min or max")),
            ("version", _) => return Err(wrong("`version` is v1: of SLSA there is no other here")),
            (other, _) => return Err(wrong(&format!("`{other}` is not supported: use mode, builder-id"))),
        }
    }
    match fields(text).is_empty() {
        true => Err(wrong("use true, false, mode=min or mode=max")),
        false => Ok((!is_disabled).then_some(provenance)),
    }
}

/// Reads `--annotation`, `[SUBJECT:]NAME=VALUE`; a subject is `index`, `manifest` or `manifest[PLATFORM]`.
fn annotation(text: &str) -> Result<Annotation, Failure> {
    let (name, value) = pair("--annotation", text)?;
    let annotation = |subject, name: &str| Ok(Annotation { subject, name: name.to_owned(), value: value.clone() });
    let Some((kind, rest)) = name.split_once(':') else { return annotation(Subject::Manifest(None), &name) };
    let platform = kind.strip_prefix("manifest[").and_then(|kind| kind.strip_suffix(']'));
    match (kind, platform) {
        ("manifest", _) => annotation(Subject::Manifest(None), rest),
        ("index", _) => annotation(Subject::Index, rest),
        (_, Some(platform)) => annotation(Subject::Manifest(Some(platform.parse()?)), rest),
        ("index-descriptor" | "manifest-descriptor", _) => Err(Failure::text(format!(
            "--annotation `{text}`: descriptors are not annotated here, only what they describe: use index or manifest"
        ))),
        // A colon may stand in a name.
        _ => annotation(Subject::Manifest(None), &name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(platforms: &[&str], annotations: &[&str]) -> Result<Images, String> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let flags = BuildFlags { platform: texts(platforms), annotation: texts(annotations), ..BuildFlags::default() };
        Images::of(&flags).map_err(|failure| failure.to_string())
    }

    #[test]
    fn annotations_go_to_all_images_or_to_one_or_to_the_index() {
        let all = ["a=1", "manifest:b=2", "manifest[linux/arm64]:c=3", "index:d=4", "my:e=5"];
        let images = images(&["linux/amd64", "linux/arm64", "linux/amd64"], &all).unwrap();
        let requests = images.requests(&BuildRequest::default());
        let names = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<Vec<_>>().join(" ");
        let of_each: Vec<_> = requests.iter().map(|request| names(&request.annotations)).collect();
        assert_eq!(of_each, ["a b my:e", "a b c my:e"]);
        assert_eq!(names(&images.of_index().annotations), "d");
    }

    #[test]
    fn provenance_is_short_or_full_and_the_last_word_counts() {
        let read = |text: &str| read_provenance(text).map_err(|failure| failure.to_string());
        let made = |is_full, builder: &str| Ok(Some(Provenance { is_full, builder: builder.to_owned() }));
        assert_eq!(read("true"), made(false, ""));
        assert_eq!(read("mode=max,builder-id=https://ci/1"), made(true, "https://ci/1"));
        assert_eq!(read("false"), Ok(None));
        assert_eq!(read("type=provenance,disabled=true"), Ok(None));
        for text in ["yes", "mode=all", "version=v0.2", "reproducible=true", ""] {
            assert!(read(text).is_err(), "{text}");
        }
        let attest = vec!["type=provenance,mode=max".to_owned(), "type=provenance,disabled=true".to_owned()];
        assert_eq!(provenance(&BuildFlags { attest, ..BuildFlags::default() }).unwrap(), None);
    }

    #[test]
    fn one_image_has_no_index() {
        assert!(images(&["linux/amd64"], &["index:a=1"]).unwrap_err().contains("no index"));
        assert!(images(&[], &["manifest-descriptor:a=1"]).is_err());
        assert!(images(&["nonsense"], &[]).is_err());
        assert_eq!(images(&[], &["a=1"]).unwrap().requests(&BuildRequest::default())[0].platform, None);
    }
}
