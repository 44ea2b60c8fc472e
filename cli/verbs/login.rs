//! `lighter login`

use std::io::{self, IsTerminal, Read};

use lighter_engine::images::reference::Reference;
use lighter_engine::images::registry::{Credential, LoggedIn, Place, login};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::prompt;

/// Longest password read from standard input, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Log in to a registry
///
/// The password is tried out first, and then kept where docker keeps it: in `~/.docker/config.json`, or with the
/// credential helper that this file names. Without options, asks on the terminal.
#[derive(clap::Args)]
pub(crate) struct LoginArgs {
    /// Registry, as `registry.example:5000` (default: Docker Hub)
    server: Option<String>,
    /// Name of the user
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// Password, for all to see who list processes: better use --password-stdin
    #[arg(short, long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long, conflicts_with = "password", requires = "username")]
    password_stdin: bool,
}

pub(crate) fn run(ctx: &Context, args: &LoginArgs) -> Result<(), Failure> {
    let domain = domain(args.server.as_deref())?;
    let credential = Credential::Password { user: user(args)?, password: password(ctx, args)? };
    let LoggedIn { place, warnings } = login(&domain, &credential, &ctx.access()?)?;
    warnings.iter().for_each(|warning| ctx.ui.warn(warning));
    if let Place::File(path) = place {
        ctx.ui.warn(format!("the password is kept in `{}`, not encrypted; a credential helper would", path.display()));
    }
    ctx.ui.line("Login Succeeded")
}

/// Returns the registry that was named, as references spell it; the name may be a URL as docker takes it.
pub(super) fn domain(server: Option<&str>) -> Result<String, Failure> {
    let Some(server) = server else { return Ok("docker.io".to_owned()) };
    let host = server.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let host = host.strip_suffix("/v1").or_else(|| host.strip_suffix("/v2")).unwrap_or(host);
    let reference = format!("{host}/x").parse::<Reference>().ok();
    let is_host =
        |reference: &Reference| !host.contains('/') && (reference.path() == "x" || host.ends_with("docker.io"));
    match reference.filter(is_host) {
        Some(reference) => Ok(reference.domain().to_owned()),
        None => Err(Failure::text(format!("`{server}` is not the name of a registry: use HOST or HOST:PORT"))),
    }
}

fn user(args: &LoginArgs) -> Result<String, Failure> {
    let user = match &args.username {
        Some(user) => user.clone(),
        None => prompt::line("Username: ")?,
    };
    if user.is_empty() || user.contains(':') {
        return Err(Failure::text(format!("the user's name `{user}` is empty or has a colon")));
    }
    Ok(user)
}

fn password(ctx: &Context, args: &LoginArgs) -> Result<String, Failure> {
    let password = match &args.password {
        Some(password) => {
            ctx.ui.warn("a password on the command line is seen by all who list processes: use --password-stdin");
            password.clone()
        }
        None if args.password_stdin => from_stdin()?,
        None => prompt::secret("Password: ")?,
    };
    if password.is_empty() { Err(Failure::text("the password is empty")) } else { Ok(password) }
}

fn from_stdin() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        return prompt::secret("Password: ");
    }
    let mut text = String::new();
    io::stdin().take(LONGEST).read_to_string(&mut text)?;
    Ok(text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text)).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_as_docker_takes_it() {
        let of = |text| domain(Some(text)).ok();
        assert_eq!(domain(None).ok().as_deref(), Some("docker.io"));
        for (text, expected) in [
            ("https://index.docker.io/v1/", "docker.io"),
            ("docker.io", "docker.io"),
            ("ghcr.io", "ghcr.io"),
            ("http://127.0.0.1:5000/v2/", "127.0.0.1:5000"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(of(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "word", "ghcr.io/team", "a b", "user@host.example", "UPPER/x"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
