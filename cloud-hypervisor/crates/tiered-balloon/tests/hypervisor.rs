// SPDX-License-Identifier: GPL-2.0-or-later
//! The daemon as a process, driven as Cloud Hypervisor and a guest's driver do.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tiered_balloon_api::{NodeTarget, PAGE};
use tiered_balloon_testing::{
    Daemon, Driver, FrontEnd, Guest, Memory, NODE_BYTES, NODE_FRAMES, wait_until,
};
use tiered_balloon_wire::{
    CONFIG_SIZE, ConfigNode, Event, Heat, NodeStatistics, RangeKind, Statistics, Status, VERSION,
    capability, encode_config, encode_hello, encode_ranges, queue,
};
use vhost::vhost_user::message::VhostUserProtocolFeatures;

const NODES: [&str; 4] = ["--node", "3=64M", "--node", "7=64M"];
const NODE_PAGES: u64 = NODE_BYTES / PAGE;
/// First frame of the second node.
const FIRST: u64 = NODE_FRAMES[1][0].0;

fn daemon(more: &[&str]) -> Daemon {
    let args = [&NODES, more].concat();
    Daemon::start(env!("CARGO_BIN_EXE_tiered-balloon"), &args)
}

/// A VM that runs.
struct Vm {
    guest: Guest,
    driver: Driver,
    /// None between two connections; the daemon serves one at a time.
    front_end: Option<FrontEnd>,
}

impl Vm {
    fn start(daemon: &Daemon, memory: Memory) -> Vm {
        let guest = Guest::new();
        guest.populate(1);
        let driver = Driver::new(&guest.memory);
        let mut front_end = FrontEnd::connect(&daemon.socket(), queue::COUNT);
        front_end.start(&guest, &driver.rings, memory);
        Vm {
            guest,
            driver,
            front_end: Some(front_end),
        }
    }

    /// Starts one whose driver has said hello, and been told its targets.
    fn greeted(daemon: &Daemon) -> Vm {
        let mut vm = Vm::start(daemon, Memory::Table);
        assert_eq!(vm.driver.event(), Event::Hello);
        assert_eq!(vm.driver.hello(capability::ALL, &[0, 0]), Status::Ok);
        for node in 0..2 {
            assert_eq!(vm.driver.event(), Event::Target { node, pages: 0 });
        }
        vm
    }

    /// The hypervisor, and the VM that it has.
    fn parts(&mut self) -> (&mut FrontEnd, &Guest, &mut Driver) {
        let front_end = self.front_end.as_mut().unwrap();
        (front_end, &self.guest, &mut self.driver)
    }

    /// Connects once more, as after the connection broke.
    fn reconnect(&mut self, daemon: &Daemon) {
        self.front_end = None;
        let mut front_end = FrontEnd::connect(&daemon.socket(), queue::COUNT);
        front_end.start(&self.guest, &self.driver.rings, Memory::Table);
        self.front_end = Some(front_end);
    }
}

fn ballooned(daemon: &Daemon) -> Vec<u64> {
    let nodes = daemon.client().vm().unwrap().nodes;
    nodes.iter().map(|node| node.ballooned / PAGE).collect()
}

fn bad(daemon: &Daemon, class: &str) -> u64 {
    daemon.client().stats().unwrap().bad[class]
}

fn open_files(daemon: &Daemon) -> Vec<String> {
    let files = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .map(|target| target.display().to_string())
        .collect()
}

#[test]
fn only_features_of_the_transport_are_offered() {
    let daemon = daemon(&[]);
    let front_end = FrontEnd::connect(&daemon.socket(), queue::COUNT);
    assert_eq!(front_end.features & 0xff_ffff, 0);
    assert_ne!(front_end.features & (1 << 32), 0, "virtio 1");
    assert_ne!(front_end.features & (1 << 29), 0, "event index");
    let wanted = VhostUserProtocolFeatures::CONFIG
        | VhostUserProtocolFeatures::MQ
        | VhostUserProtocolFeatures::CONFIGURE_MEM_SLOTS
        | VhostUserProtocolFeatures::REPLY_ACK;
    assert_eq!(front_end.protocol_features, wanted);
}

#[test]
fn the_configuration_is_read_by_pieces_and_cannot_be_written() {
    let daemon = daemon(&["--no-statistics"]);
    let mut front_end = FrontEnd::connect(&daemon.socket(), queue::COUNT);
    let node = |pxm| ConfigNode {
        pxm,
        pages: NODE_PAGES,
    };
    let capabilities = capability::FREE_REPORTING | capability::DEFLATE_ON_OOM;
    let mut wanted = encode_config(capabilities, &[node(3), node(7)]).to_vec();
    wanted.resize(0x1000, 0);
    for size in [1u16, 2, 4, 8, 256] {
        let ends = [0x1000 - size, 0x1000 - size - 1];
        let beyond = u16::try_from(CONFIG_SIZE).unwrap() + 16;
        for offset in (0..beyond).chain(ends) {
            front_end.write_config(offset.into(), &vec![0xff; size.into()]);
            let read = front_end.config(offset.into(), size.into());
            let place = usize::from(offset)..usize::from(offset + size);
            assert_eq!(read, wanted[place], "{size} at {offset}");
        }
    }
}

#[test]
fn inflated_memory_is_the_hosts_again() {
    for memory in [Memory::Table, Memory::Slots] {
        let daemon = daemon(&[]);
        let mut vm = Vm::start(&daemon, memory);
        assert_eq!(vm.driver.hello(capability::ALL, &[0, 0]), Status::Ok);
        let before = vm.guest.resident(1);
        assert!(before >= NODE_BYTES);
        // pages by themselves, a chunk, and two that follow each other
        let ranges = [(FIRST + 1, 1), (FIRST + 512, 512), (FIRST + 2048, 7)];
        let mut ranges = ranges.to_vec();
        ranges.push((FIRST + 2055, 9));
        let pages: u32 = ranges.iter().map(|(_, pages)| pages).sum();
        let answer = vm.driver.ranges(RangeKind::Inflate, 1, &ranges);
        assert_eq!(answer.status, Status::Ok);
        assert_eq!(answer.ranges, [0; 4]);
        assert_eq!(answer.ballooned, u64::from(pages));
        let after = vm.guest.resident(1);
        assert_eq!(before - after, u64::from(pages) * PAGE, "{memory:?}");
        let node = daemon.client().vm().unwrap().nodes[1].clone();
        assert_eq!(
            (node.ballooned, node.resident),
            (u64::from(pages) * PAGE, after)
        );

        // deflated pages are given by the host when the guest touches them
        let answer = vm
            .driver
            .ranges(RangeKind::Deflate, 1, &[(FIRST + 512, 512)]);
        assert_eq!((answer.status, answer.ballooned), (Status::Ok, 17));
        assert_eq!(vm.guest.resident(1), after);
    }
}

#[test]
fn a_node_in_two_places_is_one() {
    let daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    let [(_, low_end), (high, high_end)] = *NODE_FRAMES[0] else {
        panic!()
    };
    let ranges = [(low_end - 2, 2), (high, 3), (high_end - 4, 4)];
    let answer = vm.driver.ranges(RangeKind::Inflate, 0, &ranges);
    assert_eq!((answer.status, answer.ballooned), (Status::Ok, 9));
    let wrong = [
        (low_end - 1, 2),
        (low_end, 1),
        (high - 1, 2),
        (high_end - 1, 2),
        (FIRST, 1),
        (0, 0),
        (u64::MAX, u32::MAX),
        (u64::MAX >> 12, 1),
    ];
    let before = vm.guest.resident(1);
    for range in wrong {
        for kind in [RangeKind::Inflate, RangeKind::Deflate] {
            let answer = vm.driver.ranges(kind, 0, &[range]);
            assert_eq!(answer.status, Status::BadRange, "{range:?}");
            assert_eq!((answer.ranges, answer.ballooned), (vec![4], 9), "{range:?}");
        }
    }
    assert_eq!(vm.guest.resident(1), before);
    assert_eq!(bad(&daemon, "range"), 2 * wrong.len() as u64);
}

#[test]
fn what_is_asked_twice_is_counted_once() {
    let daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    let overlapping = [
        (FIRST, 100),
        (FIRST + 50, 100),
        (FIRST + 60, 10),
        (FIRST, 1),
    ];
    for _ in 0..2 {
        let answer = vm.driver.ranges(RangeKind::Inflate, 1, &overlapping);
        assert_eq!((answer.status, answer.ballooned), (Status::Ok, 150));
    }
    // pages that were used meanwhile are given back once more
    let held = vm.guest.resident(1);
    vm.guest.populate(1);
    assert!(vm.guest.resident(1) > held);
    vm.driver.ranges(RangeKind::Inflate, 1, &overlapping);
    assert_eq!(vm.guest.resident(1), held);
    for left in [50, 50] {
        let answer = vm.driver.ranges(RangeKind::Deflate, 1, &[(FIRST, 100)]);
        assert_eq!((answer.status, answer.ballooned), (Status::Ok, left));
    }
    let pages = daemon.client().stats().unwrap().pages;
    assert_eq!((pages.inflated, pages.deflated), (150, 100));
}

#[test]
fn reported_pages_are_the_hosts_and_not_in_the_balloon() {
    let daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    let before = vm.guest.resident(1);
    let answer = vm.driver.ranges(RangeKind::ReportFree, 1, &[(FIRST, 1024)]);
    assert_eq!((answer.status, answer.ballooned), (Status::Ok, 0));
    assert_eq!(before - vm.guest.resident(1), 1024 * PAGE);
    assert_eq!(daemon.client().stats().unwrap().pages.reported, 1024);
}

#[test]
fn each_kind_of_bad_request_is_answered_and_counted() {
    let daemon = daemon(&["--no-free-page-reporting"]);
    let mut vm = Vm::greeted_without(&daemon, capability::FREE_REPORTING);
    let good = encode_ranges(RangeKind::Inflate, 1, &[(FIRST, 1)]);
    let unknown = [&[9, 0], &good[2..]].concat();
    let reserved = [&good[..20], &[1, 0, 0, 0]].concat();
    let cases = [
        ("request", unknown, Status::BadRequest),
        ("request", good[..23].to_vec(), Status::BadRequest),
        ("request", good[..3].to_vec(), Status::BadRequest),
        ("request", vec![0; 6000], Status::BadRequest),
        (
            "request",
            encode_ranges(RangeKind::Inflate, 1, &[(FIRST, 1); 257]),
            Status::BadRequest,
        ),
        (
            "request",
            encode_hello(VERSION + 1, 0, &[0, 0]),
            Status::BadRequest,
        ),
        (
            "request",
            encode_hello(VERSION, 1 << 31, &[0, 0]),
            Status::BadRequest,
        ),
        (
            "node",
            encode_ranges(RangeKind::Inflate, 2, &[(FIRST, 1)]),
            Status::BadNode,
        ),
        ("range", reserved, Status::BadRange),
        (
            "refused",
            encode_ranges(RangeKind::ReportFree, 1, &[(FIRST, 1)]),
            Status::Refused,
        ),
    ];
    for (class, bytes, status) in cases {
        let before = bad(&daemon, class);
        assert_eq!(vm.driver.request(&bytes).status, status, "{class}");
        assert_eq!(bad(&daemon, class), before + 1, "{class} {status:?}");
    }
    // no room for the response, or for the statuses of ranges
    for (room, len) in [(0, 0), (15, 0), (16, 16)] {
        let before = bad(&daemon, "room");
        let requests = &mut vm.driver.rings[queue::REQUESTS];
        requests.submit(0, &good, room);
        requests.kick();
        assert_eq!(requests.wait(Duration::from_secs(5)), Some((0, len)));
        assert_eq!(bad(&daemon, "room"), before + 1);
    }
    // room for no event
    let events = &mut vm.driver.rings[queue::EVENTS];
    while events.used().is_some() {}
    assert_eq!(ballooned(&daemon), [0, 0]);
    vm.driver.statistics(&Statistics::default());
    assert_eq!(bad(&daemon, "statistics"), 1);
    assert_eq!(vm.driver.request(&good).status, Status::Ok);
}

impl Vm {
    fn greeted_without(daemon: &Daemon, refused: u32) -> Vm {
        let mut vm = Vm::start(daemon, Memory::Table);
        let taken = capability::ALL & !refused;
        assert_eq!(vm.driver.hello(taken, &[0, 0]), Status::Ok);
        vm
    }
}

#[test]
fn chains_that_cannot_be_are_used_and_counted() {
    let daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    const NEXT: u16 = 1;
    const WRITE: u16 = 2;
    const INDIRECT: u16 = 4;
    let limit = Duration::from_secs(5);
    let buffer = vm.driver.rings[0].buffer(0);
    // (address, length, flags, next) of descriptors 0 and 1
    let chains: [[(u64, u32, u16, u16); 2]; 7] = [
        // a cycle, of what is read and written
        [(buffer, 8, NEXT, 1), (buffer, 8, NEXT | WRITE, 0)],
        // outside of memory
        [(1 << 50, 8, NEXT, 1), (buffer, 64, WRITE, 0)],
        [(buffer, 8, NEXT, 1), (u64::MAX - 3, 64, WRITE, 0)],
        // longer than memory
        [(buffer, u32::MAX, NEXT, 1), (buffer, 64, WRITE, 0)],
        // a next that is none
        [(buffer, 8, NEXT, 60000), (buffer, 64, WRITE, 0)],
        // indirect: a table of itself, and one that is too long
        [(buffer, 16, INDIRECT, 0), (0, 0, 0, 0)],
        [(buffer, !15, INDIRECT, 0), (0, 0, 0, 0)],
    ];
    for (number, chain) in chains.into_iter().enumerate() {
        let requests = &mut vm.driver.rings[queue::REQUESTS];
        for (place, (address, len, flags, next)) in (0..).zip(chain) {
            requests.describe(place, address, len, flags, next);
        }
        requests.offer(0);
        requests.kick();
        assert!(requests.wait(limit).is_some(), "chain {number}");
    }
    let stats = daemon.client().stats().unwrap();
    let bad = stats.bad["chain"] + stats.bad["room"] + stats.bad["request"];
    assert_eq!(bad, chains.len() as u64, "{:?}", stats.bad);
    let answer = vm.driver.ranges(RangeKind::Inflate, 1, &[(FIRST, 1)]);
    assert_eq!(answer.status, Status::Ok);

    // more chains than the ring has, or one that is no descriptor: nothing more is taken
    vm.driver.rings[queue::STATISTICS].set_available(1000);
    vm.driver.rings[queue::STATISTICS].kick();
    wait_until("a bad index is counted", || self::bad(&daemon, "ring") == 1);
    vm.driver.rings[queue::EVENTS].offer(9999);
    let answer = vm.driver.ranges(RangeKind::Inflate, 1, &[(FIRST, 2)]);
    assert_eq!((answer.status, answer.ballooned), (Status::Ok, 2));
}

#[test]
fn targets_are_told_and_told_once() {
    let daemon = daemon(&["--target", "7=32M"]);
    let client = daemon.client();
    let mut vm = Vm::start(&daemon, Memory::Table);
    assert_eq!(vm.driver.event(), Event::Hello);
    // nothing is told before hello
    assert_eq!(vm.driver.event_within(Duration::from_millis(100)), None);
    assert_eq!(vm.driver.hello(0, &[0, 0]), Status::Ok);
    let target = |node, pages| Event::Target { node, pages };
    assert_eq!(vm.driver.event(), target(0, 0));
    assert_eq!(vm.driver.event(), target(1, NODE_PAGES / 2));

    let node = client.set_target(3, 16 << 20).unwrap();
    assert_eq!(
        (node.pxm, node.bytes, node.target),
        (3, NODE_BYTES, 16 << 20)
    );
    assert_eq!(vm.driver.event(), target(0, NODE_PAGES * 3 / 4));
    let both = [(7, 0), (3, NODE_BYTES)].map(|(pxm, bytes)| NodeTarget { pxm, bytes });
    client.set_targets(&both).unwrap();
    assert_eq!(vm.driver.event(), target(0, 0));
    assert_eq!(vm.driver.event(), target(1, NODE_PAGES));

    // bad ones change nothing, and are told nowhere
    for (pxm, bytes) in [(4, 0), (3, 4095), (3, NODE_BYTES + PAGE)] {
        let one_good = [(7, PAGE), (pxm, bytes)].map(|(pxm, bytes)| NodeTarget { pxm, bytes });
        assert!(client.set_target(pxm, bytes).is_err());
        assert!(client.set_targets(&one_good).is_err());
    }
    let twice = [(7, PAGE), (7, 0)].map(|(pxm, bytes)| NodeTarget { pxm, bytes });
    assert!(client.set_targets(&twice).is_err());
    assert_eq!(vm.driver.event_within(Duration::from_millis(100)), None);
    let targets: Vec<_> = client
        .vm()
        .unwrap()
        .nodes
        .iter()
        .map(|n| n.target)
        .collect();
    assert_eq!(targets, [NODE_BYTES, 0]);
}

#[test]
fn statistics_are_asked_for_and_shown() {
    let daemon = daemon(&["--statistics-interval", "50ms"]);
    let client = daemon.client();
    assert_eq!(client.stats().unwrap().statistics, None);
    let mut vm = Vm::greeted(&daemon);
    assert_eq!(vm.driver.event(), Event::Statistics);
    let node = NodeStatistics {
        total: 5,
        evacuated: 6,
        ..NodeStatistics::default()
    };
    vm.driver.statistics(&Statistics {
        demoted: 9,
        heat: vec![Heat { pages: 1, heat: 2 }],
        nodes: vec![NodeStatistics::default(), node],
        ..Statistics::default()
    });
    let stats = client.stats().unwrap();
    assert!(stats.age_ms.unwrap() < 10_000);
    let statistics = stats.statistics.unwrap();
    assert_eq!((statistics.demoted, statistics.heat.len()), (9, 1));
    assert_eq!((statistics.nodes[1].pxm, statistics.nodes[1].total), (7, 5));
    let metrics = client.metrics().unwrap();
    assert!(
        metrics.contains("tiered_balloon_guest_node_pages{pxm=\"7\"} 5\n"),
        "{metrics}"
    );
    let driver = client.vm().unwrap().driver.unwrap();
    assert_eq!(
        driver.capabilities,
        ["statistics", "free_reporting", "deflate_on_oom"]
    );
    // the next guest has not told any
    vm.front_end = None;
    wait_until("they are forgotten", || {
        let stats = client.stats().unwrap();
        (stats.statistics, stats.age_ms) == (None, None)
    });
    assert!(!client.metrics().unwrap().contains("_guest_"));
}

#[test]
fn metrics_of_a_guest_are_bounded_series() {
    let daemon = daemon(&["--statistics-interval", "50ms"]);
    let client = daemon.client();
    let mut vm = Vm::greeted(&daemon);
    assert_eq!(vm.driver.event(), Event::Statistics);
    let series = |metrics: &str| -> Vec<String> {
        let lines = metrics.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.rsplit_once(' ').unwrap().0.to_string())
            .collect()
    };
    let mut all = Vec::new();
    for round in 1..=3 {
        // two points may have the same pages
        let heat = (0..16).map(|point| Heat {
            pages: round * 1000 + point / 2,
            heat: u64::MAX - round - point,
        });
        vm.driver.statistics(&Statistics {
            heat: heat.collect(),
            nodes: vec![NodeStatistics::default(); 2],
            ..Statistics::default()
        });
        let metrics = client.metrics().unwrap();
        let line = format!("tiered_balloon_guest_heat_pages{{point=\"15\"}} {round}007\n");
        assert!(metrics.contains(&line), "{metrics}");
        all.push(series(&metrics));
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[1], all[2]);
    let heat = |name: &str| all[0].iter().filter(|line| line.starts_with(name)).count();
    assert_eq!(heat("tiered_balloon_guest_heat{"), 16);
    assert_eq!(heat("tiered_balloon_guest_heat_pages{"), 16);
    assert!(all[0].len() < 120, "{:?}", all[0]);
}

#[test]
fn a_hypervisor_that_comes_back_finds_what_it_left() {
    let daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    let answer = vm.driver.ranges(RangeKind::Inflate, 1, &[(FIRST, 300)]);
    assert_eq!(answer.ballooned, 300);
    vm.reconnect(&daemon);
    assert_eq!(vm.driver.event(), Event::Hello);
    assert_eq!(vm.driver.hello(0, &[0, 300]), Status::Ok);
    assert_eq!(ballooned(&daemon), [0, 300]);

    // another VM is another memory
    drop(vm);
    wait_until("it is gone", || !daemon.client().vm().unwrap().connected);
    let held = |files: Vec<String>| files.iter().any(|file| file.contains("memfd:guest"));
    wait_until("memory of the VM is let go", || !held(open_files(&daemon)));
    let mut vm = Vm::greeted(&daemon);
    assert_eq!(ballooned(&daemon), [0, 0]);
    assert_eq!(vm.driver.hello(0, &[0, 5]), Status::Resync);
}

#[test]
fn hypervisors_that_come_and_go_leave_nothing_behind() {
    let daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    let mut count = || {
        for _ in 0..20 {
            vm.reconnect(&daemon);
            assert_eq!(vm.driver.hello(0, &[0, 0]), Status::Ok);
        }
        open_files(&daemon).len()
    };
    let before = count();
    let after = (0..5).map(|_| count()).min().unwrap();
    assert!(after <= before, "{before} files are open, then {after}");
}

#[test]
fn a_daemon_that_died_is_told_all_again() {
    let mut daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    let held = [(FIRST, 512), (FIRST + 1024, 1)];
    for round in 1..=5 {
        for range in held {
            let answer = vm.driver.ranges(RangeKind::Inflate, 1, &[range]);
            assert_eq!(answer.status, Status::Ok);
        }
        assert_eq!(ballooned(&daemon), [0, 513]);
        daemon.kill_and_start();
        // a request that nobody has answered is answered, once, without another kick
        let requests = &mut vm.driver.rings[queue::REQUESTS];
        let pending = encode_ranges(RangeKind::Inflate, 1, &[(FIRST + 4096, round)]);
        requests.submit(0, &pending, 64);
        vm.reconnect(&daemon);
        let requests = &mut vm.driver.rings[queue::REQUESTS];
        assert!(requests.wait(Duration::from_secs(10)).is_some());
        assert_eq!(daemon.client().stats().unwrap().requests.inflate, 1);
        while vm.driver.event() != Event::Hello {}
        let holds = 513 + u64::from(round);
        assert_eq!(vm.driver.hello(0, &[0, holds]), Status::Resync);
        // what the guest has is what it shall have, since nobody has said anything else
        let target = |node, pages| Event::Target { node, pages };
        assert_eq!(vm.driver.event(), target(0, 0));
        assert_eq!(vm.driver.event(), target(1, holds));
        assert_eq!(ballooned(&daemon), [0, 0]);
        let answer = vm
            .driver
            .ranges(RangeKind::Deflate, 1, &[(FIRST + 4096, round)]);
        assert_eq!((answer.status, answer.ballooned), (Status::Ok, 0));
    }
    assert_eq!(vm.guest.resident(1), NODE_BYTES - (513 + 5) * PAGE);
}

#[test]
fn a_target_that_was_said_is_kept() {
    let daemon = daemon(&["--target", "3=60M"]);
    daemon.client().set_target(7, NODE_BYTES).unwrap();
    let mut vm = Vm::start(&daemon, Memory::Table);
    assert_eq!(vm.driver.event(), Event::Hello);
    // more than the node has is no target, either
    for held in [[0, 5], [9, 0], [NODE_PAGES + 1, u64::MAX]] {
        assert_eq!(vm.driver.hello(0, &held), Status::Resync);
        let target = |node, pages| Event::Target { node, pages };
        assert_eq!(vm.driver.event(), target(0, 1024));
        assert_eq!(vm.driver.event(), target(1, 0));
    }
}

#[test]
fn the_guest_has_its_memory_back_before_the_daemon_ends() {
    let mut daemon = daemon(&["--grace", "10s"]);
    let mut vm = Vm::greeted(&daemon);
    vm.driver.ranges(RangeKind::Inflate, 1, &[(FIRST, 8)]);
    daemon.signal(Signal::TERM);
    while vm.driver.event() != Event::Deflate {}
    let refused = daemon.client().set_target(3, 0).unwrap_err();
    assert!(refused.to_string().contains("ending"), "{refused}");
    assert!(daemon.runs());
    vm.driver.ranges(RangeKind::Deflate, 1, &[(FIRST, 8)]);
    assert_eq!(daemon.wait(), Some(0));
    assert_eq!(fs::read_dir(daemon.folder()).unwrap().count(), 0);
}

#[test]
fn a_guest_that_keeps_its_balloon_is_waited_for_a_while() {
    let mut daemon = daemon(&["--grace", "300ms"]);
    let mut vm = Vm::greeted(&daemon);
    vm.driver.ranges(RangeKind::Inflate, 1, &[(FIRST, 8)]);
    let since = Instant::now();
    daemon.signal(Signal::INT);
    assert_eq!(daemon.wait(), Some(0));
    assert!(since.elapsed() >= Duration::from_millis(300));
}

#[test]
fn other_nodes_than_the_guests_end_the_daemon() {
    let wrong: [(&[&str], &str); 4] = [
        (&["--node", "0=64M"], "64M of memory that no --node names"),
        (
            &["--node", "0=64M", "--node", "1=65M"],
            "--node 1=65M: the guest's memory in its place has 64M",
        ),
        (
            &["--node", "0=64M", "--node", "1=64M", "--node", "2=1G"],
            "--node 2=1G: the guest's memory in its place has 0",
        ),
        (
            &["--node", "0=63M", "--node", "1=65M"],
            "--node 0=63M: the guest's memory in its place has 64M",
        ),
    ];
    for (args, complaint) in wrong {
        let mut daemon = Daemon::start(env!("CARGO_BIN_EXE_tiered-balloon"), args);
        let guest = Guest::new();
        let driver = Driver::new(&guest.memory);
        let mut front_end = FrontEnd::connect(&daemon.socket(), queue::COUNT);
        // the daemon may end before all rings are enabled
        let _ = front_end.try_start(&guest, &driver.rings, Memory::Table);
        assert_eq!(daemon.wait(), Some(2));
        let said = daemon.complaint();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(complaint), "{said}");
    }
    // one node may be both files
    let daemon = Daemon::start(env!("CARGO_BIN_EXE_tiered-balloon"), &["--node", "0=128M"]);
    let mut vm = Vm::start(&daemon, Memory::Table);
    assert_eq!(vm.driver.hello(0, &[0]), Status::Ok);
    let end_of_first = NODE_FRAMES[0][1].1;
    let answer = vm
        .driver
        .ranges(RangeKind::Inflate, 0, &[(end_of_first - 1, 2)]);
    assert_eq!((answer.status, answer.ballooned), (Status::Ok, 2));
}

#[test]
fn memory_that_is_not_complete_yet_ends_nothing() {
    let mut daemon = daemon(&[]);
    let guest = Guest::new();
    let mut driver = Driver::new(&guest.memory);
    let mut front_end = FrontEnd::connect(&daemon.socket(), queue::COUNT);
    front_end.take_features().unwrap();
    // a client that sets targets wakes the rings' thread after each region
    for part in &guest.parts {
        front_end.add(&guest, part);
        for _ in 0..10 {
            daemon.client().set_target(3, NODE_BYTES).unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
        assert!(daemon.runs());
    }
    for queue in 0..queue::COUNT {
        front_end.start_ring(&guest, &driver.rings, queue, 0);
        front_end.enable_ring(queue);
    }
    assert_eq!(driver.hello(0, &[0, 0]), Status::Ok);
}

#[test]
fn requests_are_answered_though_memory_is_plugged() {
    let mut daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    vm.driver.ranges(RangeKind::Inflate, 1, &[(FIRST, 8)]);
    let plugged = Guest::at(1 << 40);
    let part = plugged.parts[2];
    let (front_end, _, driver) = vm.parts();
    for _ in 0..3 {
        front_end.add(&plugged, &part);
        let answer = driver.ranges(RangeKind::Inflate, 1, &[(FIRST + 8, 8)]);
        assert_eq!((answer.status, answer.ballooned), (Status::Ok, 16));
        front_end.remove(&plugged, &part);
    }
    daemon.signal(Signal::TERM);
    while driver.event() != Event::Deflate {}
    driver.ranges(RangeKind::Deflate, 1, &[(FIRST, 16)]);
    assert_eq!(daemon.wait(), Some(0));
    let said = daemon.complaint();
    assert!(
        said.contains("64M of the guest's memory belong to no --node"),
        "{said}"
    );
}

#[test]
fn requests_wait_while_memory_is_changed() {
    let daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    vm.driver.ranges(RangeKind::Inflate, 1, &[(FIRST, 8)]);
    let part = vm.guest.parts[2];
    let (front_end, guest, driver) = vm.parts();
    front_end.remove(guest, &part);
    let request = encode_ranges(RangeKind::Inflate, 1, &[(FIRST + 8, 8)]);
    let requests = &mut driver.rings[queue::REQUESTS];
    requests.submit(0, &request, 64);
    requests.kick();
    assert_eq!(requests.wait(Duration::from_millis(200)), None);
    front_end.add(guest, &part);
    assert!(requests.wait(Duration::from_secs(10)).is_some());
    assert_eq!(ballooned(&daemon), [0, 16]);
}

#[test]
fn rings_are_stopped_and_started_under_load() {
    let daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    let request = encode_ranges(RangeKind::Inflate, 1, &[(FIRST, 16000)]);
    let (front_end, guest, driver) = vm.parts();
    for round in 0..100 {
        let requests = &mut driver.rings[queue::REQUESTS];
        requests.submit(0, &request, 64);
        requests.kick();
        driver.rings[queue::STATISTICS].kick();
        front_end.stop_ring(queue::STATISTICS);
        front_end.start_ring(guest, &driver.rings, queue::STATISTICS, 0);
        front_end.enable_ring(queue::STATISTICS);
        let requests = &mut driver.rings[queue::REQUESTS];
        let used = requests.wait(Duration::from_secs(10));
        assert!(used.is_some(), "round {round}");
    }
    assert_eq!(bad(&daemon, "ring"), 0);
}

#[test]
fn a_driver_that_is_gone_is_not_shown() {
    let daemon = daemon(&[]);
    let mut vm = Vm::greeted(&daemon);
    assert!(daemon.client().vm().unwrap().driver.is_some());
    let (front_end, guest, driver) = vm.parts();
    front_end.stop_ring(queue::REQUESTS);
    assert_eq!(daemon.client().vm().unwrap().driver, None);
    front_end.start_ring(guest, &driver.rings, queue::REQUESTS, 12345);
    front_end.enable_ring(queue::REQUESTS);
    assert_eq!(driver.hello(0, &[0, 0]), Status::Ok);
}
