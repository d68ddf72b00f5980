// SPDX-License-Identifier: GPL-2.0-or-later
//! Asks a VM's daemon how things are, and believes only what holds together.

use std::io::ErrorKind;
use std::ops::RangeInclusive;

use tiered_balloon_api::{Client, Error, Node, Size, Stats};

use crate::config::{Tiers, VmConfig};
use crate::policy::CHUNK;

/// Bytes that no node has.
const TOO_LARGE: u64 = 1 << 50;

/// What a VM has, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it shall have.
    pub target: Tiers<u64>,
    /// What it has or may take, or the host holds for it.
    pub claim: Tiers<u64>,
    /// Chunks of fast memory that it can have: what the configuration allows, as far as its
    /// nodes are large enough.
    pub range: RangeInclusive<u64>,
}

/// Why a VM cannot be told what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The reason, as part of a sentence.
    pub reason: String,
    /// Whether it has no daemon at all, so that it was not started.
    pub absent: bool,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let absent = |error: &Error| match error {
            Error::Unreachable { error, .. } => error.kind() == ErrorKind::NotFound,
            _ => false,
        };
        Self {
            reason: error.to_string(),
            absent: absent(&error),
        }
    }
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self {
            reason,
            absent: false,
        }
    }
}

/// Asks for the state of the VM.
pub fn vm(client: &Client, config: &VmConfig) -> Result<Known, Fault> {
    Ok(known(&client.vm()?.nodes, config)?)
}

/// Asks for its statistics.
pub fn stats(client: &Client) -> Result<Stats, Fault> {
    Ok(client.stats()?)
}

fn known(nodes: &[Node], config: &VmConfig) -> Result<Known, String> {
    let find = |pxm| {
        let node = nodes.iter().find(|node| node.pxm == pxm);
        let node = node.ok_or_else(|| format!("it has no node of proximity domain {pxm}"))?;
        let most = node.bytes.min(TOO_LARGE);
        if node.bytes > most || node.target > most || node.ballooned > most {
            return Err(format!("what it says of node {pxm} does not hold together"));
        }
        Ok(node)
    };
    let (fast, slow) = (find(config.pxm.fast)?, find(config.pxm.slow)?);
    let least = config.memory.saturating_sub(slow.bytes / CHUNK);
    let range = config.floor.max(least)..=config.ceiling.min(fast.bytes / CHUNK);
    if range.is_empty() {
        return Err(format!(
            "its nodes of {} and {} are too small for {} of memory and a floor of {}",
            Size(fast.bytes),
            Size(slow.bytes),
            Size(config.memory * CHUNK),
            Size(config.floor * CHUNK),
        ));
    }
    let both = |of: fn(&Node) -> u64| Tiers {
        fast: of(fast),
        slow: of(slow),
    };
    Ok(Known {
        target: both(|node| node.target),
        claim: both(Node::claim),
        range,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> VmConfig {
        VmConfig {
            name: "a".into(),
            api: "/run/a".into(),
            memory: 100,
            weight: 1.0,
            pxm: Tiers { fast: 0, slow: 1 },
            floor: 10,
            ceiling: 100,
            size: None,
        }
    }

    fn node(pxm: u32, chunks: u64) -> Node {
        Node {
            pxm,
            bytes: chunks * CHUNK,
            target: chunks * CHUNK,
            ballooned: CHUNK,
            resident: 0,
        }
    }

    #[test]
    fn small_nodes_narrow_the_range() {
        let known = |fast, slow| known(&[node(1, slow), node(0, fast)], &config());
        assert_eq!(known(100, 100).unwrap().range, 10..=100);
        let some = known(60, 70).unwrap();
        assert_eq!(some.range, 30..=60);
        assert_eq!(some.claim.fast, 60 * CHUNK);
        let error = known(20, 70).unwrap_err();
        assert!(
            error.starts_with("its nodes of 40M and 140M are too small"),
            "{error}"
        );
    }

    #[test]
    fn what_does_not_hold_together_is_not_believed() {
        let good = node(1, 100);
        let lies: [fn(&mut Node); 4] = [
            |node| node.bytes = u64::MAX,
            |node| node.target = node.bytes + 1,
            |node| node.ballooned = u64::MAX,
            |node| node.pxm = 2,
        ];
        for lie in lies {
            let mut bad = node(0, 100);
            lie(&mut bad);
            assert!(known(&[bad, good.clone()], &config()).is_err());
        }
    }
}
