//! `lighter context`: hosts by name.

mod list;
mod transfer;

use crate::context::Context;
use crate::error::Failure;
use crate::remote::{Contexts, Host, NamedHost};
use crate::ui::format::Inspection;
use serde_json::{Value, json};

/// Other hosts by name
#[derive(clap::Subcommand)]
pub(crate) enum ContextVerb {
    /// Remember a host
    Create(CreateArgs),
    /// List the contexts
    #[command(visible_alias = "list")]
    Ls(list::ListArgs),
    /// Work on the host of a context from now on; `default` is this one
    Use {
        /// Context
        name: String,
    },
    /// Print which context is current
    Show,
    /// Show everything about contexts
    Inspect(InspectArgs),
    /// Change a context
    Update(UpdateArgs),
    /// Write a context to a file, in docker's form
    Export(transfer::ExportArgs),
    /// Remember a host from a file that export, or docker's, has written
    Import(transfer::ImportArgs),
    /// Forget contexts
    #[command(visible_alias = "remove")]
    Rm(RemoveArgs),
}

/// What a new context is
#[derive(clap::Args)]
pub(crate) struct CreateArgs {
    /// Name
    name: String,
    /// Its host, as docker says it: host=ssh://[USER@]HOST[:PORT]
    #[arg(long, value_name = "host=ADDRESS", conflicts_with = "from")]
    docker: Option<String>,
    /// As another context is
    #[arg(long, value_name = "CONTEXT")]
    from: Option<String>,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
}

/// What is shown, and how
#[derive(clap::Args)]
pub(crate) struct InspectArgs {
    /// Contexts [default: the current one]
    names: Vec<String>,
    /// A template instead of JSON: '{{.Name}}'
    #[arg(short, long)]
    format: Option<Inspection>,
}

/// What is changed
#[derive(clap::Args)]
pub(crate) struct UpdateArgs {
    /// Name
    name: String,
    /// Its host, as docker says it: host=ssh://[USER@]HOST[:PORT]
    #[arg(long, value_name = "host=ADDRESS")]
    docker: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
}

/// What is forgotten
#[derive(clap::Args)]
pub(crate) struct RemoveArgs {
    /// Contexts
    #[arg(required = true)]
    names: Vec<String>,
    /// The current one too
    #[arg(short, long)]
    force: bool,
}

pub(crate) fn run(ctx: &Context, verb: &ContextVerb) -> Result<(), Failure> {
    let contexts = Contexts::of(&ctx.invocation)?;
    match verb {
        ContextVerb::Create(args) => create(ctx, &contexts, args),
        ContextVerb::Ls(args) => list::run(ctx, &contexts, args),
        ContextVerb::Use { name } => {
            contexts.set_current(name)?;
            ctx.ui.line(name)?;
            ctx.ui.note(format!("Current context is now \"{name}\""));
            Ok(())
        }
        ContextVerb::Show => ctx.ui.line(contexts.current()?),
        ContextVerb::Inspect(args) => inspect(ctx, &contexts, args),
        ContextVerb::Update(args) => update(ctx, &contexts, args),
        ContextVerb::Export(args) => transfer::export(ctx, &contexts, args),
        ContextVerb::Import(args) => transfer::import(ctx, &contexts, args),
        ContextVerb::Rm(args) => remove(ctx, &contexts, args),
    }
}

fn create(ctx: &Context, contexts: &Contexts, args: &CreateArgs) -> Result<(), Failure> {
    check_unused(contexts, &args.name)?;
    let host = match (&args.docker, &args.from) {
        (Some(text), _) => address(text)?,
        (None, Some(other)) => contexts.get(other)?.host,
        (None, None) => return Err(Failure::text("a context needs a host: --docker host=ssh://[USER@]HOST[:PORT]")),
    };
    contexts.put(&NamedHost { name: args.name.clone(), description: args.description.clone(), host })?;
    ctx.ui.line(&args.name)
}

fn check_unused(contexts: &Contexts, name: &str) -> Result<(), Failure> {
    match contexts.find(name)? {
        Some(_) => Err(Failure::text(format!("the context `{name}` is there already"))
            .hint(format!("change it with: lighter context update {name}"))),
        None => Ok(()),
    }
}

/// Reads `host=ADDRESS`; an empty address is this host.
fn address(text: &str) -> Result<String, Failure> {
    let wrong = || Failure::text(format!("--docker `{text}`: use host=ssh://[USER@]HOST[:PORT]"));
    let address = text.strip_prefix("host=").ok_or_else(wrong)?;
    if address.is_empty() || address.starts_with("unix://") {
        return Ok(String::new());
    }
    let host: Host = address.parse().map_err(|why: String| Failure::text(why))?;
    Ok(host.to_string())
}

fn update(ctx: &Context, contexts: &Contexts, args: &UpdateArgs) -> Result<(), Failure> {
    let mut context = contexts.get(&args.name)?;
    if let Some(text) = &args.docker {
        context.host = address(text)?;
    }
    if let Some(text) = &args.description {
        context.description = text.clone();
    }
    contexts.put(&context)?;
    ctx.ui.line(&args.name)
}

fn inspect(ctx: &Context, contexts: &Contexts, args: &InspectArgs) -> Result<(), Failure> {
    let names = if args.names.is_empty() { vec![contexts.current()?] } else { args.names.clone() };
    super::inspect::each(ctx, &names, args.format.as_ref(), |name| Ok(vec![object(contexts, &contexts.get(name)?)]))
}

/// Docker's shape.
fn object(contexts: &Contexts, context: &NamedHost) -> Value {
    json!({
        "Name": context.name,
        "Metadata": {"Description": context.description},
        "Endpoints": {"docker": {"Host": context.host, "SkipTLSVerify": false}},
        "TLSMaterial": {},
        "Storage": {"MetadataPath": contexts.file(&context.name), "TLSPath": ""},
    })
}

fn remove(ctx: &Context, contexts: &Contexts, args: &RemoveArgs) -> Result<(), Failure> {
    let current = contexts.current()?;
    let mut failures = Vec::new();
    for name in &args.names {
        let removed = match *name == current && !args.force {
            true => Err(Failure::text(format!("the context `{name}` is in use"))
                .hint("choose another with `lighter context use`, or say --force")),
            false => contexts.remove(name),
        };
        match removed {
            Ok(()) => ctx.ui.line(name)?,
            Err(failure) => failures.push(failure),
        }
    }
    super::target::last_of(failures, &ctx.ui)
}
