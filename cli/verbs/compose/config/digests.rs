//! Images held at the digests they have in their registries now.

use std::collections::BTreeMap;
use std::thread;

use lighter_compose::Project;
use lighter_engine::images::pull;
use lighter_engine::images::reference::Reference;

use crate::context::Context;
use crate::error::Failure;
use crate::ui::progress::{self, Style};

/// Replaces the image of every service by one with its digest; asks for each image once, all at the same time.
pub(super) fn resolve(ctx: &Context, project: &mut Project) -> Result<(), Failure> {
    let access = ctx.access()?;
    let progress = progress::of(Style::Quiet, false);
    let images = project.services.values().filter_map(|service| service.image.clone());
    let mut firm: BTreeMap<String, String> = images.map(|image| (image, String::new())).collect();
    let ask = |image: &str| -> Result<String, Failure> {
        let reference: Reference = image.parse()?;
        match reference.digest() {
            Some(_) => Ok(reference.to_string()),
            None => Ok(format!("{reference}@{}", pull::digest(&reference, &access, progress.as_ref())?)),
        }
    };
    thread::scope(|scope| {
        let asked: Vec<_> = firm.iter_mut().map(|(image, firm)| (scope.spawn(|| ask(image)), firm)).collect();
        asked.into_iter().try_for_each(|(answer, firm)| {
            *firm = answer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok::<_, Failure>(())
        })
    })?;
    let services: Vec<_> =
        project.services.values().map(|service| (service.name.clone(), service.image.clone())).collect();
    for (service, image) in services {
        if let Some(firm) = image.and_then(|image| firm.get(&image)) {
            project.set_image(&service, firm);
        }
    }
    Ok(())
}
