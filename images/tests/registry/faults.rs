//! Everything that can go wrong at any place of a pull: it ends complete, or with an error and nothing half-made.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use lighter_images::digest::Digest;

use crate::image::{noise, publish};
use crate::mock::Fault;
use crate::{Scene, shown, two_layers};

/// How long a stalled connection is waited for in these tests.
const STALL: Duration = Duration::from_millis(700);

/// Time within which any of these pulls has to end: five tries with pauses of 7.5 s together, and a quarter of it at most
/// for chance; and as much again for a host that is busy.
const LIMIT: Duration = Duration::from_secs(40);

/// What is fetched in a pull of `two_layers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Manifest,
    Configuration,
    Layer(usize),
}

const PLACES: [Place; 4] = [Place::Manifest, Place::Configuration, Place::Layer(0), Place::Layer(1)];

/// Whether a pull must get over a fault that happens once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cure {
    Asked,
    Impossible,
}

fn faults() -> Vec<(Fault, Cure)> {
    let cuts = [0, 1, 100, 50_000].map(|bytes| (Fault::CutAt(bytes), Cure::Asked));
    let stalls = [0, 100, 50_000].map(|bytes| (Fault::StallAt(bytes), Cure::Asked));
    let statuses = [
        (429, "Retry-After: 0", Cure::Asked),
        (429, "Retry-After: 985µs", Cure::Asked),
        (503, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", Cure::Asked),
        (500, "X: x", Cure::Asked),
        (502, "X: x", Cure::Asked),
        (401, "X: x", Cure::Impossible),
        (403, "X: x", Cure::Impossible),
        (404, "X: x", Cure::Impossible),
        (429, "Retry-After: 86400", Cure::Impossible),
    ];
    let statuses = statuses.map(|(status, headers, cure)| (Fault::status(status, headers), cure));
    let others = [(Fault::Flip, Cure::Impossible)];
    cuts.into_iter().chain(stalls).chain(statuses).chain(others).collect()
}

struct Case {
    scene: Scene,
    place: Place,
    manifest: Digest,
}

impl Case {
    fn new(place: Place) -> Case {
        let mut scene = Scene::new();
        scene.options.access.stall_timeout = STALL;
        let manifest = publish(&scene.registry, "a", "1", &two_layers());
        Case { scene, place, manifest }
    }

    /// The end of the path of what is to fail.
    fn path(&self) -> String {
        match self.place {
            Place::Manifest => "manifests/1".to_owned(),
            Place::Layer(index) => two_layers()[index].digest().to_string(),
            Place::Configuration => self.scene.registry.configuration("a", &self.manifest).to_string(),
        }
    }

    /// Pulls while `faults` happen, and demands that the outcome is one or the other; says which.
    fn pull(&self, faults: &[Fault]) -> bool {
        self.scene.registry.fail(&self.path(), faults);
        let begun = Instant::now();
        let result = self.scene.pull("a:1");
        let what = format!("{:?} {:?}", self.place, faults.first());
        assert!(begun.elapsed() < LIMIT, "{what} took {:?}", begun.elapsed());
        let listed = self.scene.store.list().expect("the index can be read").len();
        match &result {
            Ok(_) => self.is_whole(),
            Err(error) => {
                let text = shown(error);
                assert!(text.contains(&self.scene.registry.address) || text.contains("is corrupt"), "{what}: {text}");
                assert_eq!(listed, 0, "{what}");
            }
        }
        let kept = self.scene.leftovers();
        let half_made = |name: &&String| name.contains("leases/") || name.contains("layers/.");
        assert_eq!(kept.iter().find(half_made), None, "{what}");
        result.is_ok()
    }

    fn is_whole(&self) {
        let image = self.scene.store.find(&self.scene.name("a:1")).expect("whole").expect("it is listed");
        let layers = self.scene.store.layers(&image).expect("all are here");
        assert_eq!(fs::read(layers[0].join("usr/noise")).expect("it is there"), noise(300_000));
        assert_eq!(fs::read(layers[1].join("etc/motd")).expect("it is there"), b"hello");
    }
}

#[test]
#[ignore = "needs root"]
fn a_pull_gets_over_what_happens_once_and_after_anything_else_the_next_one_succeeds() {
    thread::scope(|scope| {
        for place in PLACES {
            for (fault, cure) in faults() {
                scope.spawn(move || {
                    let case = Case::new(place);
                    let succeeded = case.pull(std::slice::from_ref(&fault));
                    assert_eq!(succeeded, cure == Cure::Asked, "{place:?} {fault:?}");
                    assert!(case.pull(&[]), "{place:?} after {fault:?}");
                });
            }
        }
    });
}

#[test]
#[ignore = "needs root"]
fn a_pull_gives_up_what_happens_for_ever_and_leaves_nothing_half_made() {
    let forever = |fault: Fault| vec![fault; 20];
    thread::scope(|scope| {
        for place in PLACES {
            for fault in [Fault::CutAt(0), Fault::StallAt(0), Fault::status(500, "X: x"), Fault::Flip] {
                scope.spawn(move || {
                    let case = Case::new(place);
                    assert!(!case.pull(&forever(fault.clone())), "{place:?} {fault:?}");
                    assert!(case.pull(&[]), "{place:?} after {fault:?}");
                });
            }
        }
    });
}

#[test]
#[ignore = "needs root"]
fn a_blob_that_is_cut_again_and_again_comes_without_a_byte_twice() {
    let case = Case::new(Place::Layer(1));
    let cuts = [1, 1000, 70_000, 33, 100_000, 5, 5, 5, 5, 5, 5];
    assert!(case.pull(&cuts.map(Fault::CutAt)));
    let asked = case.scene.registry.asked(&case.path());
    let starts = asked.iter().map(|asked| match &asked.range {
        Some(range) => range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap(),
        None => 0,
    });
    let sums = [0].into_iter().chain(cuts.iter().scan(0, |sum, cut| {
        *sum += cut;
        Some(*sum)
    }));
    assert_eq!(starts.collect::<Vec<usize>>(), sums.collect::<Vec<_>>());
}
