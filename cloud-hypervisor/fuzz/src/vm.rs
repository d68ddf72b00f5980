// SPDX-License-Identifier: GPL-2.0-or-later
//! A VM whose guest, hypervisor and clients of the API do what an input says.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use tiered_balloon::api::{About, answer};
use tiered_balloon::backend::{Connection, Shared};
use tiered_balloon::device::Device;
use tiered_balloon::http::{Answer, Request};
use tiered_balloon::vring::{GuestMemory, Vring};
use tiered_balloon_api::Vm as ApiVm;
use tiered_balloon_testing::{Guest, NODE_BYTES, NODE_FRAMES, QUEUE_SIZE, Ring};
use tiered_balloon_wire::{PAGE_SIZE, RangeKind, VERSION, encode_hello, encode_ranges};
use vhost_user_backend::{VhostUserBackend, VringT};
use vm_memory::{Bytes, GuestAddress};
use vmm_sys_util::epoll::EventSet;

use crate::Input;

/// Actions of this process so far.
static ACTIONS: AtomicU64 = AtomicU64::new(0);

/// A guest, and the device that it sees.
pub struct Vm {
    guest: Guest,
    rings: Vec<Ring>,
    vrings: Vec<Vring>,
    connection: Arc<Connection>,
    shared: Arc<Shared>,
    about: About,
}

impl Vm {
    /// Starts a VM with a device of the guest's two nodes.
    pub fn new(device: Box<dyn Device>) -> Vm {
        let guest = Guest::new();
        let queues = device.queues();
        // nobody asks for messages, which are sent to no avail
        let (sender, _) = mpsc::channel();
        let shared = Shared::new(device, sender);
        let memory = GuestMemory::new(guest.memory.clone());
        let connection = Connection::new(&shared, memory.clone()).expect("an event");
        connection.update_memory(memory.clone()).expect("memory");
        let rings: Vec<_> = (0..queues).map(|q| Ring::new(&guest.memory, q)).collect();
        let vrings = rings.iter().map(|ring| {
            let vring = Vring::new(memory.clone(), 1024).expect("a ring");
            let [desc, avail, used] = ring.addresses();
            vring.set_queue_size(QUEUE_SIZE);
            vring.set_queue_info(desc, avail, used).expect("addresses");
            vring.set_queue_event_idx(true);
            vring.set_queue_ready(true);
            vring.set_enabled(true);
            vring
        });
        Vm {
            vrings: vrings.collect(),
            guest,
            rings,
            connection,
            shared,
            about: About {
                socket: PathBuf::new(),
            },
        }
    }

    /// Has the back end serve a ring, or all of them at the number that wakes it.
    fn serve(&self, event: usize) {
        let event = u16::try_from(event).expect("few queues");
        self.connection
            .handle_event(event, EventSet::IN, &self.vrings, 0)
            .expect("the thread that serves rings would end");
    }

    /// Does one thing that the input says.
    fn act(&mut self, input: &mut Input<'_>) {
        let action = input.u8();
        let queue = usize::from(input.u8()) % self.rings.len();
        match action % 12 {
            0 => self.access_config(input),
            1 => self.submit(queue, input),
            2..=4 => {
                let request = ranges(input);
                self.rings[queue].submit(0, &request, 300);
            }
            5 => {
                let [a, b] = [input.u16(), input.u16()].map(u64::from);
                let hello = encode_hello(VERSION, u32::from(input.u8() % 16), &[a, b]);
                self.rings[queue].submit(0, &hello, 64);
            }
            6 => self.describe(queue, input),
            7 => self.rings[queue].set_available(input.u16()),
            8 => self.scribble(queue, input),
            9 => {
                // buffers for events
                let room = u32::from(input.u8());
                self.rings[queue].submit(8, &[], room);
            }
            10 => self.ask(input),
            _ => {
                self.shared.device().ask_statistics();
                if input.u8() == 0 {
                    let queue = u32::try_from(queue).expect("few queues");
                    self.connection.stop_vring(queue).expect("stopped");
                }
            }
        }
        self.serve(queue);
        self.serve(self.rings.len() + 1);
    }

    /// Any bytes as a request, with any room for the answer.
    fn submit(&mut self, queue: usize, input: &mut Input<'_>) {
        let (len, room) = (usize::from(input.u16() % 4500), u32::from(input.u16()));
        let request = input.bytes(len);
        self.rings[queue].submit(0, request, room);
    }

    /// Any descriptors, but in places where they mean something.
    fn describe(&mut self, queue: usize, input: &mut Input<'_>) {
        for place in 0..u16::from(input.u8() % 8) {
            let buffer = self.rings[queue].buffer(input.u16() % QUEUE_SIZE);
            let address = match input.u8() % 4 {
                0 => input.u64(),
                1 => u64::from(input.u32()),
                _ => buffer,
            };
            let len = match input.u8() % 3 {
                0 => input.u32(),
                _ => u32::from(input.u8()) * 16,
            };
            let (flags, next) = (u16::from(input.u8() % 8), u16::from(input.u8() % 16));
            self.rings[queue].describe(place, address, len, flags, next);
        }
        let head = input.u16();
        // mostly one that is there
        let head = if head < 0xf000 { head % 8 } else { head };
        self.rings[queue].offer(head);
    }

    /// Any bytes anywhere in the rings and the buffers.
    fn scribble(&mut self, queue: usize, input: &mut Input<'_>) {
        let [start, ..] = self.rings[queue].addresses();
        let address = GuestAddress(start + u64::from(input.u16()));
        let len = usize::from(input.u8());
        let bytes = input.bytes(len);
        let written = self.guest.memory.write_slice(bytes, address);
        written.expect("rings are in memory");
    }

    fn access_config(&mut self, input: &mut Input<'_>) {
        let (offset, size) = (input.u32(), input.u16() % 4097);
        let config = self.connection.get_config(offset, size.into());
        assert_eq!(config.len(), usize::from(size));
        let len = usize::from(input.u8());
        let written = self.connection.set_config(offset, input.bytes(len));
        written.expect("a hypervisor may end without");
    }

    /// A request to the API.
    fn ask(&mut self, input: &mut Input<'_>) {
        let bytes = u64::from(input.u32()) * u64::from(input.u8());
        let pxm = input.u8() % 4;
        let (method, path, body) = match input.u8() % 6 {
            0 => ("GET", "/vm", String::new()),
            1 => ("GET", "/stats", String::new()),
            2 => ("GET", "/metrics", String::new()),
            3 => ("PUT", "/nodes/0/target", format!("{{\"bytes\":{bytes}}}")),
            _ => (
                "PUT",
                "/targets",
                format!("{{\"targets\":[{{\"pxm\":{pxm},\"bytes\":{bytes}}}]}}"),
            ),
        };
        let answer = self.answer(method, path, body);
        assert!(matches!(answer.status, 200 | 400 | 404));
    }

    fn answer(&self, method: &str, path: &str, body: String) -> Answer {
        let request = Request {
            method: method.into(),
            path: path.into(),
            body: body.into(),
        };
        answer(&request, &self.about, &self.shared)
    }

    /// Says what must hold whatever was done.
    fn check(&self) {
        let answer = self.answer("GET", "/vm", String::new());
        let vm: ApiVm = serde_json::from_slice(&answer.body).expect("JSON");
        for node in vm.nodes {
            assert_eq!(node.bytes, NODE_BYTES);
            assert!(node.target <= node.bytes);
            assert!(node.ballooned <= node.bytes);
            assert_eq!(node.ballooned % PAGE_SIZE, 0);
        }
    }
}

/// Ranges that are mostly within the guest's memory.
fn ranges(input: &mut Input<'_>) -> Vec<u8> {
    let kind = match input.u8() % 3 {
        0 => RangeKind::Inflate,
        1 => RangeKind::Deflate,
        _ => RangeKind::ReportFree,
    };
    let node = u16::from(input.u8() % 3);
    let ranges: Vec<_> = (0..input.u8() % 16)
        .map(|_| {
            let of = NODE_FRAMES[usize::from(input.u8() % 2)];
            let (first, end) = of[usize::from(input.u8()) % of.len()];
            let frame = match input.u8() % 8 {
                0 => input.u64(),
                1 => end.wrapping_sub(u64::from(input.u8())),
                // not where the rings are
                _ => first + 1024 + u64::from(input.u16() % 7000),
            };
            let pages = match input.u8() % 8 {
                0 => input.u32(),
                _ => u32::from(input.u8()),
            };
            (frame, pages)
        })
        .collect();
    encode_ranges(kind, node, &ranges)
}

/// Has a VM with that device do what the bytes say. Says from time to time how much was done.
pub fn act(device: Box<dyn Device>, bytes: &[u8]) {
    let mut vm = Vm::new(device);
    let mut input = Input::new(bytes);
    while !input.is_empty() {
        vm.act(&mut input);
        let done = ACTIONS.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(10_000) {
            eprintln!("{done} requests and accesses");
        }
    }
    vm.check();
}
