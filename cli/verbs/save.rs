//! `lighter save`

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lighter_engine::images::archive::{self, ArchiveFormat, SaveOptions};

use crate::context::Context;
use crate::error::Failure;

/// Size of the pieces that are written at once, in bytes.
const PIECE: usize = 256 * 1024;

/// Write images to an archive
#[derive(clap::Args)]
pub(crate) struct SaveArgs {
    /// Images, by name or id; a name without a tag means all its tags
    #[arg(required = true)]
    images: Vec<String>,
    /// File to write instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// `docker-archive`, which other engines load and which is an image layout too, or `oci-archive`, an image layout alone
    #[arg(long, default_value = "docker-archive", value_parser = ["docker-archive", "oci-archive"], hide_possible_values = true)]
    format: String,
    /// Refuse images of another platform than this: `linux/amd64`
    #[arg(long)]
    platform: Option<String>,
}

pub(crate) fn run(ctx: &Context, args: &SaveArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let format = if args.format == "oci-archive" { ArchiveFormat::Oci } else { ArchiveFormat::Docker };
    let platform = args.platform.as_deref().map(str::parse).transpose()?;
    let options = SaveOptions { format, platform };
    to_output(args.output.as_deref(), |out| Ok(archive::save(engine.images(), &args.images, &options, out)?))
}

/// Calls `write` with stdout, which must not be a terminal, or with a file that appears whole or not at all.
pub(crate) fn to_output(
    output: Option<&Path>,
    write: impl FnOnce(Box<dyn Write + Send>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(path) = output else {
        if io::stdout().is_terminal() {
            return Err(Failure::text("an archive is nothing for a terminal: use -o FILE, or a pipe"));
        }
        return write(Box::new(BufWriter::with_capacity(PIECE, io::stdout())));
    };
    // A pipe or a device is written to as it is; it cannot be replaced.
    if path.exists() && !path.is_file() {
        let file = OpenOptions::new().write(true).open(path).map_err(|error| failed(path, &error))?;
        return write(Box::new(BufWriter::with_capacity(PIECE, file)));
    }
    let temporary = temporary(path);
    let file = create(&temporary).map_err(|error| failed(path, &error))?;
    let written = write(Box::new(BufWriter::with_capacity(PIECE, file)))
        .and_then(|()| std::fs::rename(&temporary, path).map_err(|error| failed(path, &error)));
    written.inspect_err(|_| {
        // The first error says more.
        let _ = std::fs::remove_file(&temporary);
    })
}

fn create(path: &Path) -> io::Result<File> {
    // An image may hold secrets: as docker, for its owner alone.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", lighter_engine::random_name()))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::text(format!("write `{}`: {error}", path.display()))
}
