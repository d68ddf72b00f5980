// SPDX-License-Identifier: GPL-2.0-or-later
//! Lets ureq speak HTTP over a Unix socket: a connector that knows one path, and the
//! transport that it makes. Every wait is bounded by the time that ureq has left.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fmt, io};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// Connects to the socket at its path, whatever the address is.
#[derive(Debug)]
pub struct UnixConnector(pub PathBuf);

/// Names an address for every host, since ureq wants one.
#[derive(Debug)]
pub struct NoResolver;

/// Says that no connection came about, in contrast to one that broke.
#[derive(Debug)]
pub struct Unreachable(pub io::Error);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unreachable {}

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(([0, 0, 0, 0], 0).into());
        Ok(addresses)
    }
}

impl<In: Transport> Connector<In> for UnixConnector {
    type Out = UnixTransport;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<In>,
    ) -> Result<Option<UnixTransport>, Error> {
        let limit = details.timeout.not_zero().map(|limit| *limit);
        let stream = self.open(limit).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => Error::Timeout(details.timeout.reason),
            _ => Error::Other(Box::new(Unreachable(error))),
        })?;
        let config = details.config;
        Ok(Some(UnixTransport {
            stream,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
        }))
    }
}

impl UnixConnector {
    /// Connects, and waits at most `limit` if a busy listener has its queue full.
    fn open(&self, limit: Option<Duration>) -> io::Result<UnixStream> {
        let address = SocketAddrUnix::new(&self.0)?;
        let socket = socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        set_socket_timeout(&socket, Timeout::Send, limit)?;
        connect(&socket, &address)?;
        Ok(socket.into())
    }
}

/// A connection.
#[derive(Debug)]
pub struct UnixTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

/// Calls `work` with the time that is left until it neither ran out of that nor was
/// interrupted by a signal.
fn bounded<T>(
    timeout: NextTimeout,
    mut work: impl FnMut(Option<Duration>) -> io::Result<T>,
) -> Result<T, Error> {
    let limit = timeout.not_zero().map(|limit| *limit);
    let end = limit.map(|limit| Instant::now() + limit);
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if timeout.after.is_zero() || left.is_some_and(|left| left.is_zero()) {
            return Err(Error::Timeout(timeout.reason));
        }
        match work(left) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(Error::Timeout(timeout.reason));
            }
            result => return Ok(result?),
        }
    }
}

impl Transport for UnixTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let stream = &mut self.stream;
        let mut output = &self.buffers.output()[..amount];
        while !output.is_empty() {
            let sent = bounded(timeout, |left| {
                stream.set_write_timeout(left)?;
                match stream.write(output)? {
                    0 => Err(ErrorKind::WriteZero.into()),
                    sent => Ok(sent),
                }
            })?;
            output = &output[sent..];
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let stream = &mut self.stream;
        let input = self.buffers.input_append_buf();
        let received = bounded(timeout, |left| {
            stream.set_read_timeout(left)?;
            stream.read(input)
        })?;
        self.buffers.input_appended(received);
        Ok(received > 0)
    }

    fn is_open(&mut self) -> bool {
        // Connections are not kept.
        false
    }
}
