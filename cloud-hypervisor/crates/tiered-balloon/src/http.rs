// SPDX-License-Identifier: GPL-2.0-or-later
//! A server of HTTP/1.1 for few small requests on a Unix socket: one request for each
//! connection. A client may send anything, or nothing: a few threads serve one connection each,
//! so that no more are open, and time and size of each request are bounded. Who comes while
//! all of them are busy waits in the queue of the kernel.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use log::{debug, warn};

/// Connections that are served at the same time.
const CONNECTIONS: usize = 8;
/// How long a request may take to arrive, and as long again its answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of the longest head, with all header lines.
const LONGEST_HEAD: usize = 8 << 10;
/// Header lines of a request.
const MOST_HEADERS: usize = 64;
/// Bytes of the longest body.
const LONGEST_BODY: usize = 64 << 10;

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// What it is about, as it was sent.
    pub path: String,
    /// Empty unless the method is `PUT`: nothing else has a use for one.
    pub body: Vec<u8>,
}

/// An answer: HTTP status, type and body.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// Starts threads that serve clients for ever. `handle` answers a request, or says why one is
/// none.
pub fn serve(
    listener: UnixListener,
    handle: impl Fn(Result<Request, &'static str>) -> Answer + Send + Sync + 'static,
) -> io::Result<()> {
    let shared = Arc::new((listener, handle));
    for _ in 0..CONNECTIONS {
        let shared = shared.clone();
        let body = move || {
            let (listener, handle) = &*shared;
            loop {
                match listener.accept() {
                    Ok((stream, _)) => serve_one(&stream, handle),
                    Err(error) => {
                        warn!("API: {error}");
                        // what failed may fail again at once, e.g. for want of file descriptors
                        thread::sleep(Duration::from_millis(100));
                    }
                }
            }
        };
        thread::Builder::new().name("api".into()).spawn(body)?;
    }
    Ok(())
}

fn serve_one(stream: &UnixStream, handle: &impl Fn(Result<Request, &'static str>) -> Answer) {
    let answered = match read(&mut Timed::new(stream)) {
        Ok(request) => write(&mut Timed::new(stream), &handle(Ok(request))),
        Err(Failure::Bad(why)) => write(&mut Timed::new(stream), &handle(Err(why))),
        Err(Failure::Gone(error)) => Err(error),
    };
    // A client that is gone misses nothing.
    if let Err(error) = answered {
        debug!("API: {error}");
    }
}

/// A connection whose reads and writes together end in time.
struct Timed<'a> {
    stream: &'a UnixStream,
    end: Instant,
}

impl<'a> Timed<'a> {
    fn new(stream: &'a UnixStream) -> Timed<'a> {
        let end = Instant::now() + PATIENCE;
        Timed { stream, end }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.end.saturating_duration_since(Instant::now());
        // 0 would be no limit
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(bytes)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why there is no request.
#[derive(Debug)]
pub enum Failure {
    /// What was sent is none, for this reason.
    Bad(&'static str),
    /// The client went away, or took too long.
    Gone(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Gone(error)
    }
}

/// Reads a request. No more is allocated than has come.
pub fn read(client: &mut impl Read) -> Result<Request, Failure> {
    let mut bytes = Vec::new();
    let (mut request, head, length) = loop {
        if let Some(parsed) = parse(&bytes)? {
            break parsed;
        }
        if bytes.len() >= LONGEST_HEAD {
            return Err(Failure::Bad("the head is too long"));
        }
        more(client, &mut bytes, LONGEST_HEAD)?;
    };
    if request.method != "PUT" {
        return Ok(request);
    }
    if length > LONGEST_BODY as u64 {
        return Err(Failure::Bad("the body is too long"));
    }
    let mut body = bytes.split_off(head);
    let length = usize::try_from(length).unwrap_or(LONGEST_BODY);
    while body.len() < length {
        more(client, &mut body, length)?;
    }
    body.truncate(length);
    request.body = body;
    Ok(request)
}

/// Reads what has come, until there are `most` bytes.
fn more(client: &mut impl Read, bytes: &mut Vec<u8>, most: usize) -> Result<(), Failure> {
    let mut room = [0; 4096];
    let most = room.len().min(most - bytes.len());
    match client.read(&mut room[..most]) {
        Ok(0) => Err(Failure::Gone(ErrorKind::UnexpectedEof.into())),
        Ok(count) => {
            bytes.extend(&room[..count]);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Returns a request without its body, the bytes of its head and those of the body; none if
/// there is more to come of the head.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize, u64)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let end = match head.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Failure::Bad("that is no HTTP")),
    };
    let mut length = None;
    for header in &*head.headers {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Failure::Bad("a body needs a Content-Length"));
        }
        if header.name.eq_ignore_ascii_case("content-length") {
            let value = str::from_utf8(header.value).unwrap_or_default();
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            // one that does not fit is too long
            let value = value.parse().unwrap_or(u64::MAX);
            if !digits || length.replace(value).is_some_and(|other| other != value) {
                return Err(Failure::Bad("what Content-Length is that?"));
            }
        }
    }
    let request = Request {
        method: head.method.unwrap_or_default().into(),
        path: head.path.unwrap_or_default().into(),
        body: Vec::new(),
    };
    Ok(Some((request, end, length.unwrap_or(0))))
}

fn write(client: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let reason = match answer.status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        409 => "Conflict",
        _ => "Internal Server Error",
    };
    let Answer {
        status,
        content_type,
        body,
    } = answer;
    let length = body.len();
    let mut bytes = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .into_bytes();
    bytes.extend(body);
    client.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let count = bytes.len().min(1);
            self.0.read(&mut bytes[..count])
        }
    }

    fn body_of(text: &str) -> Result<Request, Failure> {
        let slow = read(&mut Slow(text.as_bytes()));
        let fast = read(&mut text.as_bytes());
        assert_eq!(format!("{slow:?}"), format!("{fast:?}"));
        fast
    }

    #[test]
    fn requests_are_read_however_they_come() {
        let put = body_of("PUT /targets HTTP/1.1\r\nHost: x\r\ncontent-length: 3\r\n\r\nabcd");
        let put = put.unwrap();
        assert_eq!((&*put.method, &*put.path), ("PUT", "/targets"));
        assert_eq!(put.body, b"abc");
        let get = body_of("GET /vm HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n");
        let get = get.unwrap();
        assert_eq!(
            (&*get.method, &*get.path, get.body.len()),
            ("GET", "/vm", 0)
        );
        assert_eq!(body_of("PUT / HTTP/1.0\r\n\r\nabc").unwrap().body, b"");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let header = |line: &str| format!("PUT / HTTP/1.1\r\n{line}\r\n\r\nabc");
        for bad in [
            header("Content-Length: 65537"),
            header("Content-Length: 18446744073709551615"),
            header("Content-Length: 99999999999999999999999"),
            header("Content-Length: -1"),
            header("Content-Length: +1"),
            header("Content-Length:"),
            header("Content-Length: 1\r\nContent-Length: 2"),
            header("Transfer-Encoding: chunked"),
            header(&"a: b\r\n".repeat(MOST_HEADERS + 1)),
            header(&format!("a: {}", "b".repeat(LONGEST_HEAD))),
            "\u{1}\u{2}\r\n\r\n".into(),
            "GET /vm HTTP/3\r\n\r\n".into(),
        ] {
            assert!(matches!(body_of(&bad), Err(Failure::Bad(_))), "{bad:.80}");
        }
        for part in ["", "PUT / HTTP/1.1\r\n", &header("Content-Length: 4")] {
            assert!(matches!(body_of(part), Err(Failure::Gone(_))), "{part}");
        }
    }
}
