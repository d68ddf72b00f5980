// SPDX-License-Identifier: GPL-2.0-or-later
//! tierctl, the program.

use std::io::ErrorKind;
use std::process::ExitCode;

use tierctl::args::Args;
use tiered_balloon_cli::{BAD_INPUT, complain, parse};

fn main() -> ExitCode {
    let args: Args = match parse(tierctl::NAME) {
        Ok(args) => args,
        Err(code) => return code,
    };
    if let Err(wrong) = args.check() {
        complain(tierctl::NAME, wrong);
        return ExitCode::from(BAD_INPUT);
    }
    match tierctl::run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Who reads the output has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(tierctl::NAME, &format!("cannot print: {error}"));
            ExitCode::FAILURE
        }
    }
}
