//! `restart` and `deploy.restart_policy`.

use super::reader::Reader;
use crate::model::RestartPolicy;
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> RestartPolicy {
    if let Some(policy) = service.get("deploy").and_then(|deploy| deploy.get("restart_policy")) {
        let attempts = reader.number(policy.get("max_attempts"), &format!("{path}.deploy.restart_policy.max_attempts"));
        let condition = policy.get("condition");
        let path = format!("{path}.deploy.restart_policy.condition");
        let read = |text: &str| match text {
            "none" => Some(RestartPolicy::No),
            "on-failure" => Some(RestartPolicy::OnFailure(attempts)),
            "any" => Some(RestartPolicy::Always),
            _ => None,
        };
        return match condition {
            None => RestartPolicy::Always,
            condition => reader.parse(condition, &path, "none, on-failure or any", read).unwrap_or_default(),
        };
    }
    let expected = "no, always, unless-stopped or on-failure[:TIMES]";
    reader.parse(service.get("restart"), &format!("{path}.restart"), expected, word).unwrap_or_default()
}

fn word(text: &str) -> Option<RestartPolicy> {
    match (text, text.split_once(':')) {
        ("no", _) => Some(RestartPolicy::No),
        ("always", _) => Some(RestartPolicy::Always),
        ("unless-stopped", _) => Some(RestartPolicy::UnlessStopped),
        ("on-failure", _) => Some(RestartPolicy::OnFailure(None)),
        (_, Some(("on-failure", times))) => times.parse().ok().map(|times| RestartPolicy::OnFailure(Some(times))),
        _ => None,
    }
}
