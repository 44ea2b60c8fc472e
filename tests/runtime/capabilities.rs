//! config.md, "Linux Process": the five sets of capabilities.

use serde_json::{Value, json};

use crate::harness::{Container, inside};

/// The sets of a program as `Name mask` lines, the mask without the zeros before it.
const SHOW: &str = "grep ^Cap /proc/self/status | sed -E 's/^Cap(...):[[:space:]]*0*/\\1 /'";

const CHOWN: u32 = 1 << 0;
const KILL: u32 = 1 << 5;
const SETUID: u32 = 1 << 7;

fn sets(user: u32, capabilities: Value) -> Vec<(String, u32)> {
    let text = inside(|config| {
        config
            .script(SHOW)
            .set("/process/user", json!({"uid": user, "gid": user}))
            .set("/process/capabilities", capabilities)
    });
    let set = |line: &str| {
        let (name, mask) = line.split_once(' ').unwrap_or((line, ""));
        (name.to_owned(), u32::from_str_radix(mask, 16).unwrap_or(0))
    };
    text.lines().map(|line| set(line.trim_end())).collect()
}

fn named(inheritable: u32, permitted: u32, effective: u32, bounding: u32, ambient: u32) -> Vec<(String, u32)> {
    let masks = [("Inh", inheritable), ("Prm", permitted), ("Eff", effective), ("Bnd", bounding), ("Amb", ambient)];
    masks.map(|(name, mask)| (name.to_owned(), mask)).to_vec()
}

#[test]
#[ignore = "needs root"]
fn each_set_is_the_configs() {
    // For a user that is not root, execve(2) makes permitted and effective from ambient alone (capabilities(7)).
    let ambient = sets(
        1000,
        json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
            "permitted": ["CAP_CHOWN", "CAP_KILL"],
            "effective": ["CAP_CHOWN", "CAP_KILL"],
            "inheritable": ["CAP_CHOWN", "CAP_KILL"],
            "ambient": ["CAP_KILL"],
        }),
    );
    assert_eq!(ambient, named(CHOWN | KILL, KILL, KILL, CHOWN | KILL | SETUID, KILL));
}

#[test]
#[ignore = "needs root"]
fn root_has_no_more_than_the_bounding_set() {
    let capabilities = json!({
        "bounding": ["CAP_CHOWN", "CAP_SETUID"],
        "permitted": ["CAP_CHOWN", "CAP_SETUID"],
        "effective": ["CAP_CHOWN", "CAP_SETUID"],
    });
    assert_eq!(sets(0, capabilities), named(0, CHOWN | SETUID, CHOWN | SETUID, CHOWN | SETUID, 0));
}

#[test]
#[ignore = "needs root"]
fn a_set_that_is_empty_or_absent_has_none() {
    assert_eq!(sets(0, json!({})), named(0, 0, 0, 0, 0));
    assert_eq!(sets(1000, json!({"bounding": [], "permitted": []})), named(0, 0, 0, 0, 0));
}

#[test]
#[ignore = "needs root"]
fn a_capability_that_cannot_be_granted_is_warned_of() {
    let container =
        Container::new(|config| config.set("/process/capabilities/bounding", json!(["CAP_KILL", "CAP_NOSUCH"])));
    container.run().ok().says("CAP_NOSUCH");
}
