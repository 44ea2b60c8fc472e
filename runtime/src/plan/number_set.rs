//! Lists of numbers as `0-3,7`, the form in which processors and memory nodes are written (cpuset(7), "List format").
//!
//! *Pure.*

/// Highest number of a processor or memory node any kernel can be built for (`NR_CPUS`, arch/x86/Kconfig).
const MOST: usize = 8191;

/// A set of small numbers, as the bit mask the kernel reads: bit n of word n / 64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NumberSet(Vec<u64>);

impl NumberSet {
    /// Reads a list; blanks around parts are passed over. `None` when it is no list or names a number above 8191.
    pub(crate) fn parse(list: &str) -> Option<Self> {
        let mut set = Self::default();
        for part in list.split(',').map(str::trim) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            (first..=last).for_each(|number| set.insert(number));
        }
        Some(set)
    }

    fn insert(&mut self, number: usize) {
        let word = number / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    /// The words of the mask; at least one unless the set is empty.
    pub(crate) fn words(&self) -> &[u64] {
        &self.0
    }
}

fn number(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= MOST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_and_single_numbers_become_bits() {
        assert_eq!(NumberSet::parse("0-3,7").unwrap().words(), [0b1000_1111]);
        assert_eq!(NumberSet::parse("64, 0").unwrap().words(), [1, 1]);
    }

    #[test]
    fn what_is_no_list_is_none() {
        for list in ["", ",", "1-", "-1", "3-1", "a", "+1", "1,,2", "8192", "0-99999999999", "1-2-3"] {
            assert_eq!(NumberSet::parse(list), None, "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "[0-9,\\- a]{0,30}") {
            NumberSet::parse(&text);
        }

        #[test]
        fn every_number_of_the_list_is_a_bit(numbers in prop::collection::vec(0usize..8192, 1..20)) {
            let list = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let set = NumberSet::parse(&list).unwrap();
            for number in 0..8192 {
                let bit = set.words().get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1);
                prop_assert_eq!(bit, numbers.contains(&number));
            }
        }
    }
}
