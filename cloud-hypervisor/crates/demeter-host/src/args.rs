// SPDX-License-Identifier: GPL-2.0-or-later
//! The command line.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{CommandFactory, Parser, Subcommand};

use crate::item::{Item, Mode};
use crate::items::ITEMS;
use crate::target::is_dax;

const EXAMPLES: &str = "\
Examples:
  What is missing, and why:
      demeter-host check
  What would be changed; then change it, and look again:
      demeter-host setup --dry-run
      demeter-host setup
      demeter-host check
  Where another socket's memory stands in for the slow tier:
      demeter-host check --skip tiers
  Hosts that place pages themselves (TPP):
      demeter-host setup --mode tpphost
  Make PMEM system RAM, too: its contents are lost, and undo cannot bring them back
      demeter-host setup --dax dax0.0
  Put the settings back:
      demeter-host undo

The journal of what was changed is /var/lib/demeter/host.json. It is written before a change is
made, so that undo puts all settings back after a crash, too. After a reboot it knows which
values were put back by that.

demeter-host exits with 0 when all is well, with 1 when an item that is needed is not as it
should be (check) or something was not done (setup, undo), and with 2 when the command line was
wrong; then nothing has been done.";

/// Makes a machine ready for experiments with tiered memory, and puts its settings back.
///
/// Swap, the frequency of CPUs, NUMA balancing, cached files and other VMs change what is
/// measured. check says what is not as it should be, and why that matters; setup changes what
/// can be changed; undo puts back the settings that setup has changed, and no others. It cannot
/// bring back contents: those of caches that were dropped, and of PMEM that 'setup --dax' has
/// made system RAM. Only setup and undo need root; they do nothing in a container.
#[derive(Debug, Parser)]
#[command(name = crate::NAME, version, after_help = EXAMPLES)]
pub struct Args {
    /// Take the files and programs below a folder for those of the machine, as tests do
    #[arg(long, value_name = "DIR", global = true, hide = true)]
    pub root: Option<PathBuf>,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what is not as an experiment needs it, and why that matters; changes nothing
    Check {
        /// Which items
        #[command(flatten)]
        chosen: Chosen,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change what can be changed, and note how it was
    ///
    /// A second setup changes what is missing again; what was noted at first stays. What it
    /// cannot change (another kernel, VMs that run) is for you: check says it. PMEM is left
    /// alone, unless --dax names it.
    Setup {
        /// Which items
        #[command(flatten)]
        chosen: Chosen,
        /// Also make this device of PMEM system RAM: its contents are lost
        ///
        /// Undo cannot bring them back. Several devices are named by --dax each.
        #[arg(long, value_name = "DEVICE", value_parser = device)]
        dax: Vec<String>,
        /// Say what would be changed, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Put back the settings that setup has changed
    ///
    /// What somebody else has changed since is left and reported. Contents of PMEM that was made
    /// system RAM do not come back.
    Undo {
        /// Also put back what somebody else has changed since
        #[arg(long)]
        force: bool,
        /// Say what would be put back, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Which items, and what for.
#[derive(Debug, clap::Args)]
pub struct Chosen {
    /// What the machine is to be [default: what its kernel is, else demeterhost]
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// These items alone; several are separated by commas
    #[arg(long, value_name = "ITEM", value_delimiter = ',', value_parser = names())]
    only: Vec<String>,
    /// All but these items
    #[arg(long, value_name = "ITEM", value_delimiter = ',', value_parser = names())]
    #[arg(conflicts_with = "only")]
    skip: Vec<String>,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(ITEMS.map(Item::name))
}

fn device(name: &str) -> Result<String, &'static str> {
    match is_dax(name) {
        true => Ok(name.into()),
        false => Err("dax devices are called dax0.0 or similar"),
    }
}

impl Args {
    /// What is wrong with the command line though clap takes it
    pub fn wrong(&self) -> Option<&'static str> {
        match &self.command {
            Command::Setup { chosen, dax, .. }
                if !dax.is_empty() && !chosen.items().iter().any(|item| item.name() == "dax") =>
            {
                Some("--dax is for item dax, which is left out")
            }
            _ => None,
        }
    }
}

impl Chosen {
    /// The items that are chosen, in their order
    pub fn items(&self) -> Vec<&'static dyn Item> {
        let is_chosen = |item: &&dyn Item| {
            let is_in = |names: &[String]| names.iter().any(|name| name == item.name());
            !is_in(&self.skip) && (self.only.is_empty() || is_in(&self.only))
        };
        ITEMS.into_iter().filter(is_chosen).collect()
    }
}

/// The command line as clap sees it, for the manual page.
pub fn command() -> clap::Command {
    Args::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn examples_of_help_are_valid() {
        let lines = EXAMPLES.lines().map(str::trim);
        let commands = lines.filter(|line| {
            ["check", "setup", "undo"]
                .iter()
                .any(|word| line.starts_with(&format!("demeter-host {word}")))
        });
        let mut count = 0;
        for line in commands {
            Args::try_parse_from(line.split(' ')).unwrap();
            count += 1;
        }
        assert_eq!(count, 8);
    }

    fn chosen(line: &str) -> Vec<&'static str> {
        let args = Args::try_parse_from(line.split(' ')).unwrap();
        let Command::Check { chosen, .. } = args.command else {
            unreachable!()
        };
        chosen.items().iter().map(|item| item.name()).collect()
    }

    #[test]
    fn items_are_chosen() {
        assert_eq!(chosen("demeter-host check").len(), ITEMS.len());
        let some = chosen("demeter-host check --only ksm,swap");
        assert_eq!(some, ["swap", "ksm"]);
        let others = chosen("demeter-host check --skip ksm --skip swap");
        assert_eq!(others.len(), ITEMS.len() - 2);
        assert!(!others.contains(&"ksm"));
        for line in [
            "demeter-host",
            "demeter-host check --only nothing",
            "demeter-host check --only ksm --skip swap",
            "demeter-host check --dry-run",
            "demeter-host undo --only swap",
            "demeter-host setup --mode other",
            "demeter-host setup --dax pmem0",
            "demeter-host check --dax dax0.0",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
