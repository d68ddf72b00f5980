// SPDX-License-Identifier: GPL-2.0-or-later
//! Parsers take any bytes, and what was encoded is parsed as what it was.

use proptest::collection::vec;
use proptest::prelude::*;
use tiered_balloon_wire::*;

/// Bytes whose first are like those of a request more often than chance would have it.
fn request_bytes() -> impl Strategy<Value = Vec<u8>> {
    let head = (0u16..6, 0u16..4, 0usize..300);
    (head, vec(any::<u8>(), 0..5000), any::<bool>()).prop_map(|((kind, node, count), body, fit)| {
        let mut bytes = Vec::new();
        bytes.extend(kind.to_le_bytes());
        bytes.extend(node.to_le_bytes());
        bytes.extend(u32::try_from(count).unwrap().to_le_bytes());
        let fitting = if fit { count * RANGE_SIZE } else { body.len() };
        bytes.extend(&body[..body.len().min(fitting)]);
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_parse(bytes in vec(any::<u8>(), 0..700), nodes in 1..=MAX_NODES) {
        let _ = Request::parse(&bytes, nodes);
        let _ = Statistics::parse(&bytes, nodes);
        let _ = Event::parse(&bytes);
        let _ = Response::parse(&bytes);
    }

    #[test]
    fn a_request_has_what_its_head_says(bytes in request_bytes(), nodes in 1..=MAX_NODES) {
        let request = Request::parse(&bytes, nodes);
        prop_assert!(bytes.len() <= max_request_size(nodes) || request.is_err());
        match request {
            Ok(Request::Ranges { node, ranges, .. }) => {
                prop_assert!(node < nodes);
                prop_assert!((1..=MAX_RANGES).contains(&ranges.len()));
                prop_assert_eq!(bytes.len(), REQUEST_SIZE + ranges.len() * RANGE_SIZE);
                prop_assert_eq!(ranges.len(), ranges.count());
            }
            Ok(Request::Hello(hello)) => prop_assert_eq!(hello.ballooned().count(), nodes),
            Err(status) => prop_assert!(matches!(status, Status::BadRequest | Status::BadNode)),
        }
    }

    #[test]
    fn ranges_survive(node in 0u16..15, given in vec((any::<u64>(), any::<u32>()), 1..=MAX_RANGES)) {
        let bytes = encode_ranges(RangeKind::Inflate, node, &given);
        match Request::parse(&bytes, MAX_NODES) {
            Ok(Request::Ranges { node: n, ranges, .. }) => {
                prop_assert_eq!(n, usize::from(node));
                prop_assert!(ranges.map(|r| (r.frame, r.pages)).eq(given));
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn cut_or_longer_requests_are_bad(cut in 1usize..16, more in 1usize..16) {
        let bytes = encode_ranges(RangeKind::Inflate, 0, &[(1, 1), (2, 2)]);
        let short = &bytes[..bytes.len() - cut];
        prop_assert_eq!(Request::parse(short, 1).err(), Some(Status::BadRequest));
        let long = [bytes, vec![0; more]].concat();
        prop_assert_eq!(Request::parse(&long, 1).err(), Some(Status::BadRequest));
    }

    #[test]
    fn a_response_names_its_first_fault(statuses in vec(0u32..7, 0..=MAX_RANGES), pages: u64) {
        let statuses: Vec<Status> =
            statuses.iter().map(|&s| Status::from_number(s).unwrap()).collect();
        let bytes = encode_response(Status::Ok, &statuses, pages);
        let response = Response::parse(&bytes).unwrap();
        let first = statuses.iter().copied().find(|&s| s != Status::Ok);
        prop_assert_eq!(response.status, first.unwrap_or(Status::Ok));
        prop_assert!(response.ranges.iter().copied().eq(statuses.iter().map(|&s| s as u8)));
    }
}

#[test]
fn faults_of_form_are_told_apart() {
    let inflate = |node, ranges: &[_]| encode_ranges(RangeKind::Inflate, node, ranges);
    let cases = [
        ("empty", vec![], Status::BadRequest),
        ("no ranges", inflate(0, &[]), Status::BadRequest),
        (
            "too many ranges",
            inflate(0, &[(0, 1); MAX_RANGES + 1]),
            Status::BadRequest,
        ),
        ("no such node", inflate(2, &[(0, 1)]), Status::BadNode),
        ("version 0", encode_hello(0, 0, &[0, 0]), Status::BadRequest),
        (
            "later version",
            encode_hello(VERSION + 1, 0, &[0, 0]),
            Status::BadRequest,
        ),
        (
            "other nodes",
            encode_hello(VERSION, 0, &[0]),
            Status::BadRequest,
        ),
    ];
    for (what, bytes, status) in cases {
        assert_eq!(Request::parse(&bytes, 2).err(), Some(status), "{what}");
    }
    assert_eq!(Status::from_number(7), None);
}

#[test]
fn statistics_of_other_nodes_are_none() {
    let statistics = Statistics {
        nodes: vec![NodeStatistics::default()],
        ..Statistics::default()
    };
    let mut bytes = statistics.encode();
    assert_eq!(Statistics::parse(&bytes, 1), Some(statistics));
    assert_eq!(Statistics::parse(&bytes, 2), None);
    bytes[4] = 17; // points of heat
    assert_eq!(Statistics::parse(&bytes, 1), None);
}
