//! Which faults were in effect, and who led: one row for each kind of fault and one for the leader.

use super::Picture;
use super::canvas::*;
use crate::recorded::Recorded;
use plotters::style::text_anchor::HPos;

const ROW: i32 = 24;
const TOP: i32 = 8;

pub(super) fn draw(recorded: &Recorded, scale: &Timescale, bands: &Bands) -> Picture {
    let mut kinds: Vec<&str> = bands.0.iter().map(|band| band.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let rows = kinds.len() as i32 + 1;
    let bottom = TOP + rows * ROW;
    let title = "Faults in effect and the leader, over time";
    picture("faults", title, (bottom + 26) as u32, |area| {
        scale.axis(area, TOP, bottom)?;
        for (row, kind) in kinds.iter().enumerate() {
            let y = TOP + row as i32 * ROW;
            row_name(area, kind, y)?;
            for band in bands.0.iter().filter(|band| band.kind == *kind) {
                let (from, to) = (scale.x(band.from), scale.x(band.to));
                let role = Role::of_kind(kind);
                bar(area, (from, to), (y + 3, y + ROW - 3), role, 0.3)?;
                bar(area, (from, from + 3), (y + 3, y + ROW - 3), role, 1.0)?;
                // The number fits on the bar or stands right of it; the targets only where there is room.
                let full = format!("{} {}", band.id, band.targets);
                let number = band.id.to_string();
                let fits = |text: &str| to - from >= 7 * text.len() as i32 + 8;
                let middle = y + ROW / 2;
                match (fits(&full), fits(&number)) {
                    (true, _) => label(
                        area,
                        &full,
                        (from + 7, middle),
                        font(11.0, Role::Ink),
                        HPos::Left,
                    )?,
                    (_, true) => label(
                        area,
                        &number,
                        (from + 6, middle),
                        font(11.0, Role::Ink),
                        HPos::Left,
                    )?,
                    _ => label(
                        area,
                        &number,
                        (to + 3, middle),
                        font(11.0, Role::Ink),
                        HPos::Left,
                    )?,
                }
            }
        }
        let y = TOP + kinds.len() as i32 * ROW;
        row_name(area, "leader", y)?;
        for reign in reigns(recorded) {
            let (from, to) = (scale.x(reign.from), scale.x(reign.to));
            if to <= from {
                continue;
            }
            let Some((node, term)) = &reign.leader else {
                bar(
                    area,
                    (from, to),
                    (y + ROW / 2 - 1, y + ROW / 2 + 1),
                    Role::Red,
                    1.0,
                )?;
                continue;
            };
            bar(area, (from, to), (y + 3, y + ROW - 3), Role::Quiet, 1.0)?;
            bar(
                area,
                (from, from + 2),
                (y + 3, y + ROW - 3),
                Role::Blue,
                1.0,
            )?;
            let full = format!("{node} term {term}");
            let room = to - from;
            let text = [full, node.clone()]
                .into_iter()
                .find(|text| room >= 7 * text.len() as i32 + 8);
            if let Some(text) = text {
                label(
                    area,
                    &text,
                    (from + 6, y + ROW / 2),
                    font(11.0, Role::Ink),
                    HPos::Left,
                )?;
            }
        }
        Ok(())
    })
}

fn row_name(area: &Area<'_>, name: &str, y: i32) -> Drawn {
    label(
        area,
        name,
        (LEFT - 8, y + ROW / 2),
        font(12.0, Role::Ink),
        HPos::Right,
    )
}

/// A stretch of time with one leader, or with none.
struct Reign {
    from: u64,
    to: u64,
    leader: Option<(String, u64)>,
}

/// Who led, from the samples: of those who say that they lead, the one of the highest term; nobody
/// once all servers of a round of samples say that they do not.
fn reigns(recorded: &Recorded) -> Vec<Reign> {
    let round = recorded.method.sample_interval.max(1);
    let mut reigns: Vec<Reign> = Vec::new();
    let same_round =
        |a: &crate::observe::Sample, b: &crate::observe::Sample| a.time / round == b.time / round;
    for samples in recorded.samples.chunk_by(same_round) {
        let time = samples[0].time;
        let leader = samples
            .iter()
            .filter(|sample| sample.up && sample.role == "leader")
            .max_by_key(|sample| sample.term)
            .map(|sample| (sample.node.clone(), sample.term));
        match reigns.last_mut() {
            Some(last) if last.leader == leader => last.to = time + round,
            Some(last) => {
                last.to = time;
                reigns.push(Reign {
                    from: time,
                    to: time + round,
                    leader,
                });
            }
            None => reigns.push(Reign {
                from: time,
                to: time + round,
                leader,
            }),
        }
    }
    reigns
}
