//! Blobs that are small until they are inflated.

use std::io::{self, Read, Write};

use lighter_images::digest::Digest;
use sha2::{Digest as _, Sha256};

use crate::archive::new;
use crate::ground::{Ground, Layer, Packing, peak_memory};

/// Most that unpacking a bomb may add to the memory of this process, in KiB.
const MEMORY: u64 = 96 * 1024;

/// Packs an archive that is `zeros` bytes longer than what it holds, without ever having it in memory.
fn bomb(packing: Packing, zeros: u64) -> Layer {
    let head = new().file("x", "x").end();
    let mut hasher = Sha256::new();
    let mut plain = head.chain(io::repeat(0).take(zeros));
    let mut piece = vec![0; 1 << 20];
    let mut each = |target: &mut dyn Write| loop {
        let length = plain.read(&mut piece).expect("memory can be read");
        if length == 0 {
            return;
        }
        hasher.update(&piece[..length]);
        target.write_all(&piece[..length]).expect("memory takes it");
    };
    let blob = match packing {
        Packing::Plain => unreachable!("what is not compressed is no bomb"),
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            each(&mut encoder);
            encoder.finish().expect("memory takes it")
        }
        Packing::Zstd => {
            let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("the level is valid");
            each(&mut encoder);
            encoder.finish().expect("memory takes it")
        }
    };
    let diff_id = format!("sha256:{}", hex::encode(hasher.finalize())).parse::<Digest>().expect("a digest");
    Layer { blob, packing, diff_id }
}

#[test]
#[ignore = "needs root"]
fn a_bomb_is_refused_and_costs_no_memory() {
    let ground = Ground::new();
    let layer = bomb(Packing::Zstd, 1200 << 20);
    assert!(layer.blob.len() < 1 << 20, "{} bytes", layer.blob.len());
    let before = peak_memory();
    let error = ground.unpack(&[layer]).unwrap_err();
    assert!(error.contains("inflates to more than 1073741824 bytes"), "{error}");
    assert!(peak_memory() < before + MEMORY, "{} KiB more", peak_memory() - before);
}

#[test]
#[ignore = "needs root"]
fn a_layer_of_zeros_that_is_no_bomb_is_unpacked() {
    let ground = Ground::new();
    for packing in [Packing::Gzip, Packing::Zstd] {
        let layers = ground.unpack(&[bomb(packing, 200 << 20)]).unwrap();
        assert_eq!(crate::tree::lines(&layers[0]), ["f x x"]);
    }
}

#[test]
#[ignore = "needs root"]
fn a_frame_that_wants_a_window_of_gigabytes_is_refused() {
    let ground = Ground::new();
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("the level is valid");
    encoder.long_distance_matching(true).and_then(|()| encoder.window_log(30)).expect("2^30 is valid");
    let archive = new().file("x", "x").end();
    encoder.write_all(&archive).expect("memory takes it");
    let blob = encoder.finish().expect("memory takes it");
    let layer = Layer { blob, packing: Packing::Zstd, diff_id: Digest::of(&archive) };
    let error = ground.unpack(&[layer]).unwrap_err();
    assert!(error.contains("inflate"), "{error}");
}

#[test]
#[ignore = "needs root"]
fn what_is_not_compressed_as_it_says_is_refused() {
    let ground = Ground::new();
    let archive = new().file("x", "x").end();
    let gzip = bomb(Packing::Gzip, 0).blob;
    let cases: Vec<(&str, Vec<u8>, Packing)> = vec![
        ("a plain archive as gzip", archive.clone(), Packing::Gzip),
        ("a plain archive as zstd", archive.clone(), Packing::Zstd),
        ("gzip as zstd", gzip.clone(), Packing::Zstd),
        ("gzip as a plain archive", gzip.clone(), Packing::Plain),
        ("gzip that breaks off", gzip[..gzip.len() - 3].to_vec(), Packing::Gzip),
        ("gzip with noise behind it", [&gzip[..], b"noise"].concat(), Packing::Gzip),
    ];
    for (what, blob, packing) in cases {
        let layer = Layer { blob, packing, diff_id: Digest::of(&archive) };
        assert!(ground.unpack(&[layer]).is_err(), "{what}");
    }
    let other = Layer { blob: archive, packing: Packing::Plain, diff_id: Digest::of(b"another archive") };
    let error = ground.unpack(&[other]).unwrap_err();
    assert!(error.contains("archive has digest"), "{error}");
}
