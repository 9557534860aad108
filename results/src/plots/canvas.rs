//! What the pictures share.
//!
//! Plotters writes colours as literal attributes. Each role of a colour is therefore drawn in a marker
//! colour of its own, and the finished text gets the role's class in its place; the values of the roles
//! come from [`STYLE`], for light and for dark. The palette is Okabe and Ito's, made for readers who
//! see colours differently; where colour carries meaning, position, height or a label repeats it.

use super::Picture;
use crate::measure::lives;
use crate::recorded::Recorded;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(super) const WIDTH: u32 = 980;
pub(super) const LEFT: i32 = 92;
pub(super) const RIGHT: i32 = 18;
/// Where the key of a chart begins: on the left, where a narrow screen shows it without scrolling.
pub(super) const KEY: (i32, i32) = (LEFT, 12);

/// The values of the roles. Names are those of [`Role`].
pub const STYLE: &str = "\
:root{--page:#ffffff;--ink:#1c2128;--muted:#59636e;--grid:#d5dae0;--quiet:#e9edf1;--blue:#0072b2;\
--sky:#3a9bd9;--green:#00855f;--amber:#d98e00;--red:#c8500a;--pink:#b8578d}\
@media (prefers-color-scheme:dark){:root{--page:#0f1318;--ink:#e4e9ee;--muted:#97a3af;--grid:#333c46;\
--quiet:#222930;--blue:#5ab0ea;--sky:#8fd0f5;--green:#2fc598;--amber:#f0b43c;--red:#f58549;--pink:#e094bf}}\
@media print{:root{--page:#ffffff;--ink:#1c2128;--muted:#59636e;--grid:#d5dae0;--quiet:#e9edf1;\
--blue:#0072b2;--sky:#3a9bd9;--green:#00855f;--amber:#d98e00;--red:#c8500a;--pink:#b8578d}}\
.f-page{fill:var(--page)}.f-ink{fill:var(--ink)}.f-muted{fill:var(--muted)}.f-grid{fill:var(--grid)}\
.f-quiet{fill:var(--quiet)}.f-blue{fill:var(--blue)}.f-sky{fill:var(--sky)}.f-green{fill:var(--green)}\
.f-amber{fill:var(--amber)}.f-red{fill:var(--red)}.f-pink{fill:var(--pink)}\
.s-page{stroke:var(--page)}.s-ink{stroke:var(--ink)}.s-muted{stroke:var(--muted)}.s-grid{stroke:var(--grid)}\
.s-quiet{stroke:var(--quiet)}.s-blue{stroke:var(--blue)}.s-sky{stroke:var(--sky)}\
.s-green{stroke:var(--green)}.s-amber{stroke:var(--amber)}.s-red{stroke:var(--red)}.s-pink{stroke:var(--pink)}";

/// What a colour is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Page,
    Ink,
    Muted,
    Grid,
    Quiet,
    Blue,
    Sky,
    Green,
    Amber,
    Red,
    Pink,
}

const ROLES: [(Role, &str); 11] = [
    (Role::Page, "page"),
    (Role::Ink, "ink"),
    (Role::Muted, "muted"),
    (Role::Grid, "grid"),
    (Role::Quiet, "quiet"),
    (Role::Blue, "blue"),
    (Role::Sky, "sky"),
    (Role::Green, "green"),
    (Role::Amber, "amber"),
    (Role::Red, "red"),
    (Role::Pink, "pink"),
];

impl Role {
    /// The marker colour that stands for this role until the text is finished.
    pub fn color(self) -> RGBColor {
        RGBColor(1, 2, self as u8 + 1)
    }

    /// The colour of a kind of fault.
    pub fn of_kind(kind: &str) -> Self {
        match kind {
            "kill" => Role::Red,
            "pause" => Role::Pink,
            "partition" => Role::Amber,
            "lag" => Role::Sky,
            "power-loss" => Role::Ink,
            "transfer" => Role::Blue,
            _ => Role::Muted,
        }
    }
}

/// The name of the colour of a kind of fault, for pictures that are not drawn here.
pub fn fault_class(kind: &str) -> &'static str {
    let role = Role::of_kind(kind);
    let named = ROLES.iter().find(|(other, _)| *other == role);
    named.map_or("muted", |(_, name)| name)
}

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Draws one picture.
pub(super) fn picture(
    name: impl Into<String>,
    title: impl Into<String>,
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Picture {
    let (name, title) = (name.into(), title.into());
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        draw(&area)
            .and_then(|()| area.present())
            .expect("drawing into memory does no I/O that could fail");
    }
    let body = finish(&text);
    Picture {
        name,
        title,
        height,
        body,
    }
}

/// What is inside the root, with marker colours turned into classes.
fn finish(text: &str) -> String {
    let start = text
        .find("viewBox")
        .and_then(|at| Some(at + text[at..].find('>')? + 1));
    let inside = text[start.unwrap_or_default()..].trim();
    let mut body = inside.strip_suffix("</svg>").unwrap_or(inside).to_owned();
    for (role, name) in ROLES {
        let RGBColor(r, g, b) = role.color();
        body = body
            .replace(
                &format!("fill=\"#{r:02X}{g:02X}{b:02X}\""),
                &format!("class=\"f-{name}\""),
            )
            .replace(
                &format!("stroke=\"#{r:02X}{g:02X}{b:02X}\""),
                &format!("class=\"s-{name}\""),
            );
    }
    // Said once at the root, or the default anyway.
    body = body
        .replace(" opacity=\"1\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(" font-family=\"sans-serif\"", "")
        .replace(" stroke-width=\"1\"", "");
    body
}

/// Text of this height in pixels. (Plotters gives sizes in points of 1.24 pixels.)
pub(super) fn font(pixels: f64, role: Role) -> TextStyle<'static> {
    ("sans-serif", pixels * 1.24)
        .into_font()
        .color(&role.color())
}

/// Writes a label beside a point.
pub(super) fn label(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    style: TextStyle<'static>,
    h: HPos,
) -> Drawn {
    area.draw(&Text::new(
        text.to_owned(),
        at,
        style.pos(Pos::new(h, VPos::Center)),
    ))
}

pub(super) fn bar(
    area: &Area<'_>,
    x: (i32, i32),
    y: (i32, i32),
    role: Role,
    opacity: f64,
) -> Drawn {
    area.draw(&Rectangle::new(
        [(x.0, y.0), (x.1.max(x.0 + 1), y.1)],
        role.color().mix(opacity).filled(),
    ))
}

pub(super) fn line(area: &Area<'_>, from: (i32, i32), to: (i32, i32), role: Role) -> Drawn {
    area.draw(&PathElement::new(
        vec![from, to],
        role.color().stroke_width(1),
    ))
}

/// The key of a chart: names in their colours, in a line that begins at a point; what has no room goes a line down.
pub(super) fn key(area: &Area<'_>, (left, mut y): (i32, i32), entries: &[(&str, Role)]) -> Drawn {
    let mut x = left;
    for (name, role) in entries {
        if x > left && x + 18 + 7 * name.chars().count() as i32 > WIDTH as i32 {
            (x, y) = (left, y + 16);
        }
        bar(area, (x, x + 12), (y - 2, y + 2), *role, 1.0)?;
        let at = (x + 18, y);
        label(area, name, at, font(12.0, Role::Muted), HPos::Left)?;
        x += 18 + 7 * name.chars().count() as i32 + 18;
    }
    Ok(())
}

/// The horizontal scale that all pictures over time share: seconds since the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timescale {
    pub from: u64,
    pub to: u64,
}

impl Timescale {
    pub fn of(recorded: &Recorded) -> Self {
        let marks = &recorded.marks;
        let to = marks
            .finale_start
            .max(marks.load_end)
            .max(marks.load_start + 1_000_000_000);
        Self {
            from: marks.load_start.saturating_sub(500_000_000),
            to,
        }
    }

    pub fn seconds(&self) -> std::ops::Range<f64> {
        self.from as f64 / 1e9..self.to as f64 / 1e9
    }

    pub fn x(&self, time: u64) -> i32 {
        let span = (WIDTH as i32 - RIGHT - LEFT) as f64;
        let part = time.clamp(self.from, self.to) - self.from;
        LEFT + (span * part as f64 / (self.to - self.from) as f64).round() as i32
    }

    /// Where every picture over time has its scale: from, to, and the width of the picture.
    pub fn place() -> (i32, i32, i32) {
        (LEFT, WIDTH as i32 - RIGHT, WIDTH as i32)
    }

    /// Length of a bin: about three pixels, at least 50 ms.
    pub fn bin(&self) -> u64 {
        ((self.to - self.from) / 300).max(50_000_000)
    }

    pub fn bins(&self) -> usize {
        (self.to - self.from).div_ceil(self.bin()) as usize
    }

    /// The bin of a time, if it is shown.
    pub fn bin_of(&self, time: u64) -> Option<usize> {
        (self.from..self.to)
            .contains(&time)
            .then(|| ((time - self.from) / self.bin()) as usize)
    }

    /// Round times to mark, and their labels.
    pub fn ticks(&self) -> Vec<(u64, String)> {
        let step = step((self.to - self.from) as f64 / 1e9, 12);
        let first = (self.from as f64 / 1e9 / step).ceil() as u64;
        (first..)
            .map(|n| n as f64 * step)
            .take_while(|seconds| *seconds <= self.to as f64 / 1e9)
            .map(|seconds| ((seconds * 1e9) as u64, format!("{seconds} s")))
            .collect()
    }

    /// The axis under a picture without a chart of its own.
    pub fn axis(&self, area: &Area<'_>, top: i32, bottom: i32) -> Drawn {
        for (time, text) in self.ticks() {
            line(
                area,
                (self.x(time), top),
                (self.x(time), bottom),
                Role::Grid,
            )?;
            label(
                area,
                &text,
                (self.x(time), bottom + 11),
                font(11.0, Role::Muted),
                HPos::Center,
            )?;
        }
        Ok(())
    }
}

/// A round step (1, 2 or 5 of a power of ten) that divides a span into at most so many parts.
pub(super) fn step(span: f64, parts: u32) -> f64 {
    let least = span / f64::from(parts);
    let magnitude = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|n| n * magnitude)
        .find(|step| *step >= least)
        .unwrap_or(10.0 * magnitude)
}

/// The faults as stretches of time.
pub(super) struct Bands(pub Vec<Band>);

pub(super) struct Band {
    pub id: u32,
    pub kind: String,
    pub from: u64,
    pub to: u64,
    pub targets: String,
}

impl Bands {
    pub fn of(recorded: &Recorded) -> Self {
        let bands = lives(recorded).into_iter().filter_map(|life| {
            let from = life.effective?;
            Some(Band {
                id: life.id,
                from,
                to: life
                    .healed
                    .or(life.heal)
                    .unwrap_or(life.window_end)
                    .max(from),
                targets: life.targets.join(" "),
                kind: life.kind,
            })
        });
        Self(bands.collect())
    }

    /// Shades the faults behind a picture.
    pub fn shade(&self, area: &Area<'_>, scale: &Timescale, y: (i32, i32)) -> Drawn {
        for band in &self.0 {
            let (from, to) = (scale.x(band.from), scale.x(band.to));
            let role = Role::of_kind(&band.kind);
            bar(area, (from, to), y, role, 0.13)?;
            line(area, (from, y.0), (from, y.1), role)?;
        }
        self.label(area, scale, y.0 - 8)
    }

    /// Number and kind above each band; only the number, or nothing, where the next one is too near.
    fn label(&self, area: &Area<'_>, scale: &Timescale, y: i32) -> Drawn {
        let ends = self.0.iter().skip(1).map(|next| scale.x(next.from));
        let ends = ends.chain([WIDTH as i32]);
        for (band, end) in self.0.iter().zip(ends) {
            let from = scale.x(band.from);
            let full = format!("{} {}", band.id, band.kind);
            let text = [full, band.id.to_string()]
                .into_iter()
                .find(|text| 7 * text.len() as i32 + 5 <= end - from);
            if let Some(text) = text {
                label(area, &text, (from, y), font(11.0, Role::Muted), HPos::Left)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        assert_eq!(step(60.0, 12), 5.0);
        assert_eq!(step(61.0, 12), 10.0);
        assert_eq!(step(0.9, 10), 0.1);
        assert_eq!(step(7.0, 10), 1.0);
    }

    #[test]
    fn marker_colours_leave_no_trace() {
        let drawn = picture("p", "a < b & c", 100, |area| {
            for (role, _) in ROLES {
                bar(area, (1, 5), (1, 5), role, 0.5)?;
                line(area, (1, 1), (5, 5), role)?;
                label(area, "x", (1, 1), font(12.0, role), HPos::Left)?;
            }
            Ok(())
        });
        assert!(!drawn.inline().contains("#0102"), "{}", drawn.inline());
        assert!(drawn.inline().contains("aria-label=\"a &lt; b &amp; c\""));
        assert!(drawn.document().contains("prefers-color-scheme"));
    }
}
