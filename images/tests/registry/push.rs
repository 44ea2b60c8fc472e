//! Pushes.

use lighter_images::Slots;
use lighter_images::digest::Digest;
use lighter_images::progress::{Progress, Silent};
use lighter_images::pull::pull;
use lighter_images::push::{PushError, PushOptions, Pushed, push};
use lighter_images::reference::Reference;

use crate::image::publish;
use crate::mock::{Fault, Registry};
use crate::{Scene, Watcher, reference, shown, two_layers};

/// Bytes of a request where the registry takes no whole blob; a quarter of the larger layer, and a bit.
const PIECE: usize = 70_000;

/// A scene whose store has `TARGET/a:1`, and the registry `TARGET`, which has nothing yet.
struct Quay {
    scene: Scene,
    target: Registry,
    manifest: Digest,
}

impl Quay {
    fn new() -> Quay {
        let mut scene = Scene::new();
        let target = Registry::start();
        let manifest = publish(&scene.registry, "a", "1", &two_layers());
        scene.configure(&target.address, &[&format!("http://{}", scene.registry.address)]);
        let quay = Quay { scene, target, manifest };
        quay.take("a:1");
        quay
    }

    fn name(&self, rest: &str) -> Reference {
        reference(&format!("{}/{rest}", self.target.address))
    }

    /// Puts an image into the store under a name of the target, without asking that.
    fn take(&self, rest: &str) {
        pull(&self.scene.store, &self.name(rest), &self.scene.options, &Silent).expect("the mirror has it");
    }

    fn push(&self, rest: &str, all_tags: bool, progress: &dyn Progress) -> Result<Vec<Pushed>, PushError> {
        let (access, uploads) = (self.scene.options.access.clone(), Slots::new(2));
        let options = PushOptions { all_tags, platform: None, access, uploads, piece: PIECE as u64 };
        push(&self.scene.store, &self.name(rest), &options, progress)
    }

    /// Asserts that the target has the image as it is here.
    fn arrived(&self) {
        let path = format!("/v2/a/manifests/{}", self.manifest);
        assert_eq!(self.target.content("/v2/a/manifests/1"), self.target.content(&path));
        for layer in two_layers() {
            let path = format!("/v2/a/blobs/{}", layer.digest());
            assert_eq!(self.target.content(&path), Some(layer.blob));
        }
    }

    fn methods(&self, part: &str) -> Vec<String> {
        self.target.asked(part).into_iter().map(|asked| asked.method).collect()
    }
}

#[test]
#[ignore = "needs root"]
fn an_image_arrives_as_it_is_and_a_second_push_sends_no_blob() {
    let quay = Quay::new();
    let pushed = quay.push("a:1", false, &Silent).unwrap();
    assert_eq!((pushed.len(), &pushed[0].digest), (1, &quay.manifest));
    quay.arrived();
    let uploads = quay.methods("/upload").len();
    let watcher = Watcher::default();
    quay.push("a:1", false, &watcher).unwrap();
    assert_eq!(quay.methods("/upload").len(), uploads);
    assert_eq!(watcher.0.into_inner().unwrap(), ["LayerWaiting", "LayerExists", "Pushed"]);
}

#[test]
#[ignore = "needs root"]
fn a_blob_of_a_neighbouring_repository_is_taken_from_there() {
    let quay = Quay::new();
    quay.push("a:1", false, &Silent).unwrap();
    publish(&quay.scene.registry, "b/c", "1", &two_layers());
    quay.take("b/c:1");
    quay.target.require_token(&quay.target.address);
    let uploads = quay.methods("/upload/").len();
    quay.push("b/c:1", false, &Silent).unwrap();
    assert_eq!(quay.methods("/upload/").len(), uploads, "nothing was sent");
    assert!(quay.target.asked("/v2/b/c/blobs/uploads/").iter().all(|asked| asked.path.ends_with("&from=a")));
    let scopes = "/token?service=mock&scope=repository%3Ab%2Fc%3Apull%2Cpush&scope=repository%3Aa%3Apull";
    assert_eq!(quay.target.asked("/token")[0].path, scopes);
}

#[test]
#[ignore = "needs root"]
fn an_upload_that_breaks_goes_on_where_the_registry_is() {
    let quay = Quay::new();
    // The larger layer is the second; which upload it becomes, chance decides.
    for upload in ["/upload/0", "/upload/1", "/upload/2"] {
        quay.target.fail(upload, &[Fault::CutAt(100_000), Fault::status(503, "Retry-After: 0")]);
    }
    quay.push("a:1", false, &Silent).unwrap();
    quay.arrived();
    let resumed: Vec<_> = quay.target.asked("/upload/").into_iter().filter(|asked| asked.method == "PATCH").collect();
    assert_eq!(resumed.len(), 1, "only one blob is that large");
    assert!(resumed[0].range.as_ref().unwrap().starts_with("100000-"), "{:?}", resumed[0].range);
}

#[test]
#[ignore = "needs root"]
fn a_registry_that_forgets_an_upload_gets_it_from_the_start() {
    let quay = Quay::new();
    for upload in ["/upload/0", "/upload/1", "/upload/2"] {
        quay.target.fail(upload, &[Fault::CutAt(10), Fault::status(404, "X: x")]);
    }
    quay.push("a:1", false, &Silent).unwrap();
    quay.arrived();
}

#[test]
#[ignore = "needs root"]
fn a_blob_too_large_for_one_request_goes_in_pieces() {
    let quay = Quay::new();
    quay.target.limit_bodies(100_000);
    quay.push("a:1", false, &Silent).unwrap();
    quay.arrived();
    let pieces = quay.target.asked("/upload/").into_iter().filter(|asked| asked.method == "PATCH");
    let lengths: Vec<_> = pieces.map(|asked| asked.body.len()).collect();
    let size = two_layers()[1].blob.len();
    assert_eq!(lengths, [PIECE, PIECE, PIECE, PIECE, size - 4 * PIECE]);
    // What fits into a piece is not tried in smaller ones.
    let quay = Quay::new();
    quay.target.limit_bodies(10);
    let error = shown(&quay.push("a:1", false, &Silent).unwrap_err());
    assert!(error.contains("push blob `sha256:") && error.contains("answers 413"), "{error}");
    assert_eq!(quay.target.content("/v2/a/manifests/1"), None, "no tag without all that it needs");
}

#[test]
#[ignore = "needs root"]
fn a_neighbour_that_may_not_be_read_is_no_reason_to_fail() {
    let quay = Quay::new();
    publish(&quay.scene.registry, "b", "1", &two_layers());
    quay.take("b:1");
    // The first request of each blob is the one that names the neighbour.
    quay.target.fail("mount", &[Fault::status(403, "X: x"), Fault::status(404, "X: x"), Fault::status(405, "X: x")]);
    quay.push("a:1", false, &Silent).unwrap();
    quay.arrived();
}

#[test]
#[ignore = "needs root"]
fn a_tag_appears_only_when_everything_has_arrived() {
    let quay = Quay::new();
    let digest = two_layers()[1].digest();
    quay.target.fail(digest.as_str(), &[Fault::status(403, "X: x")]);
    let error = shown(&quay.push("a:1", false, &Silent).unwrap_err());
    assert!(error.starts_with(&format!("push blob `{digest}`: registry `http://{}`", quay.target.address)), "{error}");
    assert_eq!(quay.target.content("/v2/a/manifests/1"), None);
}

#[test]
#[ignore = "needs root"]
fn all_tags_of_a_repository_are_pushed_and_a_digest_is_not() {
    let quay = Quay::new();
    for tag in ["2", "latest"] {
        publish(&quay.scene.registry, "a", tag, &two_layers());
        quay.take(&format!("a:{tag}"));
    }
    let mut tags: Vec<_> = quay.push("a", true, &Silent).unwrap();
    tags.sort_by(|one, other| one.reference.cmp(&other.reference));
    let tags: Vec<_> = tags.iter().filter_map(|pushed| pushed.reference.tag()).collect();
    assert_eq!(tags, ["1", "2", "latest"]);
    let error = shown(&quay.push(&format!("a@{}", quay.manifest), false, &Silent).unwrap_err());
    assert!(error.contains("by digest, which cannot be pushed"), "{error}");
    let error = shown(&quay.push("nothing:1", false, &Silent).unwrap_err());
    assert_eq!(error, format!("no such image: `{}`", quay.name("nothing:1")));
}

#[test]
#[ignore = "needs root"]
fn a_blob_that_is_not_here_any_more_is_named_before_anything_is_sent() {
    let quay = Quay::new();
    let digest = two_layers()[1].digest();
    let path = quay.scene.root().join("images/blobs/sha256").join(digest.hex());
    std::fs::remove_file(path).unwrap();
    let error = shown(&quay.push("a:1", false, &Silent).unwrap_err());
    assert!(error.contains(&format!("blob `{digest}` of `{}` is missing", quay.name("a:1").familiar())), "{error}");
    assert!(quay.target.asked("/v2/").is_empty());
}

#[test]
#[ignore = "needs root"]
fn what_was_pushed_is_known_by_the_digest_it_has_there() {
    let quay = Quay::new();
    quay.push("a:1", false, &Silent).unwrap();
    let image = quay.scene.store.find(&quay.name("a:1").familiar()).unwrap().unwrap();
    assert!(image.repo_digests.contains(&format!("{}/a@{}", quay.target.address, quay.manifest)));
    quay.scene.store.remove(&quay.name("a:1").familiar(), false, &|_| None).unwrap();
    assert_eq!(
        quay.push("a:1", false, &Silent).map_err(|error| shown(&error)).unwrap_err(),
        format!("no such image: `{}`", quay.name("a:1"))
    );
}
