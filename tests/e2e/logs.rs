//! What containers write is kept exactly, and shown so that it stays in its lines.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::harness::{Running, Scenario, eventually, patient, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

/// Returns the digest of what `lighter logs` writes to a file.
fn digest_of_logs(project: &Scenario, container: &str) -> String {
    let path = project.directory().join("logs.out");
    let mut command = project.command(["logs", container]);
    command.stdout(std::fs::File::create(&path).expect("the directory is ours"));
    assert!(command.status().expect("lighter runs").success());
    hex::encode(Sha256::digest(std::fs::read(path).expect("it was written")))
}

#[test]
#[ignore = "needs root"]
fn binary_output_long_lines_and_an_unterminated_last_line_come_back_exactly() {
    let project = Scenario::new("a log is what was written, byte for byte");
    for (name, script) in [
        ("binary", "dd if=/bin/busybox bs=64k count=8 2>/dev/null"),
        ("long", "head -c 1048576 /dev/zero | tr '\\0' x; echo; echo short"),
        ("unterminated", "printf 'one\\ntwo'"),
        ("empty", "printf '\\n\\n'"),
    ] {
        let read = project.run(["run", "--rm", "busybox:1", "sh", "-c", &format!("({script}) | sha256sum")]).ok();
        project.run(["run", "--name", name, "--detach", "busybox:1", "sh", "-c", script]).ok();
        project.run(["wait", name]).ok();
        assert_eq!(Some(digest_of_logs(&project, name).as_str()), read.text().split_whitespace().next(), "{name}");
    }
}

#[test]
#[ignore = "needs root"]
fn the_lines_of_a_project_are_whole_however_long_they_are() {
    let project = Scenario::new("a line of 1 MB has one prefix");
    let script = "head -c 1000000 /dev/zero | tr '\\0' x; echo; printf end";
    let text =
        format!("services:\n  a:\n    image: busybox:1\n    command: [sh, -c, \"{}\"]\n", script.replace('\\', "\\\\"));
    project.file("compose.yaml", &text);
    project.run(["up"]).ok();
    let logs = project.run(["compose", "logs", "--no-color"]).ok();
    let lines: Vec<&str> = logs.stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].len(), "a-1  | ".len() + 1_000_000);
    assert_eq!(lines[1], "a-1  | end");
    assert_eq!(project.run(["compose", "logs", "--no-log-prefix", "--tail", "1"]).ok().stdout, "end");
}

#[test]
#[ignore = "needs root"]
fn since_until_tail_index_and_timestamps_choose_and_show() {
    let project = Scenario::new("who looks for a line finds it");
    let script = "for i in 1 2 3 4; do echo line $i; sleep 0.3; done";
    project.file(
        "compose.yaml",
        &format!(
            "services:\n  a:\n    image: busybox:1\n    scale: 2\n    command: [sh, -c, '{}']\n",
            script.replace('$', "$$")
        ),
    );
    project.run(["up"]).ok();
    let logs = |flags: &[&str]| {
        let all = ["compose", "logs", "--no-log-prefix"].into_iter().chain(flags.iter().copied());
        project.run(all).ok().stdout
    };
    assert_eq!(logs(&["--index", "1", "a"]), "line 1\nline 2\nline 3\nline 4\n");
    assert_eq!(logs(&["--index", "2", "--tail", "2", "a"]), "line 3\nline 4\n");
    let stamped = logs(&["--index", "1", "--timestamps", "a"]);
    let times: Vec<&str> = stamped.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(logs(&["--index", "1", "--since", times[2], "a"]), "line 3\nline 4\n");
    assert_eq!(logs(&["--index", "1", "--until", times[1], "a"]), "line 1\nline 2\n");
    assert_eq!(logs(&["--tail", "0"]), "");
}

#[test]
#[ignore = "needs root"]
fn files_are_rotated_and_nothing_between_them_is_lost_to_who_follows() {
    let project = Scenario::new("a chatty container fills no disk, and its reader misses nothing");
    for (name, more) in [("plain", "max-file=1000"), ("packed", "compress=true")] {
        let script = "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo line $i of many; done";
        let all =
            ["run", "-d", "--name", name, "--log-opt", "max-size=8k", "--log-opt", "max-file=100", "--log-opt", more];
        project.run(all.into_iter().chain(["busybox:1", "sh", "-c", script])).ok();
        let followed = project.run(["logs", "--follow", name]).ok();
        let expected: String = (1..=4000).map(|number| format!("line {number} of many\n")).collect();
        assert!(followed.stdout == expected, "{name}: {} lines were followed", followed.stdout.lines().count());
        assert!(project.run(["logs", name]).ok().stdout == expected, "{name}");
    }
    let id = project.inspect("packed")["Id"].as_str().expect("it has an id").to_owned();
    let packed = project.root().join("containers").join(id).join("logs/container.log.1.gz");
    run(tool("gzip", ["--test".as_ref(), packed.as_os_str()]), LIMIT).ok();
}

#[test]
#[ignore = "needs root"]
fn by_default_a_log_has_three_files_of_ten_mebibytes() {
    let project = Scenario::new("the default must not fill the disk");
    project.run(["create", "--name", "c", "busybox:1", "true"]).ok();
    let config = project.inspect("c")["HostConfig"]["LogConfig"].clone();
    assert_eq!(config["Type"], "json-file");
    assert_eq!(
        (config["Config"]["max-size"].as_str(), config["Config"]["max-file"].as_str()),
        (Some("10485760"), Some("3"))
    );
}

#[test]
#[ignore = "needs root"]
fn syslog_gets_each_line_with_its_tag_and_logs_reads_them_too() {
    let project = Scenario::new("who collects logs elsewhere still sees them here");
    let path = project.directory().join("syslog.sock");
    let server = UnixDatagram::bind(&path).expect("the directory is ours");
    server.set_read_timeout(Some(patient(LIMIT))).expect("it is a socket");
    let address = format!("syslog-address=unix://{}", path.display());
    let all =
        ["run", "-d", "--name", "c", "--log-driver", "syslog", "--log-opt", &address, "--log-opt", "tag={{.Name}}"];
    project.run(all.into_iter().chain(["busybox:1", "sh", "-c", "echo out; echo err >&2"])).ok();
    let mut message = [0; 1024];
    let mut receive = || {
        let length = server.recv(&mut message).expect("a message comes");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let mut messages = [receive(), receive()];
    messages.sort();
    assert!(messages[0].starts_with("<27>") && messages[0].ends_with(": err"), "{messages:?}");
    assert!(
        messages[1].starts_with("<30>") && messages[1].contains(" c[") && messages[1].ends_with(": out"),
        "{messages:?}"
    );
    project.run(["wait", "c"]).ok();
    let logs = project.run(["logs", "c"]).ok();
    assert_eq!((logs.stdout.as_str(), logs.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
#[ignore = "needs root"]
fn a_driver_that_cannot_be_had_is_refused_by_name_before_anything_runs() {
    let project = Scenario::new("a log that nobody keeps must not come as a surprise");
    let run = |driver: &str| project.run(["run", "--name", "c", "--log-driver", driver, "busybox:1", "echo", "x"]);
    run("fluentd").code(125).says(["fluentd", "not supported"]);
    // no journal in this namespace of mounts, or a journal: both are an answer
    let syslog = ["run", "--log-driver", "syslog", "--log-opt", "syslog-address=unix:///absent/log"];
    project.run(syslog.into_iter().chain(["--name", "d", "busybox:1", "echo", "x"])).code(125).says(["/absent/log"]);
    run("none").code(0);
    project.run(["logs", "c"]).code(1).says(["log driver `none`"]);
}

/// systemd's journal in the scenario's mount namespace; it keeps what it gets in memory.
struct Journal(Option<Running>);

/// Where it keeps what: each a file system in memory.
const JOURNALS: [&str; 3] = ["/run/systemd", "/run/log", "/var/log"];

impl Drop for Journal {
    fn drop(&mut self) {
        self.0 = None; // ends it
        for place in JOURNALS.iter().chain(&["/etc/machine-id"]) {
            run(tool("umount", ["--lazy", place]), LIMIT);
        }
    }
}

fn journal(project: &Scenario) -> Journal {
    for folder in JOURNALS {
        std::fs::create_dir_all(folder).expect("needs root");
        run(tool("mount", ["-t", "tmpfs", "tmpfs", folder]), LIMIT).ok();
    }
    for folder in ["/run/systemd/journal", "/run/log/journal"] {
        std::fs::create_dir_all(folder).expect("the folder is ours");
    }
    let id = project.directory().join("machine-id");
    std::fs::write(&id, "0123456789abcdef0123456789abcdef\n").expect("the directory is ours");
    run(tool("mount", ["--bind".as_ref(), id.as_os_str(), "/etc/machine-id".as_ref()]), LIMIT).ok();
    let journal = Running::start(tool("/lib/systemd/systemd-journald", [""; 0]), project.directory());
    eventually("the journal listens", LIMIT, || match std::path::Path::new("/run/systemd/journal/socket").exists() {
        true => Ok(()),
        false => Err(journal.stderr()),
    });
    Journal(Some(journal))
}

#[test]
#[ignore = "needs root"]
fn systemds_journal_finds_lines_by_the_containers_name() {
    let project = Scenario::new("journalctl CONTAINER_NAME=web, as with docker");
    let _journal = journal(&project);
    let script = "echo out; echo err >&2; printf 'tab\\tand no end'";
    let run_it = ["run", "-d", "--name", "c", "--log-driver", "journald", "--log-opt", "tag=t/{{.Name}}"];
    project.run(run_it.into_iter().chain(["busybox:1", "sh", "-c", script])).ok();
    project.run(["wait", "c"]).ok();
    let id = project.inspect("c")["Id"].as_str().expect("it has an id").to_owned();
    let entries = eventually("all lines are in the journal", LIMIT, || {
        let folder = "/run/log/journal/0123456789abcdef0123456789abcdef";
        let found = run(tool("journalctl", ["-D", folder, "-o", "json", "CONTAINER_NAME=c"]), LIMIT).ok();
        let entries: Vec<serde_json::Value> =
            found.stdout.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
        if entries.len() == 3 { Ok(entries) } else { Err(found) }
    });
    let shown = |message: &str, priority: &str| {
        let entry = entries.iter().find(|entry| entry["MESSAGE"] == message);
        let entry = entry.unwrap_or_else(|| panic!("no `{message}` in {entries:?}"));
        assert_eq!((&entry["PRIORITY"], &entry["CONTAINER_ID_FULL"]), (&priority.into(), &id.as_str().into()));
        assert_eq!((&entry["CONTAINER_TAG"], &entry["SYSLOG_IDENTIFIER"]), (&"t/c".into(), &"t/c".into()));
        assert_eq!((&entry["IMAGE_NAME"], &entry["CONTAINER_ID"]), (&"busybox:1".into(), &id[..12].into()));
    };
    shown("out", "6");
    shown("err", "3");
    shown("tab\tand no end", "6");
    assert_eq!(project.run(["logs", "c"]).ok().stdout, "out\ntab\tand no end");
}

#[test]
#[ignore = "needs root"]
fn what_a_container_writes_does_not_steer_the_terminal() {
    let project = Scenario::new("a title, a cleared screen, a moved cursor: shown, not sent");
    let script = r"printf 'a\033[2Jb\033]0;title\007c\033[31mred\n'";
    project.run(["run", "-d", "--name", "c", "busybox:1", "sh", "-c", script]).ok();
    project.run(["wait", "c"]).ok();
    let lighter = env!("CARGO_BIN_EXE_lighter");
    let mut on_terminal = project.command(["ps"]); // for its environment
    on_terminal = {
        let mut script =
            tool("script", ["--quiet", "--return", "--command", &format!("{lighter} logs c"), "/dev/null"]);
        script
            .envs(on_terminal.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(project.folder());
        script
    };
    let shown = eventually("the line is shown", LIMIT, || {
        let output = run(std::mem::replace(&mut on_terminal, tool("true", [""; 0])), LIMIT);
        if output.stdout.contains("red") { Ok(output.stdout) } else { Err(output) }
    });
    assert!(!shown.contains("\u{1b}[2J") && !shown.contains('\u{7}'), "{shown:?}");
    assert!(shown.contains("\u{1b}[31mred\u{1b}[0m"), "{shown:?}");
    assert!(project.run(["logs", "c"]).ok().stdout.contains("\u{1b}[2J"), "a pipe gets the bytes as they are");
}

#[test]
#[ignore = "needs root"]
fn a_service_has_its_color_whatever_is_shown_beside_it() {
    let project = Scenario::new("one finds a service by its color");
    let services: String =
        ["a", "b", "c"].map(|name| format!("  {name}: {{image: busybox:1, command: echo hello}}\n")).concat();
    project.file("compose.yaml", &format!("services:\n{services}"));
    let foreground = project.run(["--ansi", "always", "up"]).ok();
    let color_of = |output: &str, service: &str| {
        let line = output.lines().find(|line| line.contains(&format!("{service}-1  | "))).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{service} is shown: {output}")).split('m').next().map(str::to_owned)
    };
    for shown in [&["b"][..], &["c", "a"], &["a", "b", "c"]] {
        let logs = project.run([&["--ansi", "always", "compose", "logs"], shown].concat()).ok();
        for service in shown {
            assert_eq!(color_of(&logs.stdout, service), color_of(&foreground.stdout, service), "{logs}");
        }
    }
    assert_ne!(color_of(&foreground.stdout, "a"), color_of(&foreground.stdout, "b"), "{foreground}");
}

#[test]
#[ignore = "needs root"]
fn details_are_the_labels_and_variables_that_were_asked_for() {
    let host = Scenario::new("logs of many deployments are told apart by what their containers are labelled with");
    let flags =
        ["--label", "tier=web one", "-e", "LEVEL=low", "--log-opt", "labels=tier,absent", "--log-opt", "env=LEVEL"];
    let run = |name: &str, flags: &[&str]| {
        host.run(["run", "--name", name].iter().chain(flags).chain(&["busybox:1", "echo", "hi"])).ok();
    };
    run("labelled", &flags);
    run("plain", &[]);
    assert_eq!(host.run(["logs", "--details", "labelled"]).ok().stdout, "LEVEL=low,tier=web+one hi\n");
    assert_eq!(host.run(["logs", "labelled"]).ok().stdout, "hi\n");
    assert_eq!(host.run(["logs", "--details", "plain"]).ok().stdout, " hi\n");
    host.run(["logs", "--details", "plain", "labelled"]).code(1).says(["one container"]);
    let config = host.run(["inspect", "--format", "{{.HostConfig.LogConfig.Config.labels}}", "labelled"]).ok();
    assert_eq!(config.text(), "tier,absent");
}
