//! `build`: an image from a Dockerfile, and what a build leaves.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Scenario, eventually, tool};

/// Time a step may take to begin.
const BEGIN: Duration = Duration::from_secs(20);

fn scenario(purpose: &'static str) -> Scenario {
    let scenario = Scenario::new(purpose);
    scenario.run(["pull", "--quiet", "busybox:1"]).ok();
    scenario
}

/// Lists the files below a folder that have `text` in them.
fn holding(folder: &Path, text: &str) -> String {
    let grep = tool("grep", ["-rlaF".as_ref(), text.as_ref(), folder.as_os_str()]).output().expect("grep runs");
    String::from_utf8_lossy(&grep.stdout).into_owned()
}

#[test]
#[ignore = "needs root"]
fn a_built_image_runs_and_a_second_build_does_nothing_again() {
    let world = scenario("what has not changed must not be done twice");
    world.file("Dockerfile", "FROM busybox:1\nCOPY a /a\nRUN date +%N > /when\nCMD cat /a\n").file("a", "hello\n");
    let first = world.run(["build", "-q", "-t", "mine", "."]).ok().stdout;
    world.file("a", "hello\n"); // a new time, the same content
    let second = world.run(["build", "-t", "mine", "--iidfile", "id", "."]).ok();
    assert_eq!(fs::read_to_string(world.folder().join("id")).unwrap(), first.trim());
    assert_eq!(second.stderr.matches("CACHED").count(), 3, "{}", second.stderr);
    assert_eq!(world.run(["run", "--rm", "mine"]).ok().stdout, "hello\n");
    world.file("a", "changed\n").run(["build", "-q", "-t", "mine", "."]).ok();
    assert_eq!(world.run(["run", "--rm", "mine"]).ok().stdout, "changed\n");
    world.run(["system", "check"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_failed_step_is_told_with_its_line_its_output_and_its_code() {
    let world = scenario("whoever looks at a failed build must see where and why");
    world.file("Dockerfile", "FROM busybox:1\n\nRUN echo before; \\\n  exit 42\n");
    world.run(["build", "."]).code(1).says(["Dockerfile:3", "| before", "exit code: 42", "--debug-shell"]);
    let mistake = world.file("Dockerfile", "FROM busybox:1\nCOPPY a b\n").run(["build", "."]);
    mistake.code(1).says(["Dockerfile: line 2: unknown instruction `COPPY`: did you mean `COPY`?"]);
}

#[test]
#[ignore = "needs root"]
fn a_shell_opens_in_the_state_before_the_failed_step() {
    let world = scenario("a failed step must be looked into without building again");
    world
        .file("Dockerfile", "FROM busybox:1\nRUN echo there > /made\nRUN touch /half && false\n")
        .file("in", "cat /made; ls /half\n");
    let mut command = world.command(["build", "--debug-shell", "."]);
    command.stdin(fs::File::open(world.folder().join("in")).unwrap());
    let shell = world.finish(command).code(1).says(["/half: No such file"]);
    assert!(shell.stdout.contains("there"), "{shell}");
    assert!(world.run(["ps", "-aq"]).ok().stdout.is_empty());
}

#[test]
#[ignore = "needs root"]
fn secrets_reach_the_step_and_nothing_else() {
    let world = scenario("a secret must be in no layer, no cache, no log, no history");
    let secret = "Ahf7eexaith4oochoh";
    world.file("token", secret).file(
        "Dockerfile",
        "FROM busybox:1\nRUN --mount=type=secret,id=t grep -c Ahf /run/secrets/t > /count\nRUN --mount=type=secret,id=t,env=T test -n \"$T\"\n",
    );
    let carried = world.directory().join("cache");
    let to = format!("type=local,mode=max,dest={}", carried.display());
    let told = world.run(["build", "-t", "mine", "--secret", "id=t,src=token", "--cache-to", &to, "."]).ok();
    assert!(!told.stderr.contains(secret), "{told}");
    assert_eq!(world.run(["run", "--rm", "mine", "cat", "/count"]).ok().stdout, "1\n");
    assert_eq!((holding(&world.root(), secret), holding(&carried, secret)), (String::new(), String::new()));
    let history = world.run(["history", "--no-trunc", "mine"]).ok().stdout;
    assert!(!history.contains(secret));
    // Another secret is no reason to run the step again.
    world.file("token", "other");
    let again = world.run(["build", "--secret", "id=t,src=token", "."]).ok();
    assert_eq!(again.stderr.matches("CACHED").count(), 3, "{}", again.stderr);
}

#[test]
#[ignore = "needs root"]
fn nothing_outside_the_context_can_be_copied() {
    let world = scenario("a link in the context must not bring the host's files into an image");
    std::os::unix::fs::symlink("/etc/passwd", world.folder().join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", world.folder().join("folder")).unwrap();
    fs::write(world.directory().join("beside"), "x").unwrap();
    for source in ["link", "folder/passwd", "../beside", "/etc/passwd"] {
        for (instruction, place) in [
            (format!("COPY {source} /x"), "the build context"),
            (format!("ADD {source} /x"), "the build context"),
            (format!("COPY --from=named {source} /x"), "context `named`"),
            (format!("RUN --mount=type=bind,source={source},target=/x true"), "what is to be mounted"),
        ] {
            world.file("Dockerfile", &format!("FROM busybox:1\n{instruction}\n"));
            let refused = world.run(["build", "--build-context", "named=.", "."]);
            refused.code(1).says([&format!("`{source}` is not in {place}")]);
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_killed_build_leaves_a_valid_cache_and_the_next_one_finishes_it() {
    let world = scenario("kill -9 at any moment must cost no more than the step it hit");
    let steps = (0..6).map(|n| format!("RUN echo {n} > /{n} && sleep 0.2\n")).collect::<String>();
    world.file("Dockerfile", &format!("FROM busybox:1\nCOPY . /ctx\n{steps}"));
    for round in 0..6 {
        let build = world.start(["build", "-t", "mine", "."]);
        let reached = format!("RUN echo {round}");
        eventually("the step has begun", BEGIN, || match build.stderr().contains(&reached) {
            true => Ok(()),
            false => Err(build.stderr()),
        });
        build.signal(Signal::SIGKILL);
        build.finish(BEGIN);
        // The monitor of the step may be starting it just then; whoever comes next takes it away when that is over.
        eventually("the step's container is gone", BEGIN, || {
            let left = world.run(["ps", "-aq"]).ok().stdout;
            if left.is_empty() { Ok(()) } else { Err(format!("round {round}: {left}")) }
        });
        world.run(["system", "check", "--repair"]).ok();
    }
    world.run(["build", "-t", "mine", "."]).ok();
    assert_eq!(world.run(["run", "--rm", "mine", "cat", "/0", "/5"]).ok().stdout, "0\n5\n");
}

#[test]
#[ignore = "needs root"]
fn two_builds_at_once_do_a_step_once() {
    let world = scenario("whoever comes second must wait for the result and use it");
    world.file("Dockerfile", "FROM busybox:1\nRUN --mount=type=cache,target=/c sleep 1; echo x >> /c/n\n");
    let start = |name: &str| world.command(["build", "-q", "-t", name, "."]).stdout(Stdio::null()).spawn().unwrap();
    for mut build in ["one", "two"].map(start) {
        assert!(build.wait().unwrap().success());
    }
    world.file("Dockerfile", "FROM busybox:1\nRUN --mount=type=cache,target=/c wc -l < /c/n > /count\n");
    world.run(["build", "-t", "three", "."]).ok();
    assert_eq!(world.run(["run", "--rm", "three", "cat", "/count"]).ok().stdout, "1\n");
}

#[test]
#[ignore = "needs root"]
fn caches_of_a_namespace_are_its_own() {
    let world = scenario("two projects must not share what they both call `/cache`");
    world
        .file("Dockerfile", "FROM busybox:1\nRUN --mount=type=cache,target=/c echo x >> /c/n; wc -l < /c/n > /count\n");
    for (namespace, count) in [("a", "1\n"), ("a", "2\n"), ("b", "1\n")] {
        let argument = format!("BUILDKIT_CACHE_MOUNT_NS={namespace}");
        world.run(["build", "-q", "--no-cache", "-t", "mine", "--build-arg", &argument, "."]).ok();
        assert_eq!(world.run(["run", "--rm", "mine", "cat", "/count"]).ok().stdout, count, "{namespace}");
    }
}

#[test]
#[ignore = "needs root"]
fn with_a_latest_time_the_same_file_gives_the_same_image_whenever_it_is_built() {
    let world = scenario("a build must be reproducible when it is asked to be");
    world
        .file("Dockerfile", "FROM busybox:1\nCOPY a /d/a\nRUN mkdir /x && echo y > /x/y\nWORKDIR /w\n")
        .file("a", "a\n");
    let build =
        || world.run(["build", "-q", "--no-cache", "--build-arg", "SOURCE_DATE_EPOCH=1700000000", "."]).ok().stdout;
    let first = build();
    world.file("a", "a\n");
    assert_eq!(build(), first);
}

#[test]
#[ignore = "needs root"]
fn the_cache_can_be_carried_as_a_folder() {
    let world = scenario("a build on a fresh machine must not do again what the last one did");
    world.file("Dockerfile", "FROM busybox:1\nRUN date +%N > /when\n");
    world.run(["build", "-q", "-t", "mine", "--cache-to", "type=local,dest=../cache", "."]).ok();
    let when = world.run(["run", "--rm", "mine", "cat", "/when"]).ok().stdout;
    world.run(["rmi", "mine"]).ok();
    world.run(["builder", "prune", "--force"]).ok();
    let again = world.run(["build", "-t", "mine", "--cache-from", "type=local,src=../cache", "."]).ok();
    assert_eq!(again.stderr.matches("CACHED").count(), 2, "{}", again.stderr);
    assert_eq!(world.run(["run", "--rm", "mine", "cat", "/when"]).ok().stdout, when);
}

#[test]
#[ignore = "needs root"]
fn pruning_the_cache_removes_layers_that_no_image_needs() {
    let world = scenario("what the cache takes must come back");
    world.file("Dockerfile", "FROM busybox:1 AS one\nRUN echo x > /a\nFROM busybox:1\nCOPY --from=one /a /b\n");
    world.run(["build", "-q", "-t", "mine", "."]).ok();
    let layers = || fs::read_dir(world.root().join("layers")).unwrap().count();
    let before = layers();
    assert!(world.run(["builder", "du"]).ok().stdout.contains("RUN /bin/sh -c echo x > /a"));
    let shown = |filter: &str| world.run(["builder", "du", "--filter", filter]).ok().stdout.contains("echo x > /a");
    assert!(
        shown("type=regular") && shown("description=echo x") && !shown("type=exec.cachemount") && !shown("until=1h")
    );
    world.run(["builder", "prune", "--force", "--filter", "until=1h"]).ok();
    assert!(shown("type=regular"), "what is young stays");
    world.run(["builder", "prune", "--force"]).ok();
    assert_eq!(layers(), before - 1, "the stage's layer is gone, the image's stays");
    assert_eq!(world.run(["run", "--rm", "mine", "cat", "/b"]).ok().stdout, "x\n");
}

#[test]
#[ignore = "needs root"]
fn what_is_built_can_be_read_by_skopeo_and_umoci() {
    let world = scenario("others must see the image as we do");
    world.file("Dockerfile", "FROM busybox:1\nRUN rm -r /var/spool && echo x > /made\n");
    world.run(["build", "-q", "-t", "mine", "-o", "type=oci,dest=../mine.tar", "."]).ok();
    let layout = world.directory().join("layout");
    let (from, to) = (
        format!("oci-archive:{}", world.directory().join("mine.tar").display()),
        format!("oci:{}:mine", layout.display()),
    );
    assert!(tool("skopeo", ["--insecure-policy", "copy", "-q", &from, &to]).status().unwrap().success());
    let bundle = world.directory().join("bundle");
    let image = format!("{}:mine", layout.display());
    assert!(tool("umoci", ["unpack", "--image", &image, bundle.to_str().unwrap()]).output().unwrap().status.success());
    assert_eq!(fs::read_to_string(bundle.join("rootfs/made")).unwrap(), "x\n");
    assert!(!bundle.join("rootfs/var/spool").exists());
}

#[test]
#[ignore = "needs root"]
fn up_builds_what_is_missing_and_again_when_it_is_told_to() {
    let world = scenario("a project with `build:` must come up by itself");
    world
        .file("app/Dockerfile", "FROM busybox:1\nARG WHO\nRUN echo $WHO > /who\nCMD sleep 1000\n")
        .file("compose.yaml", "services:\n  web:\n    build: {context: app, args: {WHO: one}}\n    init: true\n");
    world.run(["up", "-d"]).ok();
    let who = || world.run(["exec", "web", "cat", "/who"]).ok().stdout;
    assert_eq!(who(), "one\n");
    world.edit("compose.yaml", "WHO: one", "WHO: two").run(["up", "-d"]).ok();
    assert_eq!(who(), "one\n", "an image that is there is not built again");
    world.run(["up", "-d", "--build"]).ok();
    assert_eq!(who(), "two\n");
}

#[test]
#[ignore = "needs root"]
fn an_argument_that_the_file_does_not_take_is_warned_of_and_buildx_is_build() {
    let world = Scenario::new("a mistyped argument must not go unseen");
    world.file("Dockerfile", "FROM busybox:1\nARG version\nRUN echo $version > /v\n");
    let words = |verb: &[&str], name: &str| {
        let value = format!("{name}=2");
        world.run(verb.iter().chain(&["--build-arg", &value, "-t", "mine", "."])).ok()
    };
    words(&["build"], "verison").says(["--build-arg `verison`: no ARG of `Dockerfile` takes it"]);
    for verb in [&["buildx", "build"][..], &["image", "build"], &["builder", "build"]] {
        let built = words(verb, "version");
        assert!(!built.stderr.contains("warning"), "{built}");
    }
    assert_eq!(world.run(["run", "--rm", "mine", "cat", "/v"]).ok().text(), "2");
    world.run(["buildx", "version"]).ok();
    world.run(["buildx", "create", "--use"]).code(1).says(["one builder"]);
}

#[test]
#[ignore = "needs root"]
fn the_cache_of_builds_is_seen_by_system_df_and_goes_with_system_prune() {
    let world = Scenario::new("a disk that is full of steps must say so");
    let steps = "FROM busybox:1\nRUN head -c 3000000 /dev/zero > /big\nRUN --mount=type=cache,target=/k touch /k/x\n";
    world.file("Dockerfile", steps).run(["build", "-q", "-t", "mine", "."]).ok();
    let cache = || {
        let shown = world.run(["system", "df", "--format", "{{.Type}}: {{.TotalCount}} {{.Size}}"]).ok().stdout;
        let line = shown.lines().find_map(|line| line.strip_prefix("Build Cache: ").map(str::to_owned));
        line.unwrap_or_else(|| panic!("no line in {shown}"))
    };
    assert_eq!(cache(), "3 0B", "what an image has is not counted twice");
    world.run(["rmi", "mine"]).ok();
    assert_eq!(cache(), "3 3MB");
    assert!(world.run(["system", "df", "-v"]).ok().stdout.contains("exec.cachemount"));
    world.run(["system", "prune", "--force", "--filter", "label=none"]).ok();
    world.run(["system", "prune", "--force", "--filter", "until=1h"]).ok();
    assert_eq!(cache(), "3 3MB", "what does not fit the filter stays");
    let pruned = world.run(["system", "prune", "--force"]).ok();
    assert!(pruned.stdout.contains("Deleted build cache objects:\n"), "{pruned}");
    assert_eq!(cache(), "0 0B");
    assert!(!pruned.stdout.contains("space: 0B"), "{pruned}");
}
