// SPDX-License-Identifier: GPL-2.0-or-later
//! A vhost-user front end that sends the messages that Cloud Hypervisor sends for a generic
//! vhost-user device, in its order, with its masks of features.

use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

use vhost::vhost_user::message::{
    VhostUserConfigFlags, VhostUserHeaderFlag, VhostUserProtocolFeatures, VhostUserVirtioFeatures,
};
use vhost::vhost_user::{Frontend, VhostUserFrontend};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use virtio_bindings::virtio_config::{
    VIRTIO_F_IN_ORDER, VIRTIO_F_NOTIFICATION_DATA, VIRTIO_F_ORDER_PLATFORM, VIRTIO_F_VERSION_1,
};
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};
use vm_memory::{GuestAddress, GuestMemoryBackend};

use crate::guest::{Guest, Part};
use crate::ring::{QUEUE_SIZE, Ring};

/// Virtio features that Cloud Hypervisor takes of a generic device: those of the transport.
pub const VIRTIO_FEATURES: u64 = (1 << VIRTIO_RING_F_INDIRECT_DESC)
    | (1 << VIRTIO_RING_F_EVENT_IDX)
    | (1 << VIRTIO_F_VERSION_1)
    | (1 << VIRTIO_F_IN_ORDER)
    | (1 << VIRTIO_F_ORDER_PLATFORM)
    | (1 << VIRTIO_F_NOTIFICATION_DATA)
    | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();

/// Protocol features that it takes.
pub const PROTOCOL_FEATURES: VhostUserProtocolFeatures = VhostUserProtocolFeatures::CONFIG
    .union(VhostUserProtocolFeatures::MQ)
    .union(VhostUserProtocolFeatures::CONFIGURE_MEM_SLOTS)
    .union(VhostUserProtocolFeatures::REPLY_ACK)
    .union(VhostUserProtocolFeatures::INFLIGHT_SHMFD)
    .union(VhostUserProtocolFeatures::LOG_SHMFD)
    .union(VhostUserProtocolFeatures::DEVICE_STATE)
    .union(VhostUserProtocolFeatures::BACKEND_REQ);

/// How memory is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// All regions in one message.
    Table,
    /// Region by region.
    Slots,
}

/// A connection to the daemon.
pub struct FrontEnd {
    frontend: Frontend,
    /// Features of the virtio device that both sides have.
    pub features: u64,
    /// Features of the protocol that both sides have.
    pub protocol_features: VhostUserProtocolFeatures,
    queues: usize,
}

impl FrontEnd {
    /// Connects to the socket, for 10 s if need be, and negotiates features.
    pub fn connect(socket: &Path, queues: usize) -> FrontEnd {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut frontend = loop {
            match Frontend::connect(socket, queues as u64) {
                Ok(frontend) => break frontend,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        frontend.set_owner().unwrap();
        let features = frontend.get_features().unwrap() & VIRTIO_FEATURES;
        let protocol_features = frontend.get_protocol_features().unwrap() & PROTOCOL_FEATURES;
        frontend.set_protocol_features(protocol_features).unwrap();
        frontend.set_hdr_flags(VhostUserHeaderFlag::NEED_REPLY);
        assert!(frontend.get_queue_num().unwrap() >= queues as u64);
        FrontEnd {
            frontend,
            features,
            protocol_features,
            queues,
        }
    }

    /// Gives memory and rings, and starts the device.
    pub fn start(&mut self, guest: &Guest, rings: &[Ring], memory: Memory) {
        self.try_start(guest, rings, memory).unwrap();
    }

    /// Does the same with a daemon that may end when it sees the memory.
    pub fn try_start(
        &mut self,
        guest: &Guest,
        rings: &[Ring],
        memory: Memory,
    ) -> vhost::Result<()> {
        self.take_features()?;
        match memory {
            Memory::Table => self.set_memory(guest, &guest.parts),
            Memory::Slots => guest.parts.iter().for_each(|part| self.add(guest, part)),
        }
        for queue in 0..self.queues {
            self.start_ring(guest, rings, queue, 0);
        }
        for queue in 0..self.queues {
            self.frontend.set_vring_enable(queue, true)?;
        }
        Ok(())
    }

    /// Takes the features that both sides have.
    pub fn take_features(&mut self) -> vhost::Result<()> {
        self.frontend.set_features(self.features)
    }

    /// Gives a ring, which is not enabled yet.
    pub fn start_ring(&mut self, guest: &Guest, rings: &[Ring], queue: usize, base: u16) {
        let ring = &rings[queue];
        let [desc, avail, used] = ring.addresses().map(|a| host_address(guest, a));
        let frontend = &self.frontend;
        frontend.set_vring_num(queue, QUEUE_SIZE).unwrap();
        let config = VringConfigData {
            queue_max_size: QUEUE_SIZE,
            queue_size: QUEUE_SIZE,
            flags: 0,
            desc_table_addr: desc,
            used_ring_addr: used,
            avail_ring_addr: avail,
            log_addr: None,
        };
        frontend.set_vring_addr(queue, &config).unwrap();
        frontend.set_vring_base(queue, base).unwrap();
        frontend.set_vring_call(queue, &ring.call).unwrap();
        frontend.set_vring_kick(queue, &ring.kick).unwrap();
    }

    /// Enables a ring.
    pub fn enable_ring(&mut self, queue: usize) {
        self.frontend.set_vring_enable(queue, true).unwrap();
    }

    /// Stops a ring, and returns where it is.
    pub fn stop_ring(&mut self, queue: usize) -> u32 {
        self.frontend.set_vring_enable(queue, false).unwrap();
        self.frontend.get_vring_base(queue).unwrap()
    }

    /// Gives regions in one message.
    pub fn set_memory(&mut self, guest: &Guest, parts: &[Part]) {
        let regions: Vec<_> = parts.iter().map(|part| region(guest, part)).collect();
        self.frontend.set_mem_table(&regions).unwrap();
    }

    /// Gives one more region.
    pub fn add(&mut self, guest: &Guest, part: &Part) {
        self.frontend.add_mem_region(&region(guest, part)).unwrap();
    }

    /// Takes a region away.
    pub fn remove(&mut self, guest: &Guest, part: &Part) {
        let region = region(guest, part);
        self.frontend.remove_mem_region(&region).unwrap();
    }

    /// Reads the configuration. Cloud Hypervisor panics if that fails, and so does this.
    pub fn config(&mut self, offset: u32, size: u32) -> Vec<u8> {
        let wanted = vec![0; size as usize];
        let flags = VhostUserConfigFlags::empty();
        let read = self.frontend.get_config(offset, size, flags, &wanted);
        read.unwrap().1
    }

    /// Writes to the configuration, with the same consequence.
    pub fn write_config(&mut self, offset: u32, bytes: &[u8]) {
        let flags = VhostUserConfigFlags::empty();
        self.frontend.set_config(offset, flags, bytes).unwrap();
    }
}

fn region(guest: &Guest, part: &Part) -> VhostUserMemoryRegionInfo {
    VhostUserMemoryRegionInfo {
        guest_phys_addr: part.address,
        memory_size: part.bytes,
        userspace_addr: host_address(guest, part.address),
        mmap_offset: part.offset,
        mmap_handle: guest.files[part.file].as_raw_fd(),
    }
}

fn host_address(guest: &Guest, address: u64) -> u64 {
    let pointer = guest.memory.get_host_address(GuestAddress(address));
    pointer.unwrap() as u64
}
