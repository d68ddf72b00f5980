// SPDX-License-Identifier: GPL-2.0-or-later
//! The JSON of the daemon's API. Sizes are in bytes, except in what the guest tells, which is
//! in pages of [`crate::PAGE`] bytes as it came. Unknown fields are ignored, so that a client
//! can talk to a newer daemon.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::PAGE;

/// `GET /vm`: the daemon and the VM that it serves.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Vm {
    /// Version of the daemon.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// The vhost-user socket that it listens on.
    pub socket: PathBuf,
    /// Whether a hypervisor is connected to it.
    pub connected: bool,
    /// The guest's driver, once it has said hello.
    pub driver: Option<Driver>,
    /// The guest's nodes, in the order of the daemon's command line.
    pub nodes: Vec<Node>,
}

/// What the guest's driver said of itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Driver {
    /// Its version of the wire format.
    pub version: u32,
    /// What it takes of the device: `statistics`, `free_reporting`, `deflate_on_oom`.
    pub capabilities: Vec<String>,
}

/// A node of the guest.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its proximity domain.
    pub pxm: u32,
    /// Its size.
    pub bytes: u64,
    /// What the guest shall have of it.
    pub target: u64,
    /// What is in the balloon.
    pub ballooned: u64,
    /// What the host has allocated for it.
    pub resident: u64,
}

impl Node {
    /// What the guest has of the node at the moment.
    pub fn given(&self) -> u64 {
        self.bytes.saturating_sub(self.ballooned)
    }

    /// Bytes that nobody else can have: what the guest has or may come to use without asking,
    /// which is its target, or what the host holds for it where that is more. What is in the
    /// balloon may not have come back: parts of huge pages do not, nor do pages that the guest
    /// touched since.
    pub fn claim(&self) -> u64 {
        let resident = self.resident.div_ceil(PAGE).saturating_mul(PAGE);
        self.given().max(self.target).max(resident.min(self.bytes))
    }
}

/// Body of `PUT /nodes/{pxm}/target`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What the guest shall have of the node; a multiple of [`crate::PAGE`], at most its size.
    pub bytes: u64,
}

/// Body of `PUT /targets`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// The new targets. Nodes that are not named keep theirs; none is named twice.
    pub targets: Vec<NodeTarget>,
}

/// What the guest shall have of a node.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NodeTarget {
    /// Its proximity domain.
    pub pxm: u32,
    /// As in [`Target`].
    pub bytes: u64,
}

/// `GET /stats`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// How old `statistics` are, in milliseconds; `None` without any.
    pub age_ms: Option<u64>,
    /// The last that the guest sent.
    pub statistics: Option<Statistics>,
    /// Requests by type, since the daemon was started.
    pub requests: Requests,
    /// Bad requests by what was wrong with them, since then.
    pub bad: BTreeMap<String, u64>,
    /// Pages of good requests, since then.
    pub pages: Pages,
}

/// Requests of the guest's driver by type.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// First of a driver.
    pub hello: u64,
    /// Pages into the balloon.
    pub inflate: u64,
    /// Pages out of it.
    pub deflate: u64,
    /// Pages that are free at the moment.
    pub report_free: u64,
}

/// Pages of requests.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Pages {
    /// Put into the balloon.
    pub inflated: u64,
    /// Taken out of it.
    pub deflated: u64,
    /// Reported as free.
    pub reported: u64,
}

/// What the guest says of itself: `struct virtio_tb_statistics`, where the fields are
/// explained. Counters begin when the guest is booted. A guest may lie.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Microseconds in which some task waited for memory.
    pub psi_some_us: u64,
    /// Microseconds in which all tasks did.
    pub psi_full_us: u64,
    /// Pages reclaimed.
    pub reclaimed: u64,
    /// Pages written to swap.
    pub swapped_out: u64,
    /// Faults that had to read.
    pub major_faults: u64,
    /// Tasks killed for lack of memory.
    pub oom_kills: u64,
    /// Pages moved to fast memory because they are hot.
    pub promoted: u64,
    /// Pages moved to slow memory because they are cold.
    pub demoted: u64,
    /// The curve of heat; empty if the guest does not know what is hot.
    pub heat: Vec<Heat>,
    /// State of each node.
    pub nodes: Vec<NodeStatistics>,
}

/// A point of the curve of heat.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Heat {
    /// That many pages are at least that hot.
    pub pages: u64,
    /// Accesses per second to each of them that miss all caches, times 1024.
    pub heat: u64,
}

/// What the guest says of a node, in pages.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct NodeStatistics {
    /// Proximity domain.
    pub pxm: u32,
    /// Usable, without the balloon.
    pub total: u64,
    /// Free of `total`.
    pub free: u64,
    /// In the balloon.
    pub ballooned: u64,
    /// To be in the balloon.
    pub target: u64,
    /// Of files.
    pub cache: u64,
    /// Moved away by the balloon, since the driver was loaded.
    pub evacuated: u64,
}

/// What the daemon says of a request that it refuses.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// One line for people.
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(bytes: u64, target: u64, ballooned: u64) -> Node {
        Node {
            pxm: 0,
            bytes,
            target,
            ballooned,
            resident: 0,
        }
    }

    #[test]
    fn a_claim_is_what_the_guest_has_or_may_take() {
        assert_eq!(node(100, 60, 10).claim(), 90);
        assert_eq!(node(100, 60, 50).claim(), 60);
        assert_eq!(node(100, 60, 200).claim(), 60);
    }

    #[test]
    fn what_has_not_come_back_is_claimed() {
        let of = |resident| {
            let node = node(8 * PAGE, 4 * PAGE, 5 * PAGE);
            Node { resident, ..node }.claim() / PAGE
        };
        assert_eq!(of(3 * PAGE), 4);
        assert_eq!(of(6 * PAGE), 6);
        // in whole pages, and no more than there is
        assert_eq!(of(6 * PAGE + 512), 7);
        assert_eq!(of(9 * PAGE), 8);
        assert_eq!(of(u64::MAX), 8);
    }

    #[test]
    fn the_json_is_that_of_the_documentation() {
        let text = r#"{"version":"0.1.0","pid":7,"socket":"/run/s","connected":true,
            "driver":{"version":1,"capabilities":["statistics"]}, "later": {"more": []},
            "nodes":[{"pxm":1,"bytes":4096,"target":4096,"ballooned":0,"resident":8192}]}"#;
        let vm: Vm = serde_json::from_str(text).unwrap();
        assert_eq!(vm.driver.unwrap().capabilities, ["statistics"]);
        assert_eq!(vm.nodes[0].resident, 8192);
        let target = serde_json::to_string(&Targets {
            targets: vec![NodeTarget {
                pxm: 1,
                bytes: 4096,
            }],
        });
        assert_eq!(target.unwrap(), r#"{"targets":[{"pxm":1,"bytes":4096}]}"#);
        let stats = serde_json::to_value(Stats::default()).unwrap();
        assert_eq!(stats["age_ms"], serde_json::Value::Null);
        assert_eq!(stats["requests"]["report_free"], 0);
    }

    #[test]
    fn what_a_client_asks_for_is_read_strictly() {
        for text in [
            r#"{"bytes":-1}"#,
            r#"{"bytes":1.5}"#,
            r#"{"byte":1}"#,
            r#"{"bytes":1,"pxm":0}"#,
            r#"{"bytes":18446744073709551616}"#,
        ] {
            assert!(serde_json::from_str::<Target>(text).is_err(), "{text}");
        }
    }
}
