//! A proxy that breaks a pull at chosen bytes: what has come stays, and nothing else.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Fault, FaultProxy, Scenario, eventually};

/// Most bytes of a blob that may be fetched twice: what is buffered between the network and the file.
const CHUNK: u64 = 256 * 1024;

const LIMIT: Duration = Duration::from_secs(60);

const NAME: &str = "127.0.0.1:5004/library/nginx:1";

/// A scenario behind a proxy, the digest of the largest blob of `NAME`, and its size.
fn scene(purpose: &'static str) -> (Scenario, FaultProxy, String, u64) {
    let host = Scenario::new(purpose);
    let proxy = FaultProxy::start(5004, 5000);
    let output = host.run(["pull", "--progress", "json", "127.0.0.1:5000/library/nginx:1"]).ok();
    let events = output.stderr.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let waiting = events.filter(|event| event["event"] == "waiting");
    let sizes = waiting
        .map(|event| (event["total"].as_u64().expect("a size"), event["layer"].as_str().expect("a digest").to_owned()));
    let (size, digest) = sizes.max().expect("it has layers");
    host.run(["rmi", "127.0.0.1:5000/library/nginx:1"]).ok();
    (host, proxy, digest, size)
}

fn partial(host: &Scenario, digest: &str) -> u64 {
    let path = host.root().join("images/ingest").join(digest.trim_start_matches("sha256:"));
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[test]
#[ignore = "needs root"]
fn a_pull_that_is_killed_goes_on_where_it_was() {
    let (host, proxy, digest, size) = scene("an interrupted pull costs what was missing");
    let half = size / 2;
    proxy.fail(&digest, &[Fault::StallAt(half)]);
    let pull = host.start(["pull", NAME]);
    eventually("half of the layer is here", LIMIT, || match partial(&host, &digest) {
        here if here + CHUNK >= half => Ok(()),
        here => Err(format!("{here} of {half} bytes")),
    });
    pull.signal(Signal::SIGKILL);
    drop(pull);
    assert_eq!(host.run(["images", "--quiet"]).ok().text(), "", "it is not listed");
    host.run(["pull", NAME]).ok();
    let passed = proxy.passed(&digest);
    assert_eq!(passed.requests, 2);
    assert!(passed.bytes <= size + CHUNK, "{passed:?} for {size} bytes");
    host.run(["run", "--rm", NAME, "nginx", "-t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_pull_that_is_cut_fetches_no_byte_twice() {
    let (host, proxy, digest, size) = scene("bad connections are an everyday thing");
    let cuts = [0, 1, 4095, size / 3, size / 7, 100, size / 5];
    proxy.fail(&digest, &cuts.map(Fault::CutAt));
    host.run(["pull", NAME]).ok().says(["trying again in"]);
    let passed = proxy.passed(&digest);
    assert_eq!((passed.requests, passed.bytes), (cuts.len() as u64 + 1, size));
}

#[test]
#[ignore = "needs root"]
fn whatever_the_proxy_does_the_outcome_is_all_or_nothing() {
    let (host, proxy, digest, size) = scene("half an image is worse than none");
    let faults = [
        (Fault::FlipAt(0), false),
        (Fault::FlipAt(size / 2), false),
        (Fault::FlipAt(size - 1), false),
        (Fault::Status(403, "X: x"), false),
        (Fault::Status(404, "X: x"), false),
        (Fault::Status(429, "Retry-After: 86400"), false),
        (Fault::Status(429, "Retry-After: 0"), true),
        (Fault::Status(500, "X: x"), true),
        (Fault::CutAt(size - 1), true),
    ];
    for (fault, is_cured) in faults {
        proxy.fail(&digest, &[fault]);
        let output = host.run(["pull", NAME]);
        assert_eq!(output.succeeded(), is_cured, "{fault:?}\n{output}");
        if !is_cured {
            assert!(output.stderr.contains(&digest), "{fault:?}\n{output}");
            assert_eq!(host.run(["images", "--quiet"]).ok().text(), "", "{fault:?}");
            host.run(["pull", NAME]).ok();
        }
        host.run(["run", "--rm", NAME, "nginx", "-t"]).ok();
        host.run(["rmi", NAME]).ok();
    }
}
