//! `lighter images --tree`: below each name the images of the platforms that it stands for.

use lighter_engine::Engine;
use lighter_engine::images::reference::Reference;
use lighter_engine::images::store::Image;

use crate::context::Context;
use crate::error::Failure;
use crate::ui::{quantity, table};

const HEADINGS: [&str; 5] = ["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA"];

/// Prints the images with what they take unpacked and as they travel; `U` marks those in use.
pub(in crate::verbs) fn show(ctx: &Context, engine: &Engine, images: &[Image]) -> Result<(), Failure> {
    let users = engine.known_image_users()?;
    let row = |name: String, image: &Image, content: u64| {
        let extra = if users.count(&image.id) > 0 { "U" } else { "" };
        let sizes = [quantity::size(image.size + content), quantity::size(content)];
        let [disk, content] = sizes;
        vec![name, image.id.short().to_owned(), disk, content, extra.to_owned()]
    };
    let mut rows = Vec::new();
    for image in images {
        let variants = engine.images().variants(image)?;
        let sizes = variants.iter().map(|variant| Ok(engine.images().content_size(variant)?));
        let sizes = sizes.collect::<Result<Vec<u64>, Failure>>()?;
        rows.push(row(names(image), image, sizes.iter().sum()));
        for (position, (variant, size)) in variants.iter().zip(sizes).enumerate() {
            let branch = if position + 1 == variants.len() { "└─" } else { "├─" };
            rows.push(row(format!("{branch} {}", variant.platform()), variant, size));
        }
    }
    ctx.ui.line(table::table(&HEADINGS, &rows))
}

fn names(image: &Image) -> String {
    let names: Vec<_> = image.references.iter().map(Reference::familiar).collect();
    if names.is_empty() { "<untagged>".to_owned() } else { names.join(", ") }
}
