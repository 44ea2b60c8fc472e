//! config.md, "Annotations", "Extensibility" and "Valid values".

use serde_json::json;

use crate::harness::{Container, inside, refused};

#[test]
#[ignore = "needs root"]
fn unknown_properties_are_ignored() {
    let text = inside(|config| {
        for pointer in
            ["/x", "/process/x", "/process/user/x", "/root/x", "/linux/x", "/linux/resources/x", "/mounts/0/x"]
        {
            config.set(pointer, json!({"any": ["thing"]}));
        }
        config.script("echo ran")
    });
    assert_eq!(text, "ran");
}

#[test]
#[ignore = "needs root"]
fn properties_of_other_platforms_are_ignored() {
    let text = inside(|config| {
        config
            .set("/windows", json!({"layerFolders": ["C:\\layer"]}))
            .set("/solaris", json!({"milestone": "none"}))
            .script("echo ran")
    });
    assert_eq!(text, "ran");
}

#[test]
#[ignore = "needs root"]
fn unknown_annotations_are_no_error() {
    let container = Container::new(|config| {
        config
            .stays()
            .set("/annotations", json!({"com.example.nobody-knows": "x", "org.opencontainers.nosuch": "", "bare": " "}))
    });
    container.create().ok();
    assert_eq!(container.state()["annotations"]["com.example.nobody-knows"], "x");
}

#[test]
#[ignore = "needs root"]
fn annotations_that_are_not_strings_are_refused() {
    refused(|config| config.set("/annotations", json!({"key": 1})));
    refused(|config| config.set("/annotations", json!(["key"])));
}

#[test]
#[ignore = "needs root"]
fn an_annotation_with_an_empty_key_is_refused() {
    refused(|config| config.set("/annotations", json!({"": "value"})));
}

#[test]
#[ignore = "needs root"]
fn values_of_the_wrong_type_are_refused() {
    let wrong = [
        ("/process/cwd", json!(1)),
        ("/process/args", json!("true")),
        ("/process/env", json!({"A": "b"})),
        ("/process/user/uid", json!("root")),
        ("/process/user/uid", json!(-1)),
        ("/process/terminal", json!("no")),
        ("/process/oomScoreAdj", json!("high")),
        ("/root/readonly", json!("yes")),
        ("/mounts", json!({"destination": "/mnt"})),
        ("/linux/namespaces", json!("pid")),
        ("/linux/resources", json!({"memory": {"limit": "1G"}})),
        ("/linux/resources", json!({"pids": {"limit": 1.5}})),
        ("/linux/sysctl", json!({"net.ipv4.ip_forward": 1})),
        ("/hooks", json!({"createRuntime": {"path": "/bin/true"}})),
    ];
    for (pointer, value) in wrong {
        let container = Container::new(|config| config.set(pointer, value.clone()));
        assert!(!container.create().succeeded(), "`{pointer}`: {value}");
        container.leaves_nothing();
    }
}

#[test]
#[ignore = "needs root"]
fn an_oom_score_adjustment_out_of_range_is_refused() {
    refused(|config| config.set("/process/oomScoreAdj", json!(1001)));
}

#[test]
#[ignore = "needs root"]
fn a_nul_in_a_string_is_refused() {
    for pointer in ["/process/cwd", "/hostname", "/process/args/0", "/mounts/0/destination"] {
        let container = Container::new(|config| config.set(pointer, json!("/a\u{0}b")));
        assert!(!container.run().succeeded(), "{pointer}");
    }
}
