//! The keys that leave a container alone: what is typed is looked through, and held back as long as it may be them. Pure.

use std::str::FromStr;

/// A sequence of bytes; not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachKeys(Vec<u8>);

impl Default for DetachKeys {
    /// Ctrl-P, Ctrl-Q: docker's.
    fn default() -> Self {
        Self(vec![0x10, 0x11])
    }
}

impl FromStr for DetachKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default()); // as docker: said, and nothing said
        }
        text.split(',').map(key).collect::<Result<_, _>>().map(Self)
    }
}

fn key(text: &str) -> Result<u8, String> {
    match (text.as_bytes(), text.strip_prefix("ctrl-").map(str::as_bytes)) {
        ([byte], _) if byte.is_ascii_graphic() => Ok(*byte),
        // what a terminal sends for Ctrl with a key: its low five bits (ascii(7))
        (_, Some([byte])) if byte.is_ascii_alphabetic() || b"@[]^_\\".contains(byte) => Ok(byte & 0x1f),
        _ => Err(format!("`{text}` is no key: use a character, or ctrl- with a letter or one of @ [ ] ^ _ \\")),
    }
}

/// What has been typed of the keys so far.
pub(super) struct Watch {
    keys: DetachKeys,
    matched: usize,
}

impl Watch {
    pub(super) fn new(keys: DetachKeys) -> Self {
        Self { keys, matched: 0 }
    }

    /// Returns what of the input goes on, and whether the keys are complete; what follows them is dropped.
    pub(super) fn pass(&mut self, input: &[u8]) -> (Vec<u8>, bool) {
        let keys = &self.keys.0;
        let mut passed = Vec::with_capacity(input.len() + self.matched);
        for byte in input {
            if *byte == keys[self.matched] {
                self.matched += 1;
                if self.matched == keys.len() {
                    return (passed, true);
                }
                continue;
            }
            // the end of what was held back, with this byte, may be a beginning too
            let held = [&keys[..self.matched], &[*byte]].concat();
            let start = (1..=held.len()).find(|start| keys.starts_with(&held[*start..])).unwrap_or(held.len());
            passed.extend(&held[..start]);
            self.matched = held.len() - start;
        }
        (passed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_characters_and_controls() {
        assert_eq!("ctrl-p,ctrl-q".parse::<DetachKeys>().unwrap(), DetachKeys::default());
        assert_eq!("a,ctrl-@,ctrl-\\".parse::<DetachKeys>().unwrap().0, [b'a', 0, 0x1c]);
        for wrong in ["ctrl-", "ctrl-1", "ab", "a,,b", "ctrl-pq"] {
            assert!(wrong.parse::<DetachKeys>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_beginning_that_goes_on_otherwise_is_input() {
        let mut watch = Watch::new("a,a,b".parse().unwrap());
        assert_eq!(watch.pass(b"xa"), (b"x".to_vec(), false));
        assert_eq!(watch.pass(b"aa"), (b"a".to_vec(), false));
        assert_eq!(watch.pass(b"by"), (b"".to_vec(), true));
        assert_eq!(Watch::new(DetachKeys::default()).pass(b"\x10x"), (b"\x10x".to_vec(), false));
    }

    proptest! {
        #[test]
        fn input_without_the_keys_passes_whole_but_for_a_beginning(input in proptest::collection::vec(0u8..3, 0..64)) {
            let keys = DetachKeys(vec![0, 1, 0, 2]);
            let mut watch = Watch::new(keys.clone());
            let place = input.windows(4).position(|window| window == keys.0);
            let mut passed = Vec::new();
            let leaves = input.iter().any(|byte| {
                let (bytes, leaves) = watch.pass(&[*byte]);
                passed.extend(bytes);
                leaves
            });
            prop_assert_eq!(leaves, place.is_some());
            match place {
                Some(place) => prop_assert_eq!(&passed[..], &input[..place]),
                None => prop_assert_eq!(&passed[..], &input[..input.len() - watch.matched]),
            }
        }
    }
}
