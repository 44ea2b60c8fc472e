//! What the device controller lets a container use.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

/// Character devices every container may use, as `(major, minor)`; no minor means all of them.
///
/// Numbers: `Documentation/admin-guide/devices.txt` of the kernel.
const CHARACTER_DEVICES: [(i64, Option<i64>); 9] = [
    (1, Some(3)), // null
    (1, Some(5)), // zero
    (1, Some(7)), // full
    (1, Some(8)), // random
    (1, Some(9)), // urandom
    (5, Some(0)), // tty
    (5, Some(1)), // console
    (5, Some(2)), // ptmx
    (136, None),  // pts/*
];

/// Returns the rules of the device controller: deny everything, then what each container may use.
///
/// Creating any node is allowed (it needs CAP_MKNOD); opening it is what the list decides.
#[must_use]
pub fn devices() -> Vec<LinuxDeviceCgroup> {
    let mut rules = vec![rule(false, LinuxDeviceType::A, (None, None), "rwm")];
    rules.push(rule(true, LinuxDeviceType::C, (None, None), "m"));
    rules.push(rule(true, LinuxDeviceType::B, (None, None), "m"));
    let usable = |(major, minor)| rule(true, LinuxDeviceType::C, (Some(major), minor), "rwm");
    rules.extend(CHARACTER_DEVICES.map(usable));
    rules
}

fn rule(allow: bool, typ: LinuxDeviceType, number: (Option<i64>, Option<i64>), access: &str) -> LinuxDeviceCgroup {
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(allow)
        .set_typ(Some(typ))
        .set_major(number.0)
        .set_minor(number.1)
        .set_access(Some(access.to_owned()));
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_denied_before_anything_is_allowed() {
        let rules = devices();
        assert!(!rules[0].allow());
        assert!(rules[1..].iter().all(LinuxDeviceCgroup::allow));
        assert_eq!(rules[0].to_string(), "a *:* rwm");
        assert_eq!(rules.last().unwrap().to_string(), "c 136:* rwm");
    }
}
