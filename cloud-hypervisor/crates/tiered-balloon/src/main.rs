// SPDX-License-Identifier: GPL-2.0-or-later
//! tiered-balloon, the daemon: starts what the library has, and ends it.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use log::{LevelFilter, warn};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tiered_balloon::api::{self, About};
use tiered_balloon::args::Args;
use tiered_balloon::backend::{self, Message, Shared};
use tiered_balloon::{sandbox, socket};
use tiered_balloon_cli::{BAD_INPUT, complain, parse};

/// Name of the program.
const NAME: &str = "tiered-balloon";

fn main() -> ExitCode {
    let args: Args = match parse(NAME) {
        Ok(args) => args,
        Err(code) => return code,
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(NAME, &error.to_string());
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let device = args.device()?;
    log_to_stderr(args.log.into());
    let (sender, messages) = mpsc::channel();
    let shared = Shared::new(device, sender.clone());

    let paths: Vec<&Path> = [Some(&args.socket), args.api.as_ref()]
        .into_iter()
        .flatten()
        .map(AsRef::as_ref)
        .collect();
    let listener = socket::listen(&args.socket)?;
    let started = args.api.as_deref().map(socket::listen).transpose();
    let result = started.map_err(Box::<dyn Error>::from).and_then(|api| {
        let signals = Signals::new([SIGTERM, SIGINT])?;
        if !args.no_sandbox {
            sandbox::enter(&paths)?;
        }
        spawn("signals", move || tell_signals(signals, &sender))?;
        if let Some(api) = api {
            let socket = args.socket.clone();
            api::serve(api, About { socket }, shared.clone())?;
        }
        let for_rings = shared.clone();
        spawn("vhost-user", move || backend::serve(&for_rings, listener))?;
        // Nobody may be reading it.
        let _ = writeln!(io::stdout(), "ready");
        attend(&shared, &messages, args.statistics_interval, args.grace)
    });
    // One that was there before, and is not ours, is not touched.
    let ours = if matches!(&result, Err(error) if error.is::<socket::SocketError>()) {
        1
    } else {
        paths.len()
    };
    for path in &paths[..ours] {
        if let Err(error) = fs::remove_file(path) {
            warn!("{}: {error}", path.display());
        }
    }
    result
}

/// Starts a thread that runs until the daemon ends.
fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(body)?;
    Ok(())
}

fn tell_signals(mut signals: Signals, sender: &Sender<Message>) {
    for _ in signals.forever() {
        let _ = sender.send(Message::End);
    }
}

/// Asks the guest for statistics, until a message ends the daemon.
fn attend(
    shared: &Arc<Shared>,
    messages: &Receiver<Message>,
    interval: Duration,
    grace: Duration,
) -> Result<(), Box<dyn Error>> {
    loop {
        match messages.recv_timeout(interval) {
            Err(RecvTimeoutError::Timeout) => {
                shared.device().ask_statistics();
                shared.wake();
            }
            Ok(Message::Fatal(why)) => return Err(why.into()),
            Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let can_be_told = shared.device().leave();
    shared.wake();
    let since = Instant::now();
    while can_be_told && since.elapsed() < grace {
        if shared.device().balloon().ballooned() == 0 {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Logs to stderr. What the library of rings says is left out: a guest can have it say
/// anything at any rate, and it is counted and said by the daemon as well.
fn log_to_stderr(level: LevelFilter) {
    env_logger::Builder::new()
        .filter_level(level)
        .filter_module("virtio_queue", LevelFilter::Off)
        .format(|out, record| {
            let level = record.level().as_str().to_lowercase();
            writeln!(out, "{NAME}: {level}: {}", record.args())
        })
        .init();
}
