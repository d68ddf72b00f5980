// SPDX-License-Identifier: GPL-2.0-or-later
//! The device as a vhost-user back end: rings, guest memory, and the connection to a hypervisor.
//!
//! A hypervisor connects, gives memory and rings, and one thread then serves all rings. When
//! it goes, all of that goes, and the next may come. A ring is started where its used index in
//! guest memory stands, whatever the hypervisor says: requests are answered in order and each
//! before the next is taken, so that none is lost or done twice if either side dies.
//!
//! A guest may write anything to its rings. Each turn of a ring takes a bounded number of
//! chains, then the other rings have theirs.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use log::{debug, info, warn};
use tiered_balloon_api::Size;
use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost::vhost_user::{Error as VhostUserError, Listener};
use vhost_user_backend::{
    Error as DaemonError, VhostUserBackend, VhostUserDaemon, VringState, VringT,
};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};
use virtio_queue::{DescriptorChain, QueueOwnedT, QueueT, Writer};
use vm_memory::{GuestAddressSpace, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::event::{
    EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier,
};

use crate::counters::Bad;
use crate::device::Device;
use crate::memory::Region;
use crate::vring::{GuestMemory, Vring};

/// Most entries of a ring.
const MAX_QUEUE_SIZE: usize = 1024;
/// Chains of a ring that are handled before other rings have a turn.
const TURN: usize = 64;
/// Descriptors of a chain that are looked at.
const MAX_DESCRIPTORS: usize = 1024;

/// What the main thread is told.
#[derive(Debug)]
pub enum Message {
    /// A signal asks the daemon to end.
    End,
    /// It cannot go on, for this reason.
    Fatal(String),
}

/// What all threads share.
pub struct Shared {
    /// Held while the device is waited for, so that who waits has it next: else a thread whose
    /// guest floods it would take the device again before others wake.
    turn: Mutex<()>,
    device: Mutex<Box<dyn Device>>,
    /// Wakes the thread that serves rings, while there is one.
    wake: Mutex<Option<EventNotifier>>,
    connected: AtomicBool,
    messages: Sender<Message>,
}

impl Shared {
    /// Shares a device. Errors that end the daemon go to `messages`.
    pub fn new(device: Box<dyn Device>, messages: Sender<Message>) -> Arc<Shared> {
        Arc::new(Shared {
            turn: Mutex::new(()),
            device: Mutex::new(device),
            wake: Mutex::new(None),
            connected: AtomicBool::new(false),
            messages,
        })
    }

    /// Waits for the device.
    pub fn device(&self) -> MutexGuard<'_, Box<dyn Device>> {
        let _turn = lock(&self.turn);
        lock(&self.device)
    }

    /// Has events told that the device wants to tell.
    pub fn wake(&self) {
        if let Some(wake) = &*lock(&self.wake)
            && let Err(error) = wake.notify()
        {
            debug!("wake: {error}");
        }
    }

    /// Whether a hypervisor is connected.
    pub fn connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }
}

/// Takes a lock, also if a thread panicked that had it: no state is left halfway.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves hypervisors that connect to `listener`, one after the other, for ever.
pub fn serve(shared: &Arc<Shared>, listener: UnixListener) {
    let mut listener = Listener::from(listener);
    loop {
        if let Err(error) = serve_one(shared, &mut listener) {
            warn!("vhost-user: {error}");
            // what failed may fail again at once, e.g. for want of file descriptors
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn serve_one(shared: &Arc<Shared>, listener: &mut Listener) -> Result<(), DaemonError> {
    let memory = GuestMemory::new(GuestMemoryMmap::new());
    let connection = Connection::new(shared, memory.clone()).map_err(DaemonError::StartDaemon)?;
    let mut daemon = VhostUserDaemon::new("front end".into(), connection.clone(), memory)?;
    for handler in daemon.get_epoll_handlers() {
        let wake = connection.wake.as_raw_fd();
        handler
            .register_listener(wake, EventSet::IN, connection.wake_token())
            .map_err(DaemonError::StartDaemon)?;
    }
    let result = daemon.start(listener).and_then(|()| {
        shared.connected.store(true, Ordering::Relaxed);
        info!("a hypervisor has connected");
        let result = daemon.wait();
        shared.connected.store(false, Ordering::Relaxed);
        info!("the hypervisor has gone");
        result
    });
    connection.close();
    drop(daemon);
    let mut device = shared.device();
    device.disconnected();
    device.balloon_mut().memory.unmap();
    match result {
        Err(DaemonError::HandleRequest(
            VhostUserError::Disconnected | VhostUserError::PartialMessage,
        )) => Ok(()),
        other => other,
    }
}

/// A connection to a hypervisor.
pub struct Connection {
    shared: Arc<Shared>,
    memory: GuestMemory,
    queues: usize,
    wake: EventConsumer,
    closing: AtomicBool,
    /// Whether the memory was that of our nodes once.
    had_memory: AtomicBool,
    /// Bytes of regions that belong to no node.
    others: AtomicU64,
    /// Why it never was.
    fault: Mutex<Option<String>>,
}

impl Connection {
    /// Returns a connection whose memory will be in `memory`.
    pub fn new(shared: &Arc<Shared>, memory: GuestMemory) -> io::Result<Arc<Connection>> {
        let flags = EventFlag::NONBLOCK | EventFlag::CLOEXEC;
        let (wake, notifier) = new_event_consumer_and_notifier(flags)?;
        *lock(&shared.wake) = Some(notifier);
        Ok(Arc::new(Connection {
            shared: shared.clone(),
            memory,
            queues: shared.device().queues(),
            wake,
            closing: AtomicBool::new(false),
            had_memory: AtomicBool::new(false),
            others: AtomicU64::new(0),
            fault: Mutex::new(None),
        }))
    }

    /// Number of the event that `wake` is, beyond those that vhost-user-backend takes itself.
    fn wake_token(&self) -> u64 {
        self.queues as u64 + 1
    }

    /// Ends the thread that serves rings.
    fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.shared.wake();
        *lock(&self.shared.wake) = None;
    }

    /// Whether the memory is that of the nodes. If it never was when a ring is enabled, the
    /// daemon ends: its command line is wrong. Before that the hypervisor may not have given all
    /// regions yet. If it was once, the hypervisor is about to change it, and requests wait.
    fn has_memory(&self, vrings: &[Vring]) -> bool {
        if self.shared.device().balloon().memory.is_mapped() {
            return true;
        }
        if vrings.iter().any(|vring| vring.get_ref().is_enabled())
            && let Some(fault) = lock(&self.fault).take()
        {
            let _ = self.shared.messages.send(Message::Fatal(fault));
        }
        false
    }

    /// Gives each ring that is ready a turn, or only ring `only`, and events after it.
    fn serve(&self, vrings: &[Vring], only: Option<usize>) {
        if !self.has_memory(vrings) {
            return;
        }
        let event_queue = self.shared.device().event_queue();
        for (index, vring) in vrings.iter().enumerate() {
            let served = only.is_none_or(|only| only == index) && event_queue != Some(index);
            if served && self.turn(vring, |state| self.request(state, index)) {
                self.shared.wake();
            }
        }
        if let Some(vring) = event_queue.and_then(|index| vrings.get(index))
            && self.turn(vring, |state| self.event(state))
        {
            self.shared.wake();
        }
    }

    /// Handles chains of a ring until there are none. Returns whether there may be more.
    fn turn(&self, vring: &Vring, handle: impl Fn(&mut VringState) -> Outcome) -> bool {
        for _ in 0..TURN {
            // The lock is taken for each chain, so that the hypervisor can stop the ring.
            let mut state = vring.get_mut();
            if !state.is_enabled() || !state.get_queue().ready() {
                return false;
            }
            match handle(&mut state) {
                Outcome::Handled => {}
                Outcome::Nothing => return false,
                Outcome::Empty => match state.enable_notification() {
                    Ok(true) => {}
                    Ok(false) => return false,
                    Err(error) => return self.broken(&error),
                },
                Outcome::Broken(error) => return self.broken(&error),
            }
        }
        true
    }

    /// Counts a ring that cannot be used until the guest kicks again.
    fn broken(&self, error: &virtio_queue::Error) -> bool {
        let mut device = self.shared.device();
        device.balloon_mut().counters.bad(Bad::Ring, error);
        false
    }

    /// Answers the next request of a ring. None is taken while there is no memory of nodes,
    /// which may have gone since the turn began.
    fn request(&self, state: &mut VringState, index: usize) -> Outcome {
        let mut device = self.shared.device();
        if !device.balloon().memory.is_mapped() {
            return Outcome::Nothing;
        }
        self.next(state, |memory, chain| {
            let longest = device.longest_request(index);
            match Buffers::of(chain, memory, longest) {
                Ok(mut buffers) => {
                    let answer = device.request(index, &buffers.read, buffers.room());
                    buffers.write(&answer)
                }
                Err(error) => {
                    device.balloon_mut().counters.bad(Bad::Chain, error);
                    0
                }
            }
        })
    }

    /// Puts the next event into a buffer of the ring.
    fn event(&self, state: &mut VringState) -> Outcome {
        if self.shared.device().next_event().is_none() {
            return Outcome::Nothing;
        }
        self.next(state, |memory, chain| {
            let mut device = self.shared.device();
            let event = device.next_event().unwrap_or_default();
            let (class, what) = match Buffers::of(chain, memory, 0) {
                Ok(mut buffers) if buffers.room() >= event.len() => {
                    device.event_told();
                    return buffers.write(&event);
                }
                Ok(buffers) => (Bad::Room, format!("{} bytes for an event", buffers.room())),
                Err(error) => (Bad::Chain, error.to_string()),
            };
            device.balloon_mut().counters.bad(class, what);
            0
        })
    }

    /// Takes the next chain of a ring. `handle` returns how many bytes it wrote to it.
    fn next(
        &self,
        state: &mut VringState,
        handle: impl FnOnce(&GuestMemoryMmap, Chain<'_>) -> u32,
    ) -> Outcome {
        let memory = self.memory.memory();
        let queue = state.get_queue_mut();
        queue.set_next_avail(queue.next_used());
        let chain = match queue.iter(&*memory) {
            Ok(mut chains) => chains.next(),
            Err(error) => return Outcome::Broken(error),
        };
        let Some(chain) = chain else {
            return Outcome::Empty;
        };
        let head = chain.head_index();
        let written = handle(&memory, chain);
        let notified = queue
            .add_used(&*memory, head, written)
            .and_then(|()| queue.needs_notification(&*memory));
        match notified {
            Ok(false) => Outcome::Handled,
            Ok(true) => {
                if let Err(error) = state.signal_used_queue() {
                    debug!("the guest cannot be notified: {error}");
                }
                Outcome::Handled
            }
            Err(error) => Outcome::Broken(error),
        }
    }
}

/// How it went with the next chain of a ring.
enum Outcome {
    /// It was used.
    Handled,
    /// There is none.
    Empty,
    /// None is wanted.
    Nothing,
    /// The ring is unusable.
    Broken(virtio_queue::Error),
}

type Chain<'m> = DescriptorChain<&'m GuestMemoryMmap>;

/// What a chain has to read, copied so that the guest cannot change it, and what is written.
struct Buffers<'m> {
    read: Vec<u8>,
    writer: Writer<'m>,
}

impl<'m> Buffers<'m> {
    /// Takes a chain apart. Of what is longer than `longest`, one byte more is read.
    fn of(
        chain: Chain<'m>,
        memory: &'m GuestMemoryMmap,
        longest: usize,
    ) -> Result<Self, virtio_queue::Error> {
        if chain.clone().nth(MAX_DESCRIPTORS).is_some() {
            return Err(virtio_queue::Error::InvalidChain);
        }
        let mut reader = chain.clone().reader(memory)?;
        let mut read = vec![0; reader.available_bytes().min(longest + 1)];
        reader
            .read_exact(&mut read)
            .map_err(|_| virtio_queue::Error::InvalidChain)?;
        let writer = chain.writer(memory)?;
        Ok(Buffers { read, writer })
    }

    fn room(&self) -> usize {
        self.writer.available_bytes()
    }

    /// Writes an answer, and returns how many bytes of it were.
    fn write(&mut self, answer: &[u8]) -> u32 {
        let _ = self.writer.write_all(answer);
        u32::try_from(self.writer.bytes_written()).unwrap_or(0)
    }
}

impl VhostUserBackend for Connection {
    type Bitmap = ();
    type Vring = Vring;

    fn num_queues(&self) -> usize {
        self.queues
    }

    fn max_queue_size(&self) -> usize {
        MAX_QUEUE_SIZE
    }

    /// Those of the transport alone: Cloud Hypervisor passes no others on.
    fn features(&self) -> u64 {
        (1 << VIRTIO_F_VERSION_1)
            | (1 << VIRTIO_RING_F_INDIRECT_DESC)
            | (1 << VIRTIO_RING_F_EVENT_IDX)
            | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::CONFIG
            | VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::CONFIGURE_MEM_SLOTS
            | VhostUserProtocolFeatures::REPLY_ACK
    }

    /// The ring knows it by itself.
    fn set_event_idx(&self, _enabled: bool) {}

    /// Returns as many bytes as were asked for, since a hypervisor may end without them.
    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        let config = self.shared.device().config();
        let from = (offset as usize).min(config.len());
        let mut bytes = config[from..].to_vec();
        bytes.resize(size as usize, 0);
        bytes
    }

    fn set_config(&self, offset: u32, bytes: &[u8]) -> io::Result<()> {
        self.shared.device().write_config(offset as usize, bytes);
        Ok(())
    }

    /// Takes new memory. It may be incomplete, if the hypervisor gives regions one by one.
    fn update_memory(&self, memory: GuestMemory) -> io::Result<()> {
        let regions: Vec<Region> = memory
            .memory()
            .iter()
            .filter_map(|region| {
                let file = region.file_offset()?;
                Some(Region {
                    address: region.start_addr().0,
                    bytes: region.len(),
                    file: file.arc().clone(),
                    offset: file.start(),
                })
            })
            .collect();
        let mut device = self.shared.device();
        let balloon = device.balloon_mut();
        match balloon.memory.map(&regions) {
            Ok(others) => {
                // a guest may have regions of devices moved time and again
                if self.others.swap(others, Ordering::Relaxed) != others && others > 0 {
                    let size = Size(others);
                    balloon.counters.say(format_args!(
                        "{size} of the guest's memory belong to no --node and are left alone"
                    ));
                }
                self.had_memory.store(true, Ordering::Relaxed);
                *lock(&self.fault) = None;
                drop(device);
                self.shared.wake();
            }
            Err(error) if self.had_memory.load(Ordering::Relaxed) => {
                let counters = &mut balloon.counters;
                counters.say(format_args!("requests wait for other memory: {error}"));
            }
            Err(error) => *lock(&self.fault) = Some(error.to_string()),
        }
        Ok(())
    }

    fn stop_vring(&self, index: u32) -> io::Result<()> {
        self.shared.device().stopped(index as usize);
        Ok(())
    }

    /// Serves a ring. An error ends the thread, which is wanted at the end alone.
    fn handle_event(
        &self,
        event: u16,
        _events: EventSet,
        vrings: &[Vring],
        _thread: usize,
    ) -> io::Result<()> {
        if u64::from(event) != self.wake_token() {
            self.serve(vrings, Some(event.into()));
            return Ok(());
        }
        // Somebody else may have read it for the same reason.
        let _ = self.wake.consume();
        if self.closing.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.serve(vrings, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;

    use super::*;
    use crate::balloon::Balloon;
    use crate::memory::NodeSize;
    use crate::stock::Stock;

    #[test]
    fn who_waits_for_the_device_has_it_next() {
        let balloon = Balloon::new(vec![NodeSize { pxm: 0, pages: 1 }]);
        let shared = Shared::new(Box::new(Stock::new(balloon)), mpsc::channel().0);
        let (taken, end) = (AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    let device = shared.device();
                    thread::sleep(Duration::from_millis(1));
                    taken.fetch_add(1, Ordering::Relaxed);
                    drop(device);
                }
            });
            let mut while_waiting = 0;
            for _ in 0..300 {
                // the other has it, nearly always
                thread::sleep(Duration::from_millis(1));
                let before = taken.load(Ordering::Relaxed);
                drop(shared.device());
                while_waiting += taken.load(Ordering::Relaxed) - before;
            }
            end.store(true, Ordering::Relaxed);
            assert!(while_waiting <= 400, "{while_waiting}");
        });
    }
}
