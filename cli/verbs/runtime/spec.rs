//! `lighter runtime spec`

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use lighter_engine::runtime::oci::{rootless_template, template};

use super::RuntimeContext;
use crate::error::Failure;

/// Write a `config.json` to start from
#[derive(Debug, clap::Args)]
pub(super) struct SpecArgs {
    /// Directory to write it to
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// For a user namespace in which the caller is root
    #[arg(long)]
    rootless: bool,
}

pub(super) fn run(_: &RuntimeContext, args: &SpecArgs) -> Result<(), Failure> {
    let spec = match args.rootless {
        true => rootless_template(nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw()),
        false => template(),
    };
    let path = args.bundle.join("config.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&spec)?);
    let written = OpenOptions::new().write(true).create_new(true).open(&path);
    written
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::text(format!("write `{}`: {error}", path.display())))
}
