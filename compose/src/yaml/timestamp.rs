//! Plain scalars that are points in time (YAML 1.1, timestamp).
//!
//! go-yaml reads them as such, and Docker Compose writes them as Go writes times: `2024-01-31` in an environment becomes
//! `2024-01-31 00:00:00 +0000 UTC`.

/// Returns the text in which Go writes the time that `text` is; [`None`] when it is none.
pub(super) fn written(text: &str) -> Option<String> {
    let (year, rest) = text.split_at_checked(4)?;
    let (month, rest) = rest.strip_prefix('-')?.split_once('-')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (day, rest) = rest.split_at(digits);
    let (year, month, day) = (number(year, 4, 9999)?, number(month, 2, 12)?, number(day, 2, 31)?);
    if month == 0 || day == 0 || day > days(year, month) {
        return None;
    }
    let (time, zone) = match rest.chars().next() {
        None => ("00:00:00".to_owned(), "+0000 UTC".to_owned()),
        Some('T' | 't') => zoned(&rest[1..])?,
        Some(' ') => (time(&rest[1..])?, "+0000 UTC".to_owned()),
        Some(_) => return None,
    };
    Some(format!("{year:04}-{month:02}-{day:02} {time} {zone}"))
}

/// Reads a number of at most `digits` digits and at most `most`.
fn number(text: &str, digits: usize, most: u32) -> Option<u32> {
    let fits = !text.is_empty() && text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|value| fits && *value <= most)
}

fn days(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads a time and its zone, `Z` or `±hh:mm`.
fn zoned(text: &str) -> Option<(String, String)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((time(clock)?, "+0000 UTC".to_owned()));
    }
    let (clock, zone) = text.split_at(text.rfind(['+', '-'])?);
    let (hours, minutes) = zone[1..].split_once(':')?;
    let exact = hours.len() == 2 && minutes.len() == 2;
    let (hours, minutes) = (number(hours, 2, 24)?, number(minutes, 2, 60)?);
    let zone = format!("{}{hours:02}{minutes:02}", &zone[..1]);
    exact.then_some(())?;
    // A zone without a name is named by its offset.
    Some((time(clock)?, format!("{zone} {zone}")))
}

/// Reads `h:m:s` with an optional fraction, whose trailing zeros are not written.
fn time(text: &str) -> Option<String> {
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(clock, fraction)| (clock, Some(fraction)));
    let mut parts = clock.split(':');
    let (hour, minute, second) =
        (number(parts.next()?, 2, 23)?, number(parts.next()?, 2, 59)?, number(parts.next()?, 2, 59)?);
    let fraction = match fraction {
        Some(fraction) if number(fraction, 9, 999_999_999).is_none() => return None,
        Some(fraction) => fraction.trim_end_matches('0'),
        None => "",
    };
    let point = if fraction.is_empty() { "" } else { "." };
    parts.next().is_none().then(|| format!("{hour:02}:{minute:02}:{second:02}{point}{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_go_writes_it() {
        let cases = [
            ("2024-01-31", Some("2024-01-31 00:00:00 +0000 UTC")),
            ("2024-1-2", Some("2024-01-02 00:00:00 +0000 UTC")),
            ("2001-12-14t21:59:43.10-05:00", Some("2001-12-14 21:59:43.1 -0500 -0500")),
            ("2001-12-15T02:59:43Z", Some("2001-12-15 02:59:43 +0000 UTC")),
            ("2001-12-14 21:59:43.10", Some("2001-12-14 21:59:43.1 +0000 UTC")),
            ("2001-12-14 21:59:43 +1", None),
            ("2023-02-29", None),
            ("2024-00-10", None),
            ("24-01-31", None),
            ("2024-01-31x", None),
            ("2024-01", None),
            ("20é4-01-01", None),
        ];
        for (text, expected) in cases {
            assert_eq!(written(text).as_deref(), expected, "{text}");
        }
    }
}
