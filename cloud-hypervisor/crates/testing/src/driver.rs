// SPDX-License-Identifier: GPL-2.0-or-later
//! A well-behaved driver of the tiered balloon, as far as tests need it.

use std::time::Duration;

use tiered_balloon_wire::{
    Event, RESPONSE_SIZE, RangeKind, Response, Statistics, Status, VERSION, encode_hello,
    encode_ranges, queue,
};
use vm_memory::GuestMemoryMmap;

use crate::ring::Ring;

const LIMIT: Duration = Duration::from_secs(10);

/// What a response says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the whole request.
    pub status: Status,
    /// Of each range.
    pub ranges: Vec<u8>,
    /// Pages in the balloon of the request's node.
    pub ballooned: u64,
}

/// The driver's rings.
pub struct Driver {
    /// By queue.
    pub rings: Vec<Ring>,
}

impl Driver {
    /// Makes the rings of a driver that was just loaded, with buffers for events.
    pub fn new(memory: &GuestMemoryMmap) -> Driver {
        let rings = (0..queue::COUNT).map(|queue| Ring::new(memory, queue));
        let mut driver = Driver {
            rings: rings.collect(),
        };
        for place in 0..8 {
            driver.post_event(place);
        }
        driver
    }

    fn post_event(&mut self, place: u16) {
        let events = &mut self.rings[queue::EVENTS];
        events.submit(place, &[], 16);
    }

    /// Sends a request of any bytes, and waits for the response.
    pub fn request(&mut self, bytes: &[u8]) -> Answer {
        let room = u32::try_from(RESPONSE_SIZE + 256).unwrap();
        let ring = &mut self.rings[queue::REQUESTS];
        ring.submit(0, bytes, room);
        ring.kick();
        let (head, len) = ring.wait(LIMIT).expect("no answer");
        assert_eq!(head, 0);
        let bytes = ring.bytes(ring.answer_place(0), len);
        let response = Response::parse(&bytes).expect("no response");
        Answer {
            status: response.status,
            ranges: response.ranges.to_vec(),
            ballooned: response.ballooned,
        }
    }

    /// Says hello with what it holds of each node.
    pub fn hello(&mut self, capabilities: u32, ballooned: &[u64]) -> Status {
        let request = encode_hello(VERSION, capabilities, ballooned);
        self.request(&request).status
    }

    /// Asks something for ranges of a node.
    pub fn ranges(&mut self, kind: RangeKind, node: u16, ranges: &[(u64, u32)]) -> Answer {
        self.request(&encode_ranges(kind, node, ranges))
    }

    /// Waits for the next event, and gives its buffer back.
    pub fn event(&mut self) -> Event {
        self.event_within(LIMIT).expect("no event")
    }

    /// Waits for an event for a while, and gives its buffer back.
    pub fn event_within(&mut self, limit: Duration) -> Option<Event> {
        let ring = &mut self.rings[queue::EVENTS];
        let (head, len) = ring.wait(limit)?;
        let event = Event::parse(&ring.bytes(head, len)).expect("no event that is known");
        // the descriptor that `post_event` gives for the buffer
        let place = (0..crate::QUEUE_SIZE).find(|&place| ring.answer_place(place) == head);
        self.post_event(place.unwrap());
        self.rings[queue::EVENTS].kick();
        Some(event)
    }

    /// Sends statistics and waits until they were taken.
    pub fn statistics(&mut self, statistics: &Statistics) {
        let ring = &mut self.rings[queue::STATISTICS];
        ring.submit(0, &statistics.encode(), 0);
        ring.kick();
        ring.wait(LIMIT).expect("statistics are not taken");
    }
}
