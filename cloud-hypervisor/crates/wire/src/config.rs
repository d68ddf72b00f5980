// SPDX-License-Identifier: GPL-2.0-or-later
//! The configuration space, which does not change.

use crate::{MAGIC, MAX_NODES, VERSION, bytes};

/// Bytes of `struct virtio_tb_config_node`.
pub const CONFIG_NODE_SIZE: usize = 16;
/// Bytes of `struct virtio_tb_config`.
pub const CONFIG_SIZE: usize = 16 + MAX_NODES * CONFIG_NODE_SIZE;

/// A guest node that the device provisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigNode {
    /// ACPI proximity domain.
    pub pxm: u32,
    /// Pages, with those in the balloon.
    pub pages: u64,
}

/// Returns the configuration space of a device. Nodes beyond `MAX_NODES` are left out.
pub fn encode_config(capabilities: u32, nodes: &[ConfigNode]) -> [u8; CONFIG_SIZE] {
    let mut config = [0; CONFIG_SIZE];
    let nodes = &nodes[..nodes.len().min(MAX_NODES)];
    let (head, entries) = config.split_at_mut(16);
    head[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    head[4..8].copy_from_slice(&VERSION.to_le_bytes());
    head[8..12].copy_from_slice(&capabilities.to_le_bytes());
    head[12..16].copy_from_slice(&bytes::count(nodes.len()));
    for (node, entry) in nodes.iter().zip(entries.chunks_exact_mut(CONFIG_NODE_SIZE)) {
        entry[0..4].copy_from_slice(&node.pxm.to_le_bytes());
        entry[8..16].copy_from_slice(&node.pages.to_le_bytes());
    }
    config
}
