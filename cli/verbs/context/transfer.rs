//! `lighter context export` and `import`: docker's archive of a context, a tar with `meta.json` (docker-context-export(1)).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::address;
use crate::context::Context;
use crate::error::Failure;
use crate::remote::{Contexts, NamedHost};

/// The only member of the archive that says something of an `ssh://` host; others are certificates.
const MEMBER: &str = "meta.json";

/// Most bytes that are read of it: a description is no book.
const MEMBER_BYTES: u64 = 1 << 20;

/// The archive on standard input or output.
const STREAM: &str = "-";

/// What is written, and where to
#[derive(clap::Args)]
pub(crate) struct ExportArgs {
    /// Context
    name: String,
    /// File, or `-` for standard output [default: NAME.dockercontext]
    file: Option<PathBuf>,
}

/// What is read
#[derive(clap::Args)]
pub(crate) struct ImportArgs {
    /// Name of the new context
    name: String,
    /// File, or `-` for standard input
    file: PathBuf,
}

pub(super) fn export(ctx: &Context, contexts: &Contexts, args: &ExportArgs) -> Result<(), Failure> {
    let archive = pack(&contexts.get(&args.name)?)?;
    let named = || PathBuf::from(format!("{}.dockercontext", args.name));
    let file = args.file.clone().unwrap_or_else(named);
    if file.as_os_str() == STREAM {
        return ctx.ui.write(&archive);
    }
    let path = ctx.invocation.path(&file);
    let written = File::create_new(&path).and_then(|mut out| out.write_all(&archive));
    written.map_err(|error| Failure::text(format!("write the context to `{}`: {error}", path.display())))?;
    ctx.ui.note(format!("Written file \"{}\"", file.display()));
    Ok(())
}

pub(super) fn import(ctx: &Context, contexts: &Contexts, args: &ImportArgs) -> Result<(), Failure> {
    super::check_unused(contexts, &args.name)?;
    let read = |from: &Path| -> io::Result<NamedHost> {
        if from.as_os_str() == STREAM {
            return unpack(io::stdin().lock());
        }
        unpack(File::open(ctx.invocation.path(from))?)
    };
    let wrong = |error| Failure::text(format!("read the context in `{}`: {error}", args.file.display()));
    let found = read(&args.file).map_err(wrong)?;
    // an address is checked as one that is typed
    let host = address(&format!("host={}", found.host))?;
    contexts.put(&NamedHost { name: args.name.clone(), host, ..found })?;
    ctx.ui.line(&args.name)?;
    ctx.ui.note(format!("Successfully imported context \"{}\"", args.name));
    Ok(())
}

fn pack(context: &NamedHost) -> Result<Vec<u8>, Failure> {
    let text = json!({
        "Name": context.name,
        "Metadata": {"Description": context.description},
        "Endpoints": {"docker": {"Host": context.host, "SkipTLSVerify": false}},
    });
    let text = text.to_string();
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(text.len())?);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, MEMBER, text.as_bytes())?;
    Ok(archive.into_inner()?)
}

fn unpack(archive: impl Read) -> io::Result<NamedHost> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.path()?.as_os_str() == MEMBER {
            let meta: Value = serde_json::from_reader(entry.take(MEMBER_BYTES))?;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (description, host) = (&meta["Metadata"]["Description"], &meta["Endpoints"]["docker"]["Host"]);
            return Ok(NamedHost { name: text(&meta["Name"]), description: text(description), host: text(host) });
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has no `{MEMBER}`")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_context_comes_out_as_it_went_in() {
        let context = NamedHost { name: "box".into(), description: "a host".into(), host: "ssh://root@box".into() };
        assert_eq!(unpack(pack(&context).unwrap().as_slice()).unwrap(), context);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_otherwise_than_by_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let _ = unpack(bytes.as_slice());
        }

        #[test]
        fn no_text_does_either(text in ".{0,200}") {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            let mut archive = tar::Builder::new(Vec::new());
            archive.append_data(&mut header, MEMBER, text.as_bytes()).unwrap();
            let _ = unpack(archive.into_inner().unwrap().as_slice());
        }
    }
}
