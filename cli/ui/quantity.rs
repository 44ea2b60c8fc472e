//! Times and sizes as people read them, in docker's words.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Returns `3 seconds`, `About a minute`, `2 hours` …: go-units' HumanDuration.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// Returns the time since `then`; a moment in the future counts as now.
pub(crate) fn since(then: Timestamp) -> String {
    let elapsed = Timestamp::now().duration_since(then);
    duration(Duration::try_from(elapsed).unwrap_or_default())
}

/// Returns `2026-01-02 15:04:05 +0100 CET`: a time of this host as docker shows it.
pub(crate) fn local(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
}

/// Returns `7.28MB`: three significant digits at most, powers of 1000, as docker shows sizes.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"].iter();
    let mut unit = units.next().expect("the list is not empty");
    while value >= 1000.0 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / 1000.0, next);
    }
    let digits = match value {
        _ if *unit == "B" => 0,
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{}{unit}", short(value, digits))
}

/// As Go's `%g`: no zeros at the end of a fraction.
fn short(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Returns `12.34MiB`: four significant digits at most, powers of 1024, as docker shows memory.
pub(crate) fn binary_size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].iter();
    let mut unit = units.next().expect("the list is not empty");
    while value >= 1024.0 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / 1024.0, next);
    }
    let digits = match value {
        _ if *unit == "B" => 0,
        1000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    format!("{}{unit}", short(value, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_dockers() {
        let text = |seconds| duration(Duration::from_secs(seconds));
        let all = [0, 1, 59, 61, 120, 3600, 2 * 3600, 3 * 24 * 3600];
        let expected = [
            "Less than a second",
            "1 second",
            "59 seconds",
            "About a minute",
            "2 minutes",
            "About an hour",
            "2 hours",
            "3 days",
        ];
        assert_eq!(all.map(text), expected);
    }

    #[test]
    fn memory_reads_like_dockers() {
        assert_eq!([512, 1 << 20, 5 << 19, 64 << 20].map(binary_size), ["512B", "1MiB", "2.5MiB", "64MiB"]);
    }

    #[test]
    fn sizes_read_like_dockers() {
        assert_eq!([0, 999, 1000, 7_280_000, 133_000_000].map(size), ["0B", "999B", "1kB", "7.28MB", "133MB"]);
    }
}
