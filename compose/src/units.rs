//! Sizes and durations as compose files write them.
//!
//! Runs in the command; pure.

use std::time::Duration;

/// Reads a byte size: a number, then an optional unit of `b k kb kib m mb mib g gb gib t … p …`, in either case, with at
/// most one blank between them.
///
/// Units are powers of 1024 (go-units `RAMInBytes`, which Docker uses). A fraction of a byte is cut off.
pub fn parse_size(text: &str) -> Option<u64> {
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')?;
    let (number, unit) = text.split_at(end + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let unit = unit.to_ascii_lowercase();
    let power = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return None,
    };
    let multiplier = 1024u64.pow(power);
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(multiplier);
    }
    #[expect(clippy::cast_precision_loss, reason = "the multiplier is a power of two, which a float holds exactly")]
    let bytes = number.parse::<f64>().ok()? * multiplier as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within the range")]
    (0.0..9.2e18).contains(&bytes).then_some(bytes as u64)
}

/// Nanoseconds of each unit, longest names first so that `ms` is not read as minutes.
const UNITS: [(&str, u64); 10] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// Reads a duration: numbers with units `us ms s m h d w`, joined: `1m30s`, `1.5h` (Compose Specification,
/// 11-extension, "specifying durations"; weeks and days as Docker Compose has them). `0` needs no unit.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let (name, nanoseconds) = UNITS.into_iter().find(|(name, _)| unit.starts_with(name))?;
        total = total.checked_add(multiply(number, nanoseconds)?)?;
        rest = &unit[name.len()..];
    }
    // Go's durations, which Docker stores, end at 2^63 ns.
    (!text.is_empty() && i64::try_from(total).is_ok()).then(|| Duration::from_nanos(total))
}

/// Multiplies a decimal text with a whole number, exactly down to a nanosecond.
fn multiply(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(factor)?;
    let mut unit = factor;
    for digit in fraction.chars() {
        unit /= 10;
        total = total.checked_add(u64::from(digit.to_digit(10)?) * unit)?;
    }
    Some(total)
}

/// Writes a duration as Go does: `1m5s`, `2m0s`, `1.5s`, `300ms`, `0s`.
pub fn format_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let decimal = |unit: u128| {
        let digits = unit.ilog10() as usize;
        let fraction = format!("{:0digits$}", nanoseconds % unit);
        let text = format!("{}.{fraction}", nanoseconds / unit);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match nanoseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanoseconds}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(1_000_000)),
        _ => {
            let minutes = nanoseconds / 60_000_000_000;
            let seconds = Duration::from_nanos((nanoseconds % 60_000_000_000) as u64);
            let seconds = format!("{:.9}", seconds.as_secs_f64());
            let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let cases = [
            ("100b", Some(100)),
            ("1.5g", Some(1_610_612_736)),
            ("512M", Some(536_870_912)),
            ("64kb", Some(65_536)),
            ("2gib", Some(2_147_483_648)),
            ("1 MiB", Some(1_048_576)),
            ("1t", Some(1_099_511_627_776)),
            ("0", Some(0)),
            ("5 potatoes", None),
            (".5k", Some(512)),
            ("1e3", Some(1000)),
            ("1  m", None),
            (" 1m", None),
            ("1m ", None),
            ("1bb", None),
            ("m", None),
            ("-1", None),
            ("1..5m", None),
            ("99999999999p", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }

    #[test]
    fn durations_need_units() {
        let cases = [
            ("1m5s", Some(Duration::from_secs(65))),
            ("1.5h", Some(Duration::from_secs(5400))),
            ("1h5m30s20ms", Some(Duration::from_millis(3_930_020))),
            ("1w2d", Some(Duration::from_secs(777_600))),
            ("0", Some(Duration::ZERO)),
            ("10", None),
            ("", None),
            ("s", None),
            ("3 fortnights", None),
            ("-1s", None),
            ("999999999w", None),
        ];
        for (text, duration) in cases {
            assert_eq!(parse_duration(text), duration, "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        let cases = [
            ("65s", "1m5s"),
            ("120s", "2m0s"),
            ("3600s", "1h0m0s"),
            ("1500ms", "1.5s"),
            ("300ms", "300ms"),
            ("1500us", "1.5ms"),
            ("2us", "2µs"),
            ("0", "0s"),
        ];
        for (text, written) in cases {
            assert_eq!(format_duration(parse_duration(text).unwrap()), written);
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_as_itself(nanoseconds in 0..i64::MAX as u64) {
            let duration = Duration::from_nanos(nanoseconds / 1000 * 1000);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }

        #[test]
        fn any_text_is_a_size_or_not(text in "[0-9.]{0,25} ?[bkmgtpiw]{0,3}|\\PC*") {
            let _ = (parse_size(&text), parse_duration(&text));
        }
    }
}
