// SPDX-License-Identifier: GPL-2.0-or-later
//! tierctl shows and resizes the memory tiers of VMs: the command line ([`args`]), what the
//! commands do, and how it is shown.

pub mod args;
mod resize;
mod show;

use std::io;
use std::thread;

use args::{Args, Command};
use tiered_balloon_api::{Client, Error};

/// Name of the program, in messages.
pub const NAME: &str = "tierctl";

/// Does what the command line says. Returns whether all went well; what did not was said on
/// stderr. Fails only if stdout does.
pub fn run(args: &Args) -> io::Result<bool> {
    let clients: Vec<Client> = args.clients();
    match &args.command {
        Command::Status { json } => show::show(&clients, Client::vm, show::status, *json),
        Command::Stats { json } => show::show(&clients, Client::stats, show::stats, *json),
        Command::Watch { json, interval } => loop {
            show::refresh(*json)?;
            show::show(&clients, Client::vm, show::status, *json)?;
            thread::sleep(**interval);
        },
        Command::Resize {
            nodes,
            no_wait,
            timeout,
            json,
        } => {
            let timeout = (!no_wait).then_some(**timeout);
            resize::resize(&clients[0], nodes, timeout, *json)
        }
    }
}

/// Says what went wrong with a request, and goes on.
fn complain(error: &Error) {
    tiered_balloon_cli::complain(NAME, &error.to_string());
}
