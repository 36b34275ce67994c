//! Where things are drawn: a time axis on which long waits are short, and rows within lanes.

use super::picture::{Bar, BarKind, LaneId, Picture};
use crate::moment::Moment;

/// The height of a row of handlers or consumers, in pixels.
pub(super) const ROW: u32 = 9;

/// More rows of a kind in one lane are drawn over each other.
const ROWS_MAX: usize = 8;

/// Free space above and below what a lane holds.
const MARGIN: u32 = 16;

/// The squeezed time axis: the longer nothing happens, the less of it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    points: Vec<(Moment, u32)>,
}

impl Axis {
    /// An axis on which each of these moments, in order, has a place of its own.
    pub(super) fn of(moments: &[Moment]) -> Self {
        let mut points: Vec<(Moment, u32)> = Vec::with_capacity(moments.len());
        for at in moments {
            let x = points.last().map_or(12, |(before, x)| x + width(*before, *at));
            points.push((*at, x));
        }
        Self { points }
    }

    /// Where a moment stands; one between two others stands between them.
    pub(super) fn x(&self, at: Moment) -> u32 {
        let after = self.points.partition_point(|(point, _)| *point < at);
        match (after.checked_sub(1).map(|before| self.points[before]), self.points.get(after)) {
            (_, Some((point, x))) if *point == at => *x,
            (Some((_, left)), Some((_, right))) => u32::midpoint(left, *right),
            (Some((before, left)), None) => left + width(before, at),
            (None, Some((_, x))) => x.saturating_sub(8),
            (None, None) => 0,
        }
    }

    pub(super) fn width(&self) -> u32 {
        self.points.last().map_or(0, |(_, x)| *x) + 40
    }

    /// Moments to write at the ruler, at least so many pixels apart.
    pub(super) fn ruler(&self, apart: u32) -> Vec<(Moment, u32)> {
        let mut free = 0;
        let fits = |(_, x): &&(Moment, u32)| {
            let fits = *x >= free;
            if fits {
                free = x + apart;
            }
            fits
        };
        self.points.iter().filter(fits).copied().collect()
    }
}

/// The space between two moments, in pixels: grows with the logarithm of the time.
fn width(from: Moment, until: Moment) -> u32 {
    let micros = until.as_micros().saturating_sub(from.as_micros());
    if micros == 0 { 0 } else { 5 + 4 * (1 + micros / 64).ilog2() }
}

/// Where the parts of one lane are.
#[derive(Clone, Debug)]
pub(super) struct LanePlace {
    pub(super) height: u32,
    /// Where messages begin and end.
    pub(super) line: u32,
}

/// Every lane's place, and every bar's row.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) lanes: Vec<LanePlace>,
    /// For each bar of the picture: its upper edge.
    pub(super) bar_tops: Vec<u32>,
    pub(super) height: u32,
}

impl Layout {
    /// Lays out the lanes of a picture below `top`.
    pub(super) fn of(picture: &Picture, top: u32) -> Self {
        let mut lanes = Vec::new();
        let mut bar_tops = vec![0; picture.bars.len()];
        let mut y = top;
        for lane in 0..picture.lanes.len() {
            let above = rows(picture, lane, |kind| kind == BarKind::Handler);
            let below = rows(picture, lane, |kind| matches!(kind, BarKind::Consumer(_)));
            let line = y + MARGIN + above.count * ROW;
            let height = MARGIN * 2 + (above.count + below.count) * ROW + 6;
            for (bar, row) in above.rows {
                bar_tops[bar] = line - 4 - (row + 1) * ROW;
            }
            for (bar, row) in below.rows {
                bar_tops[bar] = line + 5 + row * ROW;
            }
            for (index, bar) in picture.bars.iter().enumerate().filter(|(_, bar)| bar.lane == lane)
            {
                match bar.kind {
                    BarKind::Life => bar_tops[index] = line - 2,
                    BarKind::Fault(_) => bar_tops[index] = y,
                    BarKind::Handler | BarKind::Consumer(_) => {}
                }
            }
            lanes.push(LanePlace { height, line });
            // Messages need room in which to slope.
            y += height + 34;
        }
        Self { lanes, bar_tops, height: y }
    }
}

struct Rows {
    rows: Vec<(usize, u32)>,
    count: u32,
}

/// Gives each bar of a kind in a lane the first row that is free when it begins.
fn rows(picture: &Picture, lane: LaneId, is_one: impl Fn(BarKind) -> bool) -> Rows {
    let mut bars: Vec<(usize, &Bar)> = picture
        .bars
        .iter()
        .enumerate()
        .filter(|(_, bar)| bar.lane == lane && is_one(bar.kind))
        .collect();
    bars.sort_by_key(|(index, bar)| (bar.from, *index));
    let mut free: Vec<Moment> = Vec::new();
    let mut rows = Vec::new();
    for (index, bar) in bars {
        let row = free.iter().position(|until| *until <= bar.from);
        let row = row.unwrap_or_else(|| {
            if free.len() < ROWS_MAX {
                free.push(Moment::ZERO);
            }
            free.len() - 1
        });
        free[row] = free[row].max(bar.until);
        rows.push((index, row as u32));
    }
    Rows { rows, count: free.len() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_keeps_the_order_and_squeezes_waits() {
        let moments = [0, 3, 1_000, 1_001, 60_000_000].map(Moment::from_micros);
        let axis = Axis::of(&moments);
        let places = moments.map(|at| axis.x(at));
        assert!(places.is_sorted() && places.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(places[4] - places[3] < 100, "a minute is {} px", places[4] - places[3]);
        let between = axis.x(Moment::from_secs(30));
        assert!(places[3] < between && between < places[4]);
        assert!(axis.x(Moment::from_secs(90)) > places[4]);
    }
}
