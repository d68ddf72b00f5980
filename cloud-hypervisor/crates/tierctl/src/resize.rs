// SPDX-License-Identifier: GPL-2.0-or-later
//! `resize`: sets targets and waits for the guest.

use std::cmp::Ordering;
use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::thread;
use std::time::{Duration, Instant};

use tiered_balloon_api::{Client, Error, Node, NodeTarget, PxmSize, Vm};
use tiered_balloon_cli::{complain, size, table};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Sets the targets of `nodes`; with a `timeout`, waits as long for the guest to follow.
/// Returns whether it did, or was not waited for.
pub fn resize(
    client: &Client,
    nodes: &[PxmSize],
    timeout: Option<Duration>,
    json: bool,
) -> io::Result<bool> {
    let targets: Vec<_> = nodes
        .iter()
        .map(|node| NodeTarget {
            pxm: node.pxm,
            bytes: node.bytes,
        })
        .collect();
    let result = match (client.set_targets(&targets), timeout) {
        (Ok(all), None) => Ok((all, None)),
        (Ok(_), Some(timeout)) => wait(client, &targets, timeout),
        (Err(error), _) => Err(error),
    };
    let (all, missing) = match result {
        Ok(result) => result,
        Err(error) => {
            crate::complain(&error);
            return Ok(false);
        }
    };
    if json {
        let text = serde_json::to_string(&all).map_err(io::Error::other)?;
        writeln!(stdout(), "{text}")?;
    } else {
        let rows = all.iter().map(|node| {
            let sizes = [node.bytes, node.target, node.given()]
                .into_iter()
                .map(size);
            std::iter::once(node.pxm.to_string()).chain(sizes).collect()
        });
        write!(
            stdout(),
            "{}",
            table(&["PXM", "SIZE", "TARGET", "GUEST"], rows)
        )?;
    }
    if let Some(missing) = &missing {
        complain(crate::NAME, missing);
    }
    Ok(missing.is_none())
}

/// Waits until the guest has what the targets say. Returns all nodes, and what is missing when
/// the time is over.
fn wait(
    client: &Client,
    targets: &[NodeTarget],
    timeout: Duration,
) -> Result<(Vec<Node>, Option<String>), Error> {
    let start = Instant::now();
    let mut progress = Progress::default();
    loop {
        let vm = client.vm()?;
        let missing = missing(&vm, targets);
        if missing.is_empty() {
            return Ok((vm.nodes, None));
        }
        let missing = missing.join("; ");
        if vm.driver.is_none() || !vm.connected {
            let why = if vm.connected {
                "the guest has no driver that follows"
            } else {
                "no hypervisor is connected"
            };
            let why = format!("the targets are set, but {why}: {missing}");
            return Ok((vm.nodes, Some(why)));
        }
        if start.elapsed() >= timeout {
            let after = humantime::format_duration(timeout);
            return Ok((vm.nodes, Some(format!("after {after}, {missing}"))));
        }
        progress.show(&missing);
        thread::sleep(LOOK);
    }
}

/// What the guest has too much or too little of.
fn missing(vm: &Vm, targets: &[NodeTarget]) -> Vec<String> {
    let lacks = |target: &NodeTarget| {
        let Some(node) = vm.nodes.iter().find(|node| node.pxm == target.pxm) else {
            return Some(format!("node {} is gone", target.pxm));
        };
        if node.target != target.bytes {
            let now = size(node.target);
            return Some(format!("somebody else has set node {} to {now}", node.pxm));
        }
        let has = node.given();
        let difference = size(has.abs_diff(target.bytes));
        match has.cmp(&target.bytes) {
            Ordering::Equal => None,
            Ordering::Less => Some(format!(
                "node {} has not taken {difference} of {}",
                node.pxm,
                size(target.bytes)
            )),
            Ordering::Greater => Some(format!(
                "node {} has {difference} more than {}",
                node.pxm,
                size(target.bytes)
            )),
        }
    };
    targets.iter().filter_map(lacks).collect()
}

/// A line on the terminal that says how it goes; none if there is no terminal.
#[derive(Default)]
struct Progress {
    shown: bool,
}

impl Progress {
    fn show(&mut self, line: &str) {
        if stderr().is_terminal() {
            self.shown = true;
            // Progress is a courtesy.
            let _ = write!(stderr(), "\r\x1b[K{line}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_sizes() {
        let node = Node {
            pxm: 1,
            bytes: 8 << 20,
            target: 4 << 20,
            ballooned: 2 << 20,
            resident: 0,
        };
        let vm = Vm {
            version: String::new(),
            pid: 1,
            socket: "".into(),
            connected: true,
            driver: None,
            nodes: vec![node],
        };
        let say = |pxm, bytes| missing(&vm, &[NodeTarget { pxm, bytes }]).join("");
        assert_eq!(say(1, 4 << 20), "node 1 has 2M more than 4M");
        assert_eq!(say(1, 5 << 20), "somebody else has set node 1 to 4M");
        assert_eq!(say(2, 0), "node 2 is gone");
        let mut small = vm.clone();
        small.nodes[0].ballooned = 5 << 20;
        let target = NodeTarget {
            pxm: 1,
            bytes: 4 << 20,
        };
        let lacks = missing(&small, &[target]);
        assert_eq!(lacks, ["node 1 has not taken 1M of 4M"]);
        small.nodes[0].ballooned = 4 << 20;
        assert!(missing(&small, &[target]).is_empty());
    }
}
