//! `lighter import`

use std::fs::File;
use std::io::{self, Read};

use lighter_engine::images::derive::{self, Changes, Description};
use lighter_engine::images::platform::Platform;

use crate::context::Context;
use crate::error::Failure;

/// Make an image of one layer from an archive of files
#[derive(clap::Args)]
pub(crate) struct ImportArgs {
    /// Archive, plain or compressed with gzip or zstd; `-` for stdin
    pub(crate) file: String,
    /// The image's name
    name: Option<String>,
    /// Dockerfile instruction that changes the image: 'CMD ["sh"]'
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// What the history says
    #[arg(short, long)]
    message: Option<String>,
    /// The platform of the files, as `linux/arm64`
    #[arg(long)]
    platform: Option<String>,
}

pub(crate) fn run(ctx: &Context, args: &ImportArgs) -> Result<(), Failure> {
    let platform = args.platform.as_deref().map_or_else(|| Ok(Platform::host()), str::parse)?;
    let mut changes = Changes::new(serde_json::Map::new());
    args.change.iter().try_for_each(|change| changes.apply(change))?;
    let description = Description {
        name: args.name.as_deref().map(str::parse).transpose()?,
        config: changes.finish(),
        created: jiff::Timestamp::now().to_string(),
        created_by: String::new(),
        author: None,
        comment: Some(args.message.clone().unwrap_or_else(|| format!("Imported from {}", args.file))),
    };
    let input = open(&args.file)?;
    let engine = ctx.engine()?;
    let image = derive::import(engine.images(), input, &platform, &description)?;
    super::image::tell(&engine, "import", (image.id.as_str(), &image.name()));
    ctx.ui.line(image.id.as_str())
}

fn open(file: &str) -> Result<Box<dyn Read>, Failure> {
    if file == "-" {
        return Ok(Box::new(io::stdin()));
    }
    if file.contains("://") {
        let failure = Failure::text(format!("`{file}`: importing from a URL is not supported"));
        return Err(failure.hint(format!("curl -sSL {file} | lighter import -")));
    }
    Ok(Box::new(File::open(file).map_err(|error| Failure::text(format!("open `{file}`: {error}")))?))
}
