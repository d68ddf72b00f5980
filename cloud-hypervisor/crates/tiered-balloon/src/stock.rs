// SPDX-License-Identifier: GPL-2.0-or-later
//! The second personality: a plain virtio-balloon (virtio ID 5) on the sum of all nodes, for
//! guests without our driver. It has the queues for inflating and deflating and no feature
//! bits. The target is in the configuration, which the guest's driver reads when it is loaded
//! and when the hypervisor says that the configuration has changed; the daemon cannot make it
//! say so, so that a target which is set later waits for one of these.

use std::time::Instant;

use tiered_balloon_api as api;
use tiered_balloon_wire::{Range, RangeKind, Status};

use crate::balloon::{Balloon, TargetError};
use crate::counters::Bad;
use crate::device::Device;

const INFLATE: usize = 0;
const QUEUES: usize = 2;

/// Bytes of `struct virtio_balloon_config` without what feature bits add.
const CONFIG_SIZE: usize = 8;
/// Where the guest writes how many pages are in its balloon.
const ACTUAL: usize = 4;
/// Frames of one request that are looked at; Linux sends 256.
const MAX_FRAMES: usize = 4096;
/// Bytes of a frame's number.
const FRAME: usize = 4;

/// The device.
pub struct Stock {
    balloon: Balloon,
    /// What the guest says.
    actual: [u8; CONFIG_SIZE - ACTUAL],
    leaving: bool,
}

impl Stock {
    /// Returns the device of a balloon.
    pub fn new(balloon: Balloon) -> Stock {
        Stock {
            balloon,
            actual: [0; CONFIG_SIZE - ACTUAL],
            leaving: false,
        }
    }

    /// Returns how many pages are to be in the balloon.
    fn target(&self) -> u32 {
        if self.leaving {
            return 0;
        }
        let nodes = 0..self.balloon.node_count();
        let pages = nodes.map(|node| self.balloon.target(node)).sum::<u64>();
        u32::try_from(pages).unwrap_or(u32::MAX)
    }
}

impl Device for Stock {
    fn balloon(&self) -> &Balloon {
        &self.balloon
    }

    fn balloon_mut(&mut self) -> &mut Balloon {
        &mut self.balloon
    }

    fn queues(&self) -> usize {
        QUEUES
    }

    fn event_queue(&self) -> Option<usize> {
        None
    }

    fn longest_request(&self, _queue: usize) -> usize {
        MAX_FRAMES * FRAME
    }

    fn request(&mut self, queue: usize, bytes: &[u8], _room: usize) -> Vec<u8> {
        let requests = &mut self.balloon.counters.requests;
        let kind = if queue == INFLATE {
            requests.inflate += 1;
            RangeKind::Inflate
        } else {
            requests.deflate += 1;
            RangeKind::Deflate
        };
        if bytes.is_empty() || !bytes.len().is_multiple_of(FRAME) {
            let what = format_args!("{kind:?} of {} bytes", bytes.len());
            self.balloon.counters.bad(Bad::Request, what);
        }
        let mut by_node = vec![Vec::new(); self.balloon.node_count()];
        let (frames, _) = bytes.as_chunks::<FRAME>();
        for &frame in frames {
            let frame = u64::from(u32::from_le_bytes(frame));
            match self.balloon.memory.node_of(frame) {
                Some(node) => by_node[node].push(Range {
                    frame,
                    pages: 1,
                    reserved: 0,
                }),
                None => {
                    let what = format_args!("{kind:?} of frame {frame:#x}");
                    self.balloon.counters.bad(Bad::Range, what);
                }
            }
        }
        for (node, ranges) in by_node.into_iter().enumerate() {
            let statuses = self.balloon.handle(kind, node, ranges.into_iter());
            debug_assert!(!statuses.contains(&Status::BadRange));
        }
        Vec::new()
    }

    fn next_event(&self) -> Option<Vec<u8>> {
        None
    }

    fn event_told(&mut self) {}

    fn config(&self) -> Vec<u8> {
        let mut config = Vec::with_capacity(CONFIG_SIZE);
        config.extend(self.target().to_le_bytes());
        config.extend(self.actual);
        config
    }

    fn write_config(&mut self, offset: usize, bytes: &[u8]) {
        for (place, &byte) in bytes.iter().enumerate() {
            let field = offset
                .checked_add(place)
                .and_then(|at| at.checked_sub(ACTUAL));
            if let Some(to) = field.and_then(|at| self.actual.get_mut(at)) {
                *to = byte;
            }
        }
        // There is no hello that would tell of a driver that was loaded again.
        if self.actual == [0; CONFIG_SIZE - ACTUAL] {
            self.balloon.memory.forget();
        }
    }

    /// Forgets what is in the balloon: a guest that was started again has nothing in it, and
    /// may never say so.
    fn stopped(&mut self, queue: usize) {
        if queue == INFLATE {
            self.balloon.memory.forget();
        }
    }

    fn disconnected(&mut self) {}

    fn set_targets(&mut self, targets: &[api::NodeTarget]) -> Result<(), TargetError> {
        if self.leaving {
            return Err(TargetError::Leaving);
        }
        self.balloon.set_targets(targets).map(drop)
    }

    fn ask_statistics(&mut self) {}

    fn leave(&mut self) -> bool {
        self.leaving = true;
        false
    }

    fn driver(&self) -> Option<api::Driver> {
        None
    }

    fn statistics(&self) -> Option<(Instant, api::Statistics)> {
        None
    }
}
