// SPDX-License-Identifier: GPL-2.0-or-later
//! The command line, and what it means. What cannot be is refused here, before anything is
//! changed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser, ValueEnum};
use log::LevelFilter;
use thiserror::Error;
use tiered_balloon_api::{NodeTarget, PxmSize};
use tiered_balloon_wire::{MAX_NODES, PAGE_SIZE, capability};

use crate::balloon::Balloon;
use crate::device::Device;
use crate::memory::NodeSize;
use crate::stock::Stock;
use crate::tiered::Tiered;

/// Gives the memory of a VM's nodes back to the host, page by page, and to the guest again.
///
/// One such daemon serves one VM as a vhost-user device, which any hypervisor that has a
/// generic vhost-user device attaches unmodified. The guest's driver takes free pages of each
/// node out of use until the node has what it shall have; the daemon punches them out of the
/// node's memory file. Targets are set at any time with tierctl, or by the policies of tierd.
#[derive(Debug, Parser)]
#[command(name = "tiered-balloon", version, after_long_help = EXAMPLES)]
pub struct Args {
    /// Unix socket on which a hypervisor finds the device
    #[arg(long, value_name = "PATH")]
    pub socket: PathBuf,

    /// A node of the guest and its size, in the order of guest memory; once for each
    ///
    /// PXM is the node's ACPI proximity domain: QEMU calls it nodeid, Cloud Hypervisor
    /// guest_numa_id. SIZE is in bytes or has a unit, as 512M or 1G.
    #[arg(long = "node", value_name = "PXM=SIZE", required = true)]
    pub nodes: Vec<PxmSize>,

    /// What the guest shall have of a node at the start [default: what it has]
    ///
    /// That is all of it, or what was left to it by a daemon before this one.
    #[arg(long = "target", value_name = "PXM=SIZE")]
    pub targets: Vec<PxmSize>,

    /// Unix socket for the API, which tierctl and tierd use
    #[arg(long, value_name = "PATH")]
    pub api: Option<PathBuf>,

    /// Do not ask the guest for statistics
    #[arg(long)]
    pub no_statistics: bool,

    /// Do not let the guest report pages that are free at the moment
    #[arg(long)]
    pub no_free_page_reporting: bool,

    /// Do not let the guest take pages out of the balloon when it runs out of memory
    #[arg(long)]
    pub no_deflate_on_oom: bool,

    /// How often the guest is asked for statistics
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    pub statistics_interval: Duration,

    /// How long the guest may take to get its memory back when the daemon is ended
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    pub grace: Duration,

    /// Be a plain virtio-balloon (virtio ID 5), for guests without our driver
    ///
    /// It has two queues, of inflating and deflating, and 8 bytes of configuration. It knows no
    /// nodes: the guest shall have the sum of all targets, and gives what it likes. Linux' driver
    /// reads the target when it is loaded and is never told of a later one; when the daemon
    /// ends, nobody is told.
    #[arg(long)]
    pub stock: bool,

    /// What is logged to stderr
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log: Level,

    /// Run without seccomp and Landlock, to debug
    #[arg(long)]
    pub no_sandbox: bool,
}

const EXAMPLES: &str = "\
A VM with 1 GiB of fast and 5 GiB of slow memory, which shall begin with half of the fast:
  tiered-balloon --socket vm.sock --api vm.api --node 0=1G --node 1=5G --target 0=512M

The daemon prints 'ready' when it listens. Then start the hypervisor, whose memory must be
shared. The QEMU that this project builds (docs/provisioning.md has others):
  -object memory-backend-memfd,id=m0,size=1G,share=on -numa node,nodeid=0,memdev=m0
  -object memory-backend-memfd,id=m1,size=5G,share=on -numa node,nodeid=1,memdev=m1
  -chardev socket,id=balloon,path=vm.sock,reconnect-ms=100
  -device vhost-user-device-pci,chardev=balloon,virtio-id=13,num_vqs=3,vq_size=256,config_size=256
Cloud Hypervisor:
  --memory size=0 --memory-zone id=m0,size=1G,shared=on id=m1,size=5G,shared=on
  --numa guest_numa_id=0,memory_zones=m0 guest_numa_id=1,memory_zones=m1
  --generic-vhost-user socket=vm.sock,device_type=13,queue_sizes=[256,256,256]

It ends with status 0 on SIGTERM, when the guest has its memory back or --grace is over, whichever
is first, and with 2 if the command line is wrong; the nodes are compared with the guest's memory when its driver starts.";

/// What is logged.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Level {
    /// What ends the daemon
    Error,
    /// What is bad of the guest's, too
    Warn,
    /// Hypervisors that come and go, too
    Info,
    /// All
    Debug,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> LevelFilter {
        match level {
            Level::Error => LevelFilter::Error,
            Level::Warn => LevelFilter::Warn,
            Level::Info => LevelFilter::Info,
            Level::Debug => LevelFilter::Debug,
        }
    }
}

/// What is wrong with a command line, beyond its form.
#[derive(Debug, Error)]
pub enum ArgsError {
    /// Too many nodes.
    #[error("--node: {0} nodes, at most {MAX_NODES} are possible")]
    Nodes(usize),
    /// A node without a size, or with one that is not whole pages.
    #[error("--node {0}: a size is a multiple of 4096 and not 0")]
    NodeSize(PxmSize),
    /// Together, they are more than there are addresses.
    #[error("--node {0}: all nodes together are too large")]
    TooLarge(PxmSize),
    /// A node is named twice.
    #[error("--node {0}: node {pxm} was given before", pxm = .0.pxm)]
    Twice(PxmSize),
    /// A target that cannot be.
    #[error("--target {given}: {why}")]
    Target {
        /// The target.
        given: PxmSize,
        /// What is wrong with it.
        why: String,
    },
    /// A guest that is asked all the time does nothing else.
    #[error("--statistics-interval {}: at least 10ms", humantime::format_duration(*.0))]
    Interval(Duration),
}

impl Args {
    /// Returns the device that the command line describes.
    pub fn device(&self) -> Result<Box<dyn Device>, ArgsError> {
        if self.statistics_interval < Duration::from_millis(10) {
            return Err(ArgsError::Interval(self.statistics_interval));
        }
        let mut balloon = Balloon::new(self.node_sizes()?);
        let targets: Vec<_> = self.targets.iter().map(|&given| target(given)).collect();
        for (given, end) in self.targets.iter().zip(1..) {
            // one more each time, so that it is the last that is to blame
            balloon
                .set_targets(&targets[..end])
                .map_err(|error| ArgsError::Target {
                    given: *given,
                    why: error.to_string(),
                })?;
        }
        Ok(if self.stock {
            Box::new(Stock::new(balloon))
        } else {
            Box::new(Tiered::new(balloon, self.capabilities()))
        })
    }

    fn node_sizes(&self) -> Result<Vec<NodeSize>, ArgsError> {
        if self.nodes.len() > MAX_NODES {
            return Err(ArgsError::Nodes(self.nodes.len()));
        }
        let mut sizes: Vec<NodeSize> = Vec::new();
        let mut sum = 0u64;
        for &given in &self.nodes {
            let PxmSize { pxm, bytes } = given;
            if bytes == 0 || !bytes.is_multiple_of(PAGE_SIZE) {
                return Err(ArgsError::NodeSize(given));
            }
            if sizes.iter().any(|node| node.pxm == pxm) {
                return Err(ArgsError::Twice(given));
            }
            // more than any processor can address
            sum = sum.saturating_add(bytes);
            if sum > 1 << 57 {
                return Err(ArgsError::TooLarge(given));
            }
            let pages = bytes / PAGE_SIZE;
            sizes.push(NodeSize { pxm, pages });
        }
        Ok(sizes)
    }

    fn capabilities(&self) -> u32 {
        let refused = [
            (self.no_statistics, capability::STATISTICS),
            (self.no_free_page_reporting, capability::FREE_REPORTING),
            (self.no_deflate_on_oom, capability::DEFLATE_ON_OOM),
        ];
        let bits = refused.iter().filter(|(refused, _)| *refused);
        bits.fold(capability::ALL, |all, (_, bit)| all & !bit)
    }
}

/// The command line as clap sees it, for the manual page.
pub fn command() -> clap::Command {
    Args::command()
}

fn target(given: PxmSize) -> NodeTarget {
    NodeTarget {
        pxm: given.pxm,
        bytes: given.bytes,
    }
}
