//! Mounts that a container gets from another one. Pure.

use crate::spec::{Mount, MountKind};

/// Adds the mounts that others lend to a container's own; of two at one place the later lender's.
///
/// An own one at the same place stays, but for an anonymous volume, which only keeps the place (dockerd fills in those last).
pub(crate) fn take_over(own: &mut Vec<Mount>, lent: Vec<Mount>) {
    let mut taken: Vec<Mount> = Vec::new();
    for mount in lent.into_iter().filter(|mount| !matches!(mount.kind, MountKind::Tmpfs { .. })) {
        taken.retain(|earlier| place(earlier) != place(&mount));
        taken.push(mount);
    }
    let is_anonymous = |mount: &Mount| matches!(mount.kind, MountKind::Volume { anonymous: true, .. });
    own.retain(|mount| !is_anonymous(mount) || !taken.iter().any(|other| place(other) == place(mount)));
    taken.retain(|mount| !own.iter().any(|other| place(other) == place(mount)));
    own.append(&mut taken);
}

fn place(mount: &Mount) -> &str {
    mount.target.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(target: &str, name: &str, anonymous: bool) -> Mount {
        let kind = MountKind::Volume { name: name.to_owned(), anonymous, no_copy: false, subpath: None };
        Mount { target: target.to_owned(), read_only: false, kind }
    }

    #[test]
    fn what_is_lent_takes_the_place_of_an_anonymous_volume_and_of_nothing_else() {
        let tmpfs = MountKind::Tmpfs { size: None, mode: None, options: Vec::new() };
        let mut own = vec![volume("/a/", "", true), volume("/b", "mine", false)];
        let tmpfs = Mount { target: "/t".to_owned(), read_only: false, kind: tmpfs };
        take_over(
            &mut own,
            vec![
                volume("/a", "x", true),
                volume("/b", "y", false),
                volume("/c", "z", false),
                volume("/a", "w", false),
                tmpfs,
            ],
        );
        assert_eq!(own, [volume("/b", "mine", false), volume("/c", "z", false), volume("/a", "w", false)]);
    }
}
