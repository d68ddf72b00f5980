// SPDX-License-Identifier: GPL-2.0-or-later
//! What is in the balloon, against a model of it, on memory files of the kernel.

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use tiered_balloon::balloon::Balloon;
use tiered_balloon::memory::{LayoutError, Memory, NodeSize, Region};
use tiered_balloon_testing::{Guest, NODE_BYTES, NODE_FRAMES};
use tiered_balloon_wire::{PAGE_SIZE, Range as WireRange, RangeKind, Status};
use vm_memory::{Bytes, GuestAddress};

const NODE_PAGES: u64 = NODE_BYTES / PAGE_SIZE;
const NODES: [NodeSize; 2] = [
    NodeSize {
        pxm: 0,
        pages: NODE_PAGES,
    },
    NodeSize {
        pxm: 1,
        pages: NODE_PAGES,
    },
];

fn regions(guest: &Guest) -> Vec<Region> {
    let region = |part: &tiered_balloon_testing::Part| Region {
        address: part.address,
        bytes: part.bytes,
        file: guest.files[part.file].clone(),
        offset: part.offset,
    };
    guest.parts.iter().map(region).collect()
}

fn mapped(guest: &Guest) -> Memory {
    let mut memory = Memory::new(NODES.to_vec());
    memory.map(&regions(guest)).unwrap();
    memory
}

/// Whether a frame is the node's, said by the layout of the guest.
fn is_of(node: usize, frame: u64) -> bool {
    let parts = NODE_FRAMES[node].iter();
    parts
        .clone()
        .any(|&(first, end)| (first..end).contains(&frame))
}

/// Has the host allocate a node's frames that `frames` may yield, and returns how many it did.
fn touch_ends(guest: &Guest, node: usize) -> u64 {
    let mut touched = BTreeSet::new();
    for &(first, end) in NODE_FRAMES[node] {
        touched.extend((first..first + 100).chain(end - 40..end));
    }
    for frame in &touched {
        let address = GuestAddress(frame * PAGE_SIZE);
        guest.memory.write_obj(1u8, address).unwrap();
    }
    touched.len() as u64
}

/// Frames near the ends of the parts of nodes, where things go wrong.
fn frames() -> impl Strategy<Value = Range<u64>> {
    let ends: Vec<u64> = NODE_FRAMES
        .iter()
        .flat_map(|parts| parts.iter().flat_map(|&(first, end)| [first, end]))
        .collect();
    let ends = proptest::sample::select(ends);
    (ends, -40i64..40, 0u64..60).prop_map(|(end, before, pages)| {
        let first = end.saturating_add_signed(before);
        first..first + pages
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_node_holds_its_frames(frames in frames(), node in 0usize..2) {
        let memory = mapped(&Guest::new());
        let all = frames.clone().all(|frame| is_of(node, frame));
        let pages = frames.end - frames.start;
        prop_assert_eq!(memory.holds(node, frames.start, pages), pages > 0 && all);
        let of = (0..2).find(|&node| is_of(node, frames.start));
        prop_assert_eq!(memory.node_of(frames.start), of);
    }

    #[test]
    fn counts_are_those_of_sets(actions in vec((any::<bool>(), frames()), 1..60)) {
        let guest = Guest::new();
        let mut memory = mapped(&guest);
        let touched = [0, 1].map(|node| touch_ends(&guest, node));
        let mut sets = [BTreeSet::new(), BTreeSet::new()];
        let mut punched = sets.clone();
        for (inflate, frames) in actions {
            let pages = frames.end - frames.start;
            let Some(node) = (0..2).find(|&node| memory.holds(node, frames.start, pages)) else {
                continue;
            };
            let before = sets[node].len() as u64;
            if inflate {
                sets[node].extend(frames.clone());
                punched[node].extend(frames.clone());
                let new = memory.inflate(frames).unwrap();
                prop_assert_eq!(new, sets[node].len() as u64 - before);
            } else {
                sets[node].retain(|frame| !frames.contains(frame));
                let old = memory.deflate(frames);
                prop_assert_eq!(old, before - sets[node].len() as u64);
            }
            for node in 0..2 {
                prop_assert_eq!(memory.ballooned(node), sets[node].len() as u64);
                let resident = touched[node] - punched[node].len() as u64;
                prop_assert_eq!(memory.resident(node), resident * PAGE_SIZE);
            }
        }
        memory.forget();
        prop_assert_eq!(memory.ballooned(0) + memory.ballooned(1), 0);
    }

    #[test]
    fn ranges_of_a_request_are_handled_as_a_set(
        given in vec((0u64..300, 0u32..40), 1..=256),
        node in 0usize..2,
    ) {
        let guest = Guest::new();
        let mut balloon = Balloon::new(NODES.to_vec());
        balloon.memory.map(&regions(&guest)).unwrap();
        // beyond the last frame of the node, from 200 on
        let end = NODE_FRAMES[node].last().unwrap().1;
        let ranges = given.iter().map(|&(offset, pages)| WireRange {
            frame: end - 200 + offset,
            pages,
            reserved: 0,
        });
        let ranges: Vec<_> = ranges.collect();
        let is_good = |range: &WireRange| {
            let end = range.frame + u64::from(range.pages);
            range.pages > 0 && (range.frame..end).all(|frame| is_of(node, frame))
        };
        let good: BTreeSet<u64> = ranges.iter().filter(|range| is_good(range))
            .flat_map(|range| range.frame..range.frame + u64::from(range.pages))
            .collect();
        for kind in [RangeKind::ReportFree, RangeKind::Inflate, RangeKind::Deflate] {
            let statuses = balloon.handle(kind, node, ranges.iter().copied());
            for (range, status) in ranges.iter().zip(&statuses) {
                let wanted = if is_good(range) { Status::Ok } else { Status::BadRange };
                prop_assert_eq!(*status, wanted);
            }
            let wanted = if kind == RangeKind::Inflate { good.len() as u64 } else { 0 };
            prop_assert_eq!(balloon.ballooned(), wanted);
        }
        let pages = balloon.counters.pages;
        prop_assert_eq!(pages.inflated, good.len() as u64);
        prop_assert_eq!(pages.deflated, good.len() as u64);
    }
}

#[test]
fn regions_are_the_nodes_or_nothing_is() {
    let guest = Guest::new();
    let good = regions(&guest);
    let mut memory = Memory::new(NODES.to_vec());
    let mut refused = |regions: &[Region]| {
        let error = memory.map(regions).unwrap_err();
        assert!(!memory.is_mapped() && !memory.holds(0, 0, 1));
        error
    };
    assert!(matches!(
        refused(&[]),
        LayoutError::Size {
            pxm: 0,
            found: 0,
            ..
        }
    ));
    assert!(matches!(
        refused(&good[..2]),
        LayoutError::Size {
            pxm: 1,
            found: 0,
            ..
        }
    ));
    assert!(matches!(
        refused(&good[2..]),
        LayoutError::Size {
            pxm: 1,
            found: 0,
            ..
        }
    ));
    let mut odd = good.clone();
    odd[1].address += 512;
    assert!(matches!(refused(&odd), LayoutError::Unaligned(_)));
    let mut more = good.clone();
    let other = Guest::new();
    more.push(Region {
        address: 1 << 40,
        ..regions(&other)[2].clone()
    });
    assert!(matches!(refused(&more), LayoutError::Left(NODE_BYTES)));
    // a hole within a node, as below a graphics card, is not held
    let mut hole = good.clone();
    hole[0].bytes -= PAGE_SIZE;
    memory.map(&hole).unwrap();
    let last = NODE_FRAMES[0][0].1 - 1;
    assert!(memory.holds(0, last - 1, 1) && !memory.holds(0, last, 1));
}

#[test]
fn further_memory_is_nobodys_once_there_are_the_nodes() {
    let guest = Guest::new();
    let mut memory = mapped(&guest);
    let first = NODE_FRAMES[1][0].0;
    memory.inflate(first..first + 9).unwrap();
    let other = Guest::new();
    // above all nodes, as memory that is plugged, and between them, as that of a device
    for address in [1 << 40, 3 << 30] {
        let mut regions = regions(&guest);
        regions.push(Region {
            address,
            bytes: 8 << 20,
            file: other.files[0].clone(),
            offset: 512,
        });
        assert_eq!(memory.map(&regions).unwrap(), 8 << 20);
        assert!(memory.is_mapped() && memory.holds(0, 0, 1));
        assert!(!memory.holds(0, address / PAGE_SIZE, 1));
        assert_eq!(memory.ballooned(1), 9);
        // without one of the nodes it is no memory
        regions.remove(2);
        assert!(memory.map(&regions).is_err());
    }
    assert_eq!(memory.map(&regions(&guest)).unwrap(), 0);
    assert_eq!(memory.ballooned(1), 9);
}

#[test]
fn what_is_in_the_balloon_survives_a_change_of_memory() {
    let guest = Guest::new();
    let mut memory = mapped(&guest);
    let first = NODE_FRAMES[1][0].0;
    memory.inflate(first..first + 9).unwrap();
    memory.unmap();
    assert_eq!((memory.ballooned(1), memory.resident(1)), (9, 0));
    assert!(memory.map(&regions(&guest)[..2]).is_err());
    memory.map(&regions(&guest)).unwrap();
    assert_eq!(memory.ballooned(1), 9);
    let other = Guest::new();
    memory.map(&regions(&other)).unwrap();
    assert_eq!(memory.ballooned(1), 0);
}
