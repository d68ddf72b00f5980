// SPDX-License-Identifier: GPL-2.0-or-later
//! The client against sockets where something answers, well or badly.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tiered_balloon_api::{Client, Error, Node, NodeTarget};

const SOON: Duration = Duration::from_millis(300);
const LATER: Duration = Duration::from_secs(20);

const NODE: &str = r#"{"pxm":1,"bytes":8192,"target":4096,"ballooned":4096,"resident":0}"#;

/// Listens in `folder`, hands one connection to `serve` after it has read the request up to
/// `end`, and returns that request.
fn serve_once(
    folder: &Path,
    end: &'static str,
    serve: impl FnOnce(UnixStream) + Send + 'static,
) -> thread::JoinHandle<String> {
    let listener = UnixListener::bind(folder.join("api")).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(end.as_bytes()) && stream.read(&mut byte).unwrap() == 1 {
            request.push(byte[0]);
        }
        serve(stream);
        String::from_utf8(request).unwrap()
    })
}

fn answer(status: &str, body: &str) -> impl FnOnce(UnixStream) + Send + 'static {
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // A client that has read enough closes; that is not the server's fault.
    move |mut stream| drop(stream.write_all(text.as_bytes()))
}

fn client(folder: &TempDir, limit: Duration) -> Client {
    Client::new(folder.path().join("api"), limit)
}

#[test]
fn requests_are_those_of_the_documentation() {
    let folder = TempDir::new().unwrap();
    let server = serve_once(folder.path(), "}", answer("200 OK", NODE));
    let node: Node = client(&folder, LATER).set_target(1, 4096).unwrap();
    assert_eq!(node.given(), 4096);
    let request = server.join().unwrap();
    assert!(
        request.starts_with("PUT /nodes/1/target HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.ends_with("\r\n\r\n{\"bytes\":4096}"), "{request}");

    let folder = TempDir::new().unwrap();
    let server = serve_once(folder.path(), "]}", answer("200 OK", &format!("[{NODE}]")));
    let targets = [NodeTarget {
        pxm: 1,
        bytes: 4096,
    }];
    let nodes = client(&folder, LATER).set_targets(&targets).unwrap();
    assert_eq!(nodes, [node]);
    let request = server.join().unwrap();
    assert!(
        request.starts_with("PUT /targets HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains(r#"{"targets":[{"pxm":1,"bytes":4096}]}"#),
        "{request}"
    );

    let folder = TempDir::new().unwrap();
    let server = serve_once(folder.path(), "\r\n\r\n", answer("200 OK", "up 1\n"));
    assert_eq!(client(&folder, LATER).metrics().unwrap(), "up 1\n");
    assert!(server.join().unwrap().starts_with("GET /metrics "));
}

#[test]
fn nobody_is_there() {
    let folder = TempDir::new().unwrap();
    let error = client(&folder, LATER).vm().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    let path = folder.path().join("api");
    let start = format!("no daemon answers at {}: ", path.display());
    assert!(error.to_string().starts_with(&start), "{error}");

    // The socket of a daemon that was killed
    drop(UnixListener::bind(&path).unwrap());
    let error = client(&folder, LATER).vm().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");

    let error = Client::new("/".repeat(200), LATER).vm().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_refusal_says_why() {
    let folder = TempDir::new().unwrap();
    let body = r#"{"error": "node 7 is none\u001b[31m"}"#;
    let server = serve_once(folder.path(), "}", answer("404 Not Found", body));
    let error = client(&folder, LATER).set_target(7, 0).unwrap_err();
    server.join().unwrap();
    assert!(matches!(error, Error::Refused { status: 404, .. }));
    assert!(
        error
            .to_string()
            .ends_with(r"refuses: node 7 is none\u{1b}[31m"),
        "{error}"
    );

    let folder = TempDir::new().unwrap();
    let server = serve_once(folder.path(), "}", answer("502 Bad Gateway", "<html>"));
    let error = client(&folder, LATER).set_target(0, 0).unwrap_err();
    server.join().unwrap();
    assert!(
        error.to_string().ends_with("refuses: 502 Bad Gateway"),
        "{error}"
    );
}

#[test]
fn what_is_no_daemon_is_called_so() {
    let answers: [fn(UnixStream); 5] = [
        |stream| answer("200 OK", r#"{"version": 1}"#)(stream),
        |stream| answer("200 OK", "\x1b[2J")(stream),
        |stream| answer("301 Moved\r\nLocation: http://localhost/x", "")(stream),
        |mut stream| stream.write_all(b"SSH-2.0-x\r\n\r\n").unwrap(),
        drop,
    ];
    for (case, serve) in answers.into_iter().enumerate() {
        let folder = TempDir::new().unwrap();
        let server = serve_once(folder.path(), "\r\n\r\n", serve);
        let error = client(&folder, LATER).vm().unwrap_err();
        server.join().unwrap();
        let text = error.to_string();
        assert!(!text.contains(['\x1b', '\n']), "{case}: {text}");
        assert!(
            matches!(
                error,
                Error::Strange { .. } | Error::Refused { status: 301, .. }
            ),
            "{case}: {error:?}"
        );
    }
}

#[test]
fn an_answer_without_end_is_cut() {
    let folder = TempDir::new().unwrap();
    let server = serve_once(folder.path(), "\r\n\r\n", |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let spaces = [b' '; 1 << 16];
        let mut sent = 0;
        while stream.write_all(&spaces).is_ok() {
            sent += spaces.len();
            assert!(sent < 1 << 26);
        }
    });
    let error = client(&folder, LATER).vm().unwrap_err();
    assert!(matches!(error, Error::Strange { .. }), "{error:?}");
    server.join().unwrap();
}

/// Runs a request of which the server makes nothing, and returns how long that took.
fn late(folder: &TempDir) -> Duration {
    let start = Instant::now();
    let error = client(folder, SOON).vm().unwrap_err();
    assert!(matches!(error, Error::Late { .. }), "{error:?}");
    start.elapsed()
}

#[test]
fn silence_is_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let _listener = UnixListener::bind(folder.path().join("api")).unwrap();
    assert!(late(&folder) < LATER / 2);
}

#[test]
fn a_full_queue_is_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("api");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    assert!(late(&folder) < LATER / 2);
}

#[test]
fn an_answer_that_trickles_is_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let server = serve_once(folder.path(), "\r\n\r\n", |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
    });
    assert!(late(&folder) < LATER / 2);
    server.join().unwrap();
}
