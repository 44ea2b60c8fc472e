//! "Did you mean": the known word nearest to an unknown one.

/// Returns the candidate that is at most a third of its letters away, the nearest first by the alphabet.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let normal = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let word = normal(word);
    let allowed = |candidate: &str| 1.max(candidate.len() / 3);
    candidates
        // Where the lengths alone are too far apart, the rest need not be counted.
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= allowed(candidate))
        .map(|candidate| (distance(&word, &normal(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(candidate) && *distance < word.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Counts the letters to insert, delete, replace or swap with a neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    // Unknown words come from outside: cut them, or a long one would cost its square.
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_and_nonsense_does_not() {
        let words = ["environment", "env_file", "ports", "image", "volumes", "networks"];
        let cases = [
            ("enviroment", Some("environment")),
            ("env-file", Some("env_file")),
            ("port", Some("ports")),
            ("imgae", Some("image")),
            ("Volumes", Some("volumes")),
            ("colour", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, words.into_iter()), expected, "{word}");
        }
    }
}
