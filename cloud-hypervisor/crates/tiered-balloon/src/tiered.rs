// SPDX-License-Identifier: GPL-2.0-or-later
//! The tiered balloon's device, for guests with our driver: requests for ranges of a node,
//! events with targets for each node, statistics.

use std::fmt;
use std::time::Instant;

use tiered_balloon_api as api;
use tiered_balloon_wire::{
    ConfigNode, Event, Hello, NODE_STATISTICS_SIZE, RESPONSE_SIZE, RangeKind, Ranges, Request,
    STATISTICS_SIZE, Statistics, Status, capability, encode_config, encode_response,
    max_request_size, queue,
};

use crate::balloon::{Balloon, TargetError};
use crate::counters::Bad;
use crate::device::Device;

/// A driver that said hello.
#[derive(Clone, Copy, Debug)]
struct Driver {
    version: u32,
    capabilities: u32,
}

/// What the guest has yet to be told. It is bounded: what is told twice is told once.
#[derive(Debug)]
struct Untold {
    hello: bool,
    deflate: bool,
    statistics: bool,
    /// By node.
    targets: Vec<bool>,
}

/// The device.
pub struct Tiered {
    balloon: Balloon,
    capabilities: u32,
    driver: Option<Driver>,
    untold: Untold,
    leaving: bool,
    statistics: Option<(Instant, Statistics)>,
}

impl Tiered {
    /// Returns the device of a balloon, which can do what `capabilities` says.
    pub fn new(balloon: Balloon, capabilities: u32) -> Tiered {
        let targets = vec![false; balloon.node_count()];
        Tiered {
            balloon,
            capabilities,
            driver: None,
            untold: Untold {
                hello: true,
                deflate: false,
                statistics: false,
                targets,
            },
            leaving: false,
            statistics: None,
        }
    }

    fn takes(&self, capability: u32) -> bool {
        self.driver
            .is_some_and(|driver| driver.capabilities & capability != 0)
    }

    fn answer(&mut self, bytes: &[u8], room: usize) -> Vec<u8> {
        let whole = match Request::parse(bytes, self.balloon.node_count()) {
            Ok(Request::Hello(hello)) => self.hello(&hello),
            Ok(Request::Ranges { kind, node, ranges }) => {
                self.count(kind);
                let takes_reports = self.takes(capability::FREE_REPORTING);
                if kind == RangeKind::ReportFree && !takes_reports {
                    Status::Refused
                } else if room < RESPONSE_SIZE + ranges.len() {
                    self.bad(
                        Bad::Room,
                        format_args!("{room} bytes for {} ranges", ranges.len()),
                    );
                    return encode_response(Status::BadRequest, &[], 0);
                } else {
                    return self.ranges(kind, node, ranges);
                }
            }
            Err(status) => status,
        };
        if let Some(class) = Bad::from_status(whole) {
            self.bad(class, format_args!("a request of {} bytes", bytes.len()));
        }
        encode_response(whole, &[], 0)
    }

    fn bad(&mut self, class: Bad, what: fmt::Arguments<'_>) {
        self.balloon.counters.bad(class, what);
    }

    fn count(&mut self, kind: RangeKind) {
        let requests = &mut self.balloon.counters.requests;
        match kind {
            RangeKind::Inflate => requests.inflate += 1,
            RangeKind::Deflate => requests.deflate += 1,
            RangeKind::ReportFree => requests.report_free += 1,
        }
    }

    fn ranges(&mut self, kind: RangeKind, node: usize, ranges: Ranges<'_>) -> Vec<u8> {
        let statuses = self.balloon.handle(kind, node, ranges);
        if statuses.contains(&Status::BadRange) {
            self.bad(
                Bad::Range,
                format_args!("{kind:?} of what is not node {node}'s"),
            );
        }
        encode_response(Status::Ok, &statuses, self.balloon.memory.ballooned(node))
    }

    fn hello(&mut self, hello: &Hello<'_>) -> Status {
        self.balloon.counters.requests.hello += 1;
        if hello.capabilities & !self.capabilities != 0 {
            return Status::BadRequest;
        }
        self.driver = Some(Driver {
            version: hello.version,
            capabilities: hello.capabilities,
        });
        self.untold.hello = false;
        self.untold.targets.fill(!self.leaving);
        for (node, pages) in hello.ballooned().enumerate() {
            self.balloon.adopt(node, pages);
        }
        let memory = &mut self.balloon.memory;
        let mut held = hello.ballooned().enumerate();
        if held.all(|(node, pages)| memory.ballooned(node) == pages) {
            Status::Ok
        } else {
            memory.forget();
            Status::Resync
        }
    }

    fn take_statistics(&mut self, bytes: &[u8]) {
        if !self.takes(capability::STATISTICS) {
            self.bad(Bad::Refused, format_args!("statistics"));
            return;
        }
        match Statistics::parse(bytes, self.balloon.node_count()) {
            Some(statistics) => self.statistics = Some((Instant::now(), statistics)),
            None => self.bad(Bad::Statistics, format_args!("{} bytes", bytes.len())),
        }
    }

    fn event(&self) -> Option<Event> {
        let untold = &self.untold;
        if untold.hello {
            return Some(Event::Hello);
        }
        self.driver?;
        if untold.deflate {
            return Some(Event::Deflate);
        }
        if untold.statistics {
            return Some(Event::Statistics);
        }
        let node = untold.targets.iter().position(|&untold| untold)?;
        Some(Event::Target {
            node: u16::try_from(node).ok()?,
            pages: self.balloon.target(node),
        })
    }
}

impl Device for Tiered {
    fn balloon(&self) -> &Balloon {
        &self.balloon
    }

    fn balloon_mut(&mut self) -> &mut Balloon {
        &mut self.balloon
    }

    fn queues(&self) -> usize {
        queue::COUNT
    }

    fn event_queue(&self) -> Option<usize> {
        Some(queue::EVENTS)
    }

    fn longest_request(&self, queue: usize) -> usize {
        let nodes = self.balloon.node_count();
        match queue {
            queue::STATISTICS => STATISTICS_SIZE + nodes * NODE_STATISTICS_SIZE,
            _ => max_request_size(nodes),
        }
    }

    fn request(&mut self, queue: usize, bytes: &[u8], room: usize) -> Vec<u8> {
        if queue == queue::STATISTICS {
            self.take_statistics(bytes);
            Vec::new()
        } else if room < RESPONSE_SIZE {
            self.bad(Bad::Room, format_args!("{room} bytes for a response"));
            Vec::new()
        } else {
            self.answer(bytes, room)
        }
    }

    fn next_event(&self) -> Option<Vec<u8>> {
        self.event().map(|event| event.encode().to_vec())
    }

    fn event_told(&mut self) {
        match self.event() {
            Some(Event::Hello) => self.untold.hello = false,
            Some(Event::Deflate) => self.untold.deflate = false,
            Some(Event::Statistics) => self.untold.statistics = false,
            Some(Event::Target { node, .. }) => self.untold.targets[usize::from(node)] = false,
            None => {}
        }
    }

    fn config(&self) -> Vec<u8> {
        let nodes = self.balloon.sizes().map(|size| ConfigNode {
            pxm: size.pxm,
            pages: size.pages,
        });
        encode_config(self.capabilities, &nodes.collect::<Vec<_>>()).to_vec()
    }

    fn write_config(&mut self, _offset: usize, _bytes: &[u8]) {}

    fn stopped(&mut self, queue: usize) {
        if queue == queue::REQUESTS {
            self.disconnected();
        }
    }

    fn disconnected(&mut self) {
        self.driver = None;
        // the next guest may be another
        self.statistics = None;
        self.untold.statistics = false;
        self.untold.hello = true;
    }

    fn set_targets(&mut self, targets: &[api::NodeTarget]) -> Result<(), TargetError> {
        if self.leaving {
            return Err(TargetError::Leaving);
        }
        for node in self.balloon.set_targets(targets)? {
            self.untold.targets[node] = true;
        }
        Ok(())
    }

    fn ask_statistics(&mut self) {
        self.untold.statistics = self.takes(capability::STATISTICS);
    }

    fn leave(&mut self) -> bool {
        self.leaving = true;
        self.untold.deflate = true;
        self.untold.targets.fill(false);
        self.driver.is_some()
    }

    fn driver(&self) -> Option<api::Driver> {
        let driver = self.driver?;
        let taken = capability::NAMES
            .iter()
            .filter(|(bit, _)| driver.capabilities & bit != 0);
        Some(api::Driver {
            version: driver.version,
            capabilities: taken.map(|&(_, name)| name.to_string()).collect(),
        })
    }

    fn statistics(&self) -> Option<(Instant, api::Statistics)> {
        let (since, statistics) = self.statistics.as_ref()?;
        let nodes = self.balloon.sizes().zip(&statistics.nodes);
        let heat = statistics.heat.iter();
        Some((
            *since,
            api::Statistics {
                psi_some_us: statistics.psi_some_us,
                psi_full_us: statistics.psi_full_us,
                reclaimed: statistics.reclaimed,
                swapped_out: statistics.swapped_out,
                major_faults: statistics.major_faults,
                oom_kills: statistics.oom_kills,
                promoted: statistics.promoted,
                demoted: statistics.demoted,
                heat: heat
                    .map(|point| api::Heat {
                        pages: point.pages,
                        heat: point.heat,
                    })
                    .collect(),
                nodes: nodes
                    .map(|(size, node)| api::NodeStatistics {
                        pxm: size.pxm,
                        total: node.total,
                        free: node.free,
                        ballooned: node.ballooned,
                        target: node.target,
                        cache: node.cache,
                        evacuated: node.evacuated,
                    })
                    .collect(),
            },
        ))
    }
}
