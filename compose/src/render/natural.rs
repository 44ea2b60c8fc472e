//! The order in which go-yaml writes keys: numbers in them count as numbers, letters come after everything else.

use std::cmp::Ordering;

/// Compares two keys.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (Some(&left), Some(&right)) = (a.get(same), b.get(same)) else { return a.len().cmp(&b.len()) };
    let within_number = same > 0 && a[same - 1].is_numeric();
    match (left.is_alphabetic(), right.is_alphabetic()) {
        (true, true) => return left.cmp(&right),
        (true, false) => return if within_number { Ordering::Less } else { Ordering::Greater },
        (false, true) => return if within_number { Ordering::Greater } else { Ordering::Less },
        (false, false) => {}
    }
    let head = head(&a[..same], left == '0' || right == '0');
    let (left_digits, right_digits) = (digits(&a[same..]), digits(&b[same..]));
    let number = |digits: &[char]| digits.iter().fold(head, |number, digit| number.wrapping_mul(10) + value(*digit));
    let by_number = number(left_digits).cmp(&number(right_digits));
    by_number.then(left_digits.len().cmp(&right_digits.len())).then(left.cmp(&right))
}

/// Returns 1 where digits before a zero make the number greater than nothing.
fn head(before: &[char], zero: bool) -> i64 {
    let digits = before.iter().rev().take_while(|c| c.is_numeric());
    i64::from(zero && digits.into_iter().any(|digit| *digit != '0'))
}

fn digits(text: &[char]) -> &[char] {
    let end = text.iter().position(|c| !c.is_numeric()).unwrap_or(text.len());
    &text[..end]
}

fn value(digit: char) -> i64 {
    i64::from(u32::from(digit)) - i64::from(u32::from('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers_and_letters_come_last() {
        let sorted = ["-", "1", "2", "10", "A_B", "A1", "A2", "A02", "A10", "AB", "a", "a1", "a1b", "a10", "b"];
        for (index, earlier) in sorted.iter().enumerate() {
            for later in &sorted[index + 1..] {
                assert_eq!(compare(earlier, later), Ordering::Less, "{earlier} {later}");
                assert_eq!(compare(later, earlier), Ordering::Greater, "{later} {earlier}");
            }
            assert_eq!(compare(earlier, earlier), Ordering::Equal);
        }
    }
}
