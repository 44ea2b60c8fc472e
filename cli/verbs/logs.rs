//! `lighter logs`

use jiff::{Span, Timestamp, Zoned};
use lighter_engine::LogQuery;

use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::logs::LinePrefix;

/// Show what containers wrote
#[derive(clap::Args)]
pub(crate) struct LogsArgs {
    /// Container, or service of the project in this folder
    #[arg(required = true)]
    containers: Vec<String>,
    /// Show before each line the labels and variables that --log-opt labels=, env= names
    #[arg(long)]
    details: bool,
    #[command(flatten)]
    pub(crate) which: LogFlags,
}

/// Which part of the logs
#[derive(clap::Args, Clone, Default)]
pub(crate) struct LogFlags {
    /// Go on until the container ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the last N lines; `all` for all of them
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value = "all",
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    pub(crate) tail: String,
    /// Nothing older: a time (2026-01-02T15:04:05Z) or an age (10m)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Nothing newer: a time or an age
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Show when each line was written
    #[arg(short, long)]
    pub(crate) timestamps: bool,
}

impl LogFlags {
    pub(crate) fn query(&self) -> Result<LogQuery, Failure> {
        let tail = match self.tail.as_str() {
            "all" | "" | "-1" => None,
            number => {
                Some(number.parse().map_err(|_| Failure::text(format!("--tail `{number}`: not a number of lines")))?)
            }
        };
        let time = |text: &Option<String>| text.as_deref().map(moment).transpose();
        let (since, until) = (time(&self.since)?, time(&self.until)?);
        Ok(LogQuery { follow: self.follow, tail, since, until, whole_lines: false })
    }
}

pub(crate) fn run(ctx: &Context, args: &LogsArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let query = args.which.query()?;
    let mut containers = Vec::new();
    for name in &args.containers {
        containers.extend(target::find(ctx, &engine, name)?);
    }
    if let Some(silent) = containers.iter().find(|container| !container.spec.log.is_kept()) {
        return Err(Failure::text(format!("log driver `none` of `{}` keeps nothing to read", silent.spec.name)));
    }
    if let [container] = containers.as_slice() {
        let prefix = match args.details {
            true => LinePrefix::details(&container.spec.log.details(&container.spec)),
            false => LinePrefix::none(),
        };
        for entry in engine.logs(container, query)? {
            prefix.write(&entry?, args.which.timestamps)?;
        }
        return Ok(());
    }
    if args.details {
        return Err(Failure::text("--details is for the logs of one container"));
    }
    super::compose::logs::show(ctx, &engine, &containers, &query, args.which.timestamps, true)
}

/// Reads a moment: RFC 3339, a local date or time without zone, seconds since 1970, or an age like `1h30m`.
pub(crate) fn moment(text: &str) -> Result<Timestamp, Failure> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Some(time) = seconds(text) {
        return Ok(time);
    }
    if let Ok(local) = text.parse::<jiff::civil::DateTime>() {
        return Ok(local.to_zoned(jiff::tz::TimeZone::system())?.timestamp());
    }
    match text.parse::<Span>() {
        Ok(age) => Ok(Zoned::now().checked_sub(age)?.timestamp()),
        Err(_) => Err(Failure::text(format!("`{text}` is no time: use 2026-01-02T15:04:05Z, or an age like 10m"))),
    }
}

/// Reads `1136073600` or `1136073600.000000001`.
fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_fraction = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let nanoseconds = format!("{fraction:0<9}").parse().ok().filter(|_| is_fraction)?;
    Timestamp::new(whole.parse().ok()?, nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_all_their_forms() {
        assert_eq!(moment("2026-01-02T03:04:05Z").unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(moment("0").unwrap(), Timestamp::UNIX_EPOCH);
        assert_eq!(moment("1.5").unwrap().to_string(), "1970-01-01T00:00:01.5Z");
        assert!(moment("1.").is_err() && moment("1.x").is_err());
        assert!(moment("10m").unwrap() < Timestamp::now());
        assert!(moment("yesterday").is_err());
    }
}
