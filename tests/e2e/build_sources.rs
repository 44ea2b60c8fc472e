//! `build` of what is elsewhere: git repositories, archives and files of servers, agents.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{Scenario, Server, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

fn scenario(purpose: &'static str) -> Scenario {
    let scenario = Scenario::new(purpose);
    scenario.run(["pull", "--quiet", "busybox:1"]).ok();
    scenario
}

/// Runs git in a folder; returns what it printed.
fn git<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"];
    let file = ["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"];
    let mut command = tool("git", who.into_iter().chain(file).chain(arguments));
    command.current_dir(folder);
    run(command, LIMIT).ok().text().to_owned()
}

/// Makes a repository below `served/NAME.git`, of these files, on a branch `main`; returns its folder.
fn repository(world: &Scenario, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = world.directory().join("served").join(format!("{name}.git"));
    fs::create_dir_all(&folder).expect("files of a test are its own");
    git(&folder, ["init", "--quiet", "."]);
    commit(&folder, files);
    folder
}

fn commit(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("files of a test are its own")).expect("files of a test are its own");
        fs::write(&path, text).expect("files of a test are its own");
        let mode = if text.starts_with("#!") { 0o755 } else { 0o600 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("files of a test are its own");
    }
    git(folder, ["add", "."]);
    git(folder, ["commit", "--quiet", "--message", "x"]);
}

fn served(world: &Scenario) -> PathBuf {
    world.directory().join("served")
}

#[test]
#[ignore = "needs root"]
fn a_repository_is_a_context_at_the_reference_and_folder_that_are_named() {
    let world = scenario("what is in a repository must be built without cloning it by hand");
    let files = [
        ("Dockerfile", "FROM busybox:1\nCOPY . /ctx\n"),
        ("sub/Dockerfile", "FROM busybox:1\nCOPY . /ctx\n"),
        ("sub/text", "first\n"),
        ("sub/run.sh", "#!/bin/sh\n"),
    ];
    let repository = repository(&world, "app", &files);
    git(&repository, ["tag", "--annotate", "--message", "x", "v1"]);
    let first = git(&repository, ["rev-parse", "HEAD"]);
    commit(&repository, &[("sub/text", "second\n")]);
    let _server = Server::repositories(&served(&world));
    let built = |context: &str, script: &str| {
        world.run(["build", "-q", "-t", "mine", context]).ok();
        world.run(["run", "--rm", "mine", "sh", "-c", script]).ok().stdout
    };
    let url = "git://127.0.0.1/app.git";
    let list = "cd /ctx && cat text && stat -c '%n %a %u' text run.sh && ls -A";
    assert_eq!(built(&format!("{url}#v1:sub"), list), "first\ntext 644 0\nrun.sh 755 0\nDockerfile\nrun.sh\ntext\n");
    assert_eq!(built(&format!("{url}#:sub"), "cat /ctx/text"), "second\n");
    assert_eq!(built(&format!("{url}#{first}"), "cat /ctx/sub/text"), "first\n");
    assert_eq!(built(url, "ls -A /ctx"), "Dockerfile\nsub\n");
    world.run(["build", "-q", "-t", "mine", "--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", url]).ok();
    world.run(["run", "--rm", "mine", "test", "-e", "/ctx/.git/HEAD"]).ok();
    world.run(["build", &format!("{url}#none")]).code(1).says(["app.git` has no branch or tag `none`"]);
    world.run(["build", &format!("{url}#:none")]).code(1).says(["`none` is not in"]);
    // As a service's, and as a further context.
    world.file("compose.yaml", &format!("services:\n  web:\n    build: {{context: '{url}#v1:sub'}}\n    image: web\n"));
    world.run(["compose", "build", "--quiet"]).ok();
    assert_eq!(world.run(["run", "--rm", "web", "cat", "/ctx/text"]).ok().stdout, "first\n");
    world.file("Dockerfile", "FROM busybox:1\nCOPY --from=other sub/text /text\n");
    world.run(["build", "-q", "-t", "mine", "--build-context", &format!("other={url}#v1"), "."]).ok();
    assert_eq!(world.run(["run", "--rm", "mine", "cat", "/text"]).ok().stdout, "first\n");
}

#[test]
#[ignore = "needs root"]
fn add_takes_a_repository_and_fetches_it_once() {
    let world = scenario("a commit is known by its name: what has been fetched must not be fetched again");
    let library = repository(&world, "library", &[("lib", "library\n")]);
    let repository = repository(&world, "app", &[("text", "x\n"), ("deep/a", "a\n")]);
    let _server = Server::repositories(&served(&world));
    git(&repository, ["submodule", "--quiet", "add", "../library.git", "library"]);
    git(&repository, ["commit", "--quiet", "--all", "--message", "x"]);
    let id = git(&repository, ["rev-parse", "HEAD"]);
    let url = "git://127.0.0.1/app.git";
    let build = |add: &str| {
        world.file("Dockerfile", &format!("FROM busybox:1\nADD {add} /d/\n"));
        world.run(["build", "-t", "mine", "."])
    };
    build(&format!("--checksum={id} {url}")).ok().says([&format!("commit {id}")]);
    let list = |script: &str| world.run(["run", "--rm", "mine", "sh", "-c", script]).ok().stdout;
    assert_eq!(list("cd /d && find . -type f | sort"), "./.gitmodules\n./deep/a\n./library/lib\n./text\n");
    // The files that it would need are gone, and nobody asks for them.
    fs::rename(repository.join(".git/objects"), repository.join(".git/kept")).unwrap();
    let again = build(&format!("{url}#{id}"));
    assert_eq!(again.ok().stderr.matches("CACHED").count(), 2);
    fs::rename(repository.join(".git/kept"), repository.join(".git/objects")).unwrap();

    build(&format!("--chown=3:4 --exclude=library {url}#main:deep")).ok();
    assert_eq!(list("cd /d && stat -c '%n %u %g' *"), "a 3 4\n");
    build(&format!("--keep-git-dir=true {url}")).ok();
    assert_eq!(list("cat /d/.git/HEAD"), format!("{id}\n"));
    let wrong = "0123456789012345678901234567890123456789";
    build(&format!("--checksum={wrong} {url}")).code(1).says([&format!("the commit is `{id}`, not `{wrong}`")]);
    build(&format!("--keep-git-dir=true {url}#:deep")).code(1).says(["a folder of a repository has none"]);
    // One that the submodule has gone from is no reason to build with half of it.
    fs::rename(&library, library.with_extension("gone")).unwrap();
    build(&format!("--exclude=none {url}")).code(1).says(["git: `git://127.0.0.1/app.git`:"]);
    world.run(["system", "check"]).ok();
}

#[test]
#[ignore = "needs root"]
fn repositories_come_over_ssh_and_mere_http_too() {
    let world = scenario("git's own ways to a repository must all work");
    let repository = repository(&world, "app", &[("Dockerfile", "FROM busybox:1\nCOPY text /\n"), ("text", "x\n")]);
    git(&repository, ["update-server-info"]);
    let _server = Server::files(8000, &served(&world));
    let check = |build: std::process::Command| {
        world.finish(build).ok();
        assert_eq!(world.run(["run", "--rm", "mine", "cat", "/text"]).ok().stdout, "x\n");
        world.run(["rmi", "mine"]).ok();
    };
    check(world.command(["build", "-q", "-t", "mine", "http://127.0.0.1:8000/app.git/.git#main"]));
    // What ssh would run at the other end.
    let ssh = world.directory().join("ssh");
    fs::write(&ssh, "#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nexec sh -c \"$1\"\n").unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let mut build = world.command(["build", "-q", "-t", "mine", &format!("git@example.test:{}", repository.display())]);
    build.env("GIT_SSH", &ssh).env("GIT_SSH_VARIANT", "simple").env_remove("GIT_SSH_COMMAND");
    check(build);
}

#[test]
#[ignore = "needs root"]
fn without_git_and_without_a_way_out_it_is_said() {
    let world = scenario("whoever has no git must be told what is missing; no link leads out of a repository");
    let repository = repository(&world, "app", &[("text", "x\n")]);
    symlink("/etc/passwd", repository.join("Dockerfile")).unwrap();
    symlink("/etc", repository.join("out")).unwrap();
    commit(&repository, &[]);
    let _server = Server::repositories(&served(&world));
    let url = "git://127.0.0.1/app.git";
    let mut build = world.command(["build", url]);
    build.env("PATH", "/nowhere");
    world.finish(build).code(1).says(["is a git repository, and there is no program `git`"]);
    let refused = world.run(["build", url]).code(1).says(["leads out of the context"]);
    assert!(!refused.stderr.contains("root:"), "{refused}");
    world.run(["build", &format!("{url}#:out")]).code(1).says(["`out` is not in"]);
}

#[test]
#[ignore = "needs root"]
fn contexts_and_files_come_from_a_web_server() {
    let world = scenario("an archive or a file of a server must be as good as one of the host");
    let folder = served(&world);
    fs::create_dir_all(folder.join("ctx")).unwrap();
    fs::write(folder.join("ctx/Dockerfile"), "FROM busybox:1\nCOPY a /a\n").unwrap();
    fs::write(folder.join("ctx/a"), "x\n").unwrap();
    let archive = folder.join("ctx.tar.gz");
    let pack = tool("tar", ["-czf", archive.to_str().unwrap(), "-C", folder.join("ctx").to_str().unwrap(), "."]);
    run(pack, LIMIT).ok();
    let _server = Server::files(8000, &folder);
    let url = |name: &str| format!("http://127.0.0.1:8000/{name}");
    world.run(["build", "-q", "-t", "mine", &url("ctx.tar.gz")]).ok();
    assert_eq!(world.run(["run", "--rm", "mine", "cat", "/a"]).ok().stdout, "x\n");
    fs::write(folder.join("text"), "FROM busybox:1\nRUN echo y > /a\n").unwrap();
    world.run(["build", "-q", "-t", "mine", &url("text")]).ok();
    assert_eq!(world.run(["run", "--rm", "mine", "cat", "/a"]).ok().stdout, "y\n");

    let sum = run(tool("sha256sum", [archive.to_str().unwrap()]), LIMIT).ok().stdout;
    let sum = format!("sha256:{}", sum.split_whitespace().next().unwrap());
    let time = fs::metadata(&archive).unwrap().modified().unwrap();
    let time = time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let add = |what: &str| {
        world.file("Dockerfile", &format!("FROM busybox:1\nADD {what}\n"));
        world.run(["build", "-t", "mine", "."])
    };
    add(&format!("--checksum={sum} {} /d/", url("ctx.tar.gz"))).ok();
    let stat = world.run(["run", "--rm", "mine", "stat", "-c", "%a %u %Y", "/d/ctx.tar.gz"]).ok().stdout;
    assert_eq!(stat, format!("600 0 {time}\n"));
    add(&format!("--unpack=true {} /d/", url("ctx.tar.gz"))).ok();
    assert_eq!(world.run(["run", "--rm", "mine", "cat", "/d/a"]).ok().stdout, "x\n");
    let wrong = format!("sha256:{}", "0".repeat(64));
    add(&format!("--checksum={wrong} {} /d/", url("ctx.tar.gz"))).code(1).says([&sum, &wrong]);
    add(&format!("{} /d/", url("none"))).code(1).says(["404"]);
}

#[test]
#[ignore = "needs root"]
fn a_step_speaks_with_the_agent_and_keeps_nothing_of_it() {
    let world = Scenario::new("a key must be used and not copied");
    world.run(["pull", "--quiet", "python:3-slim"]).ok();
    let socket = world.directory().join("agent");
    let _agent = Server::agent(&socket);
    let key = world.directory().join("key");
    run(tool("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()]), LIMIT).ok();
    let mut add = tool("ssh-add", ["-q", key.to_str().unwrap()]);
    add.env("SSH_AUTH_SOCK", &socket);
    run(add, LIMIT).ok();
    // draft-miller-ssh-agent: 11 asks for the keys, 12 is the answer, with their number.
    let ask = "import os, socket; s = socket.socket(socket.AF_UNIX); s.connect(os.environ['SSH_AUTH_SOCK']); s.sendall(bytes([0, 0, 0, 1, 11])); r = s.recv(9); print(r[4], int.from_bytes(r[5:9], 'big'))";
    let text = format!(
        "FROM python:3-slim\nRUN --mount=type=ssh,required=true python3 -c \"{ask}\" > /keys\nRUN test -z \"$SSH_AUTH_SOCK\"\n"
    );
    world.file("Dockerfile", &text);
    let mut build = world.command(["build", "-q", "-t", "mine", "--ssh", "default", "."]);
    build.env("SSH_AUTH_SOCK", &socket);
    world.finish(build).ok();
    assert_eq!(world.run(["run", "--rm", "mine", "cat", "/keys"]).ok().stdout, "12 1\n");
    world.run(["run", "--rm", "mine", "test", "!", "-e", "/run/buildkit"]).ok();
    world.run(["build", "--no-cache", "."]).code(1).says(["agent `default` is required and was not given"]);
}
