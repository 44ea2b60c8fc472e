//! When a pull happens, and what it asks when there is nothing new.

use crate::harness::{FaultProxy, Scenario};

const NAME: &str = "127.0.0.1:5004/library/busybox:1";

fn requests(proxy: &FaultProxy, act: impl FnOnce()) -> u64 {
    let before = proxy.passed("").requests;
    act();
    proxy.passed("").requests - before
}

#[test]
#[ignore = "needs root"]
fn what_is_here_costs_one_question_by_tag_and_none_by_digest() {
    let host = Scenario::new("a registry counts questions");
    let proxy = FaultProxy::start(5004, 5000);
    host.run(["pull", NAME]).ok();
    assert_eq!(requests(&proxy, || _ = host.run(["pull", NAME]).ok()), 1);
    let digest = host.run(["images", "--format", "{{.Digest}}"]).ok();
    let pinned = format!("127.0.0.1:5004/library/busybox@{}", digest.text());
    assert_eq!(requests(&proxy, || _ = host.run(["pull", &pinned]).ok()), 0);
    let platform = if cfg!(target_arch = "aarch64") { "linux/amd64" } else { "linux/arm64" };
    host.run(["pull", "--platform", "linux/s390x", NAME]).code(1).says(["no image for platform linux/s390x"]);
    host.run(["pull", "--platform", platform, NAME]).ok();
    let another = host.run(["images", "--quiet", "127.0.0.1:5004/library/busybox"]).ok();
    host.run(["pull", NAME]).ok();
    assert_ne!(host.run(["images", "--quiet", "127.0.0.1:5004/library/busybox"]).ok().text(), another.text());
}

#[test]
#[ignore = "needs root"]
fn run_and_up_ask_the_registry_when_their_policy_says_so() {
    let host = Scenario::new("a policy decides about network and time");
    let proxy = FaultProxy::start(5004, 5000);
    let run = |policy: &str| host.run(["run", "--rm", "--pull", policy, NAME, "true"]);
    run("never").code(125).says(["no such image"]);
    let wrong = || _ = host.run(["run", "--rm", "--publish", "none", NAME, "true"]).code(125).says(["none"]);
    assert_eq!(requests(&proxy, wrong), 0, "nothing is downloaded for a command line that is wrong");
    assert_ne!(requests(&proxy, || _ = run("missing").ok()), 0);
    for (policy, expected) in [("missing", 0), ("never", 0), ("always", 1), ("daily", 0), ("every_0s", 1)] {
        assert_eq!(requests(&proxy, || _ = run(policy).ok()), expected, "{policy}");
    }
    run("sometimes").code(2).says(["pull policy `sometimes` is none of"]);

    let file = |policy: &str| format!("services: {{a: {{image: '{NAME}', command: 'true', pull_policy: {policy}}}}}\n");
    host.file("compose.yaml", &file("always"));
    assert_eq!(requests(&proxy, || _ = host.run(["up", "--detach"]).ok()), 1);
    assert_eq!(requests(&proxy, || _ = host.run(["up", "--detach", "--pull", "missing"]).ok()), 0);
    host.file("compose.yaml", &file("weekly"));
    assert_eq!(requests(&proxy, || _ = host.run(["up", "--detach"]).ok()), 0);
    assert_eq!(requests(&proxy, || _ = host.run(["up", "--detach", "--pull", "every_0s"]).ok()), 1);
}
