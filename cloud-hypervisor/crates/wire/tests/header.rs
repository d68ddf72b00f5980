// SPDX-License-Identifier: GPL-2.0-or-later
//! The format is that of the kernel's header: a C program, header.c, is compiled with it, says
//! its numbers, and reads structs that were encoded here.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tiered_balloon_wire::*;

const HEADER: &str = "../../../linux/include/uapi/linux/virtio_tiered_balloon.h";

/// The compiled header.c.
struct Header {
    _dir: TempDir,
    program: PathBuf,
}

impl Header {
    fn compile() -> Header {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dir = TempDir::new().unwrap();
        let program = dir.path().join("header");
        let status = Command::new("cc")
            .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-include"])
            .arg(here.join(HEADER))
            .arg(here.join("tests/header.c"))
            .arg("-o")
            .arg(&program)
            .status()
            .unwrap();
        assert!(status.success());
        Header { _dir: dir, program }
    }

    /// Returns what header.c says of `input`: the last word of each line.
    fn say(&self, what: &str, input: &[u8]) -> Vec<u64> {
        self.text(what, input)
            .lines()
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect()
    }

    fn text(&self, what: &str, input: &[u8]) -> String {
        let mut child = Command::new(&self.program)
            .arg(what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // constants does not read it
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "header {what}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn constants() {
    let ours: [(&str, u64); 34] = [
        ("VIRTIO_ID", VIRTIO_ID.into()),
        ("MAGIC", MAGIC.into()),
        ("VERSION", VERSION.into()),
        ("MAX_NODES", MAX_NODES as u64),
        ("PAGE_SHIFT", PAGE_SHIFT.into()),
        ("MAX_RANGES", MAX_RANGES as u64),
        ("HEAT_POINTS", HEAT_POINTS as u64),
        ("CAP_STATISTICS", capability::STATISTICS.into()),
        ("CAP_FREE_REPORTING", capability::FREE_REPORTING.into()),
        ("CAP_DEFLATE_ON_OOM", capability::DEFLATE_ON_OOM.into()),
        ("REQUESTS", queue::REQUESTS as u64),
        ("EVENTS", queue::EVENTS as u64),
        ("STATISTICS", queue::STATISTICS as u64),
        ("NR_QUEUES", queue::COUNT as u64),
        ("HELLO", 1),
        ("INFLATE", RangeKind::Inflate as u64),
        ("DEFLATE", RangeKind::Deflate as u64),
        ("REPORT_FREE", RangeKind::ReportFree as u64),
        ("OK", Status::Ok as u64),
        ("RESYNC", Status::Resync as u64),
        ("BAD_REQUEST", Status::BadRequest as u64),
        ("BAD_NODE", Status::BadNode as u64),
        ("BAD_RANGE", Status::BadRange as u64),
        ("REFUSED", Status::Refused as u64),
        ("FAILED", Status::Failed as u64),
        ("sizeof_config", CONFIG_SIZE as u64),
        ("sizeof_config_node", CONFIG_NODE_SIZE as u64),
        ("sizeof_request", REQUEST_SIZE as u64),
        ("sizeof_range", RANGE_SIZE as u64),
        ("sizeof_hello", HELLO_SIZE as u64),
        ("sizeof_response", RESPONSE_SIZE as u64),
        ("sizeof_event", EVENT_SIZE as u64),
        ("sizeof_heat", HEAT_SIZE as u64),
        ("sizeof_node_statistics", NODE_STATISTICS_SIZE as u64),
    ];
    let mut ours: String = ours.iter().map(|(n, v)| format!("{n} {v}\n")).collect();
    ours += &format!("sizeof_statistics {STATISTICS_SIZE}\n");
    assert_eq!(Header::compile().text("constants", &[]), ours);
}

#[test]
fn the_configuration_is_no_longer_than_qemu_takes() {
    const { assert!(CONFIG_SIZE <= 256) };
}

#[test]
fn config() {
    let nodes = [
        ConfigNode {
            pxm: 7,
            pages: 1 << 40,
        },
        ConfigNode {
            pxm: 9,
            pages: 12345,
        },
    ];
    let said = Header::compile().say("config", &encode_config(capability::ALL, &nodes));
    assert_eq!(said, [MAGIC.into(), 1, 7, 2, 7, 1 << 40, 9, 12345, 0]);
}

#[test]
fn events() {
    let header = Header::compile();
    let target = Event::Target {
        node: 3,
        pages: 1 << 33,
    };
    let cases = [
        (target, [1, 3, 1 << 33]),
        (Event::Statistics, [2, 0, 0]),
        (Event::Deflate, [3, 0, 0]),
        (Event::Hello, [4, 0, 0]),
    ];
    for (event, fields) in cases {
        assert_eq!(header.say("event", &event.encode()), fields);
        assert_eq!(Event::parse(&event.encode()), Some(event));
    }
}

#[test]
fn ranges() {
    let request = encode_ranges(RangeKind::Deflate, 5, &[(1 << 45, 512), (77, 1)]);
    let said = Header::compile().say("ranges", &request);
    assert_eq!(said, [3, 5, 2, 1 << 45, 512, 0, 77, 1, 0]);
    let Ok(Request::Ranges { kind, node, ranges }) = Request::parse(&request, 6) else {
        panic!("not understood")
    };
    assert_eq!((kind, node), (RangeKind::Deflate, 5));
    let ranges: Vec<_> = ranges.map(|r| (r.frame, r.pages, r.reserved)).collect();
    assert_eq!(ranges, [(1 << 45, 512, 0), (77, 1, 0)]);
}

#[test]
fn hello() {
    let request = encode_hello(1, capability::ALL, &[1 << 36, 4]);
    let said = Header::compile().say("hello", &request);
    assert_eq!(said, [1, 0, 2, 1, 7, 1 << 36, 4]);
    let Ok(Request::Hello(hello)) = Request::parse(&request, 2) else {
        panic!("not understood")
    };
    assert_eq!((hello.version, hello.capabilities), (1, 7));
    assert!(hello.ballooned().eq([1 << 36, 4]));
}

#[test]
fn response() {
    let response = encode_response(Status::Ok, &[Status::Ok, Status::BadRange], 1 << 34);
    let said = Header::compile().say("response", &response);
    assert_eq!(said, [4, 2, 1 << 34, 0, 4]);
    let parsed = Response::parse(&response).unwrap();
    assert_eq!(parsed.status, Status::BadRange);
    assert_eq!(parsed.ranges, [0, 4]);
    assert_eq!(parsed.ballooned, 1 << 34);
}

#[test]
fn statistics() {
    let node = |base| NodeStatistics {
        total: base,
        free: base + 1,
        ballooned: base + 2,
        target: base + 3,
        cache: base + 4,
        evacuated: base + 5,
    };
    let statistics = Statistics {
        psi_some_us: 1 << 50,
        psi_full_us: 2,
        reclaimed: 3,
        swapped_out: 4,
        major_faults: 5,
        oom_kills: 6,
        promoted: 7,
        demoted: 8,
        heat: vec![Heat { pages: 9, heat: 10 }],
        nodes: vec![node(100), node(200)],
    };
    let bytes = statistics.encode();
    let mut fields = vec![2, 1, 1 << 50, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0];
    fields.extend(100..106);
    fields.extend(200..206);
    assert_eq!(Header::compile().say("statistics", &bytes), fields);
    assert_eq!(Statistics::parse(&bytes, 2), Some(statistics));
}
