//! How far the clocks of a container are from the host's (time_namespaces(7)).
//!
//! *Pure.*

use oci_spec::runtime::Linux;

use super::{Namespaces, PlanError};
use crate::sys::namespace::CLONE_NEWTIME;

/// Plans what is written to `timens_offsets`; `None` when no clock is moved.
pub(super) fn plan(linux: &Linux, namespaces: &Namespaces) -> Result<Option<String>, PlanError> {
    let mut lines = Vec::new();
    for (clock, offset) in linux.time_offsets().iter().flatten() {
        let refused = |why| PlanError::invalid("linux.timeOffsets", clock.escape_default(), why);
        if !matches!(clock.as_str(), "monotonic" | "boottime") {
            return Err(refused("only `monotonic` and `boottime` can be moved"));
        }
        if !namespaces.is_new(CLONE_NEWTIME) {
            return Err(refused("the container has no new time namespace"));
        }
        let nanoseconds = offset.nanosecs().unwrap_or(0);
        if nanoseconds > 999_999_999 {
            return Err(refused("its nanoseconds are a second or more"));
        }
        lines.push(format!("{clock} {} {nanoseconds}\n", offset.secs().unwrap_or(0)));
    }
    lines.sort_unstable();
    Ok((!lines.is_empty()).then(|| lines.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(json: &str, new: i32) -> Result<Option<String>, PlanError> {
        let linux = serde_json::from_str(&format!(r#"{{"timeOffsets":{json}}}"#)).unwrap();
        plan(&linux, &Namespaces { new, join: Vec::new() })
    }

    #[test]
    fn each_clock_has_a_line() {
        let json = r#"{"monotonic":{"secs":-5},"boottime":{"secs":7,"nanosecs":3}}"#;
        assert_eq!(planned(json, CLONE_NEWTIME).unwrap().unwrap(), "boottime 7 3\nmonotonic -5 0\n");
        assert_eq!(planned("{}", 0).unwrap(), None);
    }

    #[test]
    fn a_clock_that_cannot_be_moved_is_refused_by_name() {
        for (json, new) in [
            (r#"{"realtime":{"secs":1}}"#, CLONE_NEWTIME),
            (r#"{"monotonic":{"secs":1}}"#, 0),
            (r#"{"boottime":{"nanosecs":1000000000}}"#, CLONE_NEWTIME),
        ] {
            let error = planned(json, new).unwrap_err().to_string();
            assert!(error.contains("linux.timeOffsets"), "{error}");
        }
    }
}
