//! Pulls.

use std::fs;
use std::thread;

use lighter_images::digest::Digest;
use lighter_images::platform::Platform;
use lighter_images::progress::Silent;
use lighter_images::pull::{pull, tags};
use lighter_images::store::{Removed, StoreError};

use crate::image::{INDEX, Layer, MANIFEST, Packing, manifest, noise, publish};
use crate::mock::{Asked, Fault, Registry};
use crate::{Scene, Watcher, reference, shown, two_layers};

#[test]
#[ignore = "needs root"]
fn an_image_comes_whole_and_a_second_pull_asks_one_question_only() {
    let scene = Scene::new();
    let layers = [
        Layer::of(&[("etc/", b""), ("etc/motd", b"hello")], Packing::Gzip),
        Layer::of(&[("plain", b"p")], Packing::Plain),
        Layer::of(&[("etc/", b""), ("etc/zstd", b"z")], Packing::Zstd),
    ];
    let digest = publish(&scene.registry, "a/b", "1", &layers);
    let image = scene.pull("a/b:1").unwrap();
    let found = scene.store.layers(&image).unwrap();
    assert_eq!(fs::read_to_string(found[2].join("etc/motd")).unwrap(), "hello");
    assert_eq!(fs::read_to_string(found[0].join("etc/zstd")).unwrap(), "z");
    assert_eq!(image.references, [reference(&scene.name("a/b:1"))]);
    assert_eq!(image.repo_digests, [format!("{}@{digest}", scene.name("a/b"))]);
    assert_eq!((image.manifest.clone(), image.size), (digest.clone(), 7));
    assert_eq!(image.healthcheck.unwrap().test, ["CMD", "true"]);
    let asked = scene.registry.asked("").len();
    let watcher = Watcher::default();
    pull(&scene.store, &reference(&scene.name("a/b:1")), &scene.options, &watcher).unwrap();
    let questions = scene.registry.asked("").split_off(asked);
    assert_eq!(questions.iter().map(|asked| asked.method.as_str()).collect::<Vec<_>>(), ["HEAD"]);
    assert_eq!(watcher.0.into_inner().unwrap(), ["Resolved", "LayerWaiting", "LayerExists", "Done"]);
    scene.pull(&format!("a/b@{digest}")).unwrap();
    assert_eq!(scene.registry.asked("").len(), asked + 1, "what a digest means is known");
    let by_digest = scene.store.find(&format!("{}@{digest}", scene.name("a/b"))).unwrap().unwrap();
    assert_eq!(by_digest.id, image.id);
    assert_eq!(scene.store.list().unwrap().len(), 1);
}

#[test]
#[ignore = "needs root"]
fn the_image_for_the_platform_is_chosen_and_the_index_digest_is_kept() {
    let mut scene = Scene::new();
    let entry = |architecture: &str| {
        let layer = Layer::of(&[("arch", architecture.as_bytes())], Packing::Gzip);
        let text = manifest(&scene.registry, "a", &[layer], architecture).to_string();
        let digest = scene.registry.manifest("a", "unused", MANIFEST, text.as_bytes());
        format!(
            r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":{},"platform":{{"os":"linux","architecture":"{architecture}"}}}}"#,
            text.len()
        )
    };
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{},{}]}}"#, entry("amd64"), entry("riscv64"));
    let digest = scene.registry.manifest("a", "1", INDEX, index.as_bytes());
    scene.options.platform = Some("linux/riscv64".parse::<Platform>().unwrap());
    let image = scene.pull("a:1").unwrap();
    assert_eq!(fs::read_to_string(scene.store.layers(&image).unwrap()[0].join("arch")).unwrap(), "riscv64");
    assert_eq!(image.repo_digests, [format!("{}@{digest}", scene.name("a"))]);
    scene.options.platform = Some("linux/s390x".parse::<Platform>().unwrap());
    let error = shown(&scene.pull("a:1").unwrap_err());
    assert!(error.ends_with("has no image for platform linux/s390x; it has linux/amd64, linux/riscv64"), "{error}");
}

#[test]
#[ignore = "needs root"]
fn mirrors_are_tried_in_order_before_the_registry() {
    let mut scene = Scene::new();
    let (empty, full) = (Registry::start(), Registry::start());
    publish(&full, "library/app", "1", &two_layers());
    let (empty_url, full_url) = (format!("http://{}", empty.address), format!("http://{}", full.address));
    scene.configure("docker.io", &["http://127.0.0.1:1", &empty_url, &full_url]);
    let image = pull(&scene.store, &reference("app:1"), &scene.options, &Silent).unwrap();
    assert_eq!(image.references[0].familiar(), "app:1");
    assert_eq!(empty.asked("").len(), 1, "the mirror that served is asked for the blobs");
    scene.configure("127.0.0.1:2", &["http://127.0.0.1:1", &empty_url]);
    let error = shown(&pull(&scene.store, &reference("127.0.0.1:2/app:1"), &scene.options, &Silent).unwrap_err());
    let expected = format!(
        "no registry serves `127.0.0.1:2/app:1`: mirror `http://127.0.0.1:1`: connection refused; \
         mirror `{empty_url}`: not found; registry `http://127.0.0.1:2`: connection refused"
    );
    assert_eq!(error, expected);
}

#[test]
#[ignore = "needs root"]
fn an_unknown_tag_is_named_with_its_repository() {
    let scene = Scene::new();
    publish(&scene.registry, "a/b", "1", &[]);
    let error = shown(&scene.pull("a/b:nope").unwrap_err());
    assert_eq!(error, format!("no such tag `nope` in `{}`", scene.name("a/b")));
    let digest = Digest::of(b"nothing");
    let error = shown(&scene.pull(&format!("a/b@{digest}")).unwrap_err());
    assert_eq!(error, format!("no such manifest `{digest}` in `{}`", scene.name("a/b")));
}

#[test]
#[ignore = "needs root"]
fn a_corrupt_blob_is_named_and_nothing_of_it_is_kept() {
    let layers = two_layers();
    let [first, second] = [layers[0].digest(), layers[1].digest()];
    for (path, what) in [("manifests/1", "manifest"), (first.as_str(), "blob"), (second.as_str(), "blob")] {
        let scene = Scene::new();
        let manifest = publish(&scene.registry, "a", "1", &two_layers());
        scene.registry.fail(path, &[Fault::Flip]);
        let error = shown(&scene.pull("a:1").unwrap_err());
        let digest = if what == "manifest" { manifest.as_str() } else { path };
        assert!(error.starts_with(&format!("{what} `{digest}` ")), "{error}");
        assert!(error.contains("is corrupt: content has digest `sha256:"), "{error}");
        assert!(scene.store.list().unwrap().is_empty());
        let kept = scene.leftovers();
        let is_of_it = |name: &String| name.contains(digest.trim_start_matches("sha256:")) || name.contains(".staging");
        assert!(!kept.iter().any(is_of_it), "{kept:?}");
        scene.pull("a:1").unwrap();
    }
}

#[test]
#[ignore = "needs root"]
fn a_download_goes_on_where_it_broke() {
    let layer = || Layer::of(&[("noise", &noise(300_000))], Packing::Gzip);
    let digest = layer().digest();
    let resumed = [Fault::CutAt(100_000), Fault::CutAt(50_000)];
    let ignored = [Fault::CutAt(100_000), Fault::IgnoreRange];
    for (faults, ranges) in [(resumed, vec![None, Some(100_000), Some(150_000)]), (ignored, vec![None, Some(100_000)])]
    {
        let scene = Scene::new();
        publish(&scene.registry, "a", "1", &[layer()]);
        scene.registry.fail(digest.as_str(), &faults);
        scene.pull("a:1").unwrap();
        let asked: Vec<_> =
            scene.registry.asked("/blobs/").into_iter().filter(|asked| asked.path.ends_with(digest.as_str())).collect();
        let expected: Vec<_> = ranges.iter().map(|start| start.map(|start| format!("bytes={start}-"))).collect();
        assert_eq!(asked.into_iter().map(|asked| asked.range).collect::<Vec<_>>(), expected);
    }
    let scene = Scene::new();
    publish(&scene.registry, "a", "1", &[layer()]);
    scene.registry.fail(digest.as_str(), &[Fault::CutAt(100_000), Fault::WrongRange]);
    let error = shown(&scene.pull("a:1").unwrap_err());
    assert!(error.contains("sends the range `bytes 100001-"), "{error}");
}

#[test]
#[ignore = "needs root"]
fn what_an_interrupted_pull_left_is_not_fetched_again() {
    let scene = Scene::new();
    let layer = Layer::of(&[("noise", &noise(300_000))], Packing::Gzip);
    let (digest, blob) = (layer.digest(), layer.blob.clone());
    publish(&scene.registry, "a", "1", &[layer]);
    let partial = scene.root().join("images/ingest").join(digest.hex());
    fs::write(&partial, &blob[..200_000]).unwrap();
    scene.pull("a:1").unwrap();
    let ranges = |scene: &Scene| {
        let asked = scene.registry.asked(digest.as_str()).into_iter();
        asked.map(|asked| asked.range).collect::<Vec<_>>()
    };
    assert_eq!(ranges(&scene), [Some("bytes=200000-".to_owned())]);
    // Zeros, as a power failure leaves them: found out by the digest, and fetched from the start.
    scene.store.remove(&scene.name("a:1"), false, &|_| None).unwrap();
    fs::write(&partial, vec![0; 200_000]).unwrap();
    scene.pull("a:1").unwrap();
    assert_eq!(ranges(&scene)[1..], [Some("bytes=200000-".to_owned()), None]);
    assert!(!partial.exists());
}

#[test]
#[ignore = "needs root"]
fn a_busy_registry_is_waited_for_as_it_asks() {
    let scene = Scene::new();
    publish(&scene.registry, "a", "1", &[]);
    scene.registry.fail("manifests/1", &[Fault::status(429, "Retry-After: 1"), Fault::status(503, "Retry-After: 0")]);
    scene.pull("a:1").unwrap();
    assert_eq!(scene.registry.asked("manifests/1").len(), 3);
    scene.registry.fail("manifests/1", &[Fault::status(429, "Retry-After: 86400")]);
    let error = shown(&scene.pull("a:1").unwrap_err());
    assert!(error.contains("answers 429 and asks to wait 86400 s"), "{error}");
}

#[test]
#[ignore = "needs root"]
fn a_manifest_without_end_is_cut_off_at_its_limit() {
    let scene = Scene::new();
    scene.registry.serve("/v2/a/manifests/1", MANIFEST, b"");
    scene.registry.fail("manifests/1", &[Fault::Endless]);
    let error = shown(&scene.pull("a:1").unwrap_err());
    assert!(error.contains("answer is longer than 4194304 bytes"), "{error}");
}

#[test]
#[ignore = "needs root"]
fn a_layer_that_leaves_directories_out_is_unpacked_on_those_below() {
    let scene = Scene::new();
    let bottom = || Layer::of(&[("usr/", b""), ("usr/lib/", b""), ("usr/lib/a", b"a")], Packing::Gzip);
    let top = || Layer::of(&[("usr/lib/b", b"b")], Packing::Gzip);
    publish(&scene.registry, "a", "1", &[bottom(), top()]);
    let image = scene.pull("a:1").unwrap();
    let layers = scene.store.layers(&image).unwrap();
    assert_eq!(fs::read_to_string(layers[0].join("usr/lib/b")).unwrap(), "b");
    // The same layer at the bottom of another image is another directory, and either stays right.
    publish(&scene.registry, "b", "1", &[top()]);
    let other = scene.pull("b:1").unwrap();
    assert_ne!(other.layers[0], image.layers[1]);
    publish(&scene.registry, "c", "1", &[Layer::of(&[("x", b"x")], Packing::Gzip), top()]);
    let third = scene.pull("c:1").unwrap();
    assert!(third.layers[1] != image.layers[1] && third.layers[1] != other.layers[0]);
    for image in [image, other, third] {
        assert_eq!(scene.store.find(image.id.as_str()).unwrap().unwrap().layers, image.layers);
    }
}

#[test]
#[ignore = "needs root"]
fn pulls_at_once_fetch_a_shared_layer_once() {
    let scene = Scene::new();
    let shared = two_layers();
    for name in ["a", "b", "c"] {
        let own = Layer::of(&[(name, name.as_bytes())], Packing::Gzip);
        let [first, second] = two_layers();
        publish(&scene.registry, name, "1", &[first, second, own]);
    }
    let images = thread::scope(|scope| {
        let pulls: Vec<_> = ["a:1", "b:1", "c:1"].map(|name| scope.spawn(|| scene.pull(name).unwrap())).into();
        pulls.into_iter().map(|pull| pull.join().unwrap()).collect::<Vec<_>>()
    });
    let of_shared = |asked: &Asked| shared.iter().any(|layer| asked.path.ends_with(layer.digest().as_str()));
    assert_eq!(scene.registry.asked("/blobs/").iter().filter(|asked| of_shared(asked)).count(), 2);
    for image in &images {
        assert_eq!(scene.store.layers(image).unwrap().len(), 3);
    }
    assert!(!scene.leftovers().iter().any(|name| name.contains("ingest") || name.contains("leases")));
}

#[test]
#[ignore = "needs root"]
fn removing_the_last_name_deletes_what_no_other_image_has() {
    let scene = Scene::new();
    let [first, second] = two_layers();
    publish(&scene.registry, "a", "1", &two_layers());
    publish(&scene.registry, "b", "1", &[first]);
    let image = scene.pull("a:1").unwrap();
    scene.pull("b:1").unwrap();
    let removed = scene.store.remove(&scene.name("a:1"), false, &|_| None).unwrap();
    assert_eq!(removed[0], Removed::Untagged(scene.name("a:1")));
    assert_eq!(removed[1], Removed::Deleted(image.id.clone()));
    assert_eq!(removed[2], Removed::Deleted(image.layers[1].digest().clone()));
    assert_eq!(removed.len(), 3, "the shared layer stays");
    assert!(!scene.leftovers().iter().any(|name| name.contains(second.digest().hex())));
    let other = scene.store.find(&scene.name("b:1")).unwrap().unwrap();
    assert_eq!(scene.store.layers(&other).unwrap().len(), 1);
    assert!(matches!(scene.store.remove("nothing", false, &|_| None), Err(StoreError::NoSuchImage(_))));
    scene.store.remove(other.id.short(), false, &|_| None).unwrap();
    assert_eq!(scene.leftovers(), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn a_layer_left_by_a_crash_of_the_machine_is_unpacked_again() {
    let scene = Scene::new();
    publish(&scene.registry, "a", "1", &two_layers());
    let image = scene.pull("a:1").unwrap();
    let layer = scene.root().join("layers").join(image.layers[1].digest().hex());
    let record = fs::read_to_string(layer.join("layer.json")).unwrap();
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    fs::write(layer.join("layer.json"), record.replace(boot_id.trim(), "another-boot")).unwrap();
    fs::write(layer.join("fs/usr/noise"), "").unwrap();
    // Without the image that vouches for it, a directory of another boot counts for nothing.
    fs::write(scene.root().join("images/index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    let image = scene.pull("a:1").unwrap();
    let layers = scene.store.layers(&image).unwrap();
    assert_eq!(fs::read(layers[0].join("usr/noise")).unwrap(), noise(300_000));
    fs::remove_dir_all(layers[0].parent().unwrap()).unwrap();
    assert!(matches!(scene.store.layers(&image), Err(StoreError::MissingLayer { .. })));
    let image = scene.pull("a:1").unwrap();
    assert_eq!(scene.store.layers(&image).unwrap().len(), 2);
}

#[test]
#[ignore = "needs root"]
fn a_damaged_image_is_named_and_healed_by_another_pull() {
    let scene = Scene::new();
    publish(&scene.registry, "a", "1", &two_layers());
    let image = scene.pull("a:1").unwrap();
    fs::write(scene.root().join("images/blobs/sha256").join(image.id.hex()), "").unwrap();
    let error = shown(&scene.store.find(&scene.name("a:1")).unwrap_err());
    assert!(error.contains("is damaged") && error.contains("pull the image again"), "{error}");
    assert!(scene.store.list().unwrap().is_empty());
    scene.pull("a:1").unwrap();
    assert_eq!(scene.store.find(&scene.name("a:1")).unwrap().unwrap().id, image.id);
    fs::write(scene.root().join("images/blobs/sha256").join(image.id.hex()), "").unwrap();
    scene.store.remove(&scene.name("a:1"), true, &|_| None).unwrap();
    assert_eq!(scene.leftovers(), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn the_store_is_for_root_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    publish(&scene.registry, "a", "1", &two_layers());
    scene.pull("a:1").unwrap();
    for part in ["", "images", "layers", "images/blobs"] {
        let mode = fs::metadata(scene.root().join(part)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{part}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_manifest_of_dockers_first_schema_is_refused_by_name() {
    let scene = Scene::new();
    let body =
        br#"{"schemaVersion": 1, "name": "a", "tag": "1", "architecture": "amd64", "fsLayers": [], "history": []}"#;
    let media_type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let digest = scene.registry.manifest("a", "1", media_type, body);
    let error = shown(&scene.pull("a:1").unwrap_err());
    let expected = "is of Docker's schema 1, which has no content digests and is not supported";
    assert_eq!(error, format!("manifest `{digest}` {expected}"));
}

#[test]
#[ignore = "needs root"]
fn the_pages_of_a_list_of_tags_are_followed_on_their_own_host_only() {
    let scene = Scene::new();
    let tags = |name: &str| tags(&reference(&scene.name(name)), &scene.options.access, &Silent);
    let link = |target: &str| Fault::Header(format!("Link: <{target}>; rel=\"next\""));
    scene.registry.serve("/v2/a/tags/list", "application/json", br#"{"name": "a", "tags": ["1", "2"]}"#);
    scene.registry.serve("/v2/b/tags/list", "application/json", br#"{"name": "b", "tags": null}"#);
    scene
        .registry
        .fail("/v2/a/tags/list", &[link("/v2/b/tags/list"), link("/v2/a/tags/list"), link("http://127.0.0.1:1/")]);
    assert_eq!((tags("a").unwrap(), tags("b").unwrap()), (vec!["1".to_owned(), "2".to_owned()], vec![]));
    assert_eq!(scene.registry.asked("/tags/list").len(), 3);
    let error = shown(&tags("a").unwrap_err());
    assert!(error.contains("list of tags goes on at another host"), "{error}");
    let error = shown(&tags("c").unwrap_err());
    assert_eq!(error, format!("no such repository `{}`", scene.name("c")));
}

#[test]
#[ignore = "needs root"]
fn a_blob_that_a_mirror_has_wrong_comes_from_the_registry() {
    let layer = || two_layers()[1].digest();
    for is_layer in [true, false] {
        let mut scene = Scene::new();
        let mirror = Registry::start();
        let [manifest, _] = [&scene.registry, &mirror].map(|registry| publish(registry, "a", "1", &two_layers()));
        let digest = if is_layer { layer() } else { mirror.configuration("a", &manifest) };
        let path = format!("/v2/a/blobs/{digest}");
        let wrong = vec![b' '; mirror.content(&path).unwrap().len()];
        mirror.serve(&path, "application/octet-stream", &wrong);
        let address = scene.registry.address.clone();
        scene.configure(&address, &[&format!("http://{}", mirror.address)]);
        let image = scene.pull("a:1").unwrap();
        assert_eq!(fs::read(scene.store.layers(&image).unwrap()[0].join("usr/noise")).unwrap(), noise(300_000));
        assert_eq!((mirror.asked(&path).len(), scene.registry.asked(&path).len()), (1, 1));
        assert!(scene.registry.asked("/manifests/").is_empty(), "for all else the mirror will do");
    }
}
