// SPDX-License-Identifier: GPL-2.0-or-later
//! Statistics, from driver to device.

use alloc::vec::Vec;

use crate::{HEAT_POINTS, bytes};

/// Bytes of `struct virtio_tb_heat`.
pub const HEAT_SIZE: usize = 16;
/// Bytes of `struct virtio_tb_node_statistics`.
pub const NODE_STATISTICS_SIZE: usize = 48;
/// Bytes of `struct virtio_tb_statistics` without the states of nodes.
pub const STATISTICS_SIZE: usize = 72 + HEAT_POINTS * HEAT_SIZE;

/// A point of the curve of heat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heat {
    /// That many pages of the guest are at least that hot.
    pub pages: u64,
    /// Accesses per second to each of these pages, times 1024.
    pub heat: u64,
}

/// State of a node, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStatistics {
    /// Those that the guest can use, without those in the balloon.
    pub total: u64,
    /// Those of `total` that are free.
    pub free: u64,
    /// Those in the balloon.
    pub ballooned: u64,
    /// Those that are to be in the balloon.
    pub target: u64,
    /// Those of files.
    pub cache: u64,
    /// Those moved away by the balloon, since the driver was loaded.
    pub evacuated: u64,
}

/// State of the guest. All of it is the guest's word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Microseconds in which some task waited for memory, since the guest was booted.
    pub psi_some_us: u64,
    /// Microseconds in which all tasks did.
    pub psi_full_us: u64,
    /// Pages reclaimed since then, by kswapd or directly.
    pub reclaimed: u64,
    /// Pages written to swap since then.
    pub swapped_out: u64,
    /// Faults that had to read since then.
    pub major_faults: u64,
    /// Tasks killed for lack of memory since then.
    pub oom_kills: u64,
    /// Pages moved to fast memory because they are hot, since then.
    pub promoted: u64,
    /// Pages moved to slow memory because they are cold, since then.
    pub demoted: u64,
    /// The curve of heat, at most `HEAT_POINTS` of it.
    pub heat: Vec<Heat>,
    /// Nodes in the order of the configuration.
    pub nodes: Vec<NodeStatistics>,
}

impl Statistics {
    /// Parses all that a driver's chain has to read, for a device of so many nodes; none if
    /// that has another length, other nodes or too many points of heat.
    pub fn parse(mut bytes: &[u8], nodes: usize) -> Option<Statistics> {
        if bytes.len() != STATISTICS_SIZE + nodes * NODE_STATISTICS_SIZE {
            return None;
        }
        let said_nodes = usize::try_from(bytes::u32(&mut bytes)?).ok()?;
        let points = usize::try_from(bytes::u32(&mut bytes)?).ok()?;
        if said_nodes != nodes || points > HEAT_POINTS {
            return None;
        }
        let mut next = || bytes::u64(&mut bytes);
        let mut statistics = Statistics {
            psi_some_us: next()?,
            psi_full_us: next()?,
            reclaimed: next()?,
            swapped_out: next()?,
            major_faults: next()?,
            oom_kills: next()?,
            promoted: next()?,
            demoted: next()?,
            heat: Vec::with_capacity(HEAT_POINTS),
            nodes: Vec::with_capacity(nodes),
        };
        for _ in 0..HEAT_POINTS {
            statistics.heat.push(Heat {
                pages: next()?,
                heat: next()?,
            });
        }
        statistics.heat.truncate(points);
        for _ in 0..nodes {
            statistics.nodes.push(NodeStatistics {
                total: next()?,
                free: next()?,
                ballooned: next()?,
                target: next()?,
                cache: next()?,
                evacuated: next()?,
            });
        }
        Some(statistics)
    }

    /// Returns what a driver sends. Points of heat beyond `HEAT_POINTS` are left out.
    pub fn encode(&self) -> Vec<u8> {
        let points = self.heat.len().min(HEAT_POINTS);
        let mut out = Vec::with_capacity(STATISTICS_SIZE + self.nodes.len() * NODE_STATISTICS_SIZE);
        out.extend(bytes::count(self.nodes.len()));
        out.extend(bytes::count(points));
        let mut put = |number: u64| out.extend(number.to_le_bytes());
        put(self.psi_some_us);
        put(self.psi_full_us);
        put(self.reclaimed);
        put(self.swapped_out);
        put(self.major_faults);
        put(self.oom_kills);
        put(self.promoted);
        put(self.demoted);
        let unused = core::iter::repeat(&Heat { pages: 0, heat: 0 });
        for point in self.heat.iter().chain(unused).take(HEAT_POINTS) {
            put(point.pages);
            put(point.heat);
        }
        for node in &self.nodes {
            put(node.total);
            put(node.free);
            put(node.ballooned);
            put(node.target);
            put(node.cache);
            put(node.evacuated);
        }
        out
    }
}
