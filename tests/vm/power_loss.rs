//! The plug is pulled while the store changes: during a pull, a load, a commit, a build, a prune; and while a project starts.
//! Afterwards every image that is listed is whole, nothing else is damaged, and pulling again works.
//!
//! The guest is killed: what its kernel has not handed to the disk is lost, what it has handed over is kept, in whatever order
//! that was. Each test has a guest for itself.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::guest::{self, Lighter, pull_the_plug};
use crate::registry::{Content, IMAGE};

/// Boots, pulls until `moment` pulls the plug, and after the next boot looks at what is there.
fn pulled_until(moment: impl Fn(&Content, &Lighter)) {
    let content = Content::make(guest::state().join("registry"));
    let lighter = Lighter::new(&guest::state().join("lighter"));
    if guest::boot() == 1 {
        moment(&content, &lighter);
        panic!("the plug was not pulled");
    }
    content.serve(|_, _, _| {});
    whole(&lighter);
}

/// Asserts that what is listed is whole, and that a pull makes it so if it was not there.
fn whole(lighter: &Lighter) {
    let sums = |lighter: &Lighter| {
        let run = ["run", "--rm", "--network", "none", IMAGE, "sha256sum", "-c", "/sums"];
        lighter.said(run).ok().matches(": OK").count()
    };
    lighter.said(["system", "check"]).ok();
    if !lighter.said(["images", "--quiet"]).ok().is_empty() {
        assert_eq!(sums(lighter), 3, "an image was listed that is not whole");
    }
    lighter.said(["pull", IMAGE]).ok();
    assert_eq!(sums(lighter), 3);
}

#[test]
#[ignore = "needs a virtual machine"]
fn in_the_middle_of_a_layer() {
    pulled_until(|content, lighter| {
        let third = content.layers()[2].clone();
        content.serve(move |digest, sent, size| {
            if digest == third && sent > size / 2 {
                pull_the_plug();
            }
        });
        lighter.said(["pull", IMAGE]);
    });
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_last_byte_was_sent() {
    pulled_until(|content, lighter| {
        let (layers, complete) = (content.layers(), AtomicUsize::new(0));
        content.serve(move |digest, sent, size| {
            let is_complete = sent == size && layers.iter().any(|layer| layer == digest);
            if is_complete && complete.fetch_add(1, Ordering::SeqCst) + 1 == layers.len() {
                pull_the_plug();
            }
        });
        lighter.said(["pull", IMAGE]);
    });
}

/// Pulls the plug as soon as `seen` holds, while a pull runs.
fn as_soon_as(seen: impl Fn(&Lighter) -> bool) {
    pulled_until(|content, lighter| {
        content.serve(|_, _, _| {});
        let mut command = lighter.command(["pull", IMAGE]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        #[expect(clippy::zombie_processes, reason = "the guest ends before the pull does")]
        let mut pull = command.spawn().unwrap();
        while !seen(lighter) {
            assert!(pull.try_wait().unwrap().is_none_or(|status| status.success()), "the pull has failed");
            std::thread::yield_now();
        }
        pull_the_plug();
    });
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_first_layer_has_its_name() {
    as_soon_as(has_layer);
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_image_has_its_name() {
    as_soon_as(is_listed);
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_pull_has_said_that_it_is_done() {
    let lighter = Lighter::new(&guest::state().join("lighter"));
    if guest::boot() == 2 {
        assert_ne!(lighter.said(["images", "--quiet"]).ok(), "", "a pull that had succeeded is gone");
    }
    pulled_until(|content, lighter| {
        content.serve(|_, _, _| {});
        lighter.said(["pull", IMAGE]).ok();
        pull_the_plug();
    });
}

/// Boots, pulls the image, runs `before`, and pulls the plug as soon as `seen` holds while `verb` runs; with `seen` never
/// true, when it is done. After the next boot everything must be whole, and `then` holds.
fn while_running(before: &[&[&str]], verb: &[&str], seen: impl Fn(&Lighter) -> bool, then: impl Fn(&Lighter)) {
    let lighter = Lighter::new(&guest::state().join("lighter"));
    if guest::boot() > 1 {
        lighter.said(["system", "check"]).ok();
        then(&lighter);
    }
    pulled_until(|content, lighter| {
        content.serve(|_, _, _| {});
        lighter.said(["pull", IMAGE]).ok();
        before.iter().for_each(|one| drop(lighter.said(one.iter()).ok()));
        guest::sh("sync");
        let mut command = lighter.command(verb.iter());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        #[expect(clippy::zombie_processes, reason = "the guest ends before the command does")]
        let mut child = command.spawn().unwrap();
        while !seen(lighter) {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "`{verb:?}` has failed");
                break;
            }
            std::thread::yield_now();
        }
        pull_the_plug();
    });
}

/// Whether the store has a layer.
fn has_layer(lighter: &Lighter) -> bool {
    has_any(lighter, "layers")
}

/// Whether a folder of the data root has something whole.
fn has_any(lighter: &Lighter, folder: &str) -> bool {
    let entries = std::fs::read_dir(lighter.root.join(folder)).into_iter().flatten().flatten();
    entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count() > 0
}

/// Whether the index names an image.
fn is_listed(lighter: &Lighter) -> bool {
    std::fs::read_to_string(lighter.root.join("images/index.json")).is_ok_and(|index| index.contains("demo"))
}

/// Saves the image and removes it, so that a load has everything to do.
const SAVED: [&[&str]; 2] = [&["save", "--output", "/state/demo.tar", IMAGE], &["rmi", IMAGE]];

const LOAD: [&str; 3] = ["load", "--input", "/state/demo.tar"];

#[test]
#[ignore = "needs a virtual machine"]
fn when_a_load_has_unpacked_a_layer() {
    while_running(&SAVED, &LOAD, has_layer, |_| {});
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_a_load_has_listed_the_image() {
    while_running(&SAVED, &LOAD, is_listed, |_| {});
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_a_load_has_said_that_it_is_done() {
    let is_there = |lighter: &Lighter| assert_ne!(lighter.said(["images", "--quiet"]).ok(), "", "the image is gone");
    while_running(&SAVED, &LOAD, |_| false, is_there);
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_a_commit_has_said_that_it_is_done() {
    let change = ["run", "--name", "c", "--network", "none", IMAGE, "sh", "-c", "cat /data/0 /data/1 >/both"];
    let is_there = |lighter: &Lighter| {
        let run = ["run", "--rm", "--network", "none", "made:1", "sh", "-c", "cat /data/0 /data/1 | cmp - /both"];
        lighter.said(run).ok();
    };
    while_running(&[&change], &["commit", "c", "made:1"], |_| false, is_there);
}

/// Builds an image of two steps until `seen`; `then` looks at what is there after the next boot, and building again works.
fn built_until(seen: impl Fn(&Lighter) -> bool, then: impl Fn(&Lighter)) {
    let folder = guest::state().join("context");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!("FROM {IMAGE}\nRUN cat /data/0 /data/1 >/both\nRUN cat /both /data/2 >/all\n");
    std::fs::write(folder.join("Dockerfile"), text).unwrap();
    let build = ["build", "--network", "none", "--tag", "made:1", &folder.display().to_string()];
    while_running(&[], &build, seen, |lighter| {
        then(lighter);
        lighter.said(build).ok();
        let run =
            ["run", "--rm", "--network", "none", "made:1", "sh", "-c", "cat /data/0 /data/1 /data/2 | cmp - /all"];
        lighter.said(run).ok();
    });
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_first_step_of_a_build_has_its_layer() {
    let is_beyond_the_base = |lighter: &Lighter| {
        let layers = std::fs::read_dir(lighter.root.join("layers")).into_iter().flatten().flatten();
        layers.filter(|layer| !layer.file_name().to_string_lossy().starts_with('.')).count()
            > crate::registry::ALL_LAYERS
    };
    built_until(is_beyond_the_base, |_| {});
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_a_build_has_said_that_it_is_done() {
    let is_there = |lighter: &Lighter| assert_ne!(lighter.said(["images", "--quiet", "made:1"]).ok(), "", "it is gone");
    built_until(|_| false, is_there);
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_a_prune_has_taken_the_image_out_of_the_index() {
    while_running(&[], &["image", "prune", "--all", "--force"], |lighter| !is_listed(lighter), |_| {});
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_a_prune_has_taken_the_layers_away() {
    while_running(&[], &["image", "prune", "--all", "--force"], |lighter| !has_layer(lighter), |_| {});
}

/// Starts a project until `seen`; after the next boot the same `up` makes it what it should be, and `down` removes it.
fn started_until(seen: impl Fn(&Lighter) -> bool) {
    let file = guest::state().join("compose.yaml").display().to_string();
    let services = ["one", "two", "three"].map(|name| {
        format!("  {name}: {{image: '{IMAGE}', init: true, command: sleep 1000, volumes: ['{name}:/volume']}}\n")
    });
    let text = format!("name: unplugged\nservices:\n{}volumes: {{one: , two: , three: }}\n", services.concat());
    std::fs::write(&file, text).unwrap();
    let up = ["compose", "--file", &file, "up", "--detach"];
    while_running(&[], &up, seen, |lighter| {
        lighter.said(up).ok();
        assert_eq!(lighter.said(["ps", "--quiet"]).ok().lines().count(), 3);
        lighter.said(["compose", "--file", &file, "down", "--volumes"]).ok();
        assert_eq!(lighter.said(["ps", "--all", "--quiet"]).ok(), "");
        assert!(!has_any(lighter, "containers") && !has_any(lighter, "volumes"), "something is left");
    });
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_first_container_of_a_project_is_recorded() {
    started_until(|lighter| has_any(lighter, "containers"));
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_a_container_of_a_project_runs() {
    started_until(|lighter| {
        let containers = std::fs::read_dir(lighter.root.join("containers")).into_iter().flatten().flatten();
        let state = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("state.json"));
        containers.flat_map(state).any(|state| state.contains("\"running\""))
    });
}
