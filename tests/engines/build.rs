//! What Docker's own builder makes of the Dockerfiles of `tests/build`, beside what lighter makes of them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::build_suite::{Case, Files, files, names, of};
use crate::harness::{BUSYBOX, Engine, run, tool};

/// Docker puts these into every container it exports, whatever the image has.
const OF_CONTAINERS: [&str; 8] =
    ["/.dockerenv", "/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/mtab", "/etc/resolv.conf"];

/// What of a configuration is compared; `ArgsEscaped` and the container's own fields say nothing about the image.
const FIELDS: [&str; 12] = [
    "Env",
    "Cmd",
    "Entrypoint",
    "Labels",
    "ExposedPorts",
    "Volumes",
    "User",
    "WorkingDir",
    "StopSignal",
    "Shell",
    "Healthcheck",
    "OnBuild",
];

#[test]
#[ignore = "needs root"]
fn dockers_builder_gives_the_same_files_and_configuration() {
    compare(Builder::Classic, &|case| case.is_for_docker, 60);
}

/// What the classic builder lacks; here-documents and `--link` are younger than what Debian has of either.
#[test]
#[ignore = "needs root"]
fn buildkit_gives_the_same_files_and_configuration() {
    compare(Builder::BuildKit, &|case| case.is_for_buildkit, 20);
}

/// What docker builds with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Builder {
    Classic,
    BuildKit,
}

/// Compares what docker and lighter make of some cases, of which there are at least so many.
#[track_caller]
fn compare(builder: Builder, is_compared: &dyn Fn(&Case) -> bool, least: usize) {
    let docker = Engine::docker().with(BUSYBOX);
    let root = docker.path("lighter");
    let lighter = |arguments: &[&str], folder: &Path| {
        let mut command = tool(env!("CARGO_BIN_EXE_lighter"), arguments.iter().copied());
        command
            .env("LIGHTER_ROOT", format!("{root}/root"))
            .env("LIGHTER_RUN", format!("{root}/run"))
            .current_dir(folder);
        command
    };
    fs::create_dir_all(&root).expect("files of a test are its own");
    let image = docker.path("busybox.tar");
    docker.call(["save", "--output", &image, BUSYBOX]).ok();
    run(lighter(&["load", "-q", "-i", &image], Path::new(&root)), Path::new(&root)).ok();
    let mut failures = Vec::new();
    let all = names().into_iter().flat_map(|file| of(&file));
    let cases: Vec<Case> = all.filter(|case| is_compared(case)).collect();
    assert!(cases.len() >= least, "only {} cases are compared", cases.len());
    for case in cases {
        let folder = Path::new(&root).join("contexts").join(&case.name);
        case.write(&folder);
        let ours = ours(&case, &folder, &lighter);
        match theirs(&case, &folder, &docker, builder) {
            Ok(mut theirs) => {
                if builder == Builder::BuildKit {
                    forget_mount_points(&ours.0, &mut theirs.0);
                }
                failures.extend(differences(&case, &ours, &theirs));
                // What stands beside the case is no invention of ours.
                failures.extend(case.differences(&theirs.0, &theirs.1));
            }
            Err(why) => failures.push(format!("{}: docker cannot build it: {why}", case.name)),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Takes out the folders that BuildKit leaves where something was mounted, and that nothing is in.
fn forget_mount_points(ours: &Files, theirs: &mut Files) {
    let folders: Vec<String> = theirs.keys().rev().filter(|path| !ours.contains_key(*path)).cloned().collect();
    for path in folders {
        let is_empty = !theirs.keys().any(|other| other.starts_with(&format!("{path}/")));
        if is_empty && theirs[&path].to_string().starts_with("dir ") {
            theirs.remove(&path);
        }
    }
}

/// Files, and what `image inspect` says.
type Made = (Files, Value);

fn ours(case: &Case, folder: &Path, lighter: &dyn Fn(&[&str], &Path) -> Command) -> Made {
    let archive = folder.with_extension("ours.tar");
    let output = format!("type=tar,dest={}", archive.display());
    let mut build = lighter(&["build", "-q", "--network", "none", "-t", &case.name, "-o", &output, "--load"], folder);
    build.args(&case.flags).arg(".");
    run(build, folder.parent().expect("it has a name")).ok();
    let inspected =
        run(lighter(&["image", "inspect", &case.name], folder), folder.parent().expect("it has a name")).ok().stdout;
    (files(&archive), first(&inspected))
}

fn theirs(case: &Case, folder: &Path, docker: &Engine, builder: Builder) -> Result<Made, String> {
    let archive = folder.with_extension("theirs.tar");
    let asked = docker.command(["build", "-q", "--network", "none", "-t", &case.name]);
    let mut build = match builder {
        Builder::Classic => asked,
        Builder::BuildKit => with_buildkit(&asked),
    };
    let kit = if builder == Builder::BuildKit { "1" } else { "0" };
    build.args(&case.flags).arg(".").current_dir(folder).env("DOCKER_BUILDKIT", kit);
    let built = run(build, folder.parent().expect("it has a name"));
    if built.code() != Some(0) {
        return Err(built.stderr);
    }
    let container = docker.call(["create", "--network", "none", &case.name, "x"]).ok().stdout;
    docker.call(["export", "-o", &archive.display().to_string(), container.trim()]).ok();
    docker.call(["rm", container.trim()]).ok();
    let inspected = docker.call(["image", "inspect", &case.name]).ok().stdout;
    Ok((files(&archive), first(&inspected)))
}

/// Returns the same command by Debian's client, which speaks with the BuildKit of its dockerd by itself, where later ones
/// want a plugin.
fn with_buildkit(command: &Command) -> Command {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/bin/docker");
    let client = if unpacked.exists() { unpacked.to_string_lossy().into_owned() } else { "docker".to_owned() };
    let mut same = tool(&client, command.get_args());
    same.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    same
}

fn first(text: &str) -> Value {
    let all: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    all[0].clone()
}

fn differences(case: &Case, ours: &Made, theirs: &Made) -> Vec<String> {
    let mut found = Vec::new();
    let is_compared =
        |path: &str| !OF_CONTAINERS.iter().any(|other| path == *other || path.starts_with(&format!("{other}/")));
    let paths: std::collections::BTreeSet<_> =
        ours.0.keys().chain(theirs.0.keys()).filter(|path| is_compared(path)).collect();
    for path in paths {
        let (our, their) = (ours.0.get(path), theirs.0.get(path));
        // The folder of those files, in an image that has none.
        let is_made_for_them = path == "/etc" && our.is_none();
        if our != their && !is_made_for_them {
            let shown = |node: Option<&crate::build_suite::Node>| {
                node.map_or("none".to_owned(), |node| node.to_string().chars().take(80).collect())
            };
            found.push(format!("{}: {path}: ours {}, theirs {}", case.name, shown(our), shown(their)));
        }
    }
    for field in FIELDS {
        let [our, their] = [ours, theirs].map(|(_, image)| plain(&image["Config"][field]));
        if our != their {
            found.push(format!("{}: {field}: ours {our}, theirs {their}", case.name));
        }
    }
    found
}

/// Docker writes nothing in several ways.
fn plain(value: &Value) -> Value {
    let is_nothing = value.is_null()
        || value.as_str().is_some_and(|text| text.is_empty() || text == "/")
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty);
    if is_nothing { Value::Null } else { value.clone() }
}
