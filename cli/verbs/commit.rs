//! `lighter commit`

use lighter_engine::CommitOptions;

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// Make an image of a container and what it has changed
#[derive(clap::Args)]
pub(crate) struct CommitArgs {
    /// Container, or service of the project in this folder
    container: String,
    #[command(flatten)]
    flags: CommitFlags,
}

/// What the image is, and how it is made
#[derive(clap::Args)]
pub(crate) struct CommitFlags {
    /// The image's name
    name: Option<String>,
    /// Who made it
    #[arg(short, long)]
    author: Option<String>,
    /// What was done
    #[arg(short, long)]
    message: Option<String>,
    /// Dockerfile instruction that changes the image: 'CMD ["sh"]'
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Stop the container's processes meanwhile; `false` to let them run
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide_default_value = true)]
    pause: Option<bool>,
    /// Let the container's processes run
    #[arg(long)]
    no_pause: bool,
}

impl CommitFlags {
    pub(crate) fn options(&self) -> Result<CommitOptions, Failure> {
        Ok(CommitOptions {
            reference: self.name.as_deref().map(str::parse).transpose()?,
            author: self.author.clone(),
            message: self.message.clone(),
            changes: self.change.clone(),
            keeps_running: self.no_pause || self.pause == Some(false),
        })
    }
}

pub(crate) fn run(ctx: &Context, args: &CommitArgs) -> Result<(), Failure> {
    let options = args.flags.options()?;
    let engine = ctx.recovered_engine()?;
    let container = target::find_one(ctx, &engine, &args.container)?;
    ctx.ui.line(engine.commit(&container, &options)?.id.as_str())
}
