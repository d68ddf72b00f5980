// SPDX-License-Identifier: GPL-2.0-or-later
//! demeter-host, the program.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use demeter_host::NAME;
use demeter_host::args::{Args, Chosen, Command};
use demeter_host::item::{Context, Mode};
use demeter_host::journal::FOLDER;
use demeter_host::machine::{Real, is_container};
use demeter_host::parse::shown;
use demeter_host::report::{Done, Report};
use demeter_host::setup::{self, setup};
use demeter_host::undo::{self, undo};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tiered_balloon_cli::{BAD_INPUT, complain, parse};

fn main() -> ExitCode {
    let args: Args = match parse(NAME) {
        Ok(args) => args,
        Err(code) => return code,
    };
    if let Some(why) = args.wrong() {
        complain(NAME, why);
        return ExitCode::from(BAD_INPUT);
    }
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            complain(NAME, &shown(&why));
            ExitCode::FAILURE
        }
    }
}

/// Does what the command line says. Returns whether all is well; what is not was said.
fn run(args: &Args) -> Result<bool, String> {
    let root = args.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let mut machine = Real::new(&root);
    let mode = |chosen: &Chosen, machine: &Real| {
        let mode = chosen.mode.or_else(|| Mode::of_kernel(machine));
        mode.unwrap_or(Mode::Demeterhost)
    };
    match &args.command {
        Command::Check { chosen, json } => {
            let context = Context {
                machine: &machine,
                mode: mode(chosen, &machine),
                dax: &[],
            };
            let report = Report::new(&context, &chosen.items());
            print(&if *json {
                as_json(&report)?
            } else {
                report.text()
            })?;
            Ok(report.ok)
        }
        Command::Setup {
            chosen,
            dax,
            dry_run,
            json,
        } => {
            let mode = mode(chosen, &machine);
            let close = if *dry_run {
                "would be made"
            } else {
                "made; 'demeter-host undo' puts back the settings"
            };
            changing(
                &mut machine,
                args,
                *dry_run,
                *json,
                close,
                |machine, go_on| {
                    let options = setup::Options {
                        mode,
                        dax,
                        dry_run: *dry_run,
                        go_on,
                    };
                    setup(machine, &chosen.items(), &options)
                },
            )
        }
        Command::Undo {
            force,
            dry_run,
            json,
        } => {
            let close = if *dry_run {
                "would be undone"
            } else {
                "undone"
            };
            changing(
                &mut machine,
                args,
                *dry_run,
                *json,
                close,
                |machine, go_on| {
                    let options = undo::Options {
                        force: *force,
                        dry_run: *dry_run,
                        go_on,
                    };
                    undo(machine, &options)
                },
            )
        }
    }
}

/// Changes the machine alone, until a signal asks for the end, and says what was done.
fn changing(
    machine: &mut Real,
    args: &Args,
    dry_run: bool,
    json: bool,
    close: &str,
    change: impl FnOnce(&mut Real, &dyn Fn() -> bool) -> Result<Done, String>,
) -> Result<bool, String> {
    let is_other_root = args
        .root
        .as_deref()
        .is_some_and(|root| root != Path::new("/"));
    if !dry_run && !is_other_root && !rustix::process::geteuid().is_root() {
        return Err("only root may change the machine: use sudo, or --dry-run".into());
    }
    if !dry_run && is_container(machine) {
        return Err("this is a container: change the machine from its host".into());
    }
    let _lock = if dry_run {
        None
    } else {
        Some(machine.lock(FOLDER)?)
    };
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ended))
            .map_err(|error| format!("cannot wait for signals: {error}"))?;
    }
    let done = change(machine, &|| !ended.load(Ordering::Relaxed))?;
    print(&if json {
        as_json(&done)?
    } else {
        done.text(close)
    })?;
    for line in done.complaints() {
        complain(NAME, &line);
    }
    Ok(done.is_complete())
}

fn as_json(what: &impl Serialize) -> Result<String, String> {
    let text = serde_json::to_string_pretty(what);
    text.map(|text| text + "\n")
        .map_err(|error| error.to_string())
}

fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Who reads the output has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| format!("cannot print: {error}")),
    }
}
