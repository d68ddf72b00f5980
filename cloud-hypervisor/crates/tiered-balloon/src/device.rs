// SPDX-License-Identifier: GPL-2.0-or-later
//! What every device that a guest may see has in common: queues whose requests it answers, or
//! whose buffers it fills, and a configuration. It knows nothing of rings, sockets or threads.

use std::time::Instant;

use tiered_balloon_api as api;

use crate::balloon::{Balloon, TargetError};

/// A device that a guest drives its balloon with.
pub trait Device: Send {
    /// The balloon behind it.
    fn balloon(&self) -> &Balloon;

    /// The balloon behind it, to be changed.
    fn balloon_mut(&mut self) -> &mut Balloon;

    /// Returns how many queues it has.
    fn queues(&self) -> usize;

    /// Returns which queue the guest puts buffers into that the device fills when it has
    /// something to tell. The others have requests.
    fn event_queue(&self) -> Option<usize>;

    /// Returns the bytes of the longest request in a queue.
    fn longest_request(&self, queue: usize) -> usize;

    /// Handles a request, whatever bytes it has, and returns what the guest shall read. For
    /// that there is room for `room` bytes; the answer is not longer.
    fn request(&mut self, queue: usize, bytes: &[u8], room: usize) -> Vec<u8>;

    /// Returns the next event to tell, until [`Device::event_told`].
    fn next_event(&self) -> Option<Vec<u8>>;

    /// The guest has what [`Device::next_event`] returned.
    fn event_told(&mut self);

    /// Returns the configuration. What a guest reads beyond its end is 0.
    fn config(&self) -> Vec<u8>;

    /// The guest writes to the configuration, anywhere.
    fn write_config(&mut self, offset: usize, bytes: &[u8]);

    /// The guest's driver is gone, or another begins.
    fn stopped(&mut self, queue: usize);

    /// A hypervisor has come, or gone.
    fn disconnected(&mut self);

    /// Sets targets, all or none.
    fn set_targets(&mut self, targets: &[api::NodeTarget]) -> Result<(), TargetError>;

    /// Wants new statistics.
    fn ask_statistics(&mut self);

    /// Wants all back from the balloon, since the daemon is going away. Returns whether there
    /// is a driver that can be told.
    fn leave(&mut self) -> bool;

    /// Returns what the driver said of itself.
    fn driver(&self) -> Option<api::Driver>;

    /// Returns the guest's last statistics and when they came.
    fn statistics(&self) -> Option<(Instant, api::Statistics)>;
}
