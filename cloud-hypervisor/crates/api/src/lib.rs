// SPDX-License-Identifier: GPL-2.0-or-later
//! What the tiered balloon's daemon and its clients say to each other: JSON over HTTP on a
//! Unix socket. The daemon serves it, `tierctl` and `tierd` use it through [`Client`].
//!
//! | request | answer |
//! |---|---|
//! | `GET /vm` | [`Vm`] |
//! | `PUT /nodes/{pxm}/target` with [`Target`] | the [`Node`] |
//! | `PUT /targets` with [`Targets`] | all [`Node`]s, as a list; either all targets change or none |
//! | `GET /stats` | [`Stats`] |
//! | `GET /metrics` | the figures of `/stats` in Prometheus' text format |
//!
//! What goes wrong is answered with the status 400 (bad value), 404 (no such node or path),
//! 409 (not now) or 500 and [`Failure`].

mod client;
mod size;
mod types;
mod unix;

pub use client::{Client, Error};
pub use size::{PxmSize, Size, SizeError};
pub use types::{
    Driver, Failure, Heat, Node, NodeStatistics, NodeTarget, Pages, Requests, Statistics, Stats,
    Target, Targets, Vm,
};

/// Bytes of a page: targets are multiples of it, and statistics count in it.
pub const PAGE: u64 = 4096;

/// Text that came from elsewhere, fit for a terminal or a log: control characters are
/// escaped, and what is long is cut.
pub fn printable(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut out: String = text
        .trim_end()
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            let escape = c.is_control();
            let escaped = escape.then(|| c.escape_default()).into_iter().flatten();
            escaped.chain((!escape).then_some(c))
        })
        .collect();
    if text.trim_end().chars().nth(LONGEST).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_is_printed_controls_no_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc\n"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(printable("größer"), "größer");
        assert!(printable(&"x".repeat(1000)).len() < 310);
    }
}
