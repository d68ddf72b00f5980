// SPDX-License-Identifier: GPL-2.0-or-later
//! The plain virtio-balloon, with the queues that a stock driver uses.

use std::time::Duration;

use tiered_balloon_api::PAGE;
use tiered_balloon_testing::{Daemon, FrontEnd, Guest, Memory, NODE_BYTES, NODE_FRAMES, Ring};

const INFLATE: usize = 0;
const DEFLATE: usize = 1;

fn request(rings: &mut [Ring], queue: usize, frames: impl IntoIterator<Item = u32>) {
    let bytes: Vec<u8> = frames.into_iter().flat_map(u32::to_le_bytes).collect();
    let ring = &mut rings[queue];
    ring.submit(0, &bytes, 0);
    ring.kick();
    assert_eq!(ring.wait(Duration::from_secs(10)), Some((0, 0)));
}

#[test]
fn it_takes_from_the_sum_of_all_nodes() {
    let args = [
        "--stock", "--node", "0=64M", "--node", "1=64M", "--target", "1=48M",
    ];
    let daemon = Daemon::start(env!("CARGO_BIN_EXE_tiered-balloon"), &args);
    let guest = Guest::new();
    guest.populate(1);
    let mut rings: Vec<_> = (0..2)
        .map(|queue| Ring::new(&guest.memory, queue))
        .collect();
    let mut front_end = FrontEnd::connect(&daemon.socket(), 2);
    front_end.start(&guest, &rings, Memory::Table);

    let pages = |bytes: u64| u32::try_from(bytes / PAGE).unwrap().to_le_bytes();
    assert_eq!(front_end.config(0, 4), pages(16 << 20));
    daemon.client().set_target(0, 0).unwrap();
    assert_eq!(front_end.config(0, 4), pages(80 << 20));
    assert_eq!(front_end.config(4, 8), [0; 8]);

    let [low, high] = [NODE_FRAMES[0][0].1 - 1, NODE_FRAMES[1][0].0];
    let [low, high] = [low, high].map(|frame| u32::try_from(frame).unwrap());
    let ballooned = || {
        let nodes = daemon.client().vm().unwrap().nodes;
        [nodes[0].ballooned / PAGE, nodes[1].ballooned / PAGE]
    };
    request(&mut rings, INFLATE, (high..high + 100).chain([low]));
    assert_eq!(ballooned(), [1, 100]);
    assert_eq!(guest.resident(1), NODE_BYTES - 100 * PAGE);
    request(&mut rings, DEFLATE, high..high + 60);
    assert_eq!(ballooned(), [1, 40]);

    // frames that are none, and half a frame
    request(&mut rings, INFLATE, [low + 1, u32::MAX]);
    rings[INFLATE].submit(0, &[1, 2, 3], 0);
    rings[INFLATE].kick();
    assert!(rings[INFLATE].wait(Duration::from_secs(10)).is_some());
    assert_eq!(ballooned(), [1, 40]);
    let stats = daemon.client().stats().unwrap();
    assert_eq!((stats.bad["range"], stats.bad["request"]), (2, 1));
    assert_eq!((stats.requests.inflate, stats.requests.deflate), (3, 1));

    // a guest that was started again has nothing in its balloon
    front_end.write_config(4, &[41, 0, 0, 0]);
    assert_eq!(front_end.config(4, 4), [41, 0, 0, 0]);
    assert_eq!(ballooned(), [1, 40]);
    front_end.write_config(0, &[0; 8]);
    assert_eq!(ballooned(), [0, 0]);
    assert_eq!(front_end.config(0, 4), pages(80 << 20));
    // nor has one whose driver never wrote it
    request(&mut rings, INFLATE, high..high + 100);
    assert_eq!(ballooned(), [0, 100]);
    front_end.stop_ring(DEFLATE);
    assert_eq!(ballooned(), [0, 100]);
    front_end.stop_ring(INFLATE);
    assert_eq!(ballooned(), [0, 0]);
}
