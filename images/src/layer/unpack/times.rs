//! Directories and the times they get at the end, when nothing is made in them any more.
//!
//! Runs in the shell command's process, in a layer's extracting thread.

use std::collections::HashMap;
use std::io;

use super::super::tar::Timestamp;

/// Most memory that is spent on them, in bytes: a million directories of short names, several times what any image has.
const MOST: usize = 128 << 20;

/// What one costs besides its name, in bytes: table, allocation and time, rounded up.
const OVERHEAD: usize = 96;

/// The directories; the last word about one counts.
#[derive(Default)]
pub(super) struct Times {
    of: HashMap<Vec<u8>, Timestamp>,
    size: usize,
}

impl Times {
    /// Remembers the time of the directory at a clean path.
    pub(super) fn set(&mut self, path: Vec<u8>, time: Timestamp) -> io::Result<()> {
        let length = path.len();
        if self.of.insert(path, time).is_none() {
            self.size += length + OVERHEAD;
        }
        match self.size {
            0..=MOST => Ok(()),
            _ => Err(io::Error::other("the layer has more directories than any image needs")),
        }
    }

    /// Returns all of them, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Vec<u8>, &Timestamp)> {
        self.of.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_memory_is_bounded() {
        let mut times = Times::default();
        for seconds in 0..3_000_000 {
            times.set(b"d".to_vec(), Timestamp { seconds, nanoseconds: 0 }).unwrap();
        }
        assert_eq!(times.all().map(|(_, time)| time.seconds).collect::<Vec<_>>(), [2_999_999]);
        let long = |number: u32| [&number.to_le_bytes()[..], &[b'n'; 4000]].concat();
        let refused = (0..).find(|number| times.set(long(*number), Timestamp::default()).is_err());
        assert!(refused.unwrap() < 40_000);
    }
}
