//! `lighter registry serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use lighter_engine::Engine;
use lighter_engine::images::digest::Digest;
use lighter_engine::images::serve::{Access, Host, ServeOptions, Server, TlsFiles};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::Ui;

/// Serve this host's images to others, and take theirs
///
/// An image pulled from Docker Hub is served as library/redis, one of another registry under its whole name, as
/// ghcr.io/team/app. What is pushed as team/app is an image of this host under the name localhost/team/app.
/// A line on standard error tells of each request. Ends with Ctrl-C or SIGTERM.
#[derive(clap::Args)]
pub(crate) struct ServeArgs {
    /// Address and port to listen at
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Refuse pushes and deletions
    #[arg(long)]
    read_only: bool,
    /// Certificate to serve HTTPS with, as PEM; those between it and a root may follow
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve only the users of this file, as `htpasswd -B` makes it; it is read again when it changes
    #[arg(long, value_name = "FILE")]
    htpasswd: Option<PathBuf>,
}

pub(super) fn run(ctx: &Context, args: &ServeArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let options = options(ctx, args);
    let store = engine.images().clone();
    let server = Server::open(&store, &options, Arc::new(Console { engine, ui: Ui::new(ctx.ui.color) }))?;
    warn(ctx, &options);
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let address = server.address()?;
    Ok(server.run(|| ctx.ui.note(format!("serving {} at {scheme}://{address}", what(&options))))?)
}

fn options(ctx: &Context, args: &ServeArgs) -> ServeOptions {
    let path = |path: &PathBuf| ctx.invocation.working_directory.join(path);
    let tls = args.tls_cert.as_ref().zip(args.tls_key.as_ref());
    ServeOptions {
        listen: args.listen,
        read_only: args.read_only,
        tls: tls.map(|(certificate, key)| TlsFiles { certificate: path(certificate), key: path(key) }),
        htpasswd: args.htpasswd.as_ref().map(path),
    }
}

fn what(options: &ServeOptions) -> &'static str {
    if options.read_only { "this host's images, read-only," } else { "this host's images" }
}

/// Says what others can do who should perhaps not.
fn warn(ctx: &Context, options: &ServeOptions) {
    if options.listen.ip().is_loopback() {
        return;
    }
    if options.htpasswd.is_none() {
        let may = if options.read_only { "pull every image of this host" } else { "pull and push images" };
        ctx.ui.warn(format!("whoever reaches {} may {may}: there is no --htpasswd", options.listen));
    }
    if options.tls.is_none() {
        ctx.ui.warn("images and passwords go over the network in plain text: there is no --tls-cert");
    }
}

/// The command as the server sees it.
struct Console {
    engine: Engine,
    ui: Ui,
}

impl Host for Console {
    fn user_of(&self, image: &Digest) -> Option<String> {
        // Whoever cannot be asked might use it.
        let Ok(containers) = self.engine.intact_containers() else { return Some("an unknown container".to_owned()) };
        let user = containers.into_iter().find(|container| container.spec.image.id == image.to_string());
        user.map(|container| container.spec.name)
    }

    fn answered(&self, access: &Access<'_>) {
        let status = access.status.map_or("-".to_owned(), |status| status.to_string());
        self.ui.note(format!(
            "{:.3} {} {} {} {} {status} {} {}ms",
            Timestamp::now(),
            access.peer,
            access.user.unwrap_or("-"),
            access.method,
            access.target,
            access.bytes,
            access.duration.as_millis(),
        ));
    }
}
