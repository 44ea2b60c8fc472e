//! The log of criu, searched for why it failed.
//!
//! *Pure.*

/// How a line of an error begins, after the time and the process.
const ERROR: &str = "Error (";

/// Returns what the last error of a log says, without its time; `None` when there is none.
///
/// What only says that the whole failed, or that a program it ran did, counts when there is no other.
pub(super) fn last_error(log: &str) -> Option<&str> {
    let errors = || log.lines().rev().filter_map(|line| line.find(ERROR).map(|start| line[start..].trim_end()));
    let vague = |error: &&str| {
        error.ends_with("FAILED.") || ["exited, status=", "failed with -1"].iter().any(|end| error.contains(end))
    };
    errors().find(|error| !vague(error)).or_else(|| errors().next())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_error_that_says_something_is_told() {
        let log = "(00.010) Error (criu/namespaces.c:460): first\n\
                   (00.032)      7: Error (criu/mount.c:1083): mnt: 5: no root\n\
                   (00.034) Unlock network\n\
                   (00.036) Error (criu/util.c:642): exited, status=1\n\
                   (00.039) Error (criu/cr-dump.c:1781): Dumping FAILED.\n";
        assert_eq!(last_error(log), Some("Error (criu/mount.c:1083): mnt: 5: no root"));
        assert_eq!(
            last_error("(0.1) Error (criu/cr.c:1): Dumping FAILED.\n"),
            Some("Error (criu/cr.c:1): Dumping FAILED.")
        );
        assert_eq!(last_error("(0.1) all is well\n"), None);
    }

    proptest! {
        #[test]
        fn any_log_can_be_searched(log in "(Error \\(|FAILED\\.|ä|\n){0,12}") {
            prop_assert!(last_error(&log).is_none_or(|error| error.starts_with(ERROR)));
        }
    }
}
