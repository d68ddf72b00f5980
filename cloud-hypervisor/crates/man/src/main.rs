// SPDX-License-Identifier: GPL-2.0-or-later
//! Writes manual pages of all programs, and of their subcommands, from what they tell by
//! `--help`, and completions of their arguments for bash: tiered-balloon-man FOLDER writes
//! FOLDER/man and FOLDER/completions. The build runs it; it is not installed.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use clap::Command;
use clap_complete::Shell;

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("tiered-balloon-man: name the folder that they are to be in");
        return ExitCode::from(2);
    };
    let commands = [
        demeter_host::args::command(),
        tiered_balloon::args::command(),
        tierctl::args::command(),
        tierd::args::command(),
    ];
    match write(commands, Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "tiered-balloon-man: {}: {error}",
                Path::new(&folder).display()
            );
            ExitCode::FAILURE
        }
    }
}

fn write(commands: impl IntoIterator<Item = Command>, folder: &Path) -> io::Result<()> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    for mut command in commands {
        // completion adds commands to it
        clap_mangen::generate_to(command.clone(), &man)?;
        let name = command.get_name().to_owned();
        // bash looks for a file of the program's name
        let mut file = fs::File::create(completions.join(&name))?;
        clap_complete::generate(Shell::Bash, &mut command, name, &mut file);
    }
    Ok(())
}
