// SPDX-License-Identifier: GPL-2.0-or-later
//! The HTTP API: what clients may ask and set. Whoever may open the socket is trusted with the
//! VM's memory, but not with the daemon.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use serde_json::{from_slice, to_vec};
use tiered_balloon_api as api;
use tiered_balloon_wire::HEAT_POINTS;

use crate::backend::Shared;
use crate::balloon::{Balloon, TargetError};
use crate::device::Device;
use crate::http::{self, Answer, Request};

/// What is said about the daemon itself.
pub struct About {
    /// Its vhost-user socket.
    pub socket: PathBuf,
}

/// Why a request is refused.
struct Refusal(u16, String);

impl From<TargetError> for Refusal {
    fn from(error: TargetError) -> Refusal {
        let status = match error {
            TargetError::NoNode(_) => 404,
            TargetError::Value { .. } | TargetError::Twice(_) => 400,
            TargetError::Leaving => 409,
        };
        Refusal(status, error.to_string())
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Refusal {
        Refusal(400, error.to_string())
    }
}

impl From<prometheus::Error> for Refusal {
    fn from(error: prometheus::Error) -> Refusal {
        Refusal(500, error.to_string())
    }
}

/// Starts to serve clients, for ever.
pub fn serve(listener: UnixListener, about: About, shared: Arc<Shared>) -> io::Result<()> {
    http::serve(listener, move |request| match request {
        Ok(request) => answer(&request, &about, &shared),
        Err(why) => refuse(&Refusal(400, why.into())),
    })
}

/// Answers a request.
pub fn answer(request: &Request, about: &About, shared: &Shared) -> Answer {
    let json = |body: serde_json::Result<Vec<u8>>| {
        body.map_err(|error| Refusal(500, error.to_string()))
            .map(|body| Answer {
                status: 200,
                content_type: "application/json",
                body,
            })
    };
    let path = request.path.split('?').next().unwrap_or_default();
    let node = path
        .strip_prefix("/nodes/")
        .and_then(|rest| rest.strip_suffix("/target"));
    let body = &request.body;
    let result = match (request.method.as_str(), path, node) {
        ("GET", "/vm", _) => json(to_vec(&vm(about, shared))),
        ("GET", "/stats", _) => json(to_vec(&stats(&**shared.device()))),
        ("GET", "/metrics", _) => metrics(shared),
        ("PUT", "/targets", _) => put_targets(body, shared).and_then(|n| json(to_vec(&n))),
        ("PUT", _, Some(pxm)) => put_target(pxm, body, shared).and_then(|n| json(to_vec(&n))),
        _ => Err(Refusal(404, "there is no such request".into())),
    };
    result.unwrap_or_else(|refusal| refuse(&refusal))
}

fn refuse(Refusal(status, error): &Refusal) -> Answer {
    let failure = api::Failure {
        error: error.clone(),
    };
    Answer {
        status: *status,
        content_type: "application/json",
        body: to_vec(&failure).unwrap_or_default(),
    }
}

fn put_target(pxm: &str, body: &[u8], shared: &Shared) -> Result<api::Node, Refusal> {
    let pxm: u32 = pxm
        .parse()
        .map_err(|_| Refusal(404, "a node is named by its proximity domain".into()))?;
    let api::Target { bytes } = from_slice(body)?;
    let mut device = shared.device();
    device.set_targets(&[api::NodeTarget { pxm, bytes }])?;
    let node = device.balloon().node(device.balloon().place(pxm)?);
    drop(device);
    shared.wake();
    Ok(node)
}

fn put_targets(body: &[u8], shared: &Shared) -> Result<Vec<api::Node>, Refusal> {
    let api::Targets { targets } = from_slice(body)?;
    let mut device = shared.device();
    device.set_targets(&targets)?;
    let nodes = nodes(device.balloon());
    drop(device);
    shared.wake();
    Ok(nodes)
}

fn nodes(balloon: &Balloon) -> Vec<api::Node> {
    (0..balloon.node_count()).map(|n| balloon.node(n)).collect()
}

fn vm(about: &About, shared: &Shared) -> api::Vm {
    let device = shared.device();
    api::Vm {
        version: env!("CARGO_PKG_VERSION").to_string(),
        pid: std::process::id(),
        socket: about.socket.clone(),
        connected: shared.connected(),
        driver: device.driver(),
        nodes: nodes(device.balloon()),
    }
}

fn stats(device: &dyn Device) -> api::Stats {
    let counters = &device.balloon().counters;
    let statistics = device.statistics();
    let age = |since: &Instant| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    api::Stats {
        age_ms: statistics.as_ref().map(|(since, _)| age(since)),
        statistics: statistics.map(|(_, statistics)| statistics),
        requests: counters.requests,
        bad: counters.bad_by_name(),
        pages: counters.pages,
    }
}

fn metrics(shared: &Shared) -> Result<Answer, Refusal> {
    let device = shared.device();
    let (nodes, stats) = (nodes(device.balloon()), stats(&**device));
    drop(device);
    let metrics = Metrics(Registry::new());
    metrics.gauge(
        "connected",
        "Whether a hypervisor is connected",
        shared.connected().into(),
    )?;
    let gauges: [Figure<api::Node>; 4] = [
        ("node_bytes", "Size of the node", |node| node.bytes),
        ("node_target_bytes", "What the guest shall have", |node| {
            node.target
        }),
        ("node_ballooned_bytes", "What is in the balloon", |node| {
            node.ballooned
        }),
        (
            "node_resident_bytes",
            "What the host has allocated",
            |node| node.resident,
        ),
    ];
    for (name, help, value) in gauges {
        let values = nodes.iter().map(|node| (node.pxm.to_string(), value(node)));
        metrics.gauges(name, help, "pxm", values)?;
    }
    let api::Requests {
        hello,
        inflate,
        deflate,
        report_free,
    } = stats.requests;
    let requests = [
        ("hello", hello),
        ("inflate", inflate),
        ("deflate", deflate),
        ("report_free", report_free),
    ];
    metrics.counters("requests_total", "Requests of the guest", "type", requests)?;
    metrics.counters(
        "bad_total",
        "What was bad of the guest's",
        "class",
        stats.bad,
    )?;
    let pages = [
        ("inflated", stats.pages.inflated),
        ("deflated", stats.pages.deflated),
        ("reported", stats.pages.reported),
    ];
    metrics.counters("pages_total", "Pages of good requests", "type", pages)?;
    if let Some(statistics) = stats.statistics {
        metrics.guest(&statistics, stats.age_ms.unwrap_or(0))?;
    }
    Ok(Answer {
        status: 200,
        content_type: prometheus::TEXT_FORMAT,
        body: TextEncoder::new()
            .encode_to_string(&metrics.0.gather())?
            .into_bytes(),
    })
}

/// Name, help and value of a figure that each node has, or each point of the curve of heat.
type Figure<T> = (&'static str, &'static str, fn(&T) -> u64);

/// What `/metrics` says, made anew for each request.
struct Metrics(Registry);

impl Metrics {
    fn opts(name: &str, help: &str) -> Opts {
        Opts::new(format!("tiered_balloon_{name}"), help)
    }

    fn register(&self, collector: impl Collector + 'static) -> prometheus::Result<()> {
        self.0.register(Box::new(collector))
    }

    fn gauge(&self, name: &str, help: &str, value: u64) -> prometheus::Result<()> {
        let gauge = IntGauge::with_opts(Self::opts(name, help))?;
        gauge.set(clamp(value));
        self.register(gauge)
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (String, u64)>,
    ) -> prometheus::Result<()> {
        let gauges = IntGaugeVec::new(Self::opts(name, help), &[label])?;
        for (of, value) in values {
            gauges.with_label_values(&[&of]).set(clamp(value));
        }
        self.register(gauges)
    }

    fn counters<S: AsRef<str>>(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (S, u64)>,
    ) -> prometheus::Result<()> {
        let counters = IntCounterVec::new(Self::opts(name, help), &[label])?;
        for (of, value) in values {
            counters.with_label_values(&[of.as_ref()]).inc_by(value);
        }
        self.register(counters)
    }

    /// What the guest says of itself.
    fn guest(&self, statistics: &api::Statistics, age_ms: u64) -> prometheus::Result<()> {
        self.gauge(
            "guest_age_milliseconds",
            "How old the guest's figures are",
            age_ms,
        )?;
        let events = [
            ("psi_some_microseconds", statistics.psi_some_us),
            ("psi_full_microseconds", statistics.psi_full_us),
            ("reclaimed_pages", statistics.reclaimed),
            ("swapped_out_pages", statistics.swapped_out),
            ("major_faults", statistics.major_faults),
            ("oom_kills", statistics.oom_kills),
            ("promoted_pages", statistics.promoted),
            ("demoted_pages", statistics.demoted),
        ];
        self.counters(
            "guest_total",
            "What the guest counted since it was booted",
            "what",
            events,
        )?;
        let gauges: [Figure<api::NodeStatistics>; 6] = [
            ("guest_node_pages", "Usable pages", |node| node.total),
            ("guest_node_free_pages", "Free pages", |node| node.free),
            (
                "guest_node_ballooned_pages",
                "Pages in the balloon",
                |node| node.ballooned,
            ),
            (
                "guest_node_target_pages",
                "Pages to be in the balloon",
                |node| node.target,
            ),
            ("guest_node_cache_pages", "Pages of files", |node| {
                node.cache
            }),
            (
                "guest_node_evacuated_pages",
                "Pages that the balloon moved away",
                |node| node.evacuated,
            ),
        ];
        for (name, help, value) in gauges {
            let nodes = statistics.nodes.iter();
            let values = nodes.map(|node| (node.pxm.to_string(), value(node)));
            self.gauges(name, help, "pxm", values)?;
        }
        // A guest chooses pages and heat: as labels they would be series without end.
        let gauges: [Figure<api::Heat>; 2] = [
            (
                "guest_heat_pages",
                "Pages that are at least as hot as the point of the curve",
                |point| point.pages,
            ),
            (
                "guest_heat",
                "Accesses per 1024 s to each page at the point of the curve",
                |point| point.heat,
            ),
        ];
        for (name, help, value) in gauges {
            let points = (0..).zip(statistics.heat.iter().take(HEAT_POINTS));
            let values = points.map(|(place, point): (u32, _)| (place.to_string(), value(point)));
            self.gauges(name, help, "point", values)?;
        }
        Ok(())
    }
}

/// A gauge of Prometheus has a sign.
fn clamp(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
