// SPDX-License-Identifier: GPL-2.0-or-later
//! Prints what daemons say, for people or as JSON.

use std::io::{self, IsTerminal, Write, stdout};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tiered_balloon_api::{Client, Error, PAGE, Stats, Vm, printable};
use tiered_balloon_cli::{size, table};

/// Asks all daemons at once and prints their answers in the order of `clients`. With `json`,
/// that is one line with a list, in which who did not answer has an `error`. Returns whether
/// all did.
pub fn show<T: Serialize + Send>(
    clients: &[Client],
    ask: impl Fn(&Client) -> Result<T, Error> + Sync,
    text: impl Fn(&T) -> String,
    json: bool,
) -> io::Result<bool> {
    let ask = &ask;
    let answers: Vec<Result<T, Error>> = thread::scope(|scope| {
        let asked: Vec<_> = clients
            .iter()
            .map(|client| scope.spawn(move || ask(client)))
            .collect();
        let answers = asked.into_iter().map(|asked| asked.join());
        answers
            .map(|answer| answer.expect("asking panics never"))
            .collect()
    });
    let mut out = stdout().lock();
    let mut list = Vec::new();
    for (client, answer) in clients.iter().zip(&answers) {
        match answer {
            Ok(answer) if json => list.push(with_api(client, answer)),
            Ok(answer) => {
                if clients.len() > 1 {
                    writeln!(out, "{}:", client.path().display())?;
                }
                writeln!(out, "{}", text(answer))?;
            }
            Err(error) => {
                if json {
                    let error = error.to_string();
                    list.push(json!({"api": client.path(), "error": error}));
                }
                crate::complain(error);
            }
        }
    }
    if json {
        writeln!(out, "{}", Value::Array(list))?;
    }
    out.flush()?;
    Ok(answers.iter().all(Result::is_ok))
}

/// The answer as an object that says whose it is.
fn with_api(client: &Client, answer: &impl Serialize) -> Value {
    let mut value = json!(answer);
    value["api"] = json!(client.path());
    value
}

/// Clears the screen, if it is one, before something is shown again.
pub fn refresh(json: bool) -> io::Result<()> {
    let mut out = stdout();
    if !json && out.is_terminal() {
        write!(out, "\x1b[H\x1b[2J")?;
    }
    Ok(())
}

/// `status` of a VM.
pub fn status(vm: &Vm) -> String {
    let state = match (&vm.driver, vm.connected) {
        (_, false) => "no hypervisor is connected".into(),
        (None, true) => "the guest has no driver yet".into(),
        (Some(driver), true) => format!(
            "driver {} ({})",
            driver.version,
            printable(&driver.capabilities.join(", "))
        ),
    };
    let about = format!(
        "daemon {}, process {}; {state}\n",
        printable(&vm.version),
        vm.pid
    );
    let rows = vm.nodes.iter().map(|node| {
        let sizes = [
            node.bytes,
            node.target,
            node.given(),
            node.ballooned,
            node.resident,
        ];
        let sizes = sizes.into_iter().map(size);
        std::iter::once(node.pxm.to_string()).chain(sizes).collect()
    });
    about + &table(&["PXM", "SIZE", "TARGET", "GUEST", "BALLOON", "HOST"], rows)
}

/// `stats` of a VM.
pub fn stats(stats: &Stats) -> String {
    let mut parts = Vec::new();
    if let Some(guest) = &stats.statistics {
        let us = |us: u64| humantime::format_duration(Duration::from_micros(us)).to_string();
        let age = Duration::from_millis(stats.age_ms.unwrap_or(0));
        parts.push(figures(
            "GUEST",
            &[
                ("age", humantime::format_duration(age).to_string()),
                ("some task waited", us(guest.psi_some_us)),
                ("all tasks waited", us(guest.psi_full_us)),
                ("reclaimed", guest.reclaimed.to_string()),
                ("swapped out", guest.swapped_out.to_string()),
                ("major faults", guest.major_faults.to_string()),
                ("killed for memory", guest.oom_kills.to_string()),
                ("promoted", guest.promoted.to_string()),
                ("demoted", guest.demoted.to_string()),
            ],
        ));
        let pages = |pages: u64| size(pages.saturating_mul(PAGE));
        let rows = guest.nodes.iter().map(|node| {
            vec![
                node.pxm.to_string(),
                pages(node.total),
                pages(node.free),
                pages(node.cache),
                pages(node.ballooned),
                pages(node.target),
                pages(node.evacuated),
            ]
        });
        let header = [
            "PXM",
            "USABLE",
            "FREE",
            "FILES",
            "BALLOON",
            "WANTED",
            "EVACUATED",
        ];
        parts.push(table(&header, rows));
        if !guest.heat.is_empty() {
            let rows = guest.heat.iter().map(|point| {
                let heat = point.heat as f64 / 1024.0;
                vec![pages(point.pages), format!("{heat:.3}")]
            });
            parts.push(table(&["HOTTEST", "ACCESSES/S/PAGE"], rows));
        }
    } else {
        parts.push("The guest has sent no statistics.\n".into());
    }
    let requests = [
        ("hello", stats.requests.hello),
        ("inflate", stats.requests.inflate),
        ("deflate", stats.requests.deflate),
        ("report free", stats.requests.report_free),
        ("pages inflated", stats.pages.inflated),
        ("pages deflated", stats.pages.deflated),
        ("pages reported", stats.pages.reported),
    ];
    let requests = requests.map(|(name, n)| (name, n.to_string()));
    parts.push(figures("REQUESTS", &requests));
    let bad = stats.bad.iter().filter(|(_, n)| **n > 0);
    let bad: Vec<_> = bad
        .map(|(class, n)| vec![printable(class), n.to_string()])
        .collect();
    if !bad.is_empty() {
        parts.push(table(&["BAD REQUESTS", "COUNT"], bad));
    }
    parts.join("\n")
}

fn figures(title: &str, figures: &[(&str, String)]) -> String {
    let rows = figures.iter();
    let rows = rows.map(|(name, value)| vec![(*name).to_string(), value.clone()]);
    table(&[title, ""], rows)
}
