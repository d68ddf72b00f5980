// SPDX-License-Identifier: GPL-2.0-or-later
//! tierd with real daemons, on the other side of which a hypervisor and a driver are played:
//! heat goes from the guest to tierd, and targets back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;
use tiered_balloon_api::{Client, Node};
use tiered_balloon_testing::{
    Daemon, Driver, FrontEnd, Guest, Memory, NODE_BYTES, NODE_FRAMES, wait_until,
};
use tiered_balloon_wire::{Event, Heat, RangeKind, Statistics, Status, capability, queue};

const M: u64 = 1 << 20;
/// Pages that the guest moves at once.
const CHUNK: u64 = 2 * M / 4096;

/// The daemon is built beside tierd.
fn program() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_tierd")).with_file_name("tiered-balloon");
    assert!(
        path.exists(),
        "build it first: cargo build -p tiered-balloon"
    );
    path
}

/// A VM with 64 MiB of memory on nodes of that size each.
struct Vm {
    daemon: Daemon,
    /// MiB of its memory that are hot.
    hot: Arc<AtomicU64>,
    /// Bytes that the host has allocated for its nodes, once its driver has ended.
    resident: Arc<Mutex<[u64; 2]>>,
    end: Arc<AtomicBool>,
    guest: Option<JoinHandle<()>>,
}

impl Vm {
    /// Starts one that has half of each node, of which nothing is hot.
    fn start() -> Self {
        let nodes = ["--node", "0=64M", "--node", "1=64M"];
        let targets = ["--target", "0=32M", "--target", "1=32M"];
        let more = ["--statistics-interval", "50ms", "--log", "error"];
        let daemon = Daemon::start(program(), &[&nodes[..], &targets, &more].concat());
        let (hot, end) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let resident = Arc::default();
        let guest = {
            let (socket, hot, end) = (daemon.socket(), hot.clone(), end.clone());
            let resident: Arc<Mutex<[u64; 2]>> = Arc::clone(&resident);
            thread::spawn(move || {
                let guest = Guest::new();
                (0..2).for_each(|node| guest.populate(node));
                play(&guest, &socket, &hot, &end);
                *resident.lock().unwrap() = [guest.resident(0), guest.resident(1)];
            })
        };
        Self {
            daemon,
            hot,
            resident,
            end,
            guest: Some(guest),
        }
    }

    fn api(&self) -> PathBuf {
        self.daemon.folder().join("vm.api")
    }

    fn nodes(&self) -> Vec<Node> {
        let client = Client::new(self.api(), Duration::from_secs(20));
        client.vm().unwrap().nodes
    }

    fn fast(&self) -> u64 {
        self.nodes()[0].given() / M
    }

    /// Ends the guest, and returns what the host has allocated for its nodes.
    fn stop(&mut self) -> [u64; 2] {
        self.end.store(true, Ordering::Relaxed);
        self.guest.take().unwrap().join().unwrap();
        *self.resident.lock().unwrap()
    }
}

/// Frames of a node's chunks, from the end, since its beginning has the rings.
fn chunk(node: usize, place: u64) -> (u64, u32) {
    let parts = NODE_FRAMES[node].iter();
    let size = usize::try_from(CHUNK).unwrap();
    let chunks: Vec<u64> = parts
        .flat_map(|&(start, end)| (start..end).step_by(size))
        .collect();
    let frame = chunks[chunks.len() - 1 - usize::try_from(place).unwrap()];
    (frame, u32::try_from(CHUNK).unwrap())
}

/// Plays hypervisor and driver: follows targets chunk by chunk, and tells how hot it is.
fn play(guest: &Guest, socket: &Path, hot: &AtomicU64, end: &AtomicBool) {
    let mut driver = Driver::new(&guest.memory);
    let mut front_end = FrontEnd::connect(socket, queue::COUNT);
    front_end.start(guest, &driver.rings, Memory::Table);
    let mut held = [0; 2];
    let mut targets = [0; 2];
    while !end.load(Ordering::Relaxed) {
        match driver.event_within(Duration::from_millis(5)) {
            Some(Event::Hello) => {
                assert_eq!(driver.hello(capability::ALL, &[0, 0]), Status::Ok);
            }
            Some(Event::Target { node, pages }) => targets[usize::from(node)] = pages / CHUNK,
            Some(Event::Statistics) => {
                let pages = |mib: u64| mib * M / 4096;
                let heat = vec![
                    Heat {
                        pages: pages(hot.load(Ordering::Relaxed)),
                        heat: 100_000,
                    },
                    Heat {
                        pages: pages(64),
                        heat: 1,
                    },
                ];
                driver.statistics(&Statistics {
                    heat,
                    nodes: vec![Default::default(); 2],
                    ..Default::default()
                });
            }
            Some(Event::Deflate) | None => {}
        }
        for (number, node) in [(0, 0), (1, 1)] {
            let held = &mut held[node];
            let answer = if *held < targets[node] {
                *held += 1;
                driver.ranges(RangeKind::Inflate, number, &[chunk(node, *held - 1)])
            } else if *held > targets[node] {
                *held -= 1;
                driver.ranges(RangeKind::Deflate, number, &[chunk(node, *held)])
            } else {
                continue;
            };
            assert_eq!(
                (answer.status, answer.ballooned),
                (Status::Ok, *held * CHUNK)
            );
        }
    }
}

/// A tierd, which is killed when it is dropped.
struct Tierd(Child);

impl Drop for Tierd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Checks that what two VMs claim of a tier fits in it. A VM grows only after the other has
/// shrunk, so the first is asked twice: if it did not change, both were so at the same time.
fn check(vms: &[Vm; 2]) {
    let before = vms[0].nodes();
    let other = vms[1].nodes();
    let claims = |node: usize| before[node].claim() + other[node].claim();
    if vms[0].nodes() == before {
        assert!(claims(0) <= 64 * M, "{before:?} {other:?}");
        assert!(claims(1) <= 64 * M, "{before:?} {other:?}");
    }
}

#[test]
fn memory_follows_heat() {
    let mut vms = [Vm::start(), Vm::start()];
    wait_until("the guests have what they shall", || {
        vms.iter().all(|vm| vm.fast() == 32)
    });
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tierd.toml");
    let mut text = "policy = \"utility\"\ninterval = \"200ms\"\n\
                    tiers = { fast = \"64M\", slow = \"64M\" }\n"
        .to_string();
    for (vm, name) in vms.iter().zip(["a", "b"]) {
        text += &format!(
            "[[vm]]\nname = \"{name}\"\napi = \"{}\"\nmemory = \"64M\"\n\
             fast = {{ pxm = 0, floor = \"16M\" }}\nslow = {{ pxm = 1 }}\n",
            vm.api().display()
        );
    }
    fs::write(&path, text).unwrap();
    // It must not outlive a test that is killed.
    let mut command = Command::new("setpriv");
    let program = [
        "--pdeathsig",
        "KILL",
        env!("CARGO_BIN_EXE_tierd"),
        "--config",
    ];
    let tierd = Tierd(command.args(program).arg(&path).spawn().unwrap());
    // Both tiers are given away to the last byte, and what is hot changes sides.
    for (hot, fast) in [([40, 0], [40, 24]), ([0, 60], [16, 48])] {
        for (vm, hot) in vms.iter().zip(hot) {
            vm.hot.store(hot, Ordering::Relaxed);
        }
        wait_until("memory is where it is hot", || {
            check(&vms);
            vms.iter().zip(fast).all(|(vm, fast)| vm.fast() == fast)
        });
    }
    drop(tierd);
    for (vm, fast) in vms.iter_mut().zip([16, 48]) {
        let nodes = vm.nodes();
        let resident = vm.stop();
        for (resident, node) in resident.iter().zip(&nodes) {
            assert!(*resident <= node.given() && node.given() <= NODE_BYTES);
        }
        assert_eq!(nodes[0].target, fast * M);
    }
}
