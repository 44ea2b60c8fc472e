//! Values of limits: what is allowed in the configuration, and how each version writes it.
//!
//! *Pure.*

use std::fmt;

use crate::cgroup::CgroupError;

/// A limit that may be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// No limit.
    Unlimited,
    /// This much.
    Of(i64),
}

impl Amount {
    /// Reads a limit: -1 is unlimited (runtime-spec, config-linux.md, "Memory"), 0 asks for nothing, as runc has it.
    pub(super) fn read(key: impl FnOnce() -> String, value: Option<i64>) -> Result<Option<Self>, CgroupError> {
        match value {
            None | Some(0) => Ok(None),
            Some(-1) => Ok(Some(Self::Unlimited)),
            Some(value) if value > 0 => Ok(Some(Self::Of(value))),
            Some(value) => Err(refused(key(), format!("`{value}` is neither positive nor -1 for unlimited"))),
        }
    }

    /// How version 1 writes it.
    pub(super) fn v1(self) -> V1Amount {
        V1Amount(self)
    }
}

/// As version 2 writes it.
impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => formatter.write_str("max"),
            Self::Of(value) => value.fmt(formatter),
        }
    }
}

/// As version 1 writes it.
pub(super) struct V1Amount(Amount);

impl fmt::Display for V1Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Amount::Unlimited => formatter.write_str("-1"),
            Amount::Of(value) => value.fmt(formatter),
        }
    }
}

/// The range of `cpu.shares` (MIN_SHARES and MAX_SHARES, kernel/sched/sched.h).
pub(super) const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;

/// Converts `cpu.shares` (2 to 2¹⁸, 1024 if unset) to `cpu.weight` (1 to 10⁴, 100 if unset).
///
/// The curve through the three points of both scales that mean the same, which runc 1.3.2 and crun 1.23
/// brought in: with l = log₂ shares, 10 to the power of (l² + 125 l) / 612 − 7 / 34, rounded up. The straight
/// line that was used before made 39 of 1024, a third of what a neighbour without any value gets.
/// What is outside the scale becomes its end.
pub(super) fn weight_of_shares(shares: u64) -> u64 {
    if shares <= *SHARES.start() {
        return 1;
    }
    if shares >= *SHARES.end() {
        return 10_000;
    }
    let l = (shares as f64).log2();
    let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
    // The default shall be met exactly, whatever the last bit of the logarithm is.
    (10f64.powf(exponent) - 1e-9).ceil() as u64
}

/// The weights of BFQ (BFQ_MIN_WEIGHT and BFQ_MAX_WEIGHT, block/bfq-iosched.h); CFQ began at 10.
const IO_WEIGHTS: std::ops::RangeInclusive<u16> = 1..=1000;

/// Reads a weight for block devices; 0 asks for nothing.
pub(super) fn io_weight(key: impl FnOnce() -> String, weight: Option<u16>) -> Result<Option<u16>, CgroupError> {
    match weight {
        None | Some(0) => Ok(None),
        Some(weight) if IO_WEIGHTS.contains(&weight) => Ok(Some(weight)),
        Some(weight) => Err(refused(key(), format!("`{weight}` is not between 1 and 1000"))),
    }
}

/// Converts a weight of 10 to 1000 linearly to one of `io.weight`, 1 to 10000, as runc and crun do.
pub(super) fn io_weight_v2(weight: u16) -> u64 {
    1 + u64::from(weight).saturating_sub(10) * 9_999 / 990
}

/// A word that goes into a line of its own kind: no blank may end it early, no newline the line.
pub(super) fn word(key: impl FnOnce() -> String, word: &str) -> Result<&str, CgroupError> {
    let plain = |character: char| !character.is_whitespace() && !character.is_control() && character != '/';
    if word.is_empty() || !word.chars().all(plain) {
        return Err(refused(key(), format!("`{}` is no name", word.escape_default())));
    }
    Ok(word)
}

pub(super) fn refused(key: impl Into<String>, why: impl Into<String>) -> CgroupError {
    CgroupError::Refused { key: key.into(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_keep_their_meaning_at_both_ends_and_at_the_default() {
        let known = [(0, 1), (1, 1), (2, 1), (3, 2), (1024, 100), (2000, 170), (262_144, 10_000), (u64::MAX, 10_000)];
        for (shares, weight) in known {
            assert_eq!(weight_of_shares(shares), weight, "{shares}");
        }
    }

    #[test]
    fn io_weights_reach_both_ends() {
        assert_eq!([1, 10, 500, 1000].map(io_weight_v2), [1, 1, 4950, 10_000]);
    }

    proptest! {
        #[test]
        fn more_shares_never_weigh_less(shares in 0u64..300_000) {
            let weight = weight_of_shares(shares);
            prop_assert!((1..=10_000).contains(&weight));
            prop_assert!(weight <= weight_of_shares(shares + 1));
        }

        #[test]
        fn what_is_accepted_as_a_word_is_one(text in "\\PC{0,8}|[a-z0-9 \n/]{0,8}") {
            if let Ok(word) = word(String::new, &text) {
                prop_assert_eq!(word.split_whitespace().collect::<Vec<_>>(), vec![text.as_str()]);
                prop_assert!(!word.contains('/'));
            }
        }
    }
}
