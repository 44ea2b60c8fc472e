//! `lighter search`

use lighter_engine::images::registry::{self, Found};
use serde_json::{Value, json};

use super::login::domain;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};

/// Longest description in a table, in characters, as docker cuts it.
const LONGEST_DESCRIPTION: usize = 45;

/// Most results that Docker Hub gives at once.
const MOST: u32 = 100;

/// Search a registry for images
#[derive(clap::Args)]
pub(crate) struct SearchArgs {
    /// What for; a registry before it is asked instead of Docker Hub: `registry.example/redis`
    term: String,
    /// Most results
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(0..=i64::from(MOST)))]
    limit: u32,
    /// Do not shorten descriptions
    #[arg(long)]
    no_trunc: bool,
    /// Only those that fit: stars=N, is-official=true|false, is-automated=true|false
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// `table`, `json`, or a template: '{{.Name}} {{.StarCount}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

const COLUMNS: [(&str, &str); 4] =
    [("NAME", "Name"), ("DESCRIPTION", "Description"), ("STARS", "StarCount"), ("OFFICIAL", "IsOfficial")];

pub(crate) fn run(ctx: &Context, args: &SearchArgs) -> Result<(), Failure> {
    let (server, term) = split(&args.term);
    let limit = if args.limit == 0 { MOST } else { args.limit };
    let mut found = registry::search(&domain(server)?, term, limit, &ctx.access()?)?;
    for filter in &args.filter {
        let malformed = || {
            Failure::text(format!(
                "--filter `{filter}`: use stars=N, is-official=true|false or is-automated=true|false"
            ))
        };
        let (key, value) = filter.split_once('=').ok_or_else(malformed)?;
        let is = |value: &str| value.parse::<bool>().map_err(|_| malformed());
        match key {
            "stars" => {
                let stars: u64 = value.parse().map_err(|_| malformed())?;
                found.retain(|one| one.stars >= stars);
            }
            "is-official" => is(value).map(|wanted| found.retain(|one| one.is_official == wanted))?,
            "is-automated" => is(value).map(|wanted| found.retain(|one| one.is_automated == wanted))?,
            _ => return Err(malformed()),
        }
    }
    let rows: Vec<_> = found.iter().map(|one| row(one, args.no_trunc)).collect();
    let text = format::render(&args.format, &COLUMNS, &rows)?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}

/// `host.example/redis` and `localhost:5000/redis` name a registry; `library/redis` does not.
fn split(term: &str) -> (Option<&str>, &str) {
    match term.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), rest),
        _ => (None, term),
    }
}

fn row(found: &Found, no_trunc: bool) -> Value {
    let description = found.description.clone().unwrap_or_default().replace(['\n', '\r'], " ");
    let mark = |is: bool| if is { "[OK]" } else { "" };
    json!({
        "Name": found.name,
        "Description": if no_trunc { description } else { shortened(&description) },
        "StarCount": found.stars.to_string(),
        "IsOfficial": mark(found.is_official),
        "IsAutomated": mark(found.is_automated),
    })
}

fn shortened(text: &str) -> String {
    match text.chars().count() > LONGEST_DESCRIPTION {
        true => text.chars().take(LONGEST_DESCRIPTION - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_told_from_a_name_space() {
        assert_eq!(split("localhost:5000/team/app"), (Some("localhost:5000"), "team/app"));
        assert_eq!([split("library/redis"), split("redis")], [(None, "library/redis"), (None, "redis")]);
    }
}
