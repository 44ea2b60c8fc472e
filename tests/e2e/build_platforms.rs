//! `build` for several platforms, from image layouts, and with provenance: what comes out is what other tools expect.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Registry, Scenario, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

/// Files for each of two platforms, put together without running anything.
const DOCKERFILE: &str = "FROM --platform=$BUILDPLATFORM busybox:1 AS make\nRUN date +%N > /made\n\
    FROM scratch\nARG TARGETARCH\nCOPY --from=make /made /made\nCOPY a /$TARGETARCH\n";

const BOTH: &str = "linux/amd64,linux/arm64";

fn scenario(purpose: &'static str) -> Scenario {
    let world = Scenario::new(purpose);
    world.file("Dockerfile", DOCKERFILE).file("a", "x");
    world
}

fn skopeo(arguments: &[&str]) -> String {
    run(tool("skopeo", ["--insecure-policy"].iter().chain(arguments)), LIMIT).ok().stdout
}

/// Returns the document that a name of another tool's means.
fn raw(place: &str) -> Value {
    let text = skopeo(&["inspect", "--tls-verify=false", "--raw", place]);
    serde_json::from_str(&text).expect("skopeo prints JSON")
}

fn platforms(index: &Value) -> Vec<String> {
    let word = |entry: &Value, name: &str| entry["platform"][name].as_str().expect("it has a platform").to_owned();
    let of = |entry: &Value| format!("{}/{}", word(entry, "os"), word(entry, "architecture"));
    index["manifests"].as_array().expect("it is an index").iter().map(of).collect()
}

#[test]
#[ignore = "needs root"]
fn one_name_stands_for_all_platforms_wherever_it_goes() {
    let world = scenario("one tag must serve the laptop and the board");
    let _registry = Registry::writable(5001, world.directory(), "");
    let name = "127.0.0.1:5001/team/app:1";
    let annotation = ["--annotation", "index:org.example.a=b", "--annotation", "manifest[linux/arm64]:org.example.c=d"];
    let flags = ["build", "--platform", BOTH, "-t", name, "--metadata-file", "metadata"];
    world.run(flags.iter().chain(&annotation).chain(&["."])).ok();
    world.run(["system", "check"]).ok();
    assert_eq!(world.run(["images", "--quiet", "team/app"]).ok().text().lines().count(), 0);
    assert_eq!(world.run(["images", "--quiet", name]).ok().text().lines().count(), 1, "one row, not one a platform");

    world.run(["push", "--quiet", name]).ok();
    let index = raw(&format!("docker://{name}"));
    assert_eq!(platforms(&index), ["linux/amd64", "linux/arm64"]);
    assert_eq!(index["annotations"], json!({"org.example.a": "b"}));
    let metadata: Value = serde_json::from_str(&fs::read_to_string(world.folder().join("metadata")).unwrap()).unwrap();
    let digest = skopeo(&["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &format!("docker://{name}")]);
    assert_eq!(metadata["containerimage.digest"], digest.trim());
    let copied = |arch: &str, tag: &str| {
        let place = format!("oci:{}:{tag}", world.directory().join("copied").display());
        skopeo(&["copy", "--override-arch", arch, "--src-tls-verify=false", &format!("docker://{name}"), &place]);
        raw(&place)
    };
    let (ours, theirs) = (copied("amd64", "ours"), copied("arm64", "theirs"));
    assert_eq!((&ours["annotations"], &theirs["annotations"]), (&Value::Null, &json!({"org.example.c": "d"})));
    let made = |manifest: &Value| manifest["layers"][0]["digest"].clone();
    assert_eq!(made(&ours), made(&theirs), "what runs on the building host runs once");

    // A pull that brings nothing new takes nothing away.
    world.run(["pull", "--quiet", name]).ok();
    // Another repository, an archive, and what stays when the name is gone.
    let other = "127.0.0.1:5001/other/app:2";
    world.run(["tag", name, other]).ok();
    world.run(["push", "--quiet", other]).ok();
    assert_eq!(raw(&format!("docker://{other}")), index);
    world.run(["save", "-o", "saved.tar", name]).ok();
    assert_eq!(platforms(&raw(&format!("oci-archive:{}", world.folder().join("saved.tar").display()))).len(), 2);
    world.run(["rmi", "--force", name, other]).ok();
    world.run(["builder", "prune", "--force"]).ok();
    let left = fs::read_dir(world.root().join("images/blobs/sha256")).unwrap().count();
    let listed = world.run(["images", "--quiet", "--all"]).ok().text().lines().count();
    assert!(listed == 1 && left <= 4, "{left} blobs for {listed} image");
}

#[test]
#[ignore = "needs root"]
fn each_platform_of_a_name_is_seen_carried_and_taken_away_by_itself() {
    let world = scenario("who keeps images for boards here must see them, and get rid of one");
    let _registry = Registry::writable(5001, world.directory(), "");
    let name = "127.0.0.1:5001/team/app:1";
    world.run(["build", "-q", "--platform", BOTH, "-t", name, "."]).ok();
    let architecture = |platform: &str| {
        let flags = ["image", "inspect", "--format", "{{.Architecture}}", "--platform", platform, name];
        world.run(flags).ok().text().to_owned()
    };
    assert_eq!((architecture("linux/amd64"), architecture("linux/arm64")), ("amd64".to_owned(), "arm64".to_owned()));
    world.run(["image", "inspect", "--platform", "linux/s390x", name]).code(1).says(["not linux/s390x"]);
    let history = |platform: &str| world.run(["history", "--no-trunc", "--platform", platform, name]).ok().stdout;
    assert!(history("linux/arm64").contains("COPY a /arm64") || history("linux/arm64").contains("TARGETARCH=arm64"));
    assert_ne!(history("linux/arm64"), history("linux/amd64"));
    let tree = world.run(["images", "--tree", name]).ok().stdout;
    let lines: Vec<_> = tree.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(
        (lines[0][0], &lines[1][..2], &lines[2][..2]),
        (name, &["├─", "linux/amd64"][..], &["└─", "linux/arm64"][..])
    );

    // An archive of one, pushed alone, and all of them through an archive to another store.
    let archive = |file: &str| format!("oci-archive:{}", world.folder().join(file).display());
    world.run(["save", "-o", "one.tar", "--platform", "linux/arm64", name]).ok();
    assert_eq!(raw(&archive("one.tar"))["config"]["digest"], json!(id(&world, "linux/arm64", name)));
    world.run(["push", "--quiet", "--platform", "linux/arm64", name]).ok();
    assert_eq!(raw(&format!("docker://{name}"))["config"]["digest"], json!(id(&world, "linux/arm64", name)));
    world.run(["save", "-o", "all.tar", name]).ok();
    let index = raw(&archive("all.tar"));
    let other = Scenario::new("the other store");
    let all = world.folder().join("all.tar").display().to_string();
    other.run(["load", "--quiet", "-i", &all]).ok();
    other.run(["system", "check"]).ok();
    other.run(["save", "-o", "again.tar", name]).ok();
    assert_eq!(raw(&format!("oci-archive:{}", other.folder().join("again.tar").display())), index);
    other.run(["rmi", name]).ok();
    other.run(["load", "--quiet", "--platform", "linux/arm64", "-i", &all]).ok();
    assert_eq!(other.run(["image", "inspect", "--format", "{{.Architecture}}", name]).ok().text(), "arm64");
    other.run(["image", "inspect", "--platform", "linux/amd64", name]).code(1);
    other.run(["rmi", name]).ok();

    // What runs here goes, and the name means what is left.
    world.run(["tag", name, "second"]).ok();
    let gone = id(&world, "linux/amd64", name);
    world.run(["rmi", "--platform", "linux/s390x", name]).code(1).says(["no such image", "for linux/s390x"]);
    let removed = world.run(["rmi", "--platform", "linux/amd64", name]).ok();
    assert!(removed.stdout.contains(&format!("Deleted: {gone}")), "{removed}");
    assert!(!world.root().join("images/blobs/sha256").join(gone.trim_start_matches("sha256:")).exists());
    for name in [name, "second"] {
        assert_eq!(world.run(["image", "inspect", "--format", "{{.Architecture}}", name]).ok().text(), "arm64");
        world.run(["save", "-o", "left.tar", name]).ok();
        assert_eq!(platforms(&raw(&archive("left.tar"))), ["linux/arm64"]);
    }
    world.run(["system", "check"]).ok();
    world.run(["rmi", "--platform", "linux/arm64", "second"]).ok();
    world.run(["rmi", "--platform", "linux/arm64", name]).ok();
    assert_eq!(world.run(["images", "--quiet", name]).ok().text(), "");
}

#[test]
#[ignore = "needs root"]
fn a_container_is_made_of_the_image_for_the_platform_that_was_asked_for() {
    let world = scenario("who tests an image for a board here must not get the one for the laptop");
    world.run(["build", "-q", "--platform", BOTH, "-t", "mine", "."]).ok();
    let create = |flags: &[&str]| {
        let words = ["create", "--name", "t", "--pull", "never"].iter().chain(flags).chain(&["mine", "/a"]);
        world.run(words).ok();
        let (image, files) = (world.inspect("t")["Image"].clone(), world.run(["export", "t"]).ok().stdout);
        world.run(["rm", "t"]).ok();
        (image.as_str().expect("it has an image").to_owned(), files)
    };
    for architecture in ["arm64", "amd64"] {
        let platform = format!("linux/{architecture}");
        let (image, files) = create(&["--platform", &platform]);
        assert_eq!(image, id(&world, &platform, "mine"));
        assert!(files.contains(architecture), "its files are unpacked");
    }
    assert_eq!(create(&[]).0, id(&world, &host(), "mine"));
    let refused = world.run(["create", "--pull", "never", "--platform", "linux/s390x", "mine", "/a"]);
    refused.code(1).says(["image `mine` is of platform", "not linux/s390x"]);

    // What a container is made of outlives the names of the index.
    let foreign = if host() == "linux/amd64" { "linux/arm64" } else { "linux/amd64" };
    world.run(["create", "--name", "t", "--pull", "never", "--platform", foreign, "mine", "/a"]).ok();
    world.run(["rmi", "--force", "mine"]).ok();
    world.run(["image", "prune", "--force"]).ok();
    world.run(["system", "check"]).ok();
    assert!(world.run(["export", "t"]).ok().stdout.contains(foreign.trim_start_matches("linux/")));
    world.run(["rm", "t"]).ok();
    world.run(["image", "prune", "--force"]).ok();
    assert_eq!(world.run(["images", "--all", "--quiet"]).ok().text().lines().count(), 1, "busybox");
}

fn id(world: &Scenario, platform: &str, name: &str) -> String {
    world.run(["image", "inspect", "--format", "{{.Id}}", "--platform", platform, name]).ok().text().to_owned()
}

#[test]
#[ignore = "needs root"]
fn platforms_are_built_beside_one_another_and_one_failure_ends_all() {
    let world = scenario("a release for two boards must not take twice the time");
    world.run(["pull", "--quiet", "busybox:1"]).ok();
    // Ends well only while the other platform's is at work, too.
    let meeting = "FROM --platform=$BUILDPLATFORM busybox:1\nARG TARGETARCH\n\
        RUN --mount=type=cache,target=/c touch /c/$TARGETARCH; \
        for n in $(seq 200); do test -e /c/amd64 && test -e /c/arm64 && exit 0; sleep 0.1; done; exit 1\n";
    world.file("Dockerfile", meeting).run(["build", "--platform", BOTH, "-t", "mine", "."]).ok();
    world.file("Dockerfile", &meeting.replace("exit 0", "if test $TARGETARCH = arm64; then exit 3; else sleep 60; fi"));
    world.run(["build", "--platform", BOTH, "."]).code(1).says(["exit code: 3"]);
    assert!(world.run(["ps", "-aq"]).ok().stdout.is_empty());
}

#[test]
#[ignore = "needs root"]
fn files_and_archives_for_several_platforms_are_kept_apart() {
    let world = scenario("a release has a folder for each platform");
    world.run(["build", "-q", "--platform", BOTH, "-o", "out", "."]).ok();
    assert_eq!(fs::read_to_string(world.folder().join("out/linux_amd64/amd64")).unwrap(), "x");
    assert_eq!(fs::read_to_string(world.folder().join("out/linux_arm64/arm64")).unwrap(), "x");
    let archive = world.folder().join("all.tar").display().to_string();
    world.run(["build", "-q", "--platform", BOTH, "-t", "mine", "-o", &format!("type=oci,dest={archive}"), "."]).ok();
    assert_eq!(platforms(&raw(&format!("oci-archive:{archive}"))), ["linux/amd64", "linux/arm64"]);
    // Each line says which platform it is about.
    let told = world.run(["build", "--no-cache", "--platform", BOTH, "."]).ok();
    assert!(told.stderr.contains("[linux/arm64 stage-1 "), "{told}");

    let compose = format!("services:\n  web:\n    build: {{context: ., platforms: [{BOTH}]}}\n    image: web\n");
    world.file("compose.yaml", &compose).run(["compose", "build", "--quiet"]).ok();
    world.run(["save", "-o", "web.tar", "web"]).ok();
    assert_eq!(platforms(&raw(&format!("oci-archive:{}", world.folder().join("web.tar").display()))).len(), 2);
}

#[test]
#[ignore = "needs root"]
fn a_base_for_another_platform_does_not_take_its_name() {
    let world = scenario("whoever builds for a board goes on running the same image here");
    world.run(["pull", "--quiet", "busybox:1"]).ok();
    let id = || world.run(["images", "--quiet", "--no-trunc", "busybox:1"]).ok().stdout;
    let before = id();
    world.file("Dockerfile", "FROM busybox:1\nCOPY a /\n");
    world.run(["build", "-q", "-t", "mine", "--platform", BOTH, "."]).ok();
    assert_eq!(id(), before);
    world.run(["run", "--rm", "busybox:1", "true"]).ok();
    // Nor where neither was there: whoever comes last.
    world.run(["rmi", "--force", "mine", "busybox:1"]).ok();
    world.run(["builder", "prune", "--force"]).ok();
    world.run(["build", "-q", "-t", "mine", "--platform", BOTH, "."]).ok();
    assert_eq!(id(), before);
    // The second time it is here.
    let again = world.run(["build", "--no-cache", "-t", "mine", "--platform", BOTH, "."]).ok();
    assert!(!again.stderr.contains("] FROM docker.io") && !again.stderr.contains("already there"), "{again}");
}

#[test]
#[ignore = "needs root"]
fn an_image_layout_is_a_base_and_a_source_of_files() {
    let world = scenario("a base that another tool has made need not go by a registry");
    world.run(["pull", "--quiet", "busybox:1"]).ok();
    world
        .file("Dockerfile", "FROM busybox:1\nRUN echo of the layout > /from\n")
        .run(["build", "-q", "-t", "base", "."])
        .ok();
    world.run(["save", "--format", "oci-archive", "-o", "base.tar", "base"]).ok();
    let layout = world.folder().join("layout").display().to_string();
    skopeo(&[
        "copy",
        &format!("oci-archive:{}", world.folder().join("base.tar").display()),
        &format!("oci:{layout}:one"),
    ]);
    world.run(["rmi", "--force", "base"]).ok();
    world.file("Dockerfile", "FROM base\nCOPY --from=files /from /copied\nRUN cat /from /copied > /both\n");
    let build = |image: &str| {
        let contexts = ["base", "files"].map(|name| format!("--build-context={name}=oci-layout://{image}"));
        world.run(["build", "-q", "-t", "mine", &contexts[0], &contexts[1], "."])
    };
    let digest = skopeo(&["inspect", "--format", "{{.Digest}}", &format!("oci:{layout}:one")]);
    for image in ["layout".to_owned(), "layout:one".to_owned(), format!("{layout}@{}", digest.trim())] {
        build(&image).ok();
        let both = world.run(["run", "--rm", "mine", "cat", "/both"]).ok().stdout;
        assert_eq!(both, "of the layout\nof the layout\n", "{image}");
    }
    build("layout:two").code(1).says(["read image layout", "no `image with the tag two`"]);
    fs::write(world.folder().join("layout/index.json"), "{}").unwrap();
    build("layout").code(1).says(["`index.json` of the archive is malformed"]);
}

#[test]
#[ignore = "needs root"]
fn provenance_says_what_an_image_was_built_from_and_no_secret() {
    let world = scenario("who ships an image must be able to say what is in it");
    let _registry = Registry::writable(5001, world.directory(), "");
    let name = "127.0.0.1:5001/team/app:1";
    world.file("Dockerfile", "FROM busybox:1\nARG WHO\nRUN --mount=type=secret,id=key true\n").file("key", "SENTINEL");
    let flags = ["--build-arg", "WHO=me", "--secret", "id=key,src=key", "--push", "-t", name];
    let build = |provenance: &str| world.run(["build", "-q", provenance].iter().chain(&flags).chain(&["."])).ok();
    let statement = || {
        let index = raw(&format!("docker://{name}"));
        assert_eq!(platforms(&index), [host(), "unknown/unknown".to_owned()]);
        let (image, attestation) = (&index["manifests"][0], &index["manifests"][1]);
        assert_eq!(attestation["annotations"]["vnd.docker.reference.digest"], image["digest"]);
        let manifest = raw(&format!("docker://127.0.0.1:5001/team/app@{}", attestation["digest"].as_str().unwrap()));
        let layer = &manifest["layers"][0];
        assert_eq!(layer["mediaType"], "application/vnd.in-toto+json");
        let url = format!("http://127.0.0.1:5001/v2/team/app/blobs/{}", layer["digest"].as_str().unwrap());
        let text = run(tool("curl", ["-sf", &url]), LIMIT).ok().stdout;
        assert!(!text.contains("SENTINEL"));
        let statement: Value = serde_json::from_str(&text).unwrap();
        let subject = format!("sha256:{}", statement["subject"][0]["digest"]["sha256"].as_str().unwrap());
        assert_eq!(image["digest"], subject);
        statement
    };
    build("--provenance=mode=max,builder-id=https://ci.example/7");
    let full = statement();
    assert_eq!(full["predicateType"], "https://slsa.dev/provenance/v1");
    let predicate = &full["predicate"];
    assert_eq!(predicate["runDetails"]["builder"]["id"], "https://ci.example/7");
    assert_eq!(predicate["buildDefinition"]["externalParameters"]["request"]["args"], json!({"WHO": "me"}));
    let base = &predicate["buildDefinition"]["resolvedDependencies"][0];
    assert!(base["uri"].as_str().unwrap().starts_with("pkg:docker/busybox@1?platform=linux%2F"), "{base}");
    build("--provenance");
    assert_eq!(statement()["predicate"]["buildDefinition"]["externalParameters"]["request"].get("args"), None);
    // Here it is an image like any other.
    world.run(["run", "--rm", name, "true"]).ok();
    world.run(["system", "check"]).ok();
}

fn host() -> String {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    format!("linux/{architecture}")
}

#[test]
#[ignore = "needs root"]
fn what_is_built_is_compressed_when_it_travels_and_once() {
    let world = Scenario::new("most images that are built never leave their host");
    let _registry = Registry::writable(5001, world.directory(), "");
    let name = "127.0.0.1:5001/team/app:1";
    world.file("Dockerfile", "FROM busybox:1\nCOPY a /\n").file("a", &"x".repeat(100_000));
    let id = world.run(["build", "-q", "-t", name, "."]).ok().stdout;
    let layout = format!("oci:{}:{name}", world.root().join("images").display());
    let layer = |manifest: &Value| manifest["layers"].as_array().unwrap().last().unwrap()["mediaType"].clone();
    assert_eq!(layer(&raw(&layout)), "application/vnd.oci.image.layer.v1.tar");
    world.run(["push", "--quiet", name]).ok();
    let pushed = raw(&format!("docker://{name}"));
    assert_eq!(layer(&pushed), "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(pushed["config"]["digest"], id.trim());
    assert_eq!(raw(&layout), pushed, "here it is what the registry has");
    assert_eq!(world.run(["images", "--quiet", "--no-trunc", name]).ok().text().trim(), id.trim());
    world.run(["system", "check"]).ok();
    // Built and pushed again, nothing has changed.
    world.run(["build", "-q", "-t", name, "."]).ok();
    world.run(["push", "--quiet", name]).ok();
    assert_eq!(raw(&format!("docker://{name}")), pushed);
    world.run(["rmi", "--force", name]).ok();
    world.run(["run", "--rm", name, "cat", "/a"]).ok();
}
