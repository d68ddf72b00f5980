// SPDX-License-Identifier: GPL-2.0-or-later
//! The API's socket, against clients that attack it.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tiered_balloon_testing::Daemon;

fn daemon() -> Daemon {
    Daemon::start(env!("CARGO_BIN_EXE_tiered-balloon"), &["--node", "0=1G"])
}

fn connect(daemon: &Daemon) -> UnixStream {
    let stream = UnixStream::connect(daemon.folder().join("vm.api")).unwrap();
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).unwrap();
    stream.set_write_timeout(limit).unwrap();
    stream
}

/// What the daemon says until it closes the connection.
fn answer(mut stream: UnixStream) -> String {
    let mut bytes = Vec::new();
    let mut room = [0; 4096];
    // who has sent more than was read may find the connection reset at the end
    while let Ok(count @ 1..) = stream.read(&mut room) {
        bytes.extend(&room[..count]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_body_is_not_allocated_before_it_comes() {
    let mut daemon = daemon();
    for length in [
        "18446744073709551615",
        "9223372036854775807",
        "1099511627776",
    ] {
        for method in ["PUT", "GET", "POST"] {
            let mut stream = connect(&daemon);
            write!(
                stream,
                "{method} /targets HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
            )
            .unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let said = answer(stream);
            let status = if method == "PUT" { "400" } else { "404" };
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
        }
    }
    assert!(daemon.runs() && daemon.client().vm().is_ok());
}

#[test]
fn nobody_waits_for_a_body_that_nobody_needs() {
    let daemon = daemon();
    let mut stream = connect(&daemon);
    write!(stream, "GET /vm HTTP/1.1\r\nContent-Length: 100\r\n\r\n").unwrap();
    let said = answer(stream);
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    assert!(said.contains("\"nodes\""), "{said}");
}

#[test]
fn clients_that_send_nothing_are_left() {
    let mut daemon = daemon();
    let open = || {
        let files = fs::read_dir(format!("/proc/{}/fd", daemon.pid()));
        files.unwrap().count()
    };
    let before = open();
    let idle: Vec<_> = (0..30).map(|_| connect(&daemon)).collect();
    let since = Instant::now();
    let mut most = 0;
    while since.elapsed() < Duration::from_secs(1) {
        most = most.max(open());
        std::thread::sleep(Duration::from_millis(20));
    }
    // and a few of a daemon that has just begun
    assert!(most < before + 20, "{before} files are open, then {most}");
    assert!(daemon.client().vm().is_ok());
    for stream in idle {
        assert_eq!(answer(stream), "");
    }
    assert!(daemon.runs());
}

#[test]
fn what_comes_too_slowly_or_never_holds_up_nobody() {
    let daemon = daemon();
    let mut part = connect(&daemon);
    write!(part, "PUT /targets HTTP/1.1\r\nContent-Length: 9\r\n\r\n{{").unwrap();
    let since = Instant::now();
    assert!(daemon.client().vm().is_ok());
    assert!(since.elapsed() < Duration::from_secs(1));
    assert_eq!(answer(part), "");
    // one byte at a time, each soon enough for a limit of each
    let mut slow = connect(&daemon);
    let since = Instant::now();
    while slow.write_all(b"a").is_ok() {
        assert!(since.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn endless_lines_are_cut_off() {
    let mut daemon = daemon();
    for line in ["a: b\r\n", "b"] {
        let mut stream = connect(&daemon);
        stream.write_all(b"GET /vm HTTP/1.1\r\nx: y").unwrap();
        let since = Instant::now();
        while stream.write_all(line.repeat(100).as_bytes()).is_ok() {
            assert!(since.elapsed() < Duration::from_secs(20));
        }
        let said = answer(stream);
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
        assert!(said.contains("{\"error\":\"that is no HTTP\"}") || said.contains("too long"));
    }
    assert!(daemon.runs() && daemon.client().vm().is_ok());
}
