//! Two machines, and one command line.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Machine, Output, Running, Scenario, Terminal, eventually};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs a verb on the other machine.
#[track_caller]
fn there(host: &Scenario, machine: &Machine, words: &[&str]) -> Output {
    let address = machine.address();
    let words = ["-H", &address].into_iter().chain(words.iter().copied());
    host.finish(machine.known_to(host.command(words)))
}

/// Gives the other machine the image, by the archive that this one saves.
fn with_busybox(host: &Scenario) -> Machine {
    let machine = Machine::boot(host);
    machine.has_lighter();
    host.run(["pull", "-q", "busybox:1"]).ok();
    host.run(["save", "-o", "box.tar", "busybox:1"]).ok();
    there(host, &machine, &["load", "-q", "-i", "box.tar"]).ok();
    machine
}

/// Asserts that nothing is left of commands that were sent there.
#[track_caller]
fn no_folder_is_left(machine: &Machine) {
    eventually("the folder of the command is gone", LIMIT, || {
        let all = fs::read_dir(machine.directory().join("root/remote")).into_iter().flatten().flatten();
        let left: Vec<_> = all.filter(|entry| entry.path().is_dir()).map(|entry| entry.path()).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

#[test]
#[ignore = "needs root"]
fn a_verb_runs_there_with_its_words_streams_and_exit_code() {
    let host = Scenario::new("what is typed here happens there, to the byte");
    let machine = with_busybox(&host);
    let hostile = "a 'b' \"c\" $(id) `id` ; & | > * ~ \\ \n ü";
    let echoed = there(&host, &machine, &["run", "--rm", "busybox:1", "printf", "%s|", hostile, "", "-x"]).ok();
    assert_eq!(echoed.stdout, format!("{hostile}||-x|"));
    let both = there(&host, &machine, &["run", "--rm", "busybox:1", "sh", "-c", "echo out; echo err >&2; exit 42"]);
    let both = both.code(42).says(["err"]);
    assert_eq!(both.stdout, "out\n");
    there(&host, &machine, &["run", "--rm", "busybox:1", "nonesuch"]).code(127);
    there(&host, &machine, &["run", "--rm", "absent:1", "--pull", "never"]).code(125);
    there(&host, &machine, &["nonesuch"]).code(2);
    assert_eq!(host.run(["ps", "-aq"]).ok().text(), "", "nothing happened here");
    no_folder_is_left(&machine);
}

#[test]
#[ignore = "needs root"]
fn input_and_files_that_flags_name_are_carried_there_and_back() {
    let host = Scenario::new("a file that a flag names is a file of the user's host");
    let machine = with_busybox(&host);
    let mut command =
        machine.known_to(host.command(["-H", &machine.address(), "run", "-i", "--rm", "busybox:1", "wc", "-c"]));
    command.stdin(Stdio::from(fs::File::open(host.folder().join("box.tar")).expect("it was saved")));
    let length = fs::metadata(host.folder().join("box.tar")).expect("it was saved").len();
    assert_eq!(host.finish(command).ok().text(), length.to_string());

    host.file("vars.env", "A=from a file\nB\nC\n");
    let mut command = machine.known_to(host.command([
        "-H",
        &machine.address(),
        "run",
        "--rm",
        "--env-file",
        "vars.env",
        "-e",
        "D",
        "--cidfile",
        "id",
        "busybox:1",
        "env",
    ]));
    command.env("B", "ours").env("D", "too").env("SECRET_OF_THIS_HOST", "no");
    let env = host.finish(command).ok().stdout;
    for line in ["A=from a file", "B=ours", "D=too"] {
        assert!(env.lines().any(|found| found == line), "{line} is not in {env}");
    }
    assert!(!env.contains("SECRET_OF_THIS_HOST") && !env.lines().any(|line| line.starts_with("C=")), "{env}");
    assert_eq!(fs::read_to_string(host.folder().join("id")).expect("it came back").len(), 64);

    there(&host, &machine, &["save", "-o", "back.tar", "busybox:1"]).ok();
    host.run(["rmi", "busybox:1"]).ok();
    host.run(["load", "-q", "-i", "back.tar"]).ok();

    there(&host, &machine, &["run", "-d", "--name", "t", "busybox:1", "sleep", "1000"]).ok();
    host.file("tree/sub/a file", "text");
    there(&host, &machine, &["cp", "tree", "t:/tree"]).ok();
    assert_eq!(there(&host, &machine, &["exec", "t", "cat", "/tree/sub/a file"]).ok().text(), "text");
    there(&host, &machine, &["cp", "t:/tree", "copy"]).ok();
    assert_eq!(fs::read_to_string(host.folder().join("copy/sub/a file")).expect("it came back"), "text");
    no_folder_is_left(&machine);
}

#[test]
#[ignore = "needs root"]
fn signals_and_a_broken_connection_reach_what_runs_there() {
    let host = Scenario::new("what the user gives up must not go on unseen");
    let machine = with_busybox(&host);
    let script = "trap 'echo term; exit 9' TERM; echo ready; while :; do sleep 0.1; done";
    let command = ["-H", &machine.address(), "run", "--rm", "busybox:1", "sh", "-c", script].map(str::to_owned);
    let run = Running::start(machine.known_to(host.command(command)), host.directory());
    run.shows("ready", LIMIT);
    run.signal(Signal::SIGTERM);
    run.shows("term", LIMIT);
    run.finish(LIMIT).code(9);
    let talking = script.replace("sleep 0.1", "echo tick; sleep 0.1");
    let command = ["-H", &machine.address(), "run", "--rm", "busybox:1", "sh", "-c", &talking].map(str::to_owned);
    let run = Running::start(machine.known_to(host.command(command)), host.directory());
    run.shows("tick", LIMIT);
    run.signal(Signal::SIGKILL);
    drop(run);
    eventually("the container has ended with its user", LIMIT, || {
        let left = there(&host, &machine, &["ps", "-q"]).ok();
        if left.text().is_empty() { Ok(()) } else { Err(left) }
    });
    no_folder_is_left(&machine);
}

#[test]
#[ignore = "needs root"]
fn a_terminal_reaches_there() {
    let host = Scenario::new("`run -it` on another machine is a shell there");
    let machine = with_busybox(&host);
    let command =
        machine.known_to(host.command(["-H", &machine.address(), "run", "-it", "--name", "t", "busybox:1", "sh"]));
    let mut terminal = Terminal::start(&command, 31, 97);
    terminal.shows("# ").types("stty size\r").shows("31 97");
    terminal.resize(42, 119);
    eventually("the size has followed", LIMIT, || {
        terminal.types("stty size\r");
        if terminal.text().contains("42 119") { Ok(()) } else { Err(terminal.text()) }
    });
    terminal.types("sleep 1000\r");
    eventually("sleep runs there", LIMIT, || {
        let top = there(&host, &machine, &["top", "t"]);
        if top.stdout.contains("sleep 1000") { Ok(()) } else { Err(top) }
    });
    terminal.types("\x03").types("echo code=$?\r").shows("code=130").types("\x10\x11").ends_with(0);
    assert!(there(&host, &machine, &["ps"]).ok().stdout.contains("Up"), "detached, it goes on");
    there(&host, &machine, &["rm", "-f", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_project_is_carried_there_with_all_its_files() {
    let host = Scenario::new("`up` on another machine needs nothing of the project to be there");
    let machine = with_busybox(&host);
    host.file(".env", "WORD=from dotenv\n").file("web.env", "FROM_FILE=yes\n");
    host.file("base.yaml", "services: {base: {image: \"busybox:1\", environment: {EXTENDED: \"1\"}}}\n");
    host.file("more/compose.yaml", "services: {extra: {image: \"busybox:1\", command: sleep 1000}}\n");
    host.file("app/Dockerfile", "FROM busybox:1\nCOPY page /page\n")
        .file("app/page", "built\n")
        .file("token", "s3$cret\n");
    host.file(
        "compose.yaml",
        r#"
include: [more/compose.yaml]
services:
  web:
    extends: {file: base.yaml, service: base}
    build: app
    image: app:1
    env_file: web.env
    environment: {WORD: "${WORD}", DOLLAR: "a$$b"}
    command: sleep 1000
    stop_grace_period: 0s
    configs: [settings]
    secrets: [token]
configs: {settings: {file: token}}
secrets: {token: {file: token}}
"#,
    );
    there(&host, &machine, &["up", "-d", "--build"]).ok();
    let inside = |script: &str| there(&host, &machine, &["exec", "web", "sh", "-c", script]).ok().text().to_owned();
    assert_eq!(inside("cat /page"), "built");
    assert_eq!(inside("echo $WORD,$FROM_FILE,$EXTENDED,$DOLLAR"), "from dotenv,yes,1,a$b");
    assert_eq!(inside("cat /run/secrets/token /settings"), "s3$cret\ns3$cret");
    let again = there(&host, &machine, &["up", "-d"]).ok();
    assert!(!again.stderr.contains("recreate"), "nothing has changed\n{again}");
    let listed = there(&host, &machine, &["compose", "ps", "--services"]).ok();
    let mut services: Vec<_> = listed.text().lines().collect();
    services.sort_unstable();
    assert_eq!(services, ["extra", "web"]);
    assert_eq!(host.run(["compose", "ps", "-q"]).ok().text(), "", "nothing happened here");
    there(&host, &machine, &["down", "-t", "0"]).ok();
    assert_eq!(there(&host, &machine, &["ps", "-aq"]).ok().text(), "");
    no_folder_is_left(&machine);
}

#[test]
#[ignore = "needs root"]
fn a_build_there_has_its_context_from_here() {
    let host = Scenario::new("the context is the user's folder");
    let machine = with_busybox(&host);
    host.file(
        "ctx/Dockerfile.other",
        "FROM busybox:1\nARG WHO\nCOPY . /all\nRUN --mount=type=secret,id=s cat /run/secrets/s > /s; echo $WHO >> /s\n",
    );
    host.file("ctx/sub/file", "content").file("s3cret", "hidden\n").file("ctx/.dockerignore", "*");
    host.file("ctx/Dockerfile.other.dockerignore", "left-out\n").file("ctx/left-out", "x");
    let mut command = machine.known_to(host.command([
        "-H",
        &machine.address(),
        "build",
        "-q",
        "-t",
        "made:1",
        "-f",
        "ctx/Dockerfile.other",
        "--build-arg",
        "WHO",
        "--secret",
        "id=s,src=s3cret",
        "--iidfile",
        "iid",
        "ctx",
    ]));
    command.env("WHO", "me");
    host.finish(command).ok();
    assert!(fs::read_to_string(host.folder().join("iid")).expect("it came back").starts_with("sha256:"));
    let shown = there(&host, &machine, &["run", "--rm", "made:1", "cat", "/all/sub/file", "/s"]).ok();
    assert_eq!(shown.stdout, "contenthidden\nme\n");
    there(&host, &machine, &["run", "--rm", "made:1", "test", "-e", "/all/left-out"]).code(1);
    no_folder_is_left(&machine);
}

#[test]
#[ignore = "needs root"]
fn machines_get_the_program_and_contexts_say_where_verbs_run() {
    let host = Scenario::new("a machine needs nothing but ssh");
    let machine = Machine::boot(&host);
    let lighter = |words: &[&str]| host.finish(machine.known_to(host.command(words)));
    let place = machine.directory().join("bin/lighter");
    let address = format!("{}{}", machine.address(), place.display());
    there(&host, &machine, &["ps"]).code(1).says(["there is no `lighter` there", "machine install"]);

    lighter(&["machine", "add", "box", &address]).ok().says(["is this program"]);
    let digest = |path: &std::path::Path| {
        crate::harness::run(crate::harness::tool("sha256sum", ["--", path.to_str().expect("UTF-8")]), LIMIT).ok().stdout
            [..64]
            .to_owned()
    };
    assert_eq!(digest(&place), digest(env!("CARGO_BIN_EXE_lighter").as_ref()));
    assert_eq!(fs::metadata(&place).expect("it is there").permissions().mode() & 0o777, 0o755);
    let left = fs::read_dir(machine.directory().join("bin")).expect("it is there").count();
    assert_eq!(left, 1, "no part of a copy is left");
    let listed = lighter(&["machine", "ls"]).ok();
    assert!(listed.stdout.contains("Running") && listed.stdout.contains("box"), "{listed}");
    assert_eq!(lighter(&["machine", "ssh", "box", "echo", "there"]).ok().text(), "there");
    lighter(&["machine", "ssh", "box", "exit 4"]).code(4);
    lighter(&["machine", "install", "box"]).ok();

    lighter(&["context", "create", "other", "--docker", "host=ssh://root@192.0.2.9", "--description", "none"]).ok();
    lighter(&["context", "create", "other", "--docker", "host=ssh://x"]).code(1).says(["is there already"]);
    lighter(&["context", "create", "bad", "--docker", "host=ssh://-oProxyCommand=id"]).code(1);
    assert_eq!(lighter(&["context", "show"]).ok().text(), "default");
    let file = host.directory().join("other.dockercontext").display().to_string();
    lighter(&["context", "export", "other", &file]).ok();
    lighter(&["context", "export", "other", &file]).code(1).says(["File exists"]);
    lighter(&["context", "import", "again", &file]).ok();
    lighter(&["context", "import", "again", &file]).code(1).says(["is there already"]);
    let inspected = lighter(&["context", "inspect", "--format", "{{.Endpoints.docker.Host}}", "again"]).ok();
    assert_eq!(inspected.text(), "ssh://root@192.0.2.9");
    lighter(&["context", "rm", "again"]).ok();
    lighter(&["context", "use", "box"]).ok();
    assert_eq!(lighter(&["context", "show"]).ok().text(), "box");
    let listed = lighter(&["context", "ls"]).ok();
    assert!(listed.stdout.contains("box *") && listed.stdout.contains("DOCKER ENDPOINT"), "{listed}");
    let inspected = lighter(&["context", "inspect", "--format", "{{.Endpoints.docker.Host}}", "box"]).ok();
    assert_eq!(inspected.text(), address);

    lighter(&["volume", "create", "made-there"]).ok();
    let volumes = |words: &[&str]| lighter(&[words, &["volume", "ls", "-q"]].concat()).ok().text().to_owned();
    assert_eq!(volumes(&[]), "made-there");
    assert_eq!(volumes(&["--context", "default"]), "");
    let mut command = machine.known_to(host.command(["volume", "ls", "-q"]));
    command.env("LIGHTER_CONTEXT", "default");
    assert_eq!(host.finish(command).ok().text(), "");
    let mut command = machine.known_to(host.command(["volume", "ls", "-q"]));
    command.env("LIGHTER_HOST", &address);
    assert_eq!(host.finish(command).ok().text(), "made-there");
    lighter(&["volume", "rm", "made-there"]).ok();

    lighter(&["context", "rm", "box"]).code(1).says(["in use"]);
    lighter(&["context", "use", "default"]).ok();
    lighter(&["machine", "rm", "box"]).ok();
    lighter(&["context", "rm", "other"]).ok();
    assert_eq!(lighter(&["context", "ls", "-q"]).ok().text(), "default");
    let mut command = machine.known_to(host.command(["ps"]));
    command.env("DOCKER_HOST", "tcp://127.0.0.1:2375");
    host.finish(command).code(1).says(["tcp://127.0.0.1:2375", "only ssh:// is supported", "unset it"]);
}
