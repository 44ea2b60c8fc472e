//! `lighter version`

use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};

/// Show the version of lighter and of the host's kernel
#[derive(clap::Args)]
pub(crate) struct VersionArgs {
    /// `json`, or a template: '{{.Server.Version}}'
    #[arg(short, long)]
    format: Option<Format>,
}

pub(crate) fn run(ctx: &Context, args: &VersionArgs) -> Result<(), Failure> {
    let version = version();
    match &args.format {
        None | Some(Format::Table) => {
            let line = |name: &str, value: &Value| format!(" {name:<16}{}", value.as_str().unwrap_or_default());
            let of = &version["Client"];
            ctx.ui.line("lighter: client and engine in one")?;
            let shown = [("Version:", "Version"), ("OS/Arch:", "Platform"), ("Kernel Version:", "KernelVersion")];
            shown.iter().try_for_each(|(heading, field)| ctx.ui.line(line(heading, &of[*field])))
        }
        Some(format) => ctx.ui.line(format::render(format, &[], &[version])?),
    }
}

/// Returns docker's object: client and server are one program here.
fn version() -> Value {
    let (version, arch) = (env!("CARGO_PKG_VERSION"), super::info::docker_architecture());
    let part = json!({
        "Version": version,
        "Os": "linux",
        "Arch": arch,
        "Platform": format!("linux/{arch}"),
        "KernelVersion": super::info::kernel_version(),
    });
    json!({"Client": part, "Server": part})
}
