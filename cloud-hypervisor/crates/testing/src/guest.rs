// SPDX-License-Identifier: GPL-2.0-or-later
//! Guest memory of two nodes in two memory files. The first node is two regions of its file, as
//! a node is that spans the hole below 4 GiB; the second follows it at once.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};
use tiered_balloon_wire::PAGE_SIZE;
use vm_memory::{FileOffset, GuestAddress, GuestMemoryMmap};

/// Bytes of each node.
pub const NODE_BYTES: u64 = 64 << 20;
const HALF: u64 = NODE_BYTES / 2;
const HIGH: u64 = 4 << 30;

/// Frames of each node, by ranges of guest memory that follow each other.
pub const NODE_FRAMES: [&[(u64, u64)]; 2] = [
    &[
        (0, HALF / PAGE_SIZE),
        (HIGH / PAGE_SIZE, (HIGH + HALF) / PAGE_SIZE),
    ],
    &[(
        (HIGH + HALF) / PAGE_SIZE,
        (HIGH + HALF + NODE_BYTES) / PAGE_SIZE,
    )],
];

/// A region as a hypervisor would give it.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Guest address.
    pub address: u64,
    /// Its length.
    pub bytes: u64,
    /// Which of [`Guest::files`] it is mapped from.
    pub file: usize,
    /// Where in that it begins.
    pub offset: u64,
}

/// A guest's memory.
pub struct Guest {
    /// Mapped, for the guest's own accesses.
    pub memory: GuestMemoryMmap,
    /// Memory file of each node.
    pub files: Vec<Arc<File>>,
    /// Its regions in the order of addresses.
    pub parts: Vec<Part>,
}

impl Guest {
    /// Makes memory of which nothing is allocated.
    pub fn new() -> Guest {
        Guest::at(HIGH + HALF)
    }

    /// Makes the same, whose second node is at another guest address.
    pub fn at(second: u64) -> Guest {
        let part = |address, bytes, file, offset| Part {
            address,
            bytes,
            file,
            offset,
        };
        let parts = vec![
            part(0, HALF, 0, 0),
            part(HIGH, HALF, 0, HALF),
            part(second, NODE_BYTES, 1, 0),
        ];
        let files: Vec<_> = (0..2).map(|_| Arc::new(memory_file())).collect();
        let ranges = parts.iter().map(|part| {
            (
                GuestAddress(part.address),
                usize::try_from(part.bytes).unwrap(),
                Some(FileOffset::from_arc(files[part.file].clone(), part.offset)),
            )
        });
        Guest {
            memory: GuestMemoryMmap::from_ranges_with_files(ranges).unwrap(),
            files,
            parts,
        }
    }

    /// Makes the host allocate all memory of a node.
    pub fn populate(&self, node: usize) {
        let chunk = vec![0xa5; 1 << 20];
        for at in (0..NODE_BYTES).step_by(chunk.len()) {
            self.files[node].write_all_at(&chunk, at).unwrap();
        }
    }

    /// Returns how many bytes the host has allocated for a node.
    pub fn resident(&self, node: usize) -> u64 {
        self.files[node].metadata().unwrap().blocks() * 512
    }
}

impl Default for Guest {
    fn default() -> Self {
        Self::new()
    }
}

fn memory_file() -> File {
    let file = File::from(memfd_create("guest", MemfdFlags::CLOEXEC).unwrap());
    file.set_len(NODE_BYTES).unwrap();
    file
}
