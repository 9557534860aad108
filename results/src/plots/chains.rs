//! The length of every server's chain of checkpoint files over time: one row for each node, all to one height.

use super::Picture;
use super::canvas::*;
use crate::measure::Results;
use crate::recorded::Recorded;
use plotters::style::text_anchor::HPos;

const ROW: i32 = 40;
/// Of a row, what the longest chain fills.
const FULL: u64 = 32;
const TOP: i32 = 42;

/// Nothing when no server told of a chain.
pub(super) fn draw(
    recorded: &Recorded,
    results: &Results,
    scale: &Timescale,
    bands: &Bands,
) -> Option<Picture> {
    let longest = results.checkpoints.all.chain_longest;
    if longest == 0 {
        return None;
    }
    let nodes: Vec<&String> = results.checkpoints.by_node.keys().collect();
    let bottom = TOP + nodes.len() as i32 * ROW;
    let title = format!(
        "Files in each server's chain of checkpoints over time; a row is {longest} files high"
    );
    Some(picture("chains", title, (bottom + 26) as u32, |area| {
        bands.shade(area, scale, (TOP, bottom))?;
        scale.axis(area, TOP, bottom)?;
        for (at, node) in nodes.iter().enumerate() {
            let floor = TOP + (at as i32 + 1) * ROW;
            label(
                area,
                node,
                (LEFT - 34, floor - ROW / 2),
                font(12.0, Role::Ink),
                HPos::Right,
            )?;
            label(
                area,
                &longest.to_string(),
                (LEFT - 8, floor - FULL as i32),
                font(10.0, Role::Muted),
                HPos::Right,
            )?;
            line(
                area,
                (LEFT - 82, floor),
                (WIDTH as i32 - RIGHT, floor),
                Role::Grid,
            )?;
            let bins = bins(recorded, scale, node);
            // Neighbours of one height are one bar.
            let mut from = 0;
            for run in bins.chunk_by(|a, b| a == b) {
                let to = from + run.len();
                let x = |bin: usize| scale.x(scale.from + bin as u64 * scale.bin());
                if let Some(files) = run[0].filter(|files| *files > 0) {
                    let height = (files * FULL / longest).max(1) as i32;
                    let (left, right) = (x(from), x(to));
                    bar(
                        area,
                        (left, right),
                        (floor - height, floor),
                        Role::Blue,
                        0.35,
                    )?;
                    line(
                        area,
                        (left, floor - height),
                        (right, floor - height),
                        Role::Blue,
                    )?;
                }
                from = to;
            }
        }
        Ok(())
    }))
}

/// The longest chain of each bin; nothing where the server did not answer.
fn bins(recorded: &Recorded, scale: &Timescale, node: &str) -> Vec<Option<u64>> {
    let mut bins = vec![None; scale.bins()];
    let own = recorded.samples.iter().filter(|s| s.node == node && s.up);
    for sample in own {
        if let Some(bin) = scale.bin_of(sample.time) {
            bins[bin] = bins[bin].max(Some(sample.checkpoint_chain));
        }
    }
    bins
}
