//! What a benchmark prints: every run, the medians with their spread, the ratios of neighbouring runs.

use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Results of equal runs.
#[derive(Clone, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[middle],
            _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
        }
    }

    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Run by run, what this was to `other`.
    pub fn over(&self, other: &Samples) -> Samples {
        let pairs = self.0.iter().zip(&other.0);
        Samples(pairs.map(|(own, other)| own / other).collect())
    }
}

pub struct Report {
    command: &'static str,
    facts: Vec<(&'static str, Value)>,
    columns: &'static [&'static str],
    runs: Vec<Vec<Value>>,
    results: Vec<(String, Samples)>,
    notes: Vec<String>,
}

impl Report {
    /// `columns` are those of a run; `facts` what is equal for all runs.
    pub fn new(
        command: &'static str,
        columns: &'static [&'static str],
        facts: Vec<(&'static str, Value)>,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
        let machine = [
            ("strata", json!(env!("CARGO_PKG_VERSION"))),
            ("cores", json!(cores)),
        ];
        Self {
            command,
            facts: facts.into_iter().chain(machine).collect(),
            columns,
            runs: Vec::new(),
            results: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub fn fact(&mut self, name: &'static str, value: impl Into<Value>) {
        self.facts.push((name, value.into()));
    }

    /// One run, a value for each column.
    pub fn run(&mut self, values: Vec<Value>) {
        debug_assert_eq!(values.len(), self.columns.len(), "a value for each column");
        self.runs.push(values);
    }

    /// A figure with its median and spread.
    pub fn result(&mut self, what: impl Into<String>, samples: Samples) {
        self.results.push((what.into(), samples));
    }

    /// What the reader must know to believe the figures.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub fn json(&self) -> String {
        let runs = self.runs.iter().map(|run| {
            let names = self.columns.iter().map(|name| (*name).to_owned());
            Value::Object(names.zip(run.iter().cloned()).collect::<Map<_, _>>())
        });
        let results = self.results.iter().map(|(what, samples)| {
            json!({"what": what, "median": samples.median(), "min": samples.least(),
                   "max": samples.most(), "n": samples.0.len()})
        });
        let facts = self
            .facts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let document = json!({
            "command": self.command,
            "facts": facts.collect::<Map<_, _>>(),
            "runs": runs.collect::<Vec<_>>(),
            "results": results.collect::<Vec<_>>(),
            "notes": self.notes,
        });
        document.to_string()
    }

    pub fn text(&self) -> String {
        let mut text = format!("strata bench {}\n", self.command);
        let facts = self
            .facts
            .iter()
            .map(|(name, value)| format!("{name} {}", cell(value)));
        line(&mut text, &facts.collect::<Vec<_>>().join(", "));
        text.push('\n');
        let head = self.columns.iter().map(|name| (*name).to_owned()).collect();
        let rows = self.runs.iter().map(|run| run.iter().map(cell).collect());
        text.push_str(&table([head].into_iter().chain(rows).collect()));
        text.push('\n');
        let head = ["", "median", "min", "max", "n"].map(String::from).to_vec();
        let rows = self.results.iter().map(|(what, samples)| {
            let figures = [samples.median(), samples.least(), samples.most()].map(number);
            let [median, least, most] = figures;
            vec![
                what.clone(),
                median,
                least,
                most,
                samples.0.len().to_string(),
            ]
        });
        text.push_str(&table([head].into_iter().chain(rows).collect()));
        for note in &self.notes {
            line(&mut text, &format!("- {note}"));
        }
        text
    }
}

fn line(text: &mut String, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{content}");
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(figure) if figure.is_f64() => number(figure.as_f64().unwrap_or(f64::NAN)),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}

/// Three or four digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Columns as wide as their widest cell; the first to the left, the others to the right.
fn table(rows: Vec<Vec<String>>) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len))
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut content = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(content, "{cell:<width$}"),
                _ => write!(content, "  {cell:>width$}"),
            };
        }
        line(&mut text, content.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Samples {
        Samples(values.to_vec())
    }

    #[test]
    fn a_ratio_is_the_median_of_the_ratios_of_neighbouring_runs() {
        let ratio = samples(&[10.0, 30.0, 20.0]).over(&samples(&[5.0, 10.0, 20.0]));
        assert_eq!(
            (ratio.median(), ratio.least(), ratio.most()),
            (2.0, 1.0, 3.0)
        );
        assert_eq!(samples(&[4.0, 1.0]).median(), 2.5);
        assert!(samples(&[]).median().is_nan());
    }

    #[test]
    fn the_text_has_the_facts_every_run_the_results_and_the_notes() {
        let mut report = Report::new("x", &["system", "puts/s"], vec![("sync", json!("always"))]);
        report.run(vec![json!("strata"), json!(1234.5)]);
        report.result("ratio", samples(&[2.0]));
        report.note("closed loop");
        let text = report.text();
        for part in [
            "sync always",
            "cores",
            "strata    1234",
            "ratio    2.00",
            "- closed loop",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        let json: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["runs"][0]["puts/s"], json!(1234.5));
        assert_eq!(json["results"][0]["median"], json!(2.0));
    }
}
