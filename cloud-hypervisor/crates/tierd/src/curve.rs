// SPDX-License-Identifier: GPL-2.0-or-later
//! What fast memory is worth to a VM: how hot its hottest chunk is, the one after that, and
//! so on. A guest tells this as a few points, which may be lies; what does not hold together
//! is no curve.

use thiserror::Error;
use tiered_balloon_api::Heat;

use crate::policy::PAGES_PER_CHUNK;

/// Bins of the longest curve. They bound what a VM costs here, whatever its size.
const MAX_BINS: u64 = 1024;

/// How far a curve approaches a newer one in a round. Curves are estimates from samples; the
/// mean of a few rounds scatters less than half as much as each of them.
pub const NEWER: f64 = 0.25;

/// Heat that no page can have: a billion accesses per second, times 1024 as the guest tells it.
const MAX_HEAT: u64 = 1_000_000_000 << 10;

/// Heat by chunk, descending. Chunks of a bin have the same heat, which is their average.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Chunks of a bin.
    bin: u64,
    /// Accesses per second to a chunk of each bin; 0 beyond.
    heat: Vec<f64>,
}

/// What is wrong with a curve.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadCurve {
    /// Pages or heats are out of order.
    #[error("point {0} is out of order")]
    Order(usize),
    /// No memory is that hot.
    #[error("point {0} is hotter than memory can be")]
    Heat(usize),
}

impl Curve {
    /// Makes a curve from the points that a guest with that many `chunks` of memory tells.
    /// Returns `None` if it tells none.
    ///
    /// A point says how hot pages are at least, so the pages since the point before are taken
    /// to be that hot. Pages beyond the guest's memory do not count.
    pub fn read(points: &[Heat], chunks: u64) -> Result<Option<Self>, BadCurve> {
        for (i, point) in points.iter().enumerate() {
            let before = i.checked_sub(1).map(|before| &points[before]);
            if before.is_some_and(|b| b.pages > point.pages || b.heat < point.heat) {
                return Err(BadCurve::Order(i));
            }
            if point.heat > MAX_HEAT {
                return Err(BadCurve::Heat(i));
            }
        }
        if points.is_empty() || chunks == 0 {
            return Ok(None);
        }
        let bin = chunks.div_ceil(MAX_BINS);
        let pages = bin * PAGES_PER_CHUNK;
        let heat = (0..chunks.div_ceil(bin))
            .map(|i| average(points, i * pages, pages) * PAGES_PER_CHUNK as f64)
            .collect();
        Ok(Some(Self { bin, heat }))
    }

    /// Moves this curve by that `share` of the way to a `newer` one of the same VM.
    pub fn approach(&mut self, newer: &Curve, share: f64) {
        if self.bin != newer.bin || self.heat.len() != newer.heat.len() {
            *self = newer.clone();
            return;
        }
        for (heat, newer) in self.heat.iter_mut().zip(&newer.heat) {
            *heat += (newer - *heat) * share;
        }
    }

    /// The curve between two numbers of chunks as pairs of chunks and their heat, in order;
    /// without what has none.
    pub fn part(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, f64)> + '_ {
        let bins = (0..).zip(&self.heat);
        bins.map(move |(i, heat)| {
            let (start, end): (u64, u64) = (i * self.bin, (i + 1) * self.bin);
            (end.min(to).saturating_sub(start.max(from)), *heat)
        })
        .filter(|(chunks, heat)| *chunks > 0 && *heat > 0.0)
    }

    /// Accesses per second to the hottest `chunks`.
    pub fn worth(&self, chunks: u64) -> f64 {
        self.part(0, chunks)
            .map(|(chunks, heat)| chunks as f64 * heat)
            .sum()
    }
}

/// Accesses per second to each of the `pages` that follow the `from` hottest, on average.
fn average(points: &[Heat], from: u64, pages: u64) -> f64 {
    let to = from + pages;
    let mut sum = 0.0;
    let mut start = 0;
    for point in points {
        let overlap = point.pages.min(to).saturating_sub(start.max(from));
        sum += overlap as f64 * point.heat as f64 / 1024.0;
        start = point.pages;
    }
    sum / pages as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(points: &[(u64, u64)]) -> Vec<Heat> {
        let chunk = |&(chunks, heat)| Heat {
            pages: chunks * PAGES_PER_CHUNK,
            heat: heat * 1024,
        };
        points.iter().map(chunk).collect()
    }

    #[test]
    fn pages_are_as_hot_as_the_next_point_says() {
        let told = points(&[(2, 10), (4, 3), (6, 0)]);
        let curve = Curve::read(&told, 8).unwrap().unwrap();
        let page = PAGES_PER_CHUNK as f64;
        let part: Vec<_> = curve.part(1, 8).collect();
        assert_eq!(part, [(1, 10.0 * page), (1, 3.0 * page), (1, 3.0 * page)]);
        assert_eq!(curve.worth(3), 23.0 * page);
        assert_eq!(curve.worth(1000), 26.0 * page);
    }

    #[test]
    fn large_curves_have_few_bins() {
        let chunks = 1 << 20;
        let told = points(&[(chunks / 2, 10), (chunks * 4, 1)]);
        let curve = Curve::read(&told, chunks).unwrap().unwrap();
        assert_eq!(curve.heat.len(), 1024);
        let all = (chunks / 2 * 11 * PAGES_PER_CHUNK) as f64;
        assert_eq!(curve.worth(u64::MAX), all);
    }

    #[test]
    fn what_does_not_hold_together_is_no_curve() {
        let read = |told: &[(u64, u64)]| Curve::read(&points(told), 100);
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[(5, 10), (4, 3)]), Err(BadCurve::Order(1)));
        assert_eq!(read(&[(5, 10), (6, 3), (7, 4)]), Err(BadCurve::Order(2)));
        assert_eq!(read(&[(1, 1_000_000_001)]), Err(BadCurve::Heat(0)));
        assert!(read(&[(1, 1_000_000_000)]).is_ok());
    }

    #[test]
    fn a_curve_comes_near_newer_ones() {
        let read = |told: &[(u64, u64)], n| Curve::read(&points(told), n).unwrap().unwrap();
        let mut curve = read(&[(2, 100)], 4);
        curve.approach(&read(&[(4, 50)], 4), 0.5);
        let page = PAGES_PER_CHUNK as f64;
        assert_eq!(curve.worth(4), (75.0 + 75.0 + 25.0 + 25.0) * page);
        curve.approach(&read(&[(1, 1)], 5), 0.5);
        assert_eq!(curve, read(&[(1, 1)], 5));
    }

    proptest! {
        #[test]
        fn no_lie_breaks_anything(
            told in prop::collection::vec((any::<u64>(), any::<u64>()), 0..16),
            sorted: bool,
            chunks in 0u64..1 << 30,
        ) {
            let (mut pages, mut heat): (Vec<_>, Vec<_>) = told.into_iter().unzip();
            if sorted {
                pages.sort_unstable();
                heat.iter_mut().for_each(|heat| *heat %= MAX_HEAT + 1);
                heat.sort_unstable_by(|a, b| b.cmp(a));
            }
            let told = pages.into_iter().zip(heat);
            let told: Vec<_> = told.map(|(pages, heat)| Heat { pages, heat }).collect();
            if let Ok(Some(curve)) = Curve::read(&told, chunks) {
                let part: Vec<_> = curve.part(0, u64::MAX).collect();
                prop_assert!(part.windows(2).all(|pair| pair[0].1 >= pair[1].1 * (1.0 - 1e-9)));
                prop_assert!(part.iter().all(|(_, heat)| heat.is_finite()));
            } else if sorted {
                prop_assert!(told.is_empty() || chunks == 0);
            }
        }
    }
}
