//! Texts of cgroup files → figures.
//!
//! *Pure.* What does not read as it should counts as not there: figures are for looking at.

use std::collections::BTreeMap;

use super::detailed::{DeviceFigure, Pressure, PressureLine};

/// `name number` lines: `memory.stat`, `cpu.stat`, `memory.events`.
pub(super) fn flat(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| {
        let (name, number) = line.split_once(' ')?;
        Some((name.to_owned(), number.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

/// A list such as `0-2,7` (cpuset(7), "List format").
pub(in crate::cgroup) fn list(text: &str) -> Vec<u16> {
    let mut numbers = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { continue };
        numbers.extend(first..=last);
    }
    numbers
}

/// `8:0 Read 4096` lines of version 1; without an operation, `8:0 4096`.
pub(super) fn v1_devices(text: &str) -> Vec<DeviceFigure> {
    let figure = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (op, value) = match words[..] {
            [_, op, value] => (op, value),
            [_, value] => ("", value),
            _ => return None,
        };
        let (major, minor) = device(words[0])?;
        Some(DeviceFigure { major, minor, op: op.to_owned(), value: value.parse().ok()? })
    };
    text.lines().filter_map(figure).collect()
}

/// `8:0 rbytes=4096 wbytes=0 …` lines of version 2, for two keys and the operations they count.
pub(super) fn v2_devices(text: &str, keys: [(&str, &str); 2]) -> Vec<DeviceFigure> {
    let mut figures = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some((major, minor)) = words.next().and_then(device) else { continue };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let op = keys.iter().find(|(known, _)| *known == key);
            if let (Some((_, op)), Ok(value)) = (op, value.parse()) {
                figures.push(DeviceFigure { major, minor, op: (*op).to_owned(), value });
            }
        }
    }
    figures
}

fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and the same for `full` (accounting/psi.rst).
pub(super) fn pressure(text: &str) -> Option<Pressure> {
    let line = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let value = |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let average = |key| value(key).and_then(|value| value.parse().ok()).filter(|value: &f64| value.is_finite());
        Some(PressureLine {
            avg10: average("avg10")?,
            avg60: average("avg60")?,
            avg300: average("avg300")?,
            total: value("total")?.parse().ok()?,
        })
    };
    Some(Pressure { some: line("some ")?, full: line("full ").unwrap_or_default() })
}

/// A directory of `/sys/kernel/mm/hugepages`, `hugepages-2048kB`, as cgroup files call the size: `2MB`.
pub(super) fn page_size(directory: &str) -> Option<String> {
    let kibibytes: u64 = directory.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    Some(match kibibytes {
        0..1024 => format!("{kibibytes}KB"),
        1024..1_048_576 => format!("{}MB", kibibytes >> 10),
        _ => format!("{}GB", kibibytes >> 20),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn figure(major: u64, minor: u64, op: &str, value: u64) -> DeviceFigure {
        DeviceFigure { major, minor, op: op.to_owned(), value }
    }

    #[test]
    fn lists_have_ranges() {
        assert_eq!(list("0-2,7\n"), [0, 1, 2, 7]);
        assert!(list("\n").is_empty());
    }

    #[test]
    fn devices_have_figures_by_operation() {
        let v1 = v1_devices("8:0 Read 10\n8:0 Write 5\n8:16 3\nTotal 15\n");
        assert_eq!(v1, [figure(8, 0, "Read", 10), figure(8, 0, "Write", 5), figure(8, 16, "", 3)]);
        let v2 = v2_devices(
            "8:0 rbytes=10 wbytes=5 rios=1\n(unknown) rbytes=1\n",
            [("rbytes", "Read"), ("wbytes", "Write")],
        );
        assert_eq!(v2, [figure(8, 0, "Read", 10), figure(8, 0, "Write", 5)]);
    }

    #[test]
    fn pressure_has_two_lines_or_one() {
        let some = PressureLine { avg10: 1.5, avg60: 0.0, avg300: 0.25, total: 7 };
        let line = "some avg10=1.50 avg60=0.00 avg300=0.25 total=7\n";
        assert_eq!(pressure(line), Some(Pressure { some, full: PressureLine::default() }));
        let both = format!("{line}full avg10=1.50 avg60=0.00 avg300=0.25 total=7\n");
        assert_eq!(pressure(&both), Some(Pressure { some, full: some }));
        assert_eq!(pressure(""), None);
    }

    #[test]
    fn sizes_of_pages_are_named_as_the_files_are() {
        let sizes = ["hugepages-64kB", "hugepages-2048kB", "hugepages-1048576kB"].map(page_size);
        assert_eq!(sizes.map(Option::unwrap), ["64KB", "2MB", "1GB"]);
        assert_eq!(page_size("hugepages-kB"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[a-z0-9:=., \n-]{0,60}") {
            flat(&text);
            list(&text);
            v1_devices(&text);
            v2_devices(&text, [("rbytes", "Read"), ("wbytes", "Write")]);
            pressure(&text);
            page_size(&text);
        }
    }
}
