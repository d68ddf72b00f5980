// SPDX-License-Identifier: GPL-2.0-or-later
//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use log::LevelFilter;

const EXAMPLES: &str = r#"Configuration (docs/policies.md says all):
  policy = "utility"        # static, proportional or utility
  interval = "5s"           # from one division to the next
  hysteresis = 0.1          # utility: how much hotter elsewhere memory must be to move

  [tiers]                   # what the VMs together may have
  fast = "16G"
  slow = "64G"

  [[vm]]
  name = "web"
  api = "/run/web.api"      # --api of its tiered-balloon
  memory = "8G"             # of both tiers together
  weight = 2
  fast = { pxm = 0, floor = "512M", ceiling = "6G" }
  slow = { pxm = 1 }

Examples:
  Is the configuration in order, and what does it allow?
      tierd check --config tierd.toml
  What would be done now? Changes nothing:
      tierd --config tierd.toml --once --dry-run
  Go on until SIGTERM:
      tierd --config tierd.toml

SIGHUP reads the configuration again; one that is not in order changes nothing. When tierd
ends, VMs keep what they have.

tierd exits with 0 when all is well, with 1 when VMs do not have what they shall (--once), and
with 2 when arguments or configuration are wrong; then nothing has been done."#;

/// Divides the fast memory of a host among its VMs.
///
/// Each VM has a tiered-balloon. tierd asks these how the VMs are doing, divides the fast
/// memory by a policy, and gives each VM of the slow tier what it loses of the fast one.
/// Memory is given only after somebody else has given it back.
#[derive(Debug, Parser)]
#[command(name = crate::NAME, version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// The configuration
    #[arg(long, value_name = "FILE", required = true)]
    pub config: Option<PathBuf>,
    /// Divide once, wait at most for the interval until the VMs have followed, and say what
    /// they have
    #[arg(long)]
    pub once: bool,
    /// Say what would be done, and do nothing
    #[arg(long, requires = "once")]
    pub dry_run: bool,
    /// Say it as JSON
    #[arg(long, requires = "once")]
    pub json: bool,
    /// What to log on stderr: error, warn, info, debug or off
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: LevelFilter,

    /// What else to do
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What else tierd does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a configuration and show what it allows; asks no VM
    Check {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
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
        let commands: Vec<_> = lines
            .filter(|line| line.starts_with("tierd ") && line.contains("--config"))
            .collect();
        assert_eq!(commands.len(), 3);
        for line in commands {
            Args::try_parse_from(line.split(' ')).unwrap();
        }
        for line in [
            "tierd",
            "tierd --config a --json",
            "tierd check",
            "tierd --config a check",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn the_configuration_of_help_is_valid() {
        let start = EXAMPLES.find("  policy").unwrap();
        let text = &EXAMPLES[start..EXAMPLES.find("\nExamples").unwrap()];
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("tierd.toml");
        std::fs::write(&path, text).unwrap();
        crate::config::Config::read(&path).unwrap();
    }
}
