// SPDX-License-Identifier: GPL-2.0-or-later
//! Speed of the whole path of requests: a driver inflates and deflates all of a node through
//! rings, kicks and calls of a daemon's process, for several sizes of ranges. `cargo bench`
//! prints a table; the best of three rounds counts.

use std::time::{Duration, Instant};

use tiered_balloon_testing::{Daemon, Driver, FrontEnd, Guest, Memory, NODE_FRAMES};
use tiered_balloon_wire::{MAX_RANGES, RangeKind, Status, queue};

const ROUNDS: usize = 3;

fn main() {
    let args = ["--node", "0=64M", "--node", "1=64M"];
    let daemon = Daemon::start(env!("CARGO_BIN_EXE_tiered-balloon"), &args);
    let guest = Guest::new();
    let mut driver = Driver::new(&guest.memory);
    let mut front_end = FrontEnd::connect(&daemon.socket(), queue::COUNT);
    front_end.start(&guest, &driver.rings, Memory::Table);
    assert_eq!(driver.hello(0, &[0, 0]), Status::Ok);
    println!("pages of a range   inflated pages/s   deflated pages/s   requests/s");
    for pages in [1, 8, 64, 512] {
        let rounds = (0..ROUNDS).map(|_| round(&guest, &mut driver, pages));
        let [inflate, deflate] = rounds.min().expect("rounds");
        let (first, end) = NODE_FRAMES[1][0];
        let all = (end - first) as f64;
        let requests = (all / f64::from(pages) / MAX_RANGES as f64).ceil();
        println!(
            "{pages:16} {:18.0} {:18.0} {:12.0}",
            all / inflate.as_secs_f64(),
            all / deflate.as_secs_f64(),
            2.0 * requests / (inflate + deflate).as_secs_f64(),
        );
    }
}

/// Inflates and deflates a node whose memory is all there, by ranges that do not touch, since
/// the daemon handles those that do as one. Returns how long each took.
fn round(guest: &Guest, driver: &mut Driver, pages: u32) -> [Duration; 2] {
    guest.populate(1);
    let (first, end) = NODE_FRAMES[1][0];
    let starts = || (first..end).step_by(pages as usize);
    // every other, then those between
    let ranges: Vec<(u64, u32)> = [0, 1]
        .iter()
        .flat_map(|&skip| starts().skip(skip).step_by(2))
        .map(|frame| (frame, pages))
        .collect();
    [RangeKind::Inflate, RangeKind::Deflate].map(|kind| {
        let since = Instant::now();
        for request in ranges.chunks(MAX_RANGES) {
            assert_eq!(driver.ranges(kind, 1, request).status, Status::Ok);
        }
        since.elapsed()
    })
}
