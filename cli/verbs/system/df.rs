//! `lighter system df`

use lighter_engine::images::build::{Cache, CacheEntry};
use lighter_engine::images::store::{Image, ImageUsage, Usage};
use lighter_engine::{Container, Engine, ImageUsers, MountKind, Volume};
use serde_json::{Value, json};

use super::super::{builder, images, ps};
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::ui::quantity;

/// Show what images, containers and volumes take on the disk
#[derive(clap::Args)]
pub(crate) struct DfArgs {
    /// Show each of them
    #[arg(short, long)]
    verbose: bool,
    /// `table`, `json`, or a template: '{{.Type}} {{.Size}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

const SUMMARY: [(&str, &str); 5] =
    [("TYPE", "Type"), ("TOTAL", "TotalCount"), ("ACTIVE", "Active"), ("SIZE", "Size"), ("RECLAIMABLE", "Reclaimable")];

const IMAGES: [(&str, &str); 8] = [
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("IMAGE ID", "ID"),
    ("CREATED", "CreatedSince"),
    ("SIZE", "Size"),
    ("SHARED SIZE", "SharedSize"),
    ("UNIQUE SIZE", "UniqueSize"),
    ("CONTAINERS", "Containers"),
];

const CONTAINERS: [(&str, &str); 8] = [
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("LOCAL VOLUMES", "LocalVolumes"),
    ("SIZE", "Size"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("NAMES", "Names"),
];

const VOLUMES: [(&str, &str); 3] = [("VOLUME NAME", "Name"), ("LINKS", "Links"), ("SIZE", "Size")];

const CACHE: [(&str, &str); 4] =
    [("CACHE ID", "ID"), ("CACHE TYPE", "CacheType"), ("SIZE", "Size"), ("LAST USED", "LastUsedSince")];

/// Everything that takes room, as it was when it was looked at.
struct Observed {
    users: ImageUsers,
    images: Usage,
    containers: Vec<(Container, u64)>,
    /// Size, and containers that have it.
    volumes: Vec<(Volume, u64, usize)>,
    /// Entries of the cache of builds, and what those take that no image has.
    cache: (Vec<CacheEntry>, u64),
}

pub(crate) fn run(ctx: &Context, args: &DfArgs) -> Result<(), Failure> {
    let observed = observe(&ctx.recovered_engine()?)?;
    if !args.verbose {
        return ctx.ui.line(format::render(&args.format, &SUMMARY, &summary(&observed))?);
    }
    let (images, containers, volumes) = (image_rows(&observed), container_rows(&observed), volume_rows(&observed));
    let cache: Vec<_> = observed.cache.0.iter().map(cache_row).collect();
    match &args.format {
        Format::Table => {
            let table = |rows: &[Value], columns: &[(&str, &str)]| format::render(&Format::Table, columns, rows);
            ctx.ui.line(format!("Images space usage:\n\n{}\n", table(&images, &IMAGES)?))?;
            ctx.ui.line(format!("Containers space usage:\n\n{}\n", table(&containers, &CONTAINERS)?))?;
            ctx.ui.line(format!("Local Volumes space usage:\n\n{}\n", table(&volumes, &VOLUMES)?))?;
            ctx.ui.line(format!(
                "Build cache usage: {}\n\n{}",
                quantity::size(observed.cache.1),
                table(&cache, &CACHE)?
            ))
        }
        format => {
            let object = json!({"Images": images, "Containers": containers, "Volumes": volumes, "BuildCache": cache});
            ctx.ui.line(format::render(format, &[], &[object])?)
        }
    }
}

fn observe(engine: &Engine) -> Result<Observed, Failure> {
    let users = engine.known_image_users()?;
    let images = engine.images().usage(&|image: &Image| users.of(&image.id).is_some())?;
    let sized = |one: Container| engine.container_size(&one).map(|size| (one, size));
    let mut containers = engine.containers()?.into_iter().map(sized).collect::<Result<Vec<_>, _>>()?;
    containers.sort_by_key(|(one, _)| std::cmp::Reverse(one.state.created_at));
    let mut volumes = Vec::new();
    for volume in engine.volumes()? {
        let links = containers.iter().filter(|(one, _)| one.spec.volumes().any(|name| name == volume.name));
        let (links, size) = (links.count(), engine.volume_size(&volume)?);
        volumes.push((volume, size, links));
    }
    let cache = cache(engine, &images)?;
    Ok(Observed { users, images, containers, volumes, cache })
}

fn cache(engine: &Engine, images: &Usage) -> Result<(Vec<CacheEntry>, u64), Failure> {
    let cache = Cache::open(engine.layout().root())?;
    let is_images = |entry: &CacheEntry| {
        let has = |one: &ImageUsage| one.image.layers.iter().any(|key| Some(key.digest()) == entry.layer());
        images.images.iter().any(has)
    };
    let (all, mut own) = (cache.entries()?, cache.entries()?);
    own.retain(|entry| !is_images(entry));
    Ok((all, builder::total(&own)))
}

fn cache_row(entry: &CacheEntry) -> Value {
    json!({
        "ID": entry.id.chars().take(18).collect::<String>(),
        "CacheType": if entry.is_mount { "exec.cachemount" } else { "regular" },
        "Size": quantity::size(entry.size),
        "LastUsedSince": jiff::Timestamp::try_from(entry.used).map(quantity::since).unwrap_or_default(),
        "Description": entry.description,
    })
}

fn summary(observed: &Observed) -> Vec<Value> {
    let Observed { users, images, containers, volumes, cache } = observed;
    let in_use = images.images.iter().filter(|one| users.of(&one.image.id).is_some()).count();
    let running = |(one, _): &&(Container, u64)| one.state.status.is_active();
    let stopped = containers.iter().filter(|one| !running(one)).map(|(_, size)| size).sum();
    let unused = volumes.iter().filter(|(.., links)| *links == 0).map(|(_, size, _)| size).sum();
    vec![
        line("Images", [images.images.len(), in_use], [images.total, images.reclaimable]),
        line(
            "Containers",
            [containers.len(), containers.iter().filter(running).count()],
            [containers.iter().map(|(_, size)| size).sum(), stopped],
        ),
        line(
            "Local Volumes",
            [volumes.len(), volumes.iter().filter(|(.., links)| *links > 0).count()],
            [volumes.iter().map(|(_, size, _)| size).sum(), unused],
        ),
        line("Build Cache", [cache.0.len(), 0], [cache.1, cache.1]),
    ]
}

fn line(kind: &str, [total, active]: [usize; 2], [size, reclaimable]: [u64; 2]) -> Value {
    let percent = (u128::from(reclaimable) * 100).checked_div(u128::from(size)).map(|percent| format!(" ({percent}%)"));
    json!({
        "Type": kind,
        "TotalCount": total.to_string(),
        "Active": active.to_string(),
        "Size": quantity::size(size),
        "Reclaimable": quantity::size(reclaimable) + &percent.unwrap_or_default(),
    })
}

fn image_rows(observed: &Observed) -> Vec<Value> {
    let rows = observed.images.images.iter().map(|one| {
        let mut row = images::row(&one.image, one.image.references.first(), false);
        row["Size"] = json!(quantity::size(one.shared + one.unique));
        row["SharedSize"] = json!(quantity::size(one.shared));
        row["UniqueSize"] = json!(quantity::size(one.unique));
        row["Containers"] = json!(observed.users.count(&one.image.id).to_string());
        row
    });
    rows.collect()
}

fn container_rows(observed: &Observed) -> Vec<Value> {
    let rows = observed.containers.iter().map(|(container, size)| {
        let volumes = container.spec.mounts.iter().filter(|mount| matches!(mount.kind, MountKind::Volume { .. }));
        let mut row = ps::row(container, false);
        row["LocalVolumes"] = json!(volumes.count().to_string());
        row["Size"] = json!(quantity::size(*size));
        row
    });
    rows.collect()
}

fn volume_rows(observed: &Observed) -> Vec<Value> {
    let rows = observed.volumes.iter();
    rows.map(
        |(volume, size, links)| json!({"Name": volume.name, "Links": links.to_string(), "Size": quantity::size(*size)}),
    )
    .collect()
}
