//! The cache as an image of a registry: `--cache-to` and `--cache-from`, `type=registry`; and an image that brings the records
//! of its own steps, `type=inline` (adr/0032).
//!
//! Runs in the shell command's process. Either is an image like any other, so that every registry keeps it: its layers are
//! those that the steps gave, and its configuration has the records, which other tools do not look at. A registry that does
//! not have it, or does not answer, costs the cache and not the build.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use super::cache::BlobRecord;
use super::error::StepError;
use super::portable::Steps;
use super::progress::BuildEvent;
use super::session::{Build, shared};
use crate::digest::Digest;
use crate::layer::Compression;
use crate::manifest::{Document, LARGEST_CONFIG, OCI_MANIFEST, descriptor, descriptor_digest, image, select};
use crate::progress::Silent;
use crate::pull::PullError;
use crate::reference::Reference;
use crate::registry::{Outgoing, PIECE, Purpose, RegistryError, Session, Subject, converse};
use crate::store::Needs;

/// The field of a configuration that has the records.
pub(crate) const FIELD: &str = "io.lighter.buildcache";

/// Returns the records that an image brings along, read once a build; none, with a warning, if it cannot be read.
pub(crate) fn steps(build: &Build<'_>, reference: &Reference) -> Result<Arc<Steps>, StepError> {
    shared(&build.remote_caches, reference.familiar(), || {
        let report = build.report(&format!("importing the cache of {}", reference.familiar()));
        let read = read(build, reference);
        report.done(false);
        Ok(read.unwrap_or_else(|error| {
            let text = format!("no cache from `{}`: {error}", reference.familiar());
            build.with.progress.report(BuildEvent::Warning { text: &text });
            Steps::new()
        }))
    })
}

fn read(build: &Build<'_>, reference: &Reference) -> Result<Steps, PullError> {
    let config = talk(build, reference, Purpose::Read, |session| {
        let served = session.manifest(None)?;
        let mut document = Document::parse(&served.bytes, &served.digest, served.media_type.as_deref())?;
        if let Document::Index(index) = &document {
            let child = descriptor_digest(select(index, &served.digest, &build.platform())?)?;
            document = Document::parse(&session.manifest(Some(&child))?.bytes, &child, None)?;
        }
        let Document::Manifest(manifest) = document else { return Err(PullError::TooDeep(served.digest)) };
        let (digest, size) = (descriptor_digest(manifest.config())?, manifest.config().size());
        match size <= LARGEST_CONFIG {
            true => fetch(session, &digest, size),
            false => Err(PullError::TooLarge { digest, size, limit: LARGEST_CONFIG }),
        }
    })??;
    Ok(steps_of(&config))
}

/// Reads the records of a configuration; one that has none, or what is no configuration, has none.
fn steps_of(config: &[u8]) -> Steps {
    let mut config: Value = serde_json::from_slice(config).unwrap_or_default();
    config.get_mut(FIELD).and_then(|field| serde_json::from_value(field.take()).ok()).unwrap_or_default()
}

/// Reads a small blob, and checks it.
fn fetch(session: &Session, digest: &Digest, size: u64) -> Result<Vec<u8>, PullError> {
    let mut blob = session.blob(digest, 0, size);
    let mut bytes = Vec::new();
    while let Some(piece) = blob.next()? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > size {
            break;
        }
    }
    let is_it = Digest::of(&bytes) == *digest;
    Ok(if is_it { bytes } else { Vec::new() })
}

/// Downloads the blob of a layer, unchecked; `None` if it cannot be had.
pub(crate) fn blob(build: &Build<'_>, reference: &Reference, wanted: &BlobRecord) -> Result<Option<File>, StepError> {
    let mut file = build.with.store.blobs().spool()?;
    let came = talk(build, reference, Purpose::Read, |session| {
        let mut blob = session.blob(&wanted.digest, 0, wanted.size);
        while let Some(piece) = blob.next()? {
            file.write_all(&piece).map_err(|error| RegistryError::Setup(error.to_string()))?;
        }
        Ok(())
    });
    Ok(came.and_then(|came| came).ok().map(|()| file))
}

/// Pushes steps as an image.
///
/// # Errors
/// [`StepError::Refused`] with what the registry says.
pub(crate) fn push(build: &Build<'_>, steps: Steps, reference: &Reference) -> Result<(), StepError> {
    let store = build.with.store;
    let report = build.report(&format!("exporting the cache to {}", reference.familiar()));
    let mut layers: Vec<(Digest, BlobRecord)> = Vec::new();
    for carried in steps.values() {
        if let (Some(diff_id), Some(blob)) = (&carried.record.diff_id, &carried.blob)
            && !layers.iter().any(|(other, _)| other == diff_id)
        {
            layers.push((diff_id.clone(), blob.clone()));
        }
    }
    let platform = build.platform();
    let mut config = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|(diff_id, _)| diff_id).collect::<Vec<_>>()},
    });
    config[FIELD] = json!(steps);
    let config = config.to_string().into_bytes();
    let of_layer = |blob: &BlobRecord| descriptor(Compression::Gzip.media_type(), &blob.digest, blob.size);
    let manifest = image(&config, layers.iter().map(|(_, blob)| of_layer(blob)).collect(), &Default::default());
    let own = BlobRecord { digest: Digest::of(&config), size: config.len() as u64 };
    let blobs: Vec<BlobRecord> = layers.into_iter().map(|(_, blob)| blob).chain([own.clone()]).collect();
    let needs = blobs.iter().map(|blob| blob.digest.clone()).collect();
    let (_lease, _) = store.begin(&Needs { blobs: needs, ..Needs::default() })?;
    store.blobs().write(&own.digest, &config)?;
    let sent = talk(build, reference, Purpose::Write { sources: Vec::new() }, |session| {
        session.settle()?;
        for blob in &blobs {
            session.push_blob(Outgoing {
                digest: blob.digest.clone(),
                path: store.blobs().path(&blob.digest),
                size: blob.size,
                source: None,
                is_layer: blob.digest != own.digest,
                piece: PIECE,
            })?;
        }
        session.push_manifest(reference.tag().unwrap_or("latest"), OCI_MANIFEST, manifest)
    });
    let said =
        |error: RegistryError| StepError::Refused(format!("push the cache to `{}`: {error}", reference.familiar()));
    match sent.and_then(|sent| sent) {
        Ok(()) => {
            report.done(false);
            Ok(())
        }
        Err(error) => {
            report.failed();
            Err(said(error))
        }
    }
}

fn talk<T>(
    build: &Build<'_>,
    reference: &Reference,
    purpose: Purpose,
    work: impl FnOnce(&Session) -> T,
) -> Result<T, RegistryError> {
    let subject = Subject { reference: reference.clone(), purpose };
    converse(&subject, &build.request.pull_options.access, &Silent, work)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cache::Record;
    use super::super::portable::Carried;
    use super::*;

    #[test]
    fn records_come_back_from_a_configuration() {
        let record = Record {
            version: 1,
            diff_id: Some(Digest::of(b"layer")),
            created: "2025-01-01T00:00:00Z".to_owned(),
            step: "RUN x".to_owned(),
            size: 1,
            is_durable: false,
        };
        let blob = Some(BlobRecord { digest: Digest::of(b"blob"), size: 1 });
        let steps = Steps::from([(Digest::of(b"key"), Carried { record: record.clone(), blob: blob.clone() })]);
        let read = steps_of(json!({"os": "linux", FIELD: steps}).to_string().as_bytes());
        let carried = &read[&Digest::of(b"key")];
        assert_eq!((&carried.record, &carried.blob), (&record, &blob));
        assert!(steps_of(b"{}").is_empty() && steps_of(b"[1]").is_empty() && steps_of(b"").is_empty());
    }

    proptest! {
        #[test]
        fn any_configuration_is_read(text in "\\PC{0,60}", field in "\\PC{0,40}") {
            let _ = steps_of(text.as_bytes());
            let odd = json!({FIELD: {field: 1}}).to_string();
            prop_assert!(steps_of(odd.as_bytes()).is_empty());
        }
    }
}
