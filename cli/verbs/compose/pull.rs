//! Pulling what a project needs before it is planned.

use std::collections::BTreeMap;
use std::thread;

use lighter_compose::Project;
use lighter_compose::images::{Wanted, wanted};
use lighter_engine::Engine;
use lighter_engine::images::pull::{self, PullOptions};
use lighter_engine::images::reference::Reference;

use crate::context::Context;
use crate::error::Failure;
use crate::ui::progress;

/// Pulls the images that the services want and the store lacks, all at once.
///
/// `policy` (`always`, `missing`, `never`) takes the place of the services' own.
pub(super) fn missing(
    ctx: &Context,
    engine: &Engine,
    project: &Project,
    services: &[String],
    policy: Option<&str>,
    quiet: bool,
) -> Result<(), Failure> {
    let mut references = BTreeMap::new();
    for image in wanted(project, services) {
        if must_pull(engine, &image, policy)? {
            references.insert(image.reference.clone(), image.platform);
        }
    }
    if references.is_empty() {
        return Ok(());
    }
    let options = ctx.pull_options()?;
    let progress = progress::pull(ctx.ui.interactive, quiet);
    let pull_one = |name: &str, platform: Option<&str>| -> Result<(), Failure> {
        let reference: Reference = name.parse()?;
        if !quiet {
            ctx.ui.note(format!(" …  pull {name}"));
        }
        let platform = platform.map(str::parse).transpose()?;
        pull::pull(engine.images(), &reference, &PullOptions { platform, ..options.clone() }, progress.as_ref())?;
        Ok(())
    };
    thread::scope(|scope| {
        let pulls: Vec<_> =
            references.iter().map(|(name, platform)| scope.spawn(|| pull_one(name, platform.as_deref()))).collect();
        let results =
            pulls.into_iter().map(|pull| pull.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        let failures = results.filter_map(Result::err).collect();
        crate::verbs::target::last_of(failures, &ctx.ui)
    })
}

fn must_pull(engine: &Engine, image: &Wanted, policy: Option<&str>) -> Result<bool, Failure> {
    let is_present = engine.images().find(&image.reference)?.is_some();
    Ok(match policy {
        Some("always") => !image.is_built,
        Some("missing") => !is_present && !image.is_built,
        Some(_) => false,
        None => image.must_pull(is_present),
    })
}
