// SPDX-License-Identifier: GPL-2.0-or-later
//! How the programs talk to people: arguments, errors and tables look the same in all.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use tiered_balloon_api::Size;

/// Bad arguments or a bad file: nothing has been done.
pub const BAD_INPUT: u8 = 2;

/// Parses the command line. If it is none, says why in one line and returns what to exit with;
/// prints help or version if that is asked for.
pub fn parse<T: Parser>(program: &str) -> Result<T, ExitCode> {
    T::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Who does not read help to its end has read enough.
            let _ = error.print();
            ExitCode::from(if error.use_stderr() { BAD_INPUT } else { 0 })
        }
        _ => {
            complain(program, &one_line(&error.to_string()));
            ExitCode::from(BAD_INPUT)
        }
    })
}

/// Says a line on stderr in the name of the program.
pub fn complain(program: &str, line: &str) {
    // Nobody can be told that stderr is gone.
    let _ = writeln!(io::stderr(), "{program}: {line}");
}

/// What clap says, without its hints, in one line.
fn one_line(error: &str) -> String {
    let said = error.split("\n\nUsage:").next().unwrap_or(error);
    let said = said.split("\n\nFor more").next().unwrap_or(said);
    let words: Vec<_> = said.split_whitespace().collect();
    let line = words.join(" ");
    line.trim_start_matches("error: ").to_string()
}

/// A table without lines; the first column is a name, the others are numbers.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    table.add_rows(rows);
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if i > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.lines().map(|line| line.trim_end().to_string() + "\n");
    lines.collect()
}

/// A size in a table: exact if it is whole MiB, else in MiB with two digits.
pub fn size(bytes: u64) -> String {
    match bytes % (1 << 20) {
        0 => Size(bytes).to_string(),
        _ => format!("{:.2}M", bytes as f64 / f64::from(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_clap_are_one_line() {
        let said = "error: invalid value 'x' for '--node <N>': no\n\nUsage: a\n\nFor more, --help";
        assert_eq!(one_line(said), "invalid value 'x' for '--node <N>': no");
        let said = "error: a required one is missing:\n  <CMD>\n\nUsage: tool\n";
        assert_eq!(one_line(said), "a required one is missing: <CMD>");
    }

    #[test]
    fn numbers_are_to_the_right() {
        let rows = [
            vec!["a".into(), "1".into()],
            vec!["long".into(), "200".into()],
        ];
        assert_eq!(
            table(&["vm", "n"], rows),
            "vm      n\na       1\nlong  200\n"
        );
    }

    #[test]
    fn sizes_are_short_and_do_not_hide_pages() {
        assert_eq!(size(5 << 30), "5G");
        assert_eq!(size(1536 << 20), "1536M");
        assert_eq!(size((1 << 20) + 8192), "1.01M");
        assert_eq!(size(0), "0");
    }
}
