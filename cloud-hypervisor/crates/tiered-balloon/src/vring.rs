// SPDX-License-Identifier: GPL-2.0-or-later
//! A ring as the crate vhost-user-backend has it, except for the kick. There, a kick that is
//! not to be read any more ends the thread that serves all rings, and with it the device: this
//! happens when a guest stops a ring and starts it again while the thread is busy, since the
//! thread then reads the new kick on account of the old. Here, it is no error.

use std::fs::File;
use std::io;
use std::sync::MutexGuard;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use vhost_user_backend::{VringMutex, VringState, VringStateGuard, VringStateMutGuard, VringT};
use virtio_queue::Error;
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};

/// Guest memory, which the hypervisor may replace.
pub type GuestMemory = GuestMemoryAtomic<GuestMemoryMmap>;

/// A ring that any number of threads may use.
#[derive(Clone)]
pub struct Vring(VringMutex);

impl<'a> VringStateGuard<'a, GuestMemory> for Vring {
    type G = MutexGuard<'a, VringState>;
}

impl<'a> VringStateMutGuard<'a, GuestMemory> for Vring {
    type G = MutexGuard<'a, VringState>;
}

impl VringT<GuestMemory> for Vring {
    fn new(memory: GuestMemory, max_queue_size: u16) -> Result<Self, Error> {
        VringMutex::new(memory, max_queue_size).map(Vring)
    }

    fn get_ref(&self) -> MutexGuard<'_, VringState> {
        self.0.get_ref()
    }

    fn get_mut(&self) -> MutexGuard<'_, VringState> {
        self.0.get_mut()
    }

    fn add_used(&self, desc_index: u16, len: u32) -> Result<(), Error> {
        self.0.add_used(desc_index, len)
    }

    fn signal_used_queue(&self) -> io::Result<()> {
        self.0.signal_used_queue()
    }

    fn enable_notification(&self) -> Result<bool, Error> {
        self.0.enable_notification()
    }

    fn disable_notification(&self) -> Result<(), Error> {
        self.0.disable_notification()
    }

    fn needs_notification(&self) -> Result<bool, Error> {
        self.0.needs_notification()
    }

    fn set_enabled(&self, enabled: bool) {
        self.0.set_enabled(enabled);
    }

    fn set_queue_info(&self, desc_table: u64, avail: u64, used: u64) -> Result<(), Error> {
        self.0.set_queue_info(desc_table, avail, used)
    }

    fn queue_next_avail(&self) -> u16 {
        self.0.queue_next_avail()
    }

    fn set_queue_next_avail(&self, base: u16) {
        self.0.set_queue_next_avail(base);
    }

    fn set_queue_next_used(&self, index: u16) {
        self.0.set_queue_next_used(index);
    }

    fn queue_used_idx(&self) -> Result<u16, Error> {
        self.0.queue_used_idx()
    }

    fn set_queue_size(&self, size: u16) {
        self.0.set_queue_size(size);
    }

    fn set_queue_event_idx(&self, enabled: bool) {
        self.0.set_queue_event_idx(enabled);
    }

    fn set_queue_ready(&self, ready: bool) {
        self.0.set_queue_ready(ready);
    }

    /// Takes the kick, and makes sure that nobody has to wait for it who reads it.
    fn set_kick(&self, file: Option<File>) {
        if let Some(file) = &file {
            let flags = fcntl_getfl(file);
            let set = flags.and_then(|flags| fcntl_setfl(file, flags | OFlags::NONBLOCK));
            if let Err(error) = set {
                log::warn!("a kick cannot be made non-blocking: {error}");
            }
        }
        self.0.set_kick(file);
    }

    /// Reads the kick, and returns whether the ring is enabled.
    fn read_kick(&self) -> io::Result<bool> {
        match self.0.read_kick() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(self.get_ref().is_enabled())
            }
            read => read,
        }
    }

    fn set_call(&self, file: Option<File>) {
        self.0.set_call(file);
    }

    fn set_err(&self, file: Option<File>) {
        self.0.set_err(file);
    }
}
