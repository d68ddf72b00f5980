// SPDX-License-Identifier: GPL-2.0-or-later
//! Requests, from driver to device, and their responses.

use alloc::vec::Vec;

use crate::{MAX_RANGES, Status, VERSION, bytes};

/// Bytes of `struct virtio_tb_request`.
pub const REQUEST_SIZE: usize = 8;
/// Bytes of `struct virtio_tb_range`.
pub const RANGE_SIZE: usize = 16;
/// Bytes of `struct virtio_tb_hello` without its array.
pub const HELLO_SIZE: usize = 8;
/// Bytes of `struct virtio_tb_response`, without the statuses of ranges.
pub const RESPONSE_SIZE: usize = 16;

const HELLO: u16 = 1;

/// Returns the bytes of the longest request to a device of so many nodes.
pub fn max_request_size(nodes: usize) -> usize {
    REQUEST_SIZE + (MAX_RANGES * RANGE_SIZE).max(HELLO_SIZE + nodes * 8)
}

/// What is asked for the ranges of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum RangeKind {
    /// These pages are not used any more.
    Inflate = 2,
    /// These pages will be used again.
    Deflate = 3,
    /// These pages are free at the moment.
    ReportFree = 4,
}

/// Pages that follow each other, as a driver names them: possibly none, or none that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first frame.
    pub frame: u64,
    /// How many.
    pub pages: u32,
    /// Not 0 if the driver wants something that this version does not know.
    pub reserved: u32,
}

/// The ranges of a request.
#[derive(Clone, Debug)]
pub struct Ranges<'a>(&'a [u8]);

impl Iterator for Ranges<'_> {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        Some(Range {
            frame: bytes::u64(&mut self.0)?,
            pages: bytes::u32(&mut self.0)?,
            reserved: bytes::u32(&mut self.0)?,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ranges = self.0.len() / RANGE_SIZE;
        (ranges, Some(ranges))
    }
}

impl ExactSizeIterator for Ranges<'_> {}

/// Payload of hello.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// Version of the driver, at most `VERSION`.
    pub version: u32,
    /// Capabilities that it takes.
    pub capabilities: u32,
    ballooned: &'a [u8],
}

impl Hello<'_> {
    /// Yields for each node of the configuration the pages that the driver holds.
    pub fn ballooned(&self) -> impl Iterator<Item = u64> {
        let mut rest = self.ballooned;
        core::iter::from_fn(move || bytes::u64(&mut rest))
    }
}

/// A request whose form is right. Whether its ranges are within the node is not said.
#[derive(Clone, Debug)]
pub enum Request<'a> {
    /// The first request of a driver.
    Hello(Hello<'a>),
    /// Something is asked for ranges of one node.
    Ranges {
        /// What is asked.
        kind: RangeKind,
        /// Place of the node in the configuration; less than the number of nodes.
        node: usize,
        /// 1 to `MAX_RANGES` of them.
        ranges: Ranges<'a>,
    },
}

impl<'a> Request<'a> {
    /// Parses all that a driver's chain has to read, for a device of so many nodes. The error
    /// is the status to answer with.
    pub fn parse(mut bytes: &'a [u8], nodes: usize) -> Result<Request<'a>, Status> {
        Self::head(&mut bytes)
            .ok_or(Status::BadRequest)
            .and_then(|(number, node, count)| match number {
                HELLO if node == 0 && count == nodes => Self::hello(bytes, nodes),
                2 => Self::ranges(RangeKind::Inflate, node, count, bytes, nodes),
                3 => Self::ranges(RangeKind::Deflate, node, count, bytes, nodes),
                4 => Self::ranges(RangeKind::ReportFree, node, count, bytes, nodes),
                _ => Err(Status::BadRequest),
            })
    }

    fn head(bytes: &mut &[u8]) -> Option<(u16, usize, usize)> {
        let number = bytes::u16(bytes)?;
        let node = usize::from(bytes::u16(bytes)?);
        let count = usize::try_from(bytes::u32(bytes)?).ok()?;
        Some((number, node, count))
    }

    fn hello(mut bytes: &'a [u8], nodes: usize) -> Result<Request<'a>, Status> {
        if bytes.len() != HELLO_SIZE + nodes * 8 {
            return Err(Status::BadRequest);
        }
        let version = bytes::u32(&mut bytes).ok_or(Status::BadRequest)?;
        let capabilities = bytes::u32(&mut bytes).ok_or(Status::BadRequest)?;
        if version == 0 || version > VERSION {
            return Err(Status::BadRequest);
        }
        Ok(Request::Hello(Hello {
            version,
            capabilities,
            ballooned: bytes,
        }))
    }

    fn ranges(
        kind: RangeKind,
        node: usize,
        count: usize,
        bytes: &'a [u8],
        nodes: usize,
    ) -> Result<Request<'a>, Status> {
        if count == 0 || count > MAX_RANGES || bytes.len() != count * RANGE_SIZE {
            return Err(Status::BadRequest);
        }
        if node >= nodes {
            return Err(Status::BadNode);
        }
        Ok(Request::Ranges {
            kind,
            node,
            ranges: Ranges(bytes),
        })
    }
}

/// Returns the response to a request: a status for each range that was looked at, and for the
/// whole, `whole`, or else the first of `ranges` that is not `Ok`.
pub fn encode_response(whole: Status, ranges: &[Status], ballooned: u64) -> Vec<u8> {
    let first_bad = ranges.iter().copied().find(|&s| s != Status::Ok);
    let status = match whole {
        Status::Ok => first_bad.unwrap_or(Status::Ok),
        other => other,
    };
    let mut response = Vec::with_capacity(RESPONSE_SIZE + ranges.len());
    response.extend(u32::from(status as u8).to_le_bytes());
    response.extend(bytes::count(ranges.len()));
    response.extend(ballooned.to_le_bytes());
    response.extend(ranges.iter().map(|&s| s as u8));
    response
}

/// What a driver reads of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Of the whole.
    pub status: Status,
    /// Of each range, as numbers of `Status`.
    pub ranges: &'a [u8],
    /// Pages in the balloon of the request's node.
    pub ballooned: u64,
}

impl<'a> Response<'a> {
    /// Parses the part of a driver's buffer that the device has written; none if that is no
    /// response.
    pub fn parse(mut bytes: &'a [u8]) -> Option<Response<'a>> {
        let status = Status::from_number(bytes::u32(&mut bytes)?)?;
        let count = usize::try_from(bytes::u32(&mut bytes)?).ok()?;
        let ballooned = bytes::u64(&mut bytes)?;
        Some(Response {
            status,
            ranges: bytes.get(..count)?,
            ballooned,
        })
    }
}

/// Returns a hello of a driver that holds so many pages of each node.
pub fn encode_hello(version: u32, capabilities: u32, ballooned: &[u64]) -> Vec<u8> {
    let mut request = head(HELLO, 0, ballooned.len());
    request.extend(version.to_le_bytes());
    request.extend(capabilities.to_le_bytes());
    request.extend(ballooned.iter().flat_map(|pages| pages.to_le_bytes()));
    request
}

/// Returns a request for ranges of a node, given as first frame and pages.
pub fn encode_ranges(kind: RangeKind, node: u16, ranges: &[(u64, u32)]) -> Vec<u8> {
    let mut request = head(kind as u16, node, ranges.len());
    for &(frame, pages) in ranges {
        request.extend(frame.to_le_bytes());
        request.extend(pages.to_le_bytes());
        request.extend(0u32.to_le_bytes());
    }
    request
}

fn head(number: u16, node: u16, count: usize) -> Vec<u8> {
    let mut request = Vec::with_capacity(REQUEST_SIZE + count * RANGE_SIZE);
    request.extend(number.to_le_bytes());
    request.extend(node.to_le_bytes());
    request.extend(bytes::count(count));
    request
}
