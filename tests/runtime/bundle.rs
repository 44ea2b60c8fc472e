//! bundle.md, and what config.md says of `ociVersion` and `root`.

use std::fs;

use serde_json::json;

use crate::harness::{Container, inside, refused};

#[test]
#[ignore = "needs root"]
fn the_config_is_config_json_in_the_bundle() {
    let container = Container::new(|config| config);
    let bundle = container.bundle();
    fs::rename(bundle.join("config.json"), bundle.join("rootfs/config.json")).unwrap();
    container.create().fails();
    fs::rename(bundle.join("rootfs/config.json"), bundle.join("config.json")).unwrap();
    container.create().ok();
}

#[test]
#[ignore = "needs root"]
fn a_config_that_is_not_json_is_refused() {
    let container = Container::new(|config| config);
    let file = container.bundle().join("config.json");
    let good = fs::read(&file).unwrap();
    for bad in [&good[..good.len() - 1], b"", b"null", b"\xff"] {
        fs::write(&file, bad).unwrap();
        container.create().fails();
    }
    container.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn a_version_that_is_none_is_refused() {
    refused(|config| config.remove("/ociVersion"));
    refused(|config| config.set("/ociVersion", json!("one")));
    refused(|config| config.set("/ociVersion", json!("1.0")));
}

#[test]
#[ignore = "needs root"]
fn another_major_version_is_refused() {
    refused(|config| config.set("/ociVersion", json!("2.0.0")));
}

#[test]
#[ignore = "needs root"]
fn the_root_may_be_relative_to_the_bundle_or_absolute() {
    assert_eq!(
        inside(|config| {
            config.file("rootfs/mark", "relative");
            config.script("cat /mark")
        }),
        "relative"
    );
    let absolute = inside(|config| {
        config.file("rootfs/mark", "absolute");
        let path = config.bundle().join("rootfs");
        config.script("cat /mark").set("/root/path", json!(path))
    });
    assert_eq!(absolute, "absolute");
}

#[test]
#[ignore = "needs root"]
fn the_root_must_be_a_folder_that_exists() {
    refused(|config| config.set("/root/path", json!("nowhere")));
    refused(|config| config.set("/root/path", json!("config.json")));
    refused(|config| config.remove("/root"));
}

#[test]
#[ignore = "needs root"]
fn a_read_only_root_cannot_be_written() {
    let script = "touch /file 2>/dev/null && echo written; touch /dev/file && echo /dev";
    assert_eq!(inside(|config| config.script(script).set("/root/readonly", json!(true))), "/dev");
}

#[test]
#[ignore = "needs root"]
fn a_root_is_writable_by_default() {
    let container = Container::new(|config| config.script("touch /file"));
    container.run().ok();
    assert!(container.rootfs().join("file").exists());
}
