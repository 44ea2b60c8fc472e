//! `build`: what is made of the result, where it goes, and the cache that goes with it.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Registry, Scenario, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

fn scenario(purpose: &'static str) -> Scenario {
    let scenario = Scenario::new(purpose);
    scenario.run(["pull", "--quiet", "busybox:1"]).ok();
    scenario
}

/// Returns what skopeo says about an image.
fn inspect(arguments: &[&str]) -> Value {
    let fixed = ["--insecure-policy", "inspect", "--tls-verify=false"];
    let output = run(tool("skopeo", fixed.iter().chain(arguments)), LIMIT);
    serde_json::from_str(&output.ok().stdout).expect("skopeo prints JSON")
}

/// Forgets every build and every image but the base.
fn forget(world: &Scenario, names: &[&str]) {
    names.iter().for_each(|name| drop(world.run(["rmi", "--force", name]).ok()));
    world.run(["builder", "prune", "--force"]).ok();
}

#[test]
#[ignore = "needs root"]
fn what_is_built_is_pushed_when_that_is_asked_for() {
    let world = scenario("a build in CI ends at a registry");
    let _registry = Registry::writable(5001, world.directory(), "");
    world.file("Dockerfile", "FROM busybox:1\nRUN echo x > /made\nLABEL who=me\n");
    let name = |tag: &str| format!("127.0.0.1:5001/team/app:{tag}");
    let [one, two, three, four] = ["1", "2", "3", "4"].map(name);
    world.run(["build", "-q", "--push", "-t", &one, "-t", &two, "."]).ok();
    world.run(["build", "-q", "-o", &format!("type=registry,name={three}"), "."]).ok();
    let id = world.run(["build", "-q", "-o", &format!("type=image,name={four},push=true"), "."]).ok().stdout;
    let digests = [&one, &two, &three, &four].map(|name| {
        let found = inspect(&[&format!("docker://{name}")]);
        assert_eq!(found["Labels"]["who"], "me");
        found["Digest"].clone()
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    let manifest = inspect(&["--raw", &format!("docker://{one}")]);
    assert_eq!(manifest["config"]["digest"], id.trim());
    world.run(["build", "--push", "."]).code(1).says(["an image without a name cannot be pushed"]);

    world.file("compose.yaml", &format!("services:\n  web:\n    build: .\n    image: {}\n", name("5")));
    world.run(["compose", "build", "--push", "--quiet"]).ok();
    assert_eq!(inspect(&["--raw", &format!("docker://{}", name("5"))])["config"]["digest"], id.trim());
}

#[test]
#[ignore = "needs root"]
fn the_result_comes_as_archive_or_as_files() {
    let world = scenario("not everything that is built is an image of this host");
    world
        .file("Dockerfile", "FROM busybox:1 AS all\nRUN echo x > /made\nFROM scratch\nCOPY --from=all /made /d/made\n");
    let path = |name: &str| world.directory().join(name).display().to_string();
    let build = |output: &str| world.run(["build", "-q", "-t", "mine", "-o", output, "."]).ok();
    for (kind, transport) in [("docker", "docker-archive"), ("oci", "oci-archive")] {
        let archive = path(&format!("{kind}.tar"));
        build(&format!("type={kind},dest={archive}"));
        assert_eq!(inspect(&[&format!("{transport}:{archive}")])["Os"], "linux");
    }
    build(&format!("type=local,dest={}", path("files")));
    assert_eq!(fs::read_to_string(path("files/d/made")).unwrap(), "x\n");
    build(&format!("type=tar,dest={}", path("files.tar")));
    assert_eq!(run(tool("tar", ["-xOf", &path("files.tar"), "d/made"]), LIMIT).ok().stdout, "x\n");
    let piped = world.run(["build", "-q", "-o", "-", "."]).ok();
    assert!(piped.stdout.contains("d/made"), "an archive on stdout");
    world
        .run(["build", "-o", "type=oci,dest=x,compression=zstd", "."])
        .code(1)
        .says(["`compression` is not supported"]);
}

#[test]
#[ignore = "needs root"]
fn files_say_what_was_built_and_the_manifest_what_was_annotated() {
    let world = scenario("whoever builds by a script must learn the digest");
    world.file("Dockerfile", "FROM busybox:1\nCOPY a /\n").file("a", "x");
    let archive = world.directory().join("a.tar").display().to_string();
    let flags = ["--iidfile", "id", "--metadata-file", "metadata", "--annotation", "org.example.a=b", "--annotation"];
    let output = format!("type=oci,dest={archive}");
    let rest = ["manifest:org.example.c=d", "-t", "mine", "-o", &output, "."];
    world.run(["build", "-q"].iter().chain(&flags).chain(&rest)).ok();
    let manifest = inspect(&["--raw", &format!("oci-archive:{archive}")]);
    assert_eq!(manifest["annotations"], serde_json::json!({"org.example.a": "b", "org.example.c": "d"}));
    let metadata: Value = serde_json::from_str(&fs::read_to_string(world.folder().join("metadata")).unwrap()).unwrap();
    assert_eq!(metadata["containerimage.config.digest"], manifest["config"]["digest"]);
    assert_eq!(metadata["containerimage.config.digest"], fs::read_to_string(world.folder().join("id")).unwrap());
    assert_eq!(metadata["containerimage.digest"], inspect(&[&format!("oci-archive:{archive}")])["Digest"]);
    assert_eq!(metadata["image.name"], "docker.io/library/mine:latest");
}

#[test]
#[ignore = "needs root"]
fn the_cache_is_carried_by_a_registry_alone_or_within_the_image() {
    let world = scenario("a job of CI on a fresh machine must not do again what the last one did");
    let _registry = Registry::writable(5001, world.directory(), "");
    let text = "FROM busybox:1 AS one\nRUN date +%N > /when\nFROM busybox:1\nCOPY --from=one /when /when\nRUN true\n";
    world.file("Dockerfile", text);
    let when = || world.run(["run", "--rm", "mine", "cat", "/when"]).ok().stdout;
    let cache = "127.0.0.1:5001/team/cache:main";
    let to = format!("type=registry,ref={cache},mode=max");
    world.run(["build", "-q", "-t", "mine", "--cache-to", &to, "."]).ok();
    let first = when();
    forget(&world, &["mine"]);
    let from = format!("type=registry,ref={cache}");
    let again = world.run(["build", "-t", "mine", "--cache-from", &from, "."]).ok();
    assert_eq!(again.stderr.matches("CACHED").count(), 5, "{again}");
    assert_eq!(when(), first);
    world.run(["system", "check"]).ok();
    // Other tools see an image.
    assert_eq!(inspect(&[&format!("docker://{cache}")])["Layers"].as_array().unwrap().len(), 2);

    let image = "127.0.0.1:5001/team/app:1";
    world.run(["build", "-q", "--push", "-t", image, "--cache-to", "type=inline", "."]).ok();
    forget(&world, &["mine", image]);
    let again = world.run(["build", "-t", "mine", "--cache-from", image, "."]).ok();
    // What is in no layer of the image is done again, and gives the same only if it must.
    assert!(again.stderr.contains("importing the cache of"), "{again}");
    assert!(again.stderr.matches("CACHED").count() >= 2, "{again}");

    world.file("Dockerfile", "FROM busybox:1\nRUN date +%N > /when\n");
    world.run(["build", "-q", "--push", "-t", image, "--build-arg", "BUILDKIT_INLINE_CACHE=1", "."]).ok();
    world.run(["tag", image, "mine"]).ok();
    let first = when();
    forget(&world, &["mine", image]);
    world.file(
        "compose.yaml",
        &format!("services:\n  web:\n    build: {{context: ., cache_from: ['{image}']}}\n    image: mine\n"),
    );
    world.run(["compose", "build"]).ok().says(["CACHED"]);
    assert_eq!(when(), first);

    // A registry without it costs the cache, not the build.
    forget(&world, &["mine"]);
    let missing = world.run(["build", "-t", "mine", "--cache-from", "127.0.0.1:5001/team/none:1", "."]).ok();
    assert!(missing.stderr.contains("warning: no cache from `127.0.0.1:5001/team/none:1`"), "{missing}");
}

#[test]
#[ignore = "needs root"]
fn for_another_platform_files_are_put_together_and_programs_are_not_run() {
    let world = Scenario::new("an image for a board can be made here as long as nothing of it has to run");
    let (foreign, host) = if cfg!(target_arch = "aarch64") { ("amd64", "arm64") } else { ("arm64", "amd64") };
    let platform = format!("linux/{foreign}");
    world.file("Dockerfile", "FROM busybox:1\nARG TARGETARCH\nCOPY a /$TARGETARCH\n").file("a", "x");
    world.run(["build", "-q", "-t", "mine", "--platform", &platform, "."]).ok();
    let inspected: Value = serde_json::from_str(&world.run(["image", "inspect", "mine"]).ok().stdout).unwrap();
    assert_eq!(inspected[0]["Architecture"], foreign);
    world.run(["image", "cp", &format!("mine:/{foreign}"), "copied"]).ok();
    world.file("Dockerfile", "FROM busybox:1\nRUN true\n");
    let refused = world.run(["build", "--platform", &platform, "."]);
    refused.code(1).says([&format!("runs programs for linux/{host} and none for {platform}")]);
    // What runs here makes files for there.
    let cross = "FROM --platform=$BUILDPLATFORM busybox:1 AS make\nRUN echo made > /made\nFROM busybox:1\nCOPY --from=make /made /made\n";
    world.file("Dockerfile", cross).run(["build", "-q", "-t", "mine", "--platform", &platform, "."]).ok();
    world.run(["image", "cp", "mine:/made", "made"]).ok();
    assert_eq!(fs::read_to_string(world.folder().join("made")).unwrap(), "made\n");
}

#[test]
#[ignore = "needs root"]
fn what_is_not_supported_is_refused_by_name() {
    let world = Scenario::new("a flag that does nothing is worse than one that is refused");
    world.file("Dockerfile", "FROM scratch\n");
    for (flags, why) in [
        (&["--squash"][..], "--squash is not supported"),
        (&["--provenance=version=v0.2"], "of SLSA there is no other"),
        (&["--provenance=true", "-o", "out"], "it is kept beside an image"),
        (&["--sbom=true"], "--sbom: a list of what is in the image is not supported"),
        (&["--attest", "type=sbom"], "--attest `type=sbom`"),
        (&["--platform", "linux/amd64,linux/arm64", "-o", "type=tar,dest=x"], "is for one platform"),
        (&["--cache-to", "type=gha"], "a cache of type `gha` is not supported"),
        (&["--cache-from", "type=s3,bucket=x"], "`bucket` is not supported"),
        (&["--builder", "other"], "there is one builder"),
        (&["--call", "outline"], "--call `outline` is not supported"),
        (&["--annotation", "index:a=b"], "an image for one platform has no index"),
        (&["--annotation", "index-descriptor:a=b"], "descriptors are not annotated"),
        (&["--build-context", "a=oci-layout://b@c"], "digest `c` names no algorithm"),
        (&["--build-arg", "BUILDKIT_MULTI_PLATFORM=1"], "`BUILDKIT_MULTI_PLATFORM` is not supported"),
        (&["--build-context", "a=target:b"], "it means a target of a bake file"),
    ] {
        world.run(["build"].iter().chain(flags).chain(&["."])).code(1).says([why]);
    }
    for flags in [&["--provenance=false"][..], &["--attest", "type=sbom,disabled=true"], &["--builder", "default"]] {
        world.run(["build", "-q"].iter().chain(flags).chain(&["."])).ok();
    }
    world.run(["build", "--call", "check", "."]).ok();
    world.file("Dockerfile", "# check=error=true\nFROM scratch\nMAINTAINER me\n");
    world.run(["build", "."]).code(1).says(["line 3: MaintainerDeprecated"]);
    world.edit("Dockerfile", "error=true", "error=true;skip=MaintainerDeprecated").run(["build", "-q", "."]).ok();
}
