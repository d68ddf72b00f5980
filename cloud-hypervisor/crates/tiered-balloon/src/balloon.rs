// SPDX-License-Identifier: GPL-2.0-or-later
//! The balloon itself, whichever device the guest sees: nodes, what the guest shall have of
//! them, what is in the balloon, and figures.

use std::ops::Range;

use thiserror::Error;
use tiered_balloon_api as api;
use tiered_balloon_wire::{self as wire, PAGE_SIZE, RangeKind, Status};

use crate::counters::{Bad, Counters};
use crate::memory::{Memory, NodeSize};

/// Why targets cannot be set.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    /// No such node.
    #[error("there is no node {0}")]
    NoNode(u32),
    /// More than the node has, or no whole pages.
    #[error("node {pxm}: {bytes} bytes: a target is a multiple of 4096, at most {most}")]
    Value {
        /// The node.
        pxm: u32,
        /// What was asked for.
        bytes: u64,
        /// What the node has.
        most: u64,
    },
    /// A node is named twice.
    #[error("node {0} is named twice")]
    Twice(u32),
    /// The daemon is going away.
    #[error("the daemon is ending")]
    Leaving,
}

/// A node that is provisioned.
#[derive(Clone, Copy, Debug)]
struct Node {
    size: NodeSize,
    /// Pages that the guest shall have of it.
    target: u64,
    /// Whether somebody has said so.
    is_said: bool,
}

/// Nodes and their balloons.
pub struct Balloon {
    nodes: Vec<Node>,
    /// Where nodes are.
    pub memory: Memory,
    /// Figures.
    pub counters: Counters,
}

impl Balloon {
    /// Returns the balloon of nodes of which the guest shall have all.
    pub fn new(sizes: Vec<NodeSize>) -> Balloon {
        Balloon {
            nodes: sizes
                .iter()
                .map(|&size| Node {
                    size,
                    target: size.pages,
                    is_said: false,
                })
                .collect(),
            memory: Memory::new(sizes),
            counters: Counters::default(),
        }
    }

    /// Returns how many nodes there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Yields the sizes of nodes.
    pub fn sizes(&self) -> impl Iterator<Item = NodeSize> {
        self.nodes.iter().map(|node| node.size)
    }

    /// Returns how many pages of a node are to be in its balloon.
    pub fn target(&self, node: usize) -> u64 {
        self.nodes[node].size.pages - self.nodes[node].target
    }

    /// Sets targets, all or none. Returns the places of their nodes.
    pub fn set_targets(&mut self, targets: &[api::NodeTarget]) -> Result<Vec<usize>, TargetError> {
        let mut places = Vec::new();
        for &api::NodeTarget { pxm, bytes } in targets {
            let place = self.place(pxm)?;
            let most = self.nodes[place].size.pages * PAGE_SIZE;
            if bytes > most || !bytes.is_multiple_of(PAGE_SIZE) {
                return Err(TargetError::Value { pxm, bytes, most });
            }
            if places.contains(&place) {
                return Err(TargetError::Twice(pxm));
            }
            places.push(place);
        }
        for (&place, target) in places.iter().zip(targets) {
            self.nodes[place].target = target.bytes / PAGE_SIZE;
            self.nodes[place].is_said = true;
        }
        Ok(places)
    }

    /// Takes for the target of a node what the guest has of it, unless another was said: a
    /// daemon that was started again must not fill the guest's balloon or empty it.
    pub fn adopt(&mut self, node: usize, ballooned: u64) {
        let node = &mut self.nodes[node];
        if let Some(target) = node.size.pages.checked_sub(ballooned)
            && !node.is_said
        {
            node.target = target;
        }
    }

    /// Returns the place of the node of a proximity domain.
    pub fn place(&self, pxm: u32) -> Result<usize, TargetError> {
        let found = self.nodes.iter().position(|node| node.size.pxm == pxm);
        found.ok_or(TargetError::NoNode(pxm))
    }

    /// Returns the state of a node.
    pub fn node(&self, place: usize) -> api::Node {
        let node = self.nodes[place];
        api::Node {
            pxm: node.size.pxm,
            bytes: node.size.pages * PAGE_SIZE,
            target: node.target * PAGE_SIZE,
            ballooned: self.memory.ballooned(place) * PAGE_SIZE,
            resident: self.memory.resident(place),
        }
    }

    /// Returns how many pages are in the balloon, of all nodes.
    pub fn ballooned(&self) -> u64 {
        (0..self.nodes.len())
            .map(|n| self.memory.ballooned(n))
            .sum()
    }

    /// Does what is asked for ranges of a node, and returns a status for each of them. Ranges
    /// that follow each other are handled as one.
    pub fn handle(
        &mut self,
        kind: RangeKind,
        node: usize,
        ranges: impl Iterator<Item = wire::Range>,
    ) -> Vec<Status> {
        let mut statuses = Vec::new();
        let mut good: Vec<(Range<u64>, usize)> = Vec::new();
        for (place, range) in ranges.enumerate() {
            let pages = u64::from(range.pages);
            if range.reserved == 0 && self.memory.holds(node, range.frame, pages) {
                statuses.push(Status::Ok);
                good.push((range.frame..range.frame + pages, place));
            } else {
                statuses.push(Status::BadRange);
            }
        }
        good.sort_unstable_by_key(|(frames, _)| frames.start);
        for run in runs(&good) {
            let frames = span(run);
            if let Err(error) = self.handle_run(kind, frames.clone()) {
                let what = format_args!("frames {frames:#x?}: {error}");
                self.counters.bad(Bad::Failed, what);
                for &(_, place) in run {
                    statuses[place] = Status::Failed;
                }
            }
        }
        statuses
    }

    fn handle_run(&mut self, kind: RangeKind, frames: Range<u64>) -> std::io::Result<()> {
        let pages = &mut self.counters.pages;
        match kind {
            RangeKind::Inflate => pages.inflated += self.memory.inflate(frames)?,
            RangeKind::Deflate => pages.deflated += self.memory.deflate(frames),
            RangeKind::ReportFree => {
                let reported = frames.end - frames.start;
                self.memory.discard(frames)?;
                pages.reported += reported;
            }
        }
        Ok(())
    }
}

/// Yields ranges, which are in the order of their starts, by those that together have no gaps.
/// One may end before another that is before it does: a guest that nests them in each other
/// must not have its node punched for each.
fn runs(ranges: &[(Range<u64>, usize)]) -> impl Iterator<Item = &[(Range<u64>, usize)]> {
    let mut end = 0;
    ranges.chunk_by(move |(a, _), (b, _)| {
        end = end.max(a.end);
        b.start <= end
    })
}

/// Returns all frames of a run.
fn span(run: &[(Range<u64>, usize)]) -> Range<u64> {
    let start = run.first().map_or(0, |(frames, _)| frames.start);
    let ends = run.iter().map(|(frames, _)| frames.end);
    start..ends.max().unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut ranges: Vec<_> = ranges.iter().cloned().zip(0..).collect();
        ranges.sort_unstable_by_key(|(frames, _)| frames.start);
        runs(&ranges).map(span).collect()
    }

    #[test]
    fn ranges_within_another_are_one_with_it() {
        // all of a node, and small ones in it with gaps between them
        let mut nested: Vec<_> = (1..128u64).map(|n| n * 8..n * 8 + 1).collect();
        nested.extend([0..4096, 5000..5001]);
        assert_eq!(spans(&nested), [0..4096, 5000..5001]);
        assert_eq!(spans(&[0..9, 1..2, 9..10, 11..12]), [0..10, 11..12]);
        assert_eq!(
            spans(&[0..2, 3..9, 4..5, 6..7, 12..13]),
            [0..2, 3..9, 12..13]
        );
        assert_eq!(spans(&[]), []);
    }
}
