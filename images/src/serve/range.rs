//! Ranges of bytes: which part of a blob is wanted, and which part of an upload comes.
//!
//! Runs in the shell command's process; pure. RFC 9110, 14; the form of an upload's `Content-Range` is the distribution
//! specification's own: `FIRST-LAST` without a unit, though some clients send one.

use std::ops::Range;

/// What a `Range` header asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything: there is no header, or one that may be ignored (several ranges, another unit, no range at all).
    Whole,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// Nothing that is there.
    Unsatisfiable,
}

/// Reads a `Range` header for content of `size` bytes.
pub(super) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    match header.and_then(|header| header.trim().strip_prefix("bytes=")).and_then(|range| range.split_once('-')) {
        None => Wanted::Whole,
        Some((first, last)) => part(first.trim(), last.trim(), size),
    }
}

fn part(first: &str, last: &str, size: u64) -> Wanted {
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(last)) if first.is_empty() => size.saturating_sub(last)..size,
        _ => return Wanted::Whole,
    };
    if range.is_empty() { Wanted::Unsatisfiable } else { Wanted::Part(range) }
}

/// Reads the `Content-Range` of a chunk; `None` if it is malformed.
pub(super) fn chunk(header: &str) -> Option<Range<u64>> {
    let header = header.trim();
    let range = header.strip_prefix("bytes").map_or(header, |rest| rest.trim_start_matches(['=', ' ']));
    let (first, last) = range.split('/').next()?.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then(|| first..last.saturating_add(1))
}

fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// Reads any text both ways.
#[cfg(fuzzing)]
pub(crate) fn fuzz_range(text: &str) {
    if let Wanted::Part(range) = wanted(Some(text), 1000) {
        assert!(range.start < range.end && range.end <= 1000);
    }
    assert!(chunk(text).is_none_or(|range| !range.is_empty() || range.start == u64::MAX));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_is_what_rfc_9110_says() {
        for (header, expected) in [
            ("bytes=0-4", Wanted::Part(0..5)),
            ("bytes=5-", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=9-999", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-11", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=4-2", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), 10), expected, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }

    #[test]
    fn a_chunk_is_read_with_and_without_a_unit() {
        for (header, expected) in [
            ("0-9", Some(0..10)),
            ("bytes 0-9/10", Some(0..10)),
            ("bytes=0-9", Some(0..10)),
            ("9-0", None),
            ("0-", None),
            ("-9", None),
            ("x", None),
        ] {
            assert_eq!(chunk(header), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_ignored_or_within_the_content(header in "(bytes=)?[-0-9, ]{0,45}", size in 0u64..1000) {
            if let Wanted::Part(range) = wanted(Some(&header), size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
            let _ = chunk(&header);
        }
    }
}
