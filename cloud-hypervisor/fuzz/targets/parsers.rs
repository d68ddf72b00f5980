// SPDX-License-Identifier: GPL-2.0-or-later
//! All parsers on any bytes: the wire format, requests to the API, the command line.

#![no_main]

use std::path::PathBuf;
use std::sync::mpsc;

use libfuzzer_sys::fuzz_target;
use tiered_balloon::api::{About, answer};
use tiered_balloon::backend::Shared;
use tiered_balloon::balloon::Balloon;
use tiered_balloon::http;
use tiered_balloon::tiered::Tiered;
use tiered_balloon_api::{PxmSize, Size};
use tiered_balloon_fuzz::{Input, NODES};
use tiered_balloon_wire::{Event, MAX_NODES, Request, Response, Statistics, capability};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let nodes = 1 + usize::from(input.u8()) % MAX_NODES;
    let kind = input.u8();
    let len = usize::from(input.u8());
    let path = input.bytes(len);
    let rest = input.bytes(usize::MAX);

    match kind % 3 {
        0 => {
            let _ = Request::parse(rest, nodes);
            if let Some(statistics) = Statistics::parse(rest, nodes) {
                assert_eq!(
                    Statistics::parse(&statistics.encode(), nodes),
                    Some(statistics)
                );
            }
            if let Some(event) = Event::parse(rest) {
                assert_eq!(Event::parse(&event.encode()), Some(event));
            }
            let _ = Response::parse(rest);
        }
        1 => {
            let text = String::from_utf8_lossy(rest);
            if let Ok(Size(bytes)) = text.parse() {
                assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
            }
            if let Ok(size) = text.parse::<PxmSize>() {
                assert_eq!(size.to_string().parse(), Ok(size));
            }
        }
        _ => {
            let device = Tiered::new(Balloon::new(NODES.to_vec()), capability::ALL);
            let (sender, _) = mpsc::channel();
            let shared = Shared::new(Box::new(device), sender);
            let socket = PathBuf::from("/vm.sock");
            let about = About { socket };
            let method = ["POST", "GET", "PUT"][usize::from(kind / 3) % 3];
            let request = http::Request {
                method: method.into(),
                path: String::from_utf8_lossy(path).into(),
                body: rest.into(),
            };
            // and as it comes from a socket
            let mut stream = rest;
            for request in [Some(request), http::read(&mut stream).ok()]
                .into_iter()
                .flatten()
            {
                let answer = answer(&request, &about, &shared);
                assert!(matches!(answer.status, 200 | 400 | 404));
            }
        }
    }
});
