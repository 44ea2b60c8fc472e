//! Failures only: what is unpacked well is tested with the extractor and end to end. Root, for the directory's owner.

use std::io::Write;

use super::*;

/// Hands out a blob in pieces, then fails if told to.
struct Pieces {
    pieces: Vec<Bytes>,
    is_broken: bool,
}

impl Pieces {
    fn of(blob: &[u8]) -> Pieces {
        let pieces = blob.chunks(100).rev().map(Bytes::copy_from_slice).collect();
        Pieces { pieces, is_broken: false }
    }
}

impl Source for Pieces {
    type Error = &'static str;

    fn next(&mut self) -> Result<Option<Bytes>, &'static str> {
        match self.pieces.pop() {
            None if self.is_broken => Err("broken"),
            piece => Ok(piece),
        }
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Runs `source` as a blob that should have the digest and size of `blob` and, plain, the digest of `plain`.
fn run_as(blob: &[u8], plain: &[u8], source: &mut Pieces) -> (Result<Outcome, PipelineError<&'static str>>, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let root = std::fs::File::open(directory.path()).unwrap().into();
    let (digest, diff_id) = (Digest::of(blob), Digest::of(plain));
    let (blob, diff_id) = (Expected { digest: &digest, size: blob.len() as u64 }, &diff_id);
    let mut copy = Vec::new();
    let job = Job { blob, compression: Compression::Gzip, diff_id, root, below: &|| Ok(Below::Unknown) };
    let result = run(job, source, &mut |piece| {
        copy.extend_from_slice(piece);
        Ok(())
    });
    (result, copy)
}

/// An archive whose only entry needs the layers below, followed by much else.
fn needing_archive() -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path("absent/file").unwrap();
    header.set_size(0);
    header.set_cksum();
    [header.as_bytes(), &[0; 300_000][..]].concat()
}

#[test]
#[ignore = "needs root"]
fn a_layer_that_needs_others_still_comes_whole() {
    let blob = gzip(&needing_archive());
    let (result, copy) = run_as(&blob, b"", &mut Pieces::of(&blob));
    assert_eq!(result.unwrap(), Outcome::NeedsBelow);
    assert_eq!(copy, blob);
}

#[test]
#[ignore = "needs root"]
fn damage_is_called_damage_whatever_else_it_breaks() {
    let blob = gzip(&needing_archive());
    let mut flipped = blob.clone();
    flipped[5000] ^= 1;
    let mut broken_header = blob.clone();
    broken_header[0] ^= 1;
    for damaged in [flipped, broken_header] {
        let (result, _) = run_as(&blob, b"", &mut Pieces::of(&damaged));
        let actual = Digest::of(&damaged);
        assert!(matches!(result, Err(PipelineError::Corrupt(CorruptBlob::Digest { actual: seen })) if seen == actual));
    }
    let (result, _) = run_as(&blob, b"", &mut Pieces::of(&blob[..200]));
    let expected = blob.len() as u64;
    assert!(
        matches!(result, Err(PipelineError::Corrupt(short)) if short == CorruptBlob::Shorter { expected, actual: 200 })
    );
    let (result, copy) = run_as(&blob, b"", &mut Pieces::of(&[&blob[..], b"more"].concat()));
    assert!(matches!(result, Err(PipelineError::Corrupt(CorruptBlob::Longer { .. }))));
    assert!(copy.len() <= blob.len(), "nothing beyond the announced size is written");
}

#[test]
#[ignore = "needs root"]
fn a_source_that_fails_is_the_cause() {
    let blob = gzip(&needing_archive());
    let mut source = Pieces { is_broken: true, ..Pieces::of(&blob[..1000]) };
    let (result, copy) = run_as(&blob, b"", &mut source);
    assert!(matches!(result, Err(PipelineError::Source("broken"))));
    assert_eq!(copy.len(), 1000);
}

#[test]
#[ignore = "needs root"]
fn a_blob_that_is_right_and_no_archive_is_told_from_a_damaged_one() {
    let not_compressed = vec![7; 5000];
    let (result, _) = run_as(&not_compressed, b"", &mut Pieces::of(&not_compressed));
    assert!(matches!(result, Err(PipelineError::Inflate(_))), "{result:?}");
    let no_archive = gzip(&[7; 5000]);
    let (result, _) = run_as(&no_archive, b"", &mut Pieces::of(&no_archive));
    assert!(matches!(result, Err(PipelineError::Unpack(UnpackError::Archive(_)))), "{result:?}");
}
