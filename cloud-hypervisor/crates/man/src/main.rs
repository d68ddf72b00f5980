// SPDX-License-Identifier: GPL-2.0-or-later
//! Writes manual pages of all programs, and of their subcommands, from what they tell by
//! `--help`: tiered-balloon-man FOLDER. The build runs it; it is not installed.

use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("tiered-balloon-man: name the folder that the pages are to be in");
        return ExitCode::from(2);
    };
    let commands = [
        demeter_host::args::command(),
        tiered_balloon::args::command(),
        tierctl::args::command(),
        tierd::args::command(),
    ];
    let write = || -> io::Result<()> {
        fs::create_dir_all(&folder)?;
        let mut commands = commands.into_iter();
        commands.try_for_each(|command| clap_mangen::generate_to(command, &folder))
    };
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tiered-balloon-man: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}
