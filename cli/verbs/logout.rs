//! `lighter logout`

use lighter_engine::images::registry::logout;

use crate::context::Context;
use crate::error::Failure;

/// Forget the login at a registry
#[derive(clap::Args)]
pub(crate) struct LogoutArgs {
    /// Registry, as `registry.example:5000` (default: Docker Hub)
    server: Option<String>,
}

pub(crate) fn run(ctx: &Context, args: &LogoutArgs) -> Result<(), Failure> {
    let domain = super::login::domain(args.server.as_deref())?;
    match logout(&domain, &ctx.access()?)? {
        Some(place) => ctx.ui.line(format!("Removing login credentials for {domain} from {place}")),
        None => ctx.ui.line(format!("Not logged in to {domain}")),
    }
}
