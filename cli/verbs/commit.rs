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

pub(crate) fn run(ctx: &Context, args: &CommitArgs) -> Result<(), Failure> {
    let options = CommitOptions {
        reference: args.name.as_deref().map(str::parse).transpose()?,
        author: args.author.clone(),
        message: args.message.clone(),
        changes: args.change.clone(),
        keeps_running: args.no_pause || args.pause == Some(false),
    };
    let engine = ctx.recovered_engine()?;
    let container = target::find_one(ctx, &engine, &args.container)?;
    ctx.ui.line(engine.commit(&container, &options)?.id.as_str())
}
