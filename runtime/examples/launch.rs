//! Runs a bundle (`config.json` and what it names), to try the runtime out by hand and for its tests.
//!
//! ```text
//! launch spec ID ARG…             print a spec with everything at its default
//! launch run BUNDLE ID            run to the end; ends with the container's code
//! launch exec BUNDLE ID PROCESS   run, and beside it the process in the file PROCESS; ends with its code
//! launch later BUNDLE ID PROCESS  as `exec`, once the container has made the file `ready`
//! launch pipes BUNDLE ID          run with pipes of its own and copy what comes out
//! launch terminal BUNDLE ID       run on a new terminal and copy what it shows
//! launch drop BUNDLE ID           make it and let go of it
//! launch twice BUNDLE ID          run, and say why it cannot run a second time meanwhile
//! launch oom BUNDLE ID            run, and say how often the kernel killed for want of memory
//! launch pause BUNDLE ID          run, freeze, thaw, kill; says what was seen
//! launch bench BUNDLE ID COUNT    run it COUNT times; prints microseconds: least, median
//! ```
//!
//! This process plays the monitor: one thread, sealed, the parent of the container's init.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use lighter_runtime::exec::{ExecRequest, exec};
use lighter_runtime::launch::{Created, Init, Launch, LaunchError, LaunchOptions, Stdio, create};
use lighter_runtime::{defaults, process, sealed};
use oci_spec::runtime::{Process, Spec};

/// How long `later` waits for the container.
const READY_WITHIN_MS: usize = 5_000;

type Outcome = Result<i32, Box<dyn Error>>;

fn main() -> ExitCode {
    let code = sealed::ensure().map_err(Box::from).and_then(|()| run()).unwrap_or_else(|error| {
        say(&mut std::io::stderr(), &format!("launch: {}", chain(&*error)));
        error.downcast_ref::<LaunchError>().map_or(125, LaunchError::exit_code)
    });
    ExitCode::from(u8::try_from(code).unwrap_or(255))
}

fn say(stream: &mut dyn Write, text: &str) {
    // Nobody listens any more: nothing to be done about it.
    let _closed = writeln!(stream, "{text}");
}

fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

struct Bundle {
    path: PathBuf,
    id: String,
    spec: Spec,
}

fn run() -> Outcome {
    let args: Vec<String> = std::env::args().collect();
    if let [_, verb, id, program @ ..] = args.as_slice()
        && verb == "spec"
    {
        say(&mut std::io::stdout(), &spec(id, program).to_string());
        return Ok(0);
    }
    let [_, verb, path, id, rest @ ..] = args.as_slice() else { return Err("launch VERB BUNDLE ID …".into()) };
    let path = Path::new(path).canonicalize()?;
    let bundle = Bundle { spec: Spec::load(path.join("config.json"))?, path, id: id.clone() };
    match (verb.as_str(), rest) {
        ("run", []) => wait(bundle.start(Stdio::Inherit)?),
        ("exec", [file]) => run_and_exec(&bundle, Path::new(file), false),
        ("later", [file]) => run_and_exec(&bundle, Path::new(file), true),
        ("pipes", []) => run_with_pipes(&bundle),
        ("terminal", []) => run_on_terminal(&bundle),
        ("drop", []) => bundle.create(Stdio::Inherit).map(|_| 0),
        ("twice", []) => run_twice(&bundle),
        ("oom", []) => count_oom_kills(&bundle),
        ("pause", []) => pause(&bundle),
        ("bench", [count]) => bench(&bundle, count.parse()?),
        _ => Err(format!("no verb `{verb}` with these arguments").into()),
    }
}

/// A container with Docker's defaults that runs `args`; to be changed by who runs it.
fn spec(id: &str, args: &[String]) -> serde_json::Value {
    let capabilities = serde_json::to_value(defaults::capabilities()).unwrap_or_default();
    serde_json::json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "hostname": "box",
        "process": {
            "args": args,
            "env": ["PATH=/bin:/usr/bin"],
            "cwd": "/",
            "user": {"uid": 0, "gid": 0},
            "capabilities": {
                "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
            },
            "oomScoreAdj": 0,
        },
        "mounts": defaults::mounts(),
        "linux": {
            "cgroupsPath": format!("/lighter/tests/{id}"),
            "namespaces": [
                {"type": "pid"}, {"type": "mount"}, {"type": "network"},
                {"type": "uts"}, {"type": "ipc"}, {"type": "cgroup"},
            ],
            "maskedPaths": defaults::masked_paths(),
            "readonlyPaths": defaults::readonly_paths(),
            "resources": {"devices": defaults::devices()},
            "seccomp": defaults::seccomp(&defaults::capabilities()),
        },
    })
}

impl Bundle {
    fn create(&self, stdio: Stdio) -> Result<Created, Box<dyn Error>> {
        let created = create(Launch {
            id: &self.id,
            spec: &self.spec,
            bundle: &self.path,
            stdio,
            options: LaunchOptions::default(),
        })?;
        for warning in &created.warnings {
            say(&mut std::io::stderr(), &format!("warning: {warning}"));
        }
        Ok(created)
    }

    fn start(&self, stdio: Stdio) -> Result<Init, Box<dyn Error>> {
        Ok(self.create(stdio)?.start()?)
    }
}

/// Waits for the end, then clears away what the container leaves.
fn wait(init: Init) -> Outcome {
    let exit = process::reap_blocking(init.pidfd.as_fd())?;
    finish(&init)?;
    Ok(exit.code())
}

fn finish(init: &Init) -> Result<(), Box<dyn Error>> {
    init.cgroup.kill_all()?;
    Ok(init.cgroup.delete()?)
}

fn stop(init: &Init) -> Result<(), Box<dyn Error>> {
    process::kill(init.pidfd.as_fd(), 9)?;
    process::reap_blocking(init.pidfd.as_fd())?;
    finish(init)
}

fn run_and_exec(bundle: &Bundle, file: &Path, later: bool) -> Outcome {
    let process: Process = serde_json::from_reader(File::open(file)?)?;
    let init = bundle.start(Stdio::Inherit)?;
    for _ in 0..READY_WITHIN_MS {
        if !later || bundle.path.join("rootfs/ready").exists() {
            break;
        }
        nix::poll::poll(&mut [], 1u8)?;
    }
    let request = ExecRequest {
        init: &init.process(),
        cgroup: &init.cgroup,
        container: &bundle.spec,
        process: &process,
        stdio: Stdio::Inherit,
        preserve_fds: 0,
        patience: None,
    };
    let result = exec(request).map_err(Box::<dyn Error>::from).and_then(|executed| {
        executed.warnings.iter().for_each(|warning| say(&mut std::io::stderr(), &format!("warning: {warning}")));
        Ok(process::reap_blocking(executed.pidfd.as_fd())?.code())
    });
    stop(&init)?;
    result
}

fn run_with_pipes(bundle: &Bundle) -> Outcome {
    let (mut reader, writer) = std::io::pipe()?;
    let stderr = writer.try_clone()?.into();
    let stdio = Stdio::Fds { stdin: File::open("/dev/null")?.into(), stdout: writer.into(), stderr };
    let init = bundle.start(stdio)?;
    let mut said = Vec::new();
    reader.read_to_end(&mut said)?;
    std::io::stdout().write_all(&said)?;
    wait(init)
}

fn run_on_terminal(bundle: &Bundle) -> Outcome {
    let mut created = bundle.create(Stdio::Terminal { rows: 40, cols: 120 })?;
    let terminal = created.terminal.take().ok_or("no terminal")?;
    let init = created.start()?;
    let mut shown = Vec::new();
    // When the last of the container's processes closes it, reading a terminal fails (EIO).
    let _hung_up = File::from(terminal).read_to_end(&mut shown);
    std::io::stdout().write_all(&shown)?;
    wait(init)
}

fn run_twice(bundle: &Bundle) -> Outcome {
    let init = bundle.start(Stdio::Inherit)?;
    let said = bundle.create(Stdio::Inherit).err().map_or("it does run twice".to_owned(), |error| chain(&*error));
    say(&mut std::io::stdout(), &said);
    wait(init)
}

fn count_oom_kills(bundle: &Bundle) -> Outcome {
    let created = bundle.create(Stdio::Inherit)?;
    let watch = created.init.cgroup.watch_oom()?;
    let init = created.start()?;
    let exit = process::reap_blocking(init.pidfd.as_fd())?;
    let mut fds = [nix::poll::PollFd::new(watch.as_fd(), nix::poll::PollFlags::POLLIN)];
    let woken = nix::poll::poll(&mut fds, 1000u16)?;
    watch.clear();
    say(&mut std::io::stdout(), &format!("kills={} woken={woken}", init.cgroup.oom_kills()?));
    finish(&init)?;
    Ok(exit.code())
}

fn pause(bundle: &Bundle) -> Outcome {
    let init = bundle.start(Stdio::Inherit)?;
    let cgroup = &init.cgroup;
    cgroup.freeze()?;
    let (frozen, pids) = (cgroup.is_frozen()?, cgroup.pids()?);
    let stats = cgroup.stats()?;
    cgroup.thaw()?;
    let thawed = !cgroup.is_frozen()?;
    cgroup.freeze()?;
    cgroup.kill_all()?;
    let exit = process::reap_blocking(init.pidfd.as_fd())?;
    finish(&init)?;
    let own = pids == [init.pid];
    let measured = stats.memory_usage > 0 && stats.pids == 1 && stats.memory_limit == Some(64 << 20);
    say(&mut std::io::stdout(), &format!("frozen={frozen} own={own} measured={measured} thawed={thawed}"));
    Ok(exit.code())
}

fn bench(bundle: &Bundle, count: usize) -> Outcome {
    let mut times = Vec::new();
    let mut starts = Vec::new();
    for _ in 0..count {
        let begin = Instant::now();
        let init = bundle.start(Stdio::Inherit)?;
        starts.push(begin.elapsed().as_micros());
        process::reap_blocking(init.pidfd.as_fd())?;
        times.push(begin.elapsed().as_micros());
        finish(&init)?;
    }
    for (what, mut times) in [("create+start", starts), ("create+start+reap", times)] {
        times.sort_unstable();
        let (least, median) = (times[0], times[times.len() / 2]);
        say(&mut std::io::stdout(), &format!("{what}: min {least} µs, median {median} µs, n {count}"));
    }
    Ok(0)
}
