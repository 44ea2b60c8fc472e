//! `run --explain`: what is told of a start.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Output, Scenario, run, tool};

/// Where every container has a mount, in the order in which they are made.
const MOUNTS: [&str; 7] = ["/proc", "/dev", "/dev/pts", "/sys", "/dev/shm", "/data", "/scratch"];

/// The steps among the lines of standard error.
fn steps(output: &Output) -> Vec<Value> {
    output.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn effects<'a>(steps: &'a [Value], effect: &str) -> Vec<&'a Value> {
    steps.iter().filter(|step| step["effect"] == effect).collect()
}

fn text<'a>(step: &'a Value, field: &str) -> &'a str {
    step[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {step}"))
}

/// The run directory of the scenario.
fn run_directory(host: &Scenario) -> PathBuf {
    let command = host.command(["ps"]);
    let run = command.get_envs().find_map(|(name, value)| value.filter(|_| name == "LIGHTER_RUN"));
    run.expect("every scenario has a run directory of its own").into()
}

fn files(host: &Scenario, id: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(run_directory(host).join("containers").join(id)).expect("the container runs");
    entries.map(|entry| entry.expect("it is readable").file_name().to_string_lossy().into_owned()).collect()
}

/// Where the descriptors of the container's init and of its monitor lead.
fn descriptors(host: &Scenario, id: &str) -> Vec<String> {
    let pid = host.pid(id);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the container runs");
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("proc(5)").trim().to_owned();
    let links = |pid: String| {
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").flatten();
        entries.filter_map(|entry| fs::read_link(entry.path()).ok()).map(|link| link.display().to_string())
    };
    links(pid.to_string()).chain(links(parent)).collect()
}

#[test]
#[ignore = "needs root"]
fn a_start_is_told_from_the_command_to_the_program() {
    let host = Scenario::new("what happens to the host must not be a secret");
    let output = host
        .run([
            "run",
            "--rm",
            "--explain=json",
            "--memory",
            "64m",
            "--pids-limit",
            "51",
            "-v",
            "data:/data",
            "--tmpfs",
            "/scratch",
            "--ulimit",
            "nofile=512",
            "--hostname",
            "told",
            "--user",
            "7:8",
            "-p",
            "127.0.0.1:8080:80",
            "busybox:1",
            "echo",
            "hello",
        ])
        .ok();
    assert_eq!(output.text(), "hello");
    let steps = steps(&output);

    let starts: Vec<&str> = steps.iter().map(|step| text(step, "start")).collect();
    assert!(starts.is_sorted(), "{starts:?}");
    let processes: BTreeSet<&str> = steps.iter().map(|step| text(step, "process")).collect();
    assert_eq!(processes, BTreeSet::from(["command", "init", "monitor"]));

    let last = steps.last().expect("there are steps");
    assert_eq!((text(last, "effect"), text(last, "program")), ("execute", "/bin/echo"));
    assert_eq!(last["args"], serde_json::json!(["echo", "hello"]));
    assert_eq!(effects(&steps, "pivot_root").len(), 1);
    let covered = steps.iter().filter(|step| matches!(text(step, "effect"), "mount" | "bind"));
    let covered: Vec<&str> = covered.filter_map(|step| step["target"]["in_root"].as_str()).collect();
    let places: Vec<_> = MOUNTS.iter().map(|wanted| covered.iter().position(|place| place == wanted)).collect();
    assert!(places.iter().all(Option::is_some), "{MOUNTS:?} in {covered:?}");

    let written = |file: &str, value: &str| {
        effects(&steps, "write").iter().any(|step| text(step, "path").ends_with(file) && step["value"] == value)
    };
    assert!(written("/memory.limit_in_bytes", "67108864") || written("/memory.max", "67108864"), "{steps:#?}");
    assert!(written("/pids.max", "51"), "{steps:#?}");
    assert_eq!(text(effects(&steps, "set_host_name")[0], "name"), "told");
    assert_eq!(effects(&steps, "set_limit")[0]["soft"], 512);
    assert_eq!(effects(&steps, "assume_identity")[0]["uid"], 7);
    assert!(effects(&steps, "filter_calls")[0]["instructions"].as_u64() > Some(10));
    let clone = effects(&steps, "clone")[0];
    assert!(text(clone, "shell").contains("unshare --mount"), "{clone}");
    let network: Vec<&str> = effects(&steps, "network").iter().map(|step| text(step, "shell")).collect();
    let network = network.join("\n");
    for part in ["type bridge", "type veth", "published '{ 127.0.0.1 . tcp . 8080 :", "route replace default"] {
        assert!(network.contains(part), "`{part}` in {network}");
    }
    let took = steps.iter().filter(|step| step["took_ns"].as_u64() > Some(0)).count();
    assert!(took > steps.len() / 2, "steps take their time");
}

#[test]
#[ignore = "needs root"]
fn the_list_is_a_shell_script() {
    let host = Scenario::new("a command that no shell takes teaches nobody");
    let output = host.run(["run", "--rm", "--explain", "busybox:1", "echo", "it's\tfine"]).ok();
    assert_eq!(output.stdout, "it's\tfine\n");
    host.file("list.sh", &output.stderr);
    run(tool("sh", ["-n".as_ref(), host.folder().join("list.sh").as_os_str()]), Duration::from_secs(10)).ok();
    for part in ["\n    cd \"$ROOT\" && pivot_root . .\n", " \"$ROOT\"/proc\n", "ID="] {
        assert!(output.stderr.contains(part), "`{part}`\n{output}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_start_that_fails_is_told_as_far_as_it_came() {
    let host = Scenario::new("most of all one wants to know what went wrong");
    let output = host.run(["run", "--rm", "--explain=json", "busybox:1", "/nowhere"]).code(127);
    let steps = steps(&output);
    assert_eq!((effects(&steps, "pivot_root").len(), effects(&steps, "execute").len()), (1, 0));
    assert!(!effects(&steps, "remove_directory").is_empty(), "what was made is removed\n{output}");
}

#[test]
#[ignore = "needs root"]
fn nothing_is_kept_of_the_record_and_nothing_made_without_it() {
    let host = Scenario::new("to look must cost nobody else anything");
    let start = |options: &[&str]| {
        let words = [&["run", "-d"], options, &["busybox:1", "sleep", "1000"]].concat();
        host.run(words).ok()
    };
    let (explained, plain) = (start(&["--explain=json"]), start(&[]));
    assert!(!steps(&explained).is_empty());
    assert_eq!(plain.stderr, "");
    assert_eq!(files(&host, explained.text()), files(&host, plain.text()));
    for id in [explained.text(), plain.text()] {
        let descriptors = descriptors(&host, id);
        assert!(descriptors.iter().all(|link| !link.contains("lighter-trace")), "{descriptors:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn up_and_exec_tell_their_steps_too() {
    let host = Scenario::new("what a project asks of the host is no secret");
    host.file("compose.yaml", "services: {a: {image: 'busybox:1', command: [sleep, '1000'], stop_grace_period: 0s}}\n");
    let up = host.run(["up", "-d", "--explain"]).ok();
    assert!(["ip link", "pivot_root", "exec /bin/sleep"].iter().all(|part| up.stderr.contains(part)), "{up}");
    let exec = host.run(["compose", "exec", "-T", "--explain=json", "a", "true"]).ok();
    let steps: Vec<Value> = exec.stderr.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    assert!(steps.iter().any(|step| step["effect"] == "execute"), "{exec}");
}
