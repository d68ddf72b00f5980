// SPDX-License-Identifier: GPL-2.0-or-later
//! The command line.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use tiered_balloon_api::{Client, PxmSize};

const EXAMPLES: &str = "\
Examples:
  What a VM has, and what it shall have:
      tierctl --api /run/vm1.api status
  1 GiB of node 0 and 7 GiB of node 1; waits until the guest has followed:
      tierctl --api /run/vm1.api resize 0=1G 1=7G
  Three VMs once a second:
      tierctl --api /run/vm1.api --api /run/vm2.api --api /run/vm3.api watch
  Pages that the guest has promoted:
      tierctl --api /run/vm1.api stats --json | jq '.[0].statistics.promoted'

Nodes are named by their proximity domain (PXM): what QEMU calls nodeid and Cloud
Hypervisor guest_numa_id. Sizes are 512M, 4G, 1GiB or bytes; units are powers of 1024.

tierctl exits with 0 when all went well; with 1 when a daemon cannot be reached or refuses a
target, and then nothing has changed, or when a guest did not follow in time; and with 2 when the
command line was wrong.";

/// Shows and resizes the memory tiers of VMs.
///
/// Each VM has a daemon, tiered-balloon, whose API is a Unix socket. tierctl asks it how much
/// memory of each tier the guest has, and sets how much it shall have.
#[derive(Debug, Parser)]
#[command(name = crate::NAME, version, after_help = EXAMPLES)]
pub struct Args {
    /// API socket of the VM's daemon (its --api); several for several VMs
    #[arg(long, value_name = "PATH", global = true)]
    api: Vec<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the nodes of each VM
    ///
    /// SIZE is the size of the node, TARGET what the guest shall have of it, GUEST what it has
    /// now, BALLOON what is in the balloon, HOST what the host has allocated for the node.
    Status {
        /// Print JSON, a list with an object for each VM
        #[arg(long)]
        json: bool,
    },
    /// Set how much of its nodes a VM shall have, and wait until it is so
    ///
    /// All targets change, or none. Nodes that are not named keep theirs. A guest that has to
    /// shrink moves pages to its other nodes first; give it there what it loses here. When the
    /// time is over, or tierctl is interrupted, the target stays and the guest goes on.
    Resize {
        /// Node and what the guest shall have of it
        #[arg(required = true, value_name = "PXM=SIZE")]
        nodes: Vec<PxmSize>,
        /// Set the targets and return
        #[arg(long)]
        no_wait: bool,
        /// How long to wait for the guest
        #[arg(long, value_name = "TIME", default_value = "30s")]
        timeout: humantime::Duration,
        /// Print the nodes as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the nodes of each VM again and again
    Watch {
        /// Time between two looks
        #[arg(long, value_name = "TIME", default_value = "1s")]
        interval: humantime::Duration,
        /// Print JSON, a line for each look
        #[arg(long)]
        json: bool,
    },
    /// Show what guest and daemon have counted
    ///
    /// The guest's figures are as old as AGE. A guest may lie.
    Stats {
        /// Print JSON, a list with an object for each VM
        #[arg(long)]
        json: bool,
    },
}

/// Longest that a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

impl Args {
    /// Checks what clap cannot. Returns what is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.api.is_empty() {
            return Err("name the VM: --api PATH, the socket that its tiered-balloon has as --api");
        }
        match &self.command {
            Command::Resize { .. } if self.api.len() > 1 => {
                Err("resize is for one VM: give one --api")
            }
            Command::Resize { nodes, .. } if twice(nodes) => Err("a node is named twice"),
            Command::Watch { interval, .. } if interval.as_millis() < 10 => {
                Err("--interval must be at least 10ms")
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn clients(&self) -> Vec<Client> {
        let paths = self.api.iter();
        paths.map(|path| Client::new(path, PATIENCE)).collect()
    }
}

fn twice(nodes: &[PxmSize]) -> bool {
    let different: BTreeSet<u32> = nodes.iter().map(|node| node.pxm).collect();
    different.len() < nodes.len()
}

/// The command line as clap sees it, for the manual page.
pub fn command() -> clap::Command {
    Args::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Result<(), String> {
        let args = Args::try_parse_from(line.split(' ')).map_err(|error| error.to_string())?;
        args.check().map_err(str::to_string)
    }

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn examples_of_help_are_valid() {
        let lines = EXAMPLES.lines().map(str::trim);
        let commands: Vec<_> = lines
            .filter(|line| line.starts_with("tierctl --"))
            .collect();
        assert_eq!(commands.len(), 4);
        for line in commands {
            check(line.split(" |").next().unwrap()).unwrap();
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, why) in [
            ("tierctl status", "--api PATH"),
            ("tierctl --api a --api b resize 0=1G", "one --api"),
            ("tierctl --api a resize 0=1G 0=2G", "named twice"),
            ("tierctl --api a resize 0:1G", "write 0=512M"),
            ("tierctl --api a resize", "PXM=SIZE"),
            ("tierctl --api a resize 0=1G --timeout soon", "--timeout"),
            ("tierctl --api a watch --interval 0s", "10ms"),
            ("tierctl --api a grow", "grow"),
        ] {
            let error = check(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
        check("tierctl watch --api a --interval 10ms --json").unwrap();
    }
}
