//! Which probes were served, over time: one row for the service and one for each node, each split into
//! kept connections above and new ones below. Served is a thin line, not served a full bar.

use super::Picture;
use super::canvas::*;
use crate::measure::served;
use crate::observe::Connection;
use crate::recorded::Recorded;
use plotters::style::text_anchor::HPos;
use std::collections::BTreeSet;

const LANE: i32 = 11;
const ROW: i32 = 2 * LANE + 6;
const TOP: i32 = 42;

/// How a bin of probes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bin {
    NoProbes,
    Served,
    Partly,
    NotServed,
}

pub(super) fn draw(recorded: &Recorded, scale: &Timescale, bands: &Bands) -> Picture {
    let nodes: BTreeSet<&str> = recorded.probes.iter().map(|p| p.node.as_str()).collect();
    let rows: Vec<Option<&str>> = std::iter::once(None)
        .chain(nodes.into_iter().map(Some))
        .collect();
    let bottom = TOP + rows.len() as i32 * ROW;
    let title =
        "Probes served over time: the service and each node, kept connections above new ones";
    picture("availability", title, (bottom + 26) as u32, |area| {
        key(
            area,
            KEY,
            &[
                ("served", Role::Green),
                ("partly", Role::Amber),
                ("not served", Role::Red),
            ],
        )?;
        bands.shade(area, scale, (TOP, bottom))?;
        scale.axis(area, TOP, bottom)?;
        for (at, node) in rows.iter().enumerate() {
            let y = TOP + at as i32 * ROW;
            let name = node.unwrap_or("service");
            label(
                area,
                name,
                (LEFT - 42, y + ROW / 2),
                font(12.0, Role::Ink),
                HPos::Right,
            )?;
            line(
                area,
                (LEFT - 82, y + ROW),
                (WIDTH as i32 - RIGHT, y + ROW),
                Role::Grid,
            )?;
            for (lane, connection) in [(0, Connection::Kept), (1, Connection::New)] {
                let y = y + 3 + lane * LANE;
                let name = if lane == 0 { "kept" } else { "new" };
                label(
                    area,
                    name,
                    (LEFT - 8, y + LANE / 2),
                    font(10.0, Role::Muted),
                    HPos::Right,
                )?;
                let bins = bins(recorded, scale, *node, connection);
                // Neighbours that went alike are one bar.
                let mut from = 0;
                for run in bins.chunk_by(|a, b| a == b) {
                    let to = from + run.len();
                    let x = |bin: usize| scale.x(scale.from + bin as u64 * scale.bin());
                    let middle = y + LANE / 2;
                    match run[0] {
                        Bin::NoProbes => {}
                        Bin::Served => bar(
                            area,
                            (x(from), x(to)),
                            (middle - 1, middle + 1),
                            Role::Green,
                            1.0,
                        )?,
                        Bin::Partly => bar(
                            area,
                            (x(from), x(to)),
                            (y + 2, y + LANE - 3),
                            Role::Amber,
                            1.0,
                        )?,
                        Bin::NotServed => {
                            bar(area, (x(from), x(to)), (y, y + LANE - 1), Role::Red, 1.0)?
                        }
                    }
                    from = to;
                }
            }
        }
        Ok(())
    })
}

fn bins(
    recorded: &Recorded,
    scale: &Timescale,
    node: Option<&str>,
    connection: Connection,
) -> Vec<Bin> {
    let mut counts = vec![(0u32, 0u32); scale.bins()];
    for probe in &recorded.probes {
        if probe.connection == connection
            && node.is_none_or(|node| probe.node == node)
            && let Some(bin) = scale.bin_of(probe.intended)
        {
            counts[bin].0 += u32::from(served(probe, &recorded.method));
            counts[bin].1 += 1;
        }
    }
    counts
        .into_iter()
        .map(|counted| match counted {
            (_, 0) => Bin::NoProbes,
            (served, all) if served == all => Bin::Served,
            (0, _) => Bin::NotServed,
            _ => Bin::Partly,
        })
        .collect()
}
