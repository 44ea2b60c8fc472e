//! `lighter info`, `lighter system info`

use std::fs;
use std::path::Path;

use lighter_engine::{Container, Engine, Status};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::ui::quantity;

/// Show what this installation has and which host it is on
#[derive(clap::Args)]
pub(crate) struct InfoArgs {
    /// `json`, or a template: '{{.CgroupVersion}}'
    #[arg(short, long)]
    format: Option<Format>,
}

/// The lines of the text, and the fields they show.
const LINES: [(&str, &str); 17] = [
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Name", "Name"),
    ("Root Dir", "DockerRootDir"),
];

pub(crate) fn run(ctx: &Context, args: &InfoArgs) -> Result<(), Failure> {
    let mut info = info(&ctx.recovered_engine()?)?;
    for rest in [limits(), of_the_host(), elsewhere()] {
        if let (Some(info), Value::Object(rest)) = (info.as_object_mut(), rest) {
            info.extend(rest);
        }
    }
    match &args.format {
        None | Some(Format::Table) => {
            for (heading, field) in LINES {
                let value = &info[field];
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                ctx.ui.line(format!("{heading}: {}", crate::ui::printable(&text)))?;
            }
            let memory = info["MemTotal"].as_u64().unwrap_or(0);
            ctx.ui.line(format!("Total Memory: {}", quantity::binary_size(memory)))
        }
        Some(format) => ctx.ui.line(format::render(format, &[], &[info])?),
    }
}

/// Returns docker's object, with what there is of it here.
fn info(engine: &Engine) -> Result<Value, Failure> {
    let containers = engine.containers()?;
    let count = |fits: fn(&Container) -> bool| containers.iter().filter(|one| fits(one)).count();
    Ok(json!({
        "Containers": containers.len(),
        "ContainersRunning": count(|one| matches!(one.state.status, Status::Running | Status::Restarting)),
        "ContainersPaused": count(|one| one.state.status == Status::Paused),
        "ContainersStopped": count(|one| !one.state.status.is_active()),
        "Images": engine.images().list()?.len(),
        "ServerVersion": env!("CARGO_PKG_VERSION"),
        "Driver": "overlay",
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "Plugins": {
            "Volume": ["local"],
            "Network": ["bridge", "host", "ipvlan", "macvlan", "none"],
            "Log": ["journald", "json-file", "local", "none", "syslog"],
        },
        "KernelVersion": kernel_version(),
        "OperatingSystem": os_release("PRETTY_NAME").unwrap_or_else(|| "Linux".to_owned()),
        "OSVersion": os_release("VERSION_ID").unwrap_or_default(),
        "OSType": "linux",
        "Architecture": std::env::consts::ARCH,
        "NCPU": std::thread::available_parallelism().map_or(1, usize::from),
        "MemTotal": super::super::stats::host_memory(),
        "Name": nix::unistd::gethostname().unwrap_or_default().to_string_lossy(),
        "DockerRootDir": engine.layout().root(),
        "DefaultRuntime": "lighter",
        "Runtimes": runtimes(engine),
        "Swarm": {"LocalNodeState": "inactive"},
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
        "LiveRestoreEnabled": true, // containers run on without us
        "Warnings": [],
    }))
}

/// Returns lighter's own runtime and those that are configured.
fn runtimes(engine: &Engine) -> Value {
    let mut all = json!({"lighter": {"path": "lighter"}});
    for (name, path) in engine.runtimes().configured() {
        all[name] = json!({"path": path});
    }
    all
}

/// Returns `6.1.0-13-amd64`: the release of proc(5), /proc/sys/kernel/osrelease.
pub(super) fn kernel_version() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// Returns the machine in the words of image platforms.
pub(super) fn docker_architecture() -> String {
    lighter_engine::images::platform::Platform::host().architecture
}

/// Returns a value of os-release(5).
fn os_release(name: &str) -> Option<String> {
    let text = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|path| fs::read_to_string(path).ok())?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.map(|value| value.trim_matches(['"', '\'']).to_owned())
}

/// Returns what the kernel can limit: the controllers of cgroups(7), of either version.
fn limits() -> Value {
    let root = Path::new("/sys/fs/cgroup");
    let unified = fs::read_to_string(root.join("cgroup.controllers")).ok();
    let is_unified = unified.is_some();
    let has = |name: &str| match &unified {
        Some(controllers) => controllers.split_whitespace().any(|controller| controller == name),
        None => root.join(name).is_dir(),
    };
    json!({
        "CgroupVersion": if is_unified { "2" } else { "1" },
        "MemoryLimit": has("memory"),
        "SwapLimit": if is_unified { has("memory") } else { root.join("memory/memory.memsw.limit_in_bytes").exists() },
        "OomKillDisable": has("memory") && !is_unified,
        "CpuCfsPeriod": has("cpu"),
        "CpuCfsQuota": has("cpu"),
        "CPUShares": has("cpu"),
        "CPUSet": has("cpuset"),
        "PidsLimit": has("pids"),
    })
}

/// Returns how the host is set up.
fn of_the_host() -> Value {
    let forwards = fs::read_to_string("/proc/sys/net/ipv4/ip_forward");
    json!({
        "IPv4Forwarding": forwards.is_ok_and(|text| text.trim() == "1"),
        "SystemTime": jiff::Timestamp::now().to_string(),
    })
}

/// Returns what only daemons have something to say about.
fn elsewhere() -> Value {
    json!({
        "ID": "",
        "Debug": false,
        "DriverStatus": [],
        "ExperimentalBuild": false,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "InitBinary": "lighter",
        "Isolation": "",
        "Labels": [],
        "ClientInfo": {"Debug": false, "Context": "default", "Plugins": [], "Warnings": null},
    })
}
