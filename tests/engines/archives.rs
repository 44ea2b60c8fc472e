//! Images on their way between lighter and the engines, in both forms of archive.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{BUSYBOX, Engine, Output, REDIS, run, tool};

/// Lighter with a store in the directory of an engine's test.
struct Lighter<'a>(&'a Engine);

impl Lighter<'_> {
    fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = tool(env!("CARGO_BIN_EXE_lighter"), arguments);
        command.env("LIGHTER_ROOT", self.0.path("lighter")).env("LIGHTER_RUN", "/run/lighter");
        command
    }

    #[track_caller]
    fn call<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        run(self.command(arguments), Path::new(&self.0.path(".")))
    }

    /// Returns what `image inspect` says.
    #[track_caller]
    fn inspect(&self, image: &str) -> Value {
        json(&self.call(["image", "inspect", image]).ok().stdout)
    }

    #[track_caller]
    fn is_whole(&self) {
        self.call(["system", "check"]).ok();
    }
}

/// Returns the first of the objects that an `inspect` prints.
#[track_caller]
fn json(text: &str) -> Value {
    let all: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    all[0].clone()
}

/// Podman's ids lack the algorithm.
fn id(object: &Value) -> String {
    object["Id"].as_str().expect("Id is a text").trim_start_matches("sha256:").to_owned()
}

#[track_caller]
fn theirs(engine: &Engine, image: &str) -> Value {
    json(&engine.call(["image", "inspect", image]).ok().stdout)
}

/// Moves an image from the engine to lighter and back, and asserts that it is the same everywhere.
fn goes_there_and_back(engine: &Engine) {
    let lighter = Lighter(engine);
    let (there, back) = (engine.path("there.tar"), engine.path("back.tar"));
    let before = theirs(engine, REDIS);
    engine.call(["save", "--output", &there, REDIS]).ok();
    assert!(lighter.call(["load", "--input", &there]).ok().text().contains("Loaded image: redis:7"));
    assert_eq!(id(&lighter.inspect("redis:7")), id(&before));
    lighter.is_whole();

    lighter.call(["save", "--output", &back, "redis:7"]).ok();
    engine.call(["rmi", "--force", REDIS]).ok();
    engine.call(["load", "--input", &back]).ok();
    let after = theirs(engine, REDIS);
    assert_eq!(id(&after), id(&before));
    assert_eq!(after["RootFS"], before["RootFS"]);
    let version = ["run", "--rm", "--network", "none", REDIS, "redis-server", "--version"];
    assert!(engine.call(version).ok().stdout.contains("Redis server"));
}

#[test]
#[ignore = "needs root"]
fn docker_takes_what_it_gave_back_as_the_same_image() {
    goes_there_and_back(&Engine::docker().with(REDIS));
}

#[test]
#[ignore = "needs root"]
fn podman_takes_what_it_gave_back_as_the_same_image() {
    goes_there_and_back(&Engine::podman().with(REDIS));
}

#[test]
#[ignore = "needs root"]
fn an_image_layout_keeps_its_digests_from_skopeo_by_lighter_to_podman_and_back() {
    let engine = Engine::podman();
    let lighter = Lighter(&engine);
    let (first, second, third) = (engine.path("first.tar"), engine.path("second.tar"), engine.path("third.tar"));
    let layout = concat!(env!("CARGO_MANIFEST_DIR"), "/target/images/layout");
    let (from, to) = (format!("oci:{layout}:redis:7"), format!("oci-archive:{first}:redis:7"));
    run(tool("skopeo", ["--insecure-policy", "copy", "--quiet", &from, &to]), Path::new(&engine.path("."))).ok();
    lighter.call(["load", "--input", &first]).ok();
    let ours = lighter.inspect("redis:7");

    lighter.call(["save", "--format", "oci-archive", "--output", &second, "redis:7"]).ok();
    engine.call(["load", "--input", &second]).ok();
    let podman = theirs(&engine, REDIS);
    assert_eq!((id(&podman), &podman["Digest"]), (id(&ours), &ours["Manifest"]));

    engine.call(["save", "--format", "oci-archive", "--output", &third, REDIS]).ok();
    lighter.call(["rmi", "redis:7"]).ok();
    lighter.call(["load", "--input", &third]).ok();
    assert_eq!(id(&lighter.inspect("redis:7")), id(&ours));
    lighter.is_whole();
}

#[test]
#[ignore = "needs root"]
fn several_images_of_docker_are_loaded_with_all_their_names() {
    let engine = Engine::docker().with(REDIS);
    let lighter = Lighter(&engine);
    let archive = engine.path("several.tar");
    engine.call(["tag", BUSYBOX, "registry.example:5000/team/box:v1"]).ok();
    engine.call(["save", "--output", &archive, REDIS, BUSYBOX, "registry.example:5000/team/box:v1"]).ok();
    let loaded = lighter.call(["load", "--quiet", "--input", &archive]).ok();
    for name in ["redis:7", "busybox:1", "registry.example:5000/team/box:v1"] {
        assert!(loaded.stdout.contains(&format!("Loaded image: {name}\n")), "{loaded}");
    }
    assert_eq!(id(&lighter.inspect("registry.example:5000/team/box:v1")), id(&theirs(&engine, BUSYBOX)));
}

/// What both engines do to a container before it is committed.
const CHANGES: &str = "echo new >/etc/new; ln /etc/new /etc/again; ln -s /nowhere /etc/link; rm /bin/vi; \
    mkdir -p /srv/a/b; chmod 1770 /srv/a; chown 12:34 /srv/a/b; rm -r /usr; mkdir /usr; touch /usr/x; mkfifo /srv/pipe";

/// Lists a layer without times, which are the run's own.
fn listed(directory: &Path, layer: &str) -> Vec<String> {
    let text = run(tool("tar", ["--numeric-owner", "-tvf", layer]), directory).ok().stdout;
    let mut lines: Vec<_> = text
        .lines()
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            // What mode a mark has says nothing.
            let mode = if line.contains("/.wh.") { "mark" } else { words[0] };
            [&[mode], &words[1..3], &words[5..]].concat().join(" ")
        })
        .filter(|line| !line.ends_with(" ./"))
        .collect();
    lines.sort();
    lines
}

#[test]
#[ignore = "needs root"]
fn a_commit_has_the_layer_and_the_configuration_that_dockers_has() {
    let engine = Engine::docker();
    let lighter = Lighter(&engine);
    let directory = engine.path(".");
    let directory = Path::new(&directory);
    let archive = engine.path("busybox.tar");
    engine.call(["save", "--output", &archive, BUSYBOX]).ok();
    lighter.call(["load", "--input", &archive]).ok();
    let commit = [
        "commit",
        "--author",
        "me",
        "--message",
        "why",
        "--change",
        "ENV B=\"x y\"",
        "--change",
        "ENTRYPOINT [\"/bin/cat\"]",
        "--change",
        "EXPOSE 80",
        "--change",
        "LABEL c=d",
        "--change",
        "WORKDIR sub",
        "--change",
        "USER 5",
        "--change",
        "VOLUME /v",
        "changed",
        "made:1",
    ];
    let start =
        ["run", "--name", "changed", "--network", "none", "--env", "A=1", "--label", "a=b", "--workdir", "/tmp"];
    for call in [&|arguments: &[&str]| engine.call(arguments.iter().copied()), &|arguments: &[&str]| {
        lighter.call(arguments.iter().copied())
    }] as [&dyn Fn(&[&str]) -> Output; 2]
    {
        call(&[&start[..], &[BUSYBOX, "sh", "-c", CHANGES]].concat()).ok();
        call(&commit).ok();
        call(&["rm", "changed"]).ok();
    }

    let (ours, docker) = (lighter.inspect("made:1"), theirs(&engine, "made:1"));
    for field in ["Author", "Comment", "Architecture", "Os"] {
        assert_eq!(ours[field], docker[field], "{field}");
    }
    let sorted = |object: &Value| {
        let mut variables = object["Config"]["Env"].as_array().expect("Env is a list").clone();
        variables.sort_by_key(ToString::to_string);
        variables
    };
    assert_eq!(sorted(&ours), sorted(&docker));
    for field in ["Cmd", "Entrypoint", "ExposedPorts", "Labels", "WorkingDir", "User", "Volumes"] {
        assert_eq!(ours["Config"][field], docker["Config"][field], "{field}");
    }

    engine.call(["save", "--output", &engine.path("theirs.tar"), "made:1"]).ok();
    lighter.call(["save", "--output", &engine.path("ours.tar"), "made:1"]).ok();
    let layers = ["theirs", "ours"].map(|name| {
        let unpacked = engine.path(name);
        std::fs::create_dir(&unpacked).expect("the test's directory is ours");
        run(tool("tar", ["-xf", &format!("{unpacked}.tar"), "-C", &unpacked]), directory).ok();
        let manifest = std::fs::read_to_string(format!("{unpacked}/manifest.json")).expect("an archive has a manifest");
        let layer = json(&manifest)["Layers"].as_array().and_then(|all| all.last().cloned()).expect("it has layers");
        listed(directory, &format!("{unpacked}/{}", layer.as_str().expect("a layer is a path")))
    });
    assert_eq!(layers[1], layers[0]);
}
