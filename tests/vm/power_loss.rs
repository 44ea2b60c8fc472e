//! The plug is pulled during a pull. Afterwards every image that is listed is whole, and pulling again works.
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
    as_soon_as(|lighter| {
        let entries = std::fs::read_dir(lighter.root.join("layers")).into_iter().flatten().flatten();
        entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count() > 0
    });
}

#[test]
#[ignore = "needs a virtual machine"]
fn when_the_image_has_its_name() {
    as_soon_as(|lighter| {
        std::fs::read_to_string(lighter.root.join("images/index.json")).is_ok_and(|index| index.contains("demo"))
    });
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
