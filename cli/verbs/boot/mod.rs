//! `lighter boot`: what the host's init runs, and seeing to it that it does.

mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lighter_engine::{Engine, StartOptions};

use crate::context::Context;
use crate::error::Failure;
use crate::verbs::compose;
use crate::verbs::target::{PROJECT, last_of};
use script::{Init, Script};

/// Start what is to run after a reboot, once a boot; or see to it that the host does that
#[derive(clap::Args)]
pub(crate) struct BootArgs {
    #[command(subcommand)]
    what: Option<BootVerb>,
}

/// What else
#[derive(clap::Subcommand)]
enum BootVerb {
    /// Have the host's init run `lighter boot`
    Enable(Place),
    /// Take that back
    Disable(Place),
    /// Tell whether it does, and what would start; ends with 1 if it does not
    Status(Place),
    /// Stop everything because the host goes down: it is no user's wish, so it starts again at boot
    Stop,
}

/// Where the host's init looks
#[derive(clap::Args)]
struct Place {
    /// Which init (default: the one that runs)
    #[arg(long, value_enum)]
    init: Option<Init>,
    /// Folder that is to become the root of a host, instead of this host's
    #[arg(long, value_name = "DIR", default_value = "/", hide_default_value = true)]
    sysroot: PathBuf,
}

pub(crate) fn run(ctx: &Context, args: &BootArgs) -> Result<ExitCode, Failure> {
    let done = |()| ExitCode::SUCCESS;
    match &args.what {
        None => start(ctx).map(done),
        Some(BootVerb::Stop) => stop(ctx).map(done),
        Some(BootVerb::Enable(place)) => enable(ctx, place).map(done),
        Some(BootVerb::Disable(place)) => disable(ctx, place).map(done),
        Some(BootVerb::Status(place)) => status(ctx, place),
    }
}

/// Starts the containers that are wanted, projects in the order of their dependencies, and goes on when one fails.
fn start(ctx: &Context) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    if !engine.begin_boot()? {
        ctx.ui.note("lighter boot has run since this host booted: nothing to do");
        return Ok(());
    }
    let mut projects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut failures = Vec::new();
    for container in engine.wanted_after_boot()? {
        match container.label(PROJECT) {
            Some(project) => _ = projects.entry(project.to_owned()).or_default().insert(container.id),
            None => match engine.start(&container, StartOptions::default()) {
                Ok(started) => started.warnings.iter().for_each(|warning| ctx.ui.warn(warning)),
                Err(error) => failures.push(error.into()),
            },
        }
    }
    for (project, ids) in projects {
        failures.extend(compose::boot(ctx, &engine, &project, &ids).err());
    }
    last_of(failures, &ctx.ui)
}

/// Stops everything at once: the order of projects is not worth the time that a host has for going down.
fn stop(ctx: &Context) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    engine.begin_shutdown()?;
    let containers = engine.containers()?;
    let failures = std::thread::scope(|scope| {
        let stops: Vec<_> =
            containers.iter().map(|container| scope.spawn(|| engine.stop_for_shutdown(container))).collect();
        let results =
            stops.into_iter().map(|stop| stop.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        results.filter_map(|result| result.err().map(Failure::from)).collect()
    });
    last_of(failures, &ctx.ui)
}

fn enable(ctx: &Context, place: &Place) -> Result<(), Failure> {
    let script = script(ctx, place)?;
    let path = below(&place.sysroot, script.path);
    write(&path, &script.text, script.mode)?;
    for link in &script.links {
        let link = below(&place.sysroot, link);
        // a runlevel that this host does not have needs no link
        if !script.makes_folders && !link.parent().is_some_and(Path::exists) {
            continue;
        }
        make_folder(&link)?;
        let _ = fs::remove_file(&link); // an older one, or none
        symlink(script.path, &link).map_err(|error| Failure::text(format!("link `{}`: {error}", link.display())))?;
    }
    ctx.ui.line(format!("enabled: {} runs `lighter boot` ({})", script.init.word(), path.display()))
}

fn disable(ctx: &Context, place: &Place) -> Result<(), Failure> {
    let script = script(ctx, place)?;
    for path in script.links.iter().map(String::as_str).chain([script.path]) {
        let path = below(&place.sysroot, path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::text(format!("remove `{}`: {error}", path.display())));
            }
            _ => {}
        }
    }
    ctx.ui.line("disabled")
}

fn status(ctx: &Context, place: &Place) -> Result<ExitCode, Failure> {
    let script = script(ctx, place)?;
    let path = below(&place.sysroot, script.path);
    let is_linked = script.links.iter().any(|link| below(&place.sysroot, link).is_symlink());
    let engine = ctx.engine()?;
    let is_enabled = path.exists() && is_linked;
    let word = if is_enabled { "enabled" } else { "disabled" };
    ctx.ui.line(format!("{word}: {} ({})", script.init.word(), path.display()))?;
    for name in restartable(&engine)? {
        ctx.ui.line(format!("starts at boot: {name}"))?;
    }
    Ok(if is_enabled { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Names the containers that would start if the host went down now.
fn restartable(engine: &Engine) -> Result<Vec<String>, Failure> {
    use lighter_engine::RestartPolicy::No;
    let mut containers = engine.containers()?;
    let waiting: BTreeSet<String> = engine.wanted_after_boot()?.into_iter().map(|container| container.id).collect();
    containers.retain(|one| waiting.contains(&one.id) || (one.state.status.is_active() && one.spec.restart != No));
    Ok(containers.into_iter().map(|container| container.spec.name).collect())
}

fn script(ctx: &Context, place: &Place) -> Result<Script, Failure> {
    let program =
        std::env::current_exe().map_err(|error| Failure::text(format!("find the path of lighter: {error}")))?;
    let engine = ctx.engine()?;
    Ok(Script::new(place.init.unwrap_or_else(|| Init::of(&place.sysroot)), &program, engine.layout()))
}

fn below(sysroot: &Path, path: &str) -> PathBuf {
    sysroot.join(path.trim_start_matches('/'))
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(|error| Failure::text(format!("create `{}`: {error}", folder.display())))
}

/// Writes the file beside its place first, so that init never reads half of it.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    make_folder(path)?;
    let building = path.with_extension("new");
    let written = fs::write(&building, text)
        .and_then(|()| fs::set_permissions(&building, fs::Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&building, path));
    written.map_err(|error| Failure::text(format!("write `{}`: {error}", path.display())))
}
