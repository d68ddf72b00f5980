// SPDX-License-Identifier: GPL-2.0-or-later
//! A driver's side of a split ring, in the guest's first megabyte. It can be hostile: what it
//! writes is not checked.

use std::time::Duration;

use virtio_bindings::virtio_ring::{VRING_DESC_F_NEXT, VRING_DESC_F_WRITE};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};
use vmm_sys_util::poll::PollContext;

/// Entries of a ring.
pub const QUEUE_SIZE: u16 = 64;

const RING_BYTES: u64 = 0x4_0000;
const AVAIL: u64 = 0x1000;
const USED: u64 = 0x2000;
const BUFFERS: u64 = 0x4000;
/// Bytes of a buffer; there is one for each descriptor.
const BUFFER: u64 = 0x2000 / 2;

/// A ring, and the buffers of its descriptors.
pub struct Ring {
    memory: GuestMemoryMmap,
    base: u64,
    next_avail: u16,
    next_used: u16,
    /// Tells the device that there are chains.
    pub kick: EventFd,
    /// Tells the driver that chains were used.
    pub call: EventFd,
    called: PollContext<u32>,
}

impl Ring {
    /// Makes the empty ring of a queue.
    pub fn new(memory: &GuestMemoryMmap, queue: usize) -> Ring {
        let call = EventFd::new(EFD_NONBLOCK).unwrap();
        let called = PollContext::new().unwrap();
        called.add(&call, 0).unwrap();
        let ring = Ring {
            memory: memory.clone(),
            base: 0x1_0000 + queue as u64 * RING_BYTES,
            next_avail: 0,
            next_used: 0,
            kick: EventFd::new(EFD_NONBLOCK).unwrap(),
            call,
            called,
        };
        let zeros = vec![0; usize::try_from(BUFFERS).unwrap()];
        ring.write(0, &zeros);
        ring
    }

    /// Returns the guest addresses of descriptors, available ring and used ring.
    pub fn addresses(&self) -> [u64; 3] {
        [self.base, self.base + AVAIL, self.base + USED]
    }

    /// Returns the guest address of a descriptor's buffer.
    pub fn buffer(&self, descriptor: u16) -> u64 {
        self.base + BUFFERS + u64::from(descriptor) * BUFFER
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let address = GuestAddress(self.base + at);
        self.memory.write_slice(bytes, address).unwrap();
    }

    fn read<const N: usize>(&self, at: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let address = GuestAddress(self.base + at);
        self.memory.read_slice(&mut bytes, address).unwrap();
        bytes
    }

    /// Writes a descriptor.
    pub fn describe(&self, place: u16, address: u64, len: u32, flags: u16, next: u16) {
        let mut bytes = Vec::with_capacity(16);
        bytes.extend(address.to_le_bytes());
        bytes.extend(len.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        self.write(u64::from(place) * 16, &bytes);
    }

    /// Makes a chain available, whose first descriptor is `head`. No kick.
    pub fn offer(&mut self, head: u16) {
        let place = u64::from(self.next_avail % QUEUE_SIZE);
        self.write(AVAIL + 4 + place * 2, &head.to_le_bytes());
        self.next_avail = self.next_avail.wrapping_add(1);
        self.set_available(self.next_avail);
    }

    /// Says how many chains were ever made available.
    pub fn set_available(&self, index: u16) {
        // the device must not see it before the rest
        let address = GuestAddress(self.base + AVAIL + 2);
        let order = std::sync::atomic::Ordering::Release;
        self.memory.store(index.to_le(), address, order).unwrap();
    }

    /// Offers `readable`, from the buffer of descriptor `place` on, and `room` bytes in the
    /// buffer after it, as a chain of two. Either may be empty, then there is one.
    pub fn submit(&mut self, place: u16, readable: &[u8], room: u32) {
        let address = GuestAddress(self.buffer(place));
        self.memory.write_slice(readable, address).unwrap();
        let flag = |flag: u32| u16::try_from(flag).unwrap();
        let (next, write) = (flag(VRING_DESC_F_NEXT), flag(VRING_DESC_F_WRITE));
        let len = u32::try_from(readable.len()).unwrap();
        let answer = self.answer_place(place);
        self.describe(answer, self.buffer(answer), room, write, 0);
        if readable.is_empty() {
            self.offer(answer);
            return;
        }
        let flags = if room > 0 { next } else { 0 };
        self.describe(place, self.buffer(place), len, flags, answer);
        self.offer(place);
    }

    /// Returns the descriptor that [`Ring::submit`] has the device write to.
    pub fn answer_place(&self, place: u16) -> u16 {
        // a request may be longer than a buffer
        (place + 4) % QUEUE_SIZE
    }

    /// Tells the device to look.
    pub fn kick(&self) {
        self.kick.write(1).unwrap();
    }

    /// Takes a used chain, if there is one: its first descriptor, and how many bytes were
    /// written.
    pub fn used(&mut self) -> Option<(u16, u32)> {
        let order = std::sync::atomic::Ordering::Acquire;
        let address = GuestAddress(self.base + USED + 2);
        let index: u16 = self.memory.load(address, order).unwrap();
        if u16::from_le(index) == self.next_used {
            return None;
        }
        let place = u64::from(self.next_used % QUEUE_SIZE);
        let element: [u8; 8] = self.read(USED + 4 + place * 8);
        self.next_used = self.next_used.wrapping_add(1);
        // the device is to tell when the next is used
        let used_event = AVAIL + 4 + u64::from(QUEUE_SIZE) * 2;
        self.write(used_event, &self.next_used.to_le_bytes());
        let [id, len] = [0, 4].map(|at| {
            let field: [u8; 4] = element[at..at + 4].try_into().unwrap();
            u32::from_le_bytes(field)
        });
        Some((u16::try_from(id).unwrap(), len))
    }

    /// Waits until a chain was used.
    pub fn wait(&mut self, limit: Duration) -> Option<(u16, u32)> {
        let deadline = std::time::Instant::now() + limit;
        loop {
            if let Some(used) = self.used() {
                return Some(used);
            }
            let left = deadline.checked_duration_since(std::time::Instant::now())?;
            self.called.wait_timeout(left).unwrap();
            let _ = self.call.read();
        }
    }

    /// Returns the first bytes of a descriptor's buffer.
    pub fn bytes(&self, descriptor: u16, len: u32) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        let address = GuestAddress(self.buffer(descriptor));
        self.memory.read_slice(&mut bytes, address).unwrap();
        bytes
    }
}
