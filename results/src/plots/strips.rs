//! Which faults were in effect, and who led: one row for each kind of fault and one for the leader.

use super::Picture;
use super::canvas::*;
use crate::observe::Sample;
use crate::recorded::Recorded;
use plotters::style::text_anchor::HPos;
use std::collections::BTreeMap;

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
        for reign in reigns(&recorded.samples) {
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
pub(super) struct Reign {
    pub from: u64,
    pub to: u64,
    /// Node and term.
    pub leader: Option<(String, u64)>,
}

/// Who led, from the samples: a server that says it leads is believed until it is asked again; of
/// several, the one of the highest term.
pub(super) fn reigns(samples: &[Sample]) -> Vec<Reign> {
    let mut claims: BTreeMap<&str, u64> = BTreeMap::new();
    let mut reigns: Vec<Reign> = Vec::new();
    for sample in samples {
        match sample.up && sample.role == "leader" {
            true => claims.insert(&sample.node, sample.term),
            false => claims.remove(sample.node.as_str()),
        };
        let highest = claims.iter().max_by_key(|(_, term)| **term);
        let leader = highest.map(|(node, term)| (node.to_string(), *term));
        if let Some(last) = reigns.last_mut() {
            last.to = sample.time;
            if last.leader == leader {
                continue;
            }
        }
        reigns.push(Reign {
            from: sample.time,
            to: sample.time,
            leader,
        });
    }
    reigns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(time: u64, node: &str, role: &str, term: u64) -> Sample {
        let text = format!(
            r#"{{"time":{time},"node":"{node}","up":{},"role":"{role}","term":{term}}}"#,
            !role.is_empty()
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_leader_reigns_until_it_is_gone_or_one_of_a_higher_term_is_seen() {
        let reigns = reigns(&[
            sample(10, "n1", "leader", 2),
            sample(11, "n2", "follower", 2),
            sample(20, "n1", "leader", 2),
            sample(21, "n2", "leader", 3),
            sample(30, "n1", "leader", 2),
            sample(31, "n2", "", 0),
            sample(40, "n1", "follower", 4),
        ]);
        let told: Vec<String> = reigns
            .iter()
            .map(|reign| match &reign.leader {
                Some((node, term)) => {
                    format!("{node} in {term} from {} to {}", reign.from, reign.to)
                }
                None => format!("none from {} to {}", reign.from, reign.to),
            })
            .collect();
        assert_eq!(
            told,
            [
                "n1 in 2 from 10 to 21",
                "n2 in 3 from 21 to 31",
                "n1 in 2 from 31 to 40",
                "none from 40 to 40",
            ]
        );
    }
}
