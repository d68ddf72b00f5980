// SPDX-License-Identifier: GPL-2.0-or-later
//! What was asked and how much of it was bad. A guest may be hostile: what is bad is counted,
//! and said in the log at a bounded rate.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use log::warn;
use tiered_balloon_api::{Pages, Requests};
use tiered_balloon_wire::Status;

/// What was wrong with something that a guest did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bad {
    /// A queue's own structures: an index that is not one, or outside of memory.
    Ring,
    /// Descriptors that are too many or outside of memory.
    Chain,
    /// Too little room for the answer or the event.
    Room,
    /// A request of unknown type, or of wrong length, count or version.
    Request,
    /// A node that is none.
    Node,
    /// A range that is empty or not within the node.
    Range,
    /// A use of what the driver has not taken.
    Refused,
    /// The host could not do it. That is no fault of the guest.
    Failed,
    /// Statistics of wrong length or nodes.
    Statistics,
}

impl Bad {
    /// All of them.
    pub const ALL: [Bad; 9] = [
        Bad::Ring,
        Bad::Chain,
        Bad::Room,
        Bad::Request,
        Bad::Node,
        Bad::Range,
        Bad::Refused,
        Bad::Failed,
        Bad::Statistics,
    ];

    /// Returns its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Bad::Ring => "ring",
            Bad::Chain => "chain",
            Bad::Room => "room",
            Bad::Request => "request",
            Bad::Node => "node",
            Bad::Range => "range",
            Bad::Refused => "refused",
            Bad::Failed => "failed",
            Bad::Statistics => "statistics",
        }
    }

    /// Returns what a status says was wrong; none for the good ones.
    pub fn from_status(status: Status) -> Option<Bad> {
        match status {
            Status::Ok | Status::Resync => None,
            Status::BadRequest => Some(Bad::Request),
            Status::BadNode => Some(Bad::Node),
            Status::BadRange => Some(Bad::Range),
            Status::Refused => Some(Bad::Refused),
            Status::Failed => Some(Bad::Failed),
        }
    }
}

/// Figures since the daemon was started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests by type.
    pub requests: Requests,
    /// Pages of good requests.
    pub pages: Pages,
    bad: BTreeMap<Bad, u64>,
    rate: Rate,
}

impl Counters {
    /// Counts something bad, and says it unless much was said of late.
    pub fn bad(&mut self, class: Bad, what: impl fmt::Display) {
        *self.bad.entry(class).or_default() += 1;
        self.say(format_args!("{}: {what}", class.name()));
    }

    /// Says what a guest may cause, unless much was said of late.
    pub fn say(&mut self, what: impl fmt::Display) {
        match self.rate.allows(Instant::now()) {
            Some(0) => warn!("{what}"),
            Some(unsaid) => warn!("{what} ({unsaid} lines left out before)"),
            None => {}
        }
    }

    /// Returns what was bad, by the names of classes. All classes are there.
    pub fn bad_by_name(&self) -> BTreeMap<String, u64> {
        let count = |class| self.bad.get(class).copied().unwrap_or(0);
        Bad::ALL
            .iter()
            .map(|class| (class.name().to_string(), count(class)))
            .collect()
    }
}

/// Lets ten lines through in ten seconds.
#[derive(Debug, Default)]
struct Rate {
    since: Option<Instant>,
    said: u32,
    unsaid: u64,
}

impl Rate {
    const LINES: u32 = 10;
    const PERIOD: Duration = Duration::from_secs(10);

    /// Whether a line may be said, and then how many were not before it.
    fn allows(&mut self, now: Instant) -> Option<u64> {
        let in_period = |since| now.saturating_duration_since(since) < Self::PERIOD;
        if !self.since.is_some_and(in_period) {
            self.since = Some(now);
            self.said = 0;
        }
        if self.said == Self::LINES {
            self.unsaid += 1;
            return None;
        }
        self.said += 1;
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let mut rate = Rate::default();
        let start = Instant::now();
        for _ in 0..Rate::LINES {
            assert_eq!(rate.allows(start), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(rate.allows(start + Rate::PERIOD / 2), None);
        }
        assert_eq!(rate.allows(start + Rate::PERIOD), Some(1000));
        assert_eq!(rate.allows(start + Rate::PERIOD), Some(0));
    }

    #[test]
    fn each_class_is_counted_by_itself() {
        let mut counters = Counters::default();
        for class in Bad::ALL {
            assert_eq!(counters.bad_by_name()[class.name()], 0);
            counters.bad(class, "test");
            assert_eq!(counters.bad_by_name()[class.name()], 1);
        }
    }
}
