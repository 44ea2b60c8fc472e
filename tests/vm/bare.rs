//! Kernels that lack something; each test has a guest for itself, in which nothing has been loaded yet.

use crate::guest::{self, Lighter, sh};
use crate::registry::{Content, IMAGE};

#[test]
#[ignore = "needs a virtual machine"]
fn without_nftables_a_network_is_refused_with_the_reason() {
    Content::make(guest::state().join("registry")).serve(|_, _, _| {});
    let lighter = Lighter::new(&guest::state().join("lighter"));
    sh(
        "modprobe -a overlay bridge veth; echo /bin/false > /proc/sys/kernel/modprobe; ! grep -q ^nf_tables /proc/modules",
    );
    let said = lighter.said(["run", "--rm", "--publish", "8080:80", IMAGE, "true"]);
    assert_eq!(said.code, 125, "{said:?}");
    assert!(said.stderr.contains("nf_tables") || said.stderr.contains("nftables"), "{said:?}");
    // Without a network there is nothing to refuse.
    lighter.said(["run", "--rm", "--network", "none", IMAGE, "true"]).ok();
}

#[test]
#[ignore = "needs a virtual machine"]
fn without_overlay_the_layers_are_copied() {
    Content::make(guest::state().join("registry")).serve(|_, _, _| {});
    let lighter = Lighter::new(&guest::state().join("lighter"));
    sh("echo /bin/false > /proc/sys/kernel/modprobe; ! grep -q overlay /proc/filesystems");
    let said = lighter.said(["run", "--rm", "--network", "none", IMAGE, "sha256sum", "-c", "/sums"]);
    assert_eq!((said.code, said.stdout.matches(": OK").count()), (0, 3), "{said:?}");
    assert!(said.stderr.contains("overlayfs cannot be used here"), "{said:?}");
}
