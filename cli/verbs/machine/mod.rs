//! `lighter machine`: hosts that have lighter, and putting it there.

use serde_json::json;

use crate::context::Context;
use crate::error::Failure;
use crate::remote::{self, Contexts, Host, NamedHost};
use crate::ui::format::{self, Format};

/// Other hosts: put lighter on them and look after them
#[derive(clap::Subcommand)]
pub(crate) enum MachineVerb {
    /// Put this very program on a host and remember the host by a name, as a context
    Add(AddArgs),
    /// List the hosts, and what answers there
    #[command(visible_alias = "list")]
    Ls(ListArgs),
    /// Put this very program on a host again
    Install {
        /// Machine, or ssh://[USER@]HOST[:PORT]
        name: String,
    },
    /// Open a shell on a host, or execute a command
    Ssh(SshArgs),
    /// Forget hosts; nothing is done to them
    #[command(visible_alias = "remove")]
    Rm {
        /// Machines
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Which host, and under which name
#[derive(clap::Args)]
pub(crate) struct AddArgs {
    /// Name
    name: String,
    /// Address: ssh://[USER@]HOST[:PORT][/path/of/lighter]
    address: String,
    /// Only remember it
    #[arg(long)]
    no_install: bool,
}

/// How they are shown
#[derive(clap::Args)]
pub(crate) struct ListArgs {
    /// `table`, `json`, or a template: '{{.Name}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
    /// Only names
    #[arg(short, long)]
    quiet: bool,
}

/// Where, and what
#[derive(clap::Args)]
pub(crate) struct SshArgs {
    /// Machine
    name: String,
    /// Command for the shell there [default: a shell to type at]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

pub(crate) fn run(ctx: &Context, verb: &MachineVerb) -> Result<std::process::ExitCode, Failure> {
    let contexts = Contexts::of(&ctx.invocation)?;
    let done = match verb {
        MachineVerb::Add(args) => add(ctx, &contexts, args),
        MachineVerb::Ls(args) => list(ctx, &contexts, args),
        MachineVerb::Install { name } => {
            let host = if name.contains("://") { parse(name)? } else { host(&contexts, name)? };
            put(ctx, &host)
        }
        MachineVerb::Ssh(args) => return remote::log_in(&host(&contexts, &args.name)?, &args.command),
        MachineVerb::Rm { names } => names.iter().try_for_each(|name| {
            contexts.remove(name)?;
            ctx.ui.line(name)
        }),
    };
    done.map(|()| std::process::ExitCode::SUCCESS)
}

fn add(ctx: &Context, contexts: &Contexts, args: &AddArgs) -> Result<(), Failure> {
    let host = parse(&args.address)?;
    if contexts.find(&args.name)?.is_some() {
        return Err(Failure::text(format!("the machine `{}` is there already", args.name)));
    }
    if !args.no_install {
        put(ctx, &host)?;
    }
    let machine = NamedHost { name: args.name.clone(), description: "Machine".to_owned(), host: host.to_string() };
    contexts.put(&machine)?;
    ctx.ui.line(&args.name)
}

fn put(ctx: &Context, host: &Host) -> Result<(), Failure> {
    let place = remote::install(host)?;
    ctx.ui.note(format!("{host}: {place} is this program"));
    Ok(())
}

fn parse(address: &str) -> Result<Host, Failure> {
    address.parse().map_err(|why: String| Failure::text(why))
}

fn host(contexts: &Contexts, name: &str) -> Result<Host, Failure> {
    let context = contexts.get(name)?;
    match context.host.is_empty() {
        true => Err(Failure::text(format!("`{name}` is this host"))),
        false => parse(&context.host),
    }
}

fn list(ctx: &Context, contexts: &Contexts, args: &ListArgs) -> Result<(), Failure> {
    let mut machines = contexts.all()?;
    machines.retain(|machine| !machine.host.is_empty());
    if args.quiet {
        return machines.iter().try_for_each(|machine| ctx.ui.line(&machine.name));
    }
    let current = contexts.current()?;
    let rows = machines.iter().map(|machine| {
        let (state, version) = match parse(&machine.host).and_then(|host| remote::version(&host)) {
            Ok(version) => ("Running", version),
            Err(failure) => ("Error", failure.to_string()),
        };
        let active = if machine.name == current { "*" } else { "-" };
        json!({"Name": machine.name, "Active": active, "State": state, "URL": machine.host, "Lighter": version})
    });
    let rows: Vec<_> = rows.collect();
    let columns = [("NAME", "Name"), ("ACTIVE", "Active"), ("STATE", "State"), ("URL", "URL"), ("LIGHTER", "Lighter")];
    ctx.ui.line(format::render(&args.format, &columns, &rows)?)
}
