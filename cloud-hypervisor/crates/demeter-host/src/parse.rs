// SPDX-License-Identifier: GPL-2.0-or-later
//! Formats of /proc and /sys. What is not understood is `None` or left out, never guessed.

/// The value of a file of the kernel: the word in brackets of "always [madvise] never", else
/// all of it.
pub fn value(text: &str) -> &str {
    let text = text.trim();
    text.split_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
        .filter(|word| !word.is_empty())
        .unwrap_or(text)
}

/// What a file of the kernel offers, without the brackets
pub fn choices(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
        .map(|word| word.trim_start_matches('[').trim_end_matches(']'))
}

/// A parameter of a module that is a boolean: Y, N, 1 or 0
pub fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "Y" | "1" => Some(true),
        "N" | "0" => Some(false),
        _ => None,
    }
}

/// A swap device or file that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// Its path, as the kernel knows it
    pub path: String,
    /// Its priority; the kernel has chosen those below 0
    pub priority: i32,
}

/// Lines of /proc/swaps behind the first: path, type, size, used, priority. A path has spaces,
/// tabs, newlines and backslashes as octal numbers. `None` if a line is not like that.
pub fn swaps(text: &str) -> Option<Vec<Swap>> {
    text.lines()
        .skip(1)
        .map(|line| {
            // Other white space is a part of the name.
            let fields = line.split([' ', '\t']).filter(|field| !field.is_empty());
            let fields: Vec<_> = fields.collect();
            let &[path, _, _, _, priority] = fields.as_slice() else {
                return None;
            };
            Some(Swap {
                path: unescape(path)?,
                priority: priority.parse().ok()?,
            })
        })
        .collect()
}

/// Replaces a backslash and three octal digits by what they stand for.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        if first == b'\\' {
            let digits = std::str::from_utf8(behind.get(..3)?).ok()?;
            if !digits.bytes().all(|digit| matches!(digit, b'0'..=b'7')) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 8).ok()?);
            rest = &behind[3..];
        } else {
            bytes.push(first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

/// A field of /proc/meminfo or a node's meminfo, in bytes
pub fn meminfo(text: &str, field: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (_, behind) = line.split_once(&format!("{field}:"))?;
        let mut words = behind.split_whitespace();
        let number: u64 = words.next()?.parse().ok()?;
        (words.next() == Some("kB")).then(|| number.checked_mul(1024))?
    })
}

/// The soft and the hard limit of "Max open files" in /proc/self/limits
pub fn open_files(text: &str) -> Option<(u64, u64)> {
    let limit = |word: &str| match word {
        "unlimited" => Some(u64::MAX),
        _ => word.parse().ok(),
    };
    text.lines().find_map(|line| {
        let mut words = line.strip_prefix("Max open files")?.split_whitespace();
        Some((limit(words.next()?)?, limit(words.next()?)?))
    })
}

/// A list of numbers such as "0-1,4". `None` if it is none, or names more than 4096.
pub fn numbers(text: &str) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || u64::from(last - first) + found.len() as u64 >= 4096 {
            return None;
        }
        found.extend(first..=last);
    }
    Some(found)
}

/// Whether the processors of /proc/cpuinfo have one of some flags
pub fn cpu_flag(text: &str, wanted: &[&str]) -> bool {
    text.lines()
        .filter(|line| line.starts_with("flags"))
        .filter_map(|line| line.split_once(':'))
        .any(|(_, flags)| flags.split_whitespace().any(|flag| wanted.contains(&flag)))
}

/// A line that has names from elsewhere, which are to write nothing but themselves to the
/// terminal
pub fn shown(line: &str) -> String {
    line.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_word_in_brackets_is_the_value() {
        assert_eq!(value("always [madvise] never\n"), "madvise");
        assert_eq!(value("1\n"), "1");
        assert_eq!(value(" [] x\n"), "[] x");
        assert_eq!(value("\n"), "");
        let words: Vec<_> = choices("always [madvise] never\n").collect();
        assert_eq!(words, ["always", "madvise", "never"]);
    }

    const SWAPS: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

    #[test]
    fn swaps_with_odd_names() {
        let text = format!(
            "{SWAPS}/dev/dm-1                               partition\t999996\t0\t-2\n\
             /a\\040b\\134040\\012c file 1 0 7\n/weg\\040(deleted) file 1 0 -3\n"
        );
        let found: Vec<_> = swaps(&text)
            .unwrap()
            .into_iter()
            .map(|swap| (swap.path, swap.priority))
            .collect();
        let wanted = [
            ("/dev/dm-1", -2),
            ("/a b\\040\nc", 7),
            ("/weg (deleted)", -3),
        ];
        assert_eq!(found, wanted.map(|(path, n)| (path.to_string(), n)));
        assert_eq!(swaps(SWAPS), Some(vec![]));
        assert_eq!(swaps(""), Some(vec![]));
    }

    #[test]
    fn swaps_that_are_none() {
        for line in [
            "/a file 1 0",
            "/a file 1 0 x",
            "/a file 1 0 -2 more",
            "/a\\4 file 1 0 -2",
            "/a\\777 file 1 0 -2",
            "/a\\+12 file 1 0 -2",
            "/a\\377 file 1 0 -2",
            "/a file 1 0 99999999999",
            "",
        ] {
            assert_eq!(swaps(&format!("{SWAPS}{line}\n")), None, "{line}");
        }
    }

    #[test]
    fn memory_of_the_machine_and_of_a_node() {
        assert_eq!(meminfo("MemTotal:  8 kB\n", "MemTotal"), Some(8192));
        assert_eq!(meminfo("Node 0 MemTotal: 8 kB\n", "MemTotal"), Some(8192));
        assert_eq!(meminfo("MemTotal: 8\n", "MemTotal"), None);
        assert_eq!(meminfo("MemTotal: x kB\n", "MemTotal"), None);
        assert_eq!(
            meminfo("MemTotal: 18446744073709551615 kB\n", "MemTotal"),
            None
        );
        assert_eq!(meminfo("", "MemTotal"), None);
    }

    #[test]
    fn limits() {
        let text = "Limit  Soft Limit  Hard Limit  Units\n\
                    Max open files            1024                 524288               files\n";
        assert_eq!(open_files(text), Some((1024, 524_288)));
        assert_eq!(
            open_files("Max open files 5 unlimited files"),
            Some((5, u64::MAX))
        );
        assert_eq!(open_files("Max open files 5"), None);
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn lists_of_numbers() {
        assert_eq!(numbers("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(numbers("\n"), Some(vec![]));
        for bad in ["x", "2-1", "0-", "-1", "0-4294967295", "0-2000,0-3000"] {
            assert_eq!(numbers(bad), None, "{bad}");
        }
    }

    #[test]
    fn flags_of_processors() {
        let text = "model name : vmx\nflags\t\t: fpu vmx\nvmx flags : ept\n";
        assert!(cpu_flag(text, &["vmx", "svm"]));
        assert!(!cpu_flag(text, &["svm"]));
        assert!(!cpu_flag("flags", &["svm"]));
    }

    #[test]
    fn names_do_not_write_to_the_terminal() {
        assert_eq!(shown("a\x1b[2J\nb"), "a?[2J?b");
    }

    proptest! {
        /// What the kernel escapes comes back, whatever the name.
        #[test]
        fn names_come_back(name in "/[^\u{0}]{0,40}", priority in -9_i32..32768) {
            let mut escaped = String::new();
            for c in name.chars() {
                match c {
                    ' ' | '\t' | '\n' | '\\' => escaped += &format!("\\{:03o}", u32::from(c)),
                    _ => escaped.push(c),
                }
            }
            let text = format!("{SWAPS}{escaped} file 1 0 {priority}\n");
            prop_assert_eq!(swaps(&text), Some(vec![Swap { path: name, priority }]));
        }

        #[test]
        fn nothing_panics(text in ".{0,200}") {
            value(&text);
            swaps(&text);
            swaps(&format!("\n{text}"));
            meminfo(&text, "MemTotal");
            open_files(&text);
            numbers(&text);
            boolean(&text);
        }
    }
}
