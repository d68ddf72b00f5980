// SPDX-License-Identifier: GPL-2.0-or-later
//! What demeter-host reads of a machine: any bytes in any of its files. Checks and dry runs end,
//! and what they say is one line each and writes nothing else to a terminal.

#![no_main]

use std::cell::Cell;
use std::io;

use demeter_host::item::{Context, Mode};
use demeter_host::items::ITEMS;
use demeter_host::journal::{FILE, Journal};
use demeter_host::machine::Machine;
use demeter_host::report::Report;
use demeter_host::setup::{Options, setup};
use libfuzzer_sys::fuzz_target;

/// A machine whose files, folders and links are lines of the input, in the order in which they
/// are read. A line that is empty is a file that is not there.
struct Input<'a> {
    lines: Vec<&'a [u8]>,
    next: Cell<usize>,
}

impl Input<'_> {
    /// The next line, where a "|" stands for the end of one
    fn text(&self) -> io::Result<String> {
        let at = self.next.get();
        self.next.set(at + 1);
        match self.lines.get(at) {
            None | Some([]) => Err(io::ErrorKind::NotFound.into()),
            Some([b'!', ..]) => Err(io::ErrorKind::PermissionDenied.into()),
            Some(line) => Ok(String::from_utf8_lossy(line).replace('|', "\n")),
        }
    }
}

impl Machine for Input<'_> {
    fn read(&self, path: &str) -> io::Result<String> {
        if path.ends_with("boot_id") {
            return Ok("boot".into());
        }
        self.text()
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        let text = self.text()?;
        // A folder has no name with a slash, and not more than the input is long.
        Ok(text.split(['\n', '/']).take(16).map(String::from).collect())
    }

    fn link(&self, _: &str) -> io::Result<String> {
        self.text()
    }

    fn open(&self, _: &str) -> io::Result<()> {
        self.text().map(|_| ())
    }

    fn write(&mut self, path: &str, _: &str) -> io::Result<()> {
        unreachable!("{path} is written")
    }

    fn replace(&mut self, path: &str, _: &str, _: u32) -> io::Result<()> {
        unreachable!("{path} is written")
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        unreachable!("{path} is removed")
    }

    fn run(&mut self, program: &str, _: &[&str]) -> io::Result<()> {
        unreachable!("{program} is run")
    }
}

/// A journal of any bytes
struct OfJournal<'a>(&'a [u8]);

impl Machine for OfJournal<'_> {
    fn read(&self, path: &str) -> io::Result<String> {
        assert_eq!(path, FILE);
        Ok(String::from_utf8_lossy(self.0).into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        unreachable!()
    }

    fn link(&self, _: &str) -> io::Result<String> {
        unreachable!()
    }

    fn open(&self, _: &str) -> io::Result<()> {
        unreachable!()
    }

    fn write(&mut self, _: &str, _: &str) -> io::Result<()> {
        unreachable!()
    }

    fn replace(&mut self, _: &str, _: &str, _: u32) -> io::Result<()> {
        unreachable!()
    }

    fn remove(&mut self, _: &str) -> io::Result<()> {
        unreachable!()
    }

    fn run(&mut self, _: &str, _: &[&str]) -> io::Result<()> {
        unreachable!()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, rest)) = bytes.split_first() else {
        return;
    };
    if kind % 4 == 0 {
        if let Ok(journal) = Journal::load(&OfJournal(rest)) {
            assert!(journal.records.iter().all(|r| r.target.is_known()));
        }
        return;
    }
    let mode = match kind % 2 {
        0 => Mode::Demeterhost,
        _ => Mode::Tpphost,
    };
    let input = || Input {
        lines: rest.split(|byte| *byte == b'\n').collect(),
        next: Cell::new(0),
    };
    // One item, so that the input need not find its way through the others
    let chosen = usize::from(kind / 4) % ITEMS.len();
    let items = &ITEMS[chosen..=chosen];
    let machine = input();
    let context = Context {
        machine: &machine,
        mode,
        dax: &[],
    };
    let text = Report::new(&context, items).text();
    assert!(text.lines().count() <= 3, "{text}");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
    let options = Options {
        mode,
        dax: &[],
        dry_run: true,
        go_on: &|| true,
    };
    let done = setup(&mut input(), items, &options).expect("a dry run has no journal");
    let text = done.text("would be made") + &done.complaints().join("\n");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
});
