//! The plug is pulled while images come, go or are made, and while a project starts. Afterwards every image that is listed is
//! whole, what is left over goes, and doing it again works.
//!
//! The guest is killed: what its kernel has not handed to the disk is lost, what it has handed over is kept, in whatever order
//! that was. Each test has a guest for itself.

use std::process::{Command, Stdio};
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
    if !lighter.said(["images", "--quiet", IMAGE]).ok().is_empty() {
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
        unplug_during(lighter.command(["pull", IMAGE]), || seen(lighter));
    });
}

/// Runs a command, and pulls the plug as soon as `seen` holds.
fn unplug_during(mut command: Command, seen: impl Fn() -> bool) -> ! {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    #[expect(clippy::zombie_processes, reason = "the guest ends before the command does")]
    let mut running = command.spawn().unwrap();
    while !seen() {
        assert!(running.try_wait().unwrap().is_none_or(|status| status.success()), "the command has failed");
        std::thread::yield_now();
    }
    pull_the_plug()
}

fn index(lighter: &Lighter) -> String {
    std::fs::read_to_string(lighter.root.join("images/index.json")).unwrap_or_default()
}

/// Tells whether a layer, or a container, has got its name.
fn is_there(lighter: &Lighter, folder: &str) -> bool {
    let entries = std::fs::read_dir(lighter.root.join(folder)).into_iter().flatten().flatten();
    entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count() > 0
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_first_layer_has_its_name() {
    as_soon_as(|lighter| is_there(lighter, "layers"));
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_image_has_its_name() {
    as_soon_as(|lighter| index(lighter).contains("demo"));
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

/// With the image in the store (or, at a later boot, whatever is left of it).
fn with_the_image(first: impl Fn(&Lighter), later: impl Fn(&Lighter)) {
    let content = Content::make(guest::state().join("registry"));
    content.serve(|_, _, _| {});
    let lighter = Lighter::new(&guest::state().join("lighter"));
    if guest::boot() == 1 {
        lighter.said(["pull", IMAGE]).ok();
        first(&lighter);
        panic!("the plug was not pulled");
    }
    later(&lighter);
    whole(&lighter);
}

fn loaded_until(seen: impl Fn(&Lighter) -> bool) {
    let archive = guest::state().join("archive.tar").display().to_string();
    let load = ["load", "--input", &archive];
    with_the_image(
        |lighter| {
            lighter.said(["save", "--output", &archive, IMAGE]).ok();
            lighter.said(["rmi", IMAGE]).ok();
            unplug_during(lighter.command(load), || seen(lighter));
        },
        |lighter| _ = lighter.said(load).ok(),
    );
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_first_layer_of_an_archive_has_its_name() {
    loaded_until(|lighter| is_there(lighter, "layers"));
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_image_of_an_archive_has_its_name() {
    loaded_until(|lighter| index(lighter).contains("demo"));
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_name_of_a_pruned_image_is_gone() {
    let prune = ["image", "prune", "--all", "--force"];
    with_the_image(
        |lighter| unplug_during(lighter.command(prune), || !index(lighter).contains("demo")),
        |lighter| _ = lighter.said(prune).ok(),
    );
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_a_committed_image_has_its_name() {
    with_the_image(
        |lighter| {
            let write = "cp /data/0 /copy";
            lighter.said(["run", "--name", "box", "--network", "none", IMAGE, "sh", "-c", write]).ok();
            unplug_during(lighter.command(["commit", "box", "made:1"]), || index(lighter).contains("made:1"));
        },
        |lighter| {
            lighter.said(["system", "check"]).ok();
            if lighter.said(["images", "--quiet", "made:1"]).ok().is_empty() {
                lighter.said(["commit", "box", "made:1"]).ok();
            }
            lighter.said(["run", "--rm", "--network", "none", "made:1", "cmp", "/data/0", "/copy"]).ok();
            lighter.said(["rm", "box"]).ok();
        },
    );
}

/// Starts a project until `seen`; after the next boot the same `up` makes it what it should be, and `down` removes it.
fn started_until(seen: impl Fn(&Lighter) -> bool) {
    let file = guest::state().join("compose.yaml").display().to_string();
    let services = ["a", "b", "c"].map(|name| {
        format!("  {name}: {{image: '{IMAGE}', init: true, command: sleep 1000, volumes: ['{name}:/volume']}}\n")
    });
    std::fs::write(&file, format!("name: unplugged\nservices:\n{}volumes: {{a: , b: , c: }}\n", services.concat()))
        .unwrap();
    let up = ["compose", "--file", &file, "up", "--detach"];
    with_the_image(
        |lighter| unplug_during(lighter.command(up), || seen(lighter)),
        |lighter| {
            lighter.said(up).ok();
            assert_eq!(lighter.said(["ps", "--quiet"]).ok().lines().count(), 3);
            lighter.said(["compose", "--file", &file, "down", "--volumes"]).ok();
            assert_eq!(lighter.said(["ps", "--all", "--quiet"]).ok(), "");
            assert!(!is_there(lighter, "containers") && !is_there(lighter, "volumes"), "something is left");
        },
    );
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_first_container_of_a_project_is_recorded() {
    started_until(|lighter| is_there(lighter, "containers"));
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
