// SPDX-License-Identifier: GPL-2.0-or-later
//! tierd, the program: arguments, signals, and rounds.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use log::{info, warn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tierd::NAME;
use tierd::args::{Args, Command};
use tierd::config::Config;
use tierd::control::Controller;
use tierd::report::{self, Report};
use tiered_balloon_cli::{BAD_INPUT, complain, parse};

fn main() -> ExitCode {
    let args: Args = match parse(NAME) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let checked = match (&args.command, &args.config) {
        (Some(Command::Check { config }), _) => Config::read(config).map(|config| {
            let text = report::allowed(&config);
            (None, text)
        }),
        (None, Some(path)) => {
            Config::read(path).map(|config| (Some((path, config)), String::new()))
        }
        (None, None) => unreachable!("clap requires a configuration"),
    };
    let result = match checked {
        Ok((Some((path, config)), _)) => run(&args, path, config),
        Ok((None, text)) => print(&text).map(|()| true),
        Err(error) => {
            complain(NAME, &error.to_string());
            return ExitCode::from(BAD_INPUT);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(NAME, &error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Divides memory once or again and again. Returns whether all VMs have what they shall.
fn run(args: &Args, path: &Path, config: Config) -> io::Result<bool> {
    env_logger::Builder::new()
        .filter_level(args.log)
        .format_timestamp_secs()
        .format_target(false)
        .init();
    let signals = signals()?;
    let mut controller = Controller::new(config);
    let mut wishes = Wishes::default();
    loop {
        let end = Instant::now() + controller.config().interval;
        controller.observe();
        controller.divide();
        if !args.dry_run {
            controller.settle(end, &mut |time| wishes.wait(&signals, time));
        }
        if args.once {
            let report = Report::new(&controller);
            print(&if args.json {
                report.json()
            } else {
                report.text()
            })?;
            let divided = controller
                .members()
                .iter()
                .all(|member| member.share.is_some());
            return Ok(if args.dry_run {
                divided
            } else {
                controller.arrived()
            });
        }
        wishes.wait(&signals, end.saturating_duration_since(Instant::now()));
        if wishes.end {
            info!("ends; VMs keep what they have");
            return Ok(true);
        }
        if std::mem::take(&mut wishes.reload) {
            match Config::read(path) {
                Ok(config) => {
                    info!("has read {} again", path.display());
                    controller.reload(config);
                }
                Err(error) => warn!("goes on as it was: {error}"),
            }
        }
    }
}

/// What signals have asked for.
#[derive(Default)]
struct Wishes {
    end: bool,
    reload: bool,
}

impl Wishes {
    /// Waits for a time. Returns whether nothing has been asked for.
    fn wait(&mut self, signals: &Receiver<i32>, time: Duration) -> bool {
        if !self.end && !self.reload {
            match signals.recv_timeout(time) {
                Ok(SIGHUP) => self.reload = true,
                Ok(_) | Err(RecvTimeoutError::Disconnected) => self.end = true,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        !self.end && !self.reload
    }
}

/// Lets a thread wait for signals and tell them.
fn signals() -> io::Result<Receiver<i32>> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || signals.forever().all(|signal| sender.send(signal).is_ok()))?;
    Ok(receiver)
}
