//! What a list knows of a run: kept in memory for thousands, so it holds figures and no histories.

use crate::Results;
use crate::metrics;
use crate::recorded::Run;
use crate::report;
use checker::Validity;
use maud::{Markup, html};

/// How a run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Judged(Validity),
    /// Somebody still writes it.
    Live,
    /// It did not finish, and nobody writes it any more.
    Interrupted,
    /// Its results can't be read, with the reason.
    Damaged(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its folder below the store, which is its address too.
    pub id: String,
    pub state: State,
    pub name: String,
    pub system: String,
    pub environment: String,
    pub workload: String,
    pub nemesis: Vec<String>,
    pub seed: Option<u64>,
    /// UTC, RFC 3339; empty if not known.
    pub started: String,
    pub measured: Option<Measured>,
}

/// The figures of a judged run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    pub faults: usize,
    pub faults_effective: usize,
    /// As a reader is told, with what it is known to.
    pub rto: String,
    pub rpo_lost: Option<u64>,
    pub load_seconds: f64,
    /// In the order of [`metrics::ALL`].
    pub metrics: Vec<Option<f64>>,
}

impl State {
    /// The word by which lists are filtered.
    pub fn word(&self) -> &'static str {
        match self {
            State::Judged(Validity::Valid) => "valid",
            State::Judged(Validity::Invalid) => "invalid",
            State::Judged(Validity::Unknown) => "unknown",
            State::Live => "live",
            State::Interrupted => "interrupted",
            State::Damaged(_) => "damaged",
        }
    }

    pub const WORDS: [&'static str; 6] = [
        "valid",
        "invalid",
        "unknown",
        "live",
        "interrupted",
        "damaged",
    ];

    pub(crate) fn badge(&self) -> Markup {
        match self {
            State::Judged(valid) => report::badge(*valid),
            State::Live => {
                html! { span.badge.live { span.sign aria-hidden="true" { "●" } " LIVE" } }
            }
            State::Interrupted => {
                html! { span.badge.unknown { span.sign aria-hidden="true" { "‖" } " INTERRUPTED" } }
            }
            State::Damaged(why) => {
                html! { span.badge.unknown title=(why) { span.sign aria-hidden="true" { "!" } " DAMAGED" } }
            }
        }
    }
}

impl Row {
    /// A run with results.
    pub fn judged(id: &str, results: &Results) -> Self {
        let effective = results.faults.iter().filter(|fault| fault.effective);
        let measured = Measured {
            faults: results.faults.len(),
            faults_effective: effective.count(),
            rto: results.restored(results.rto.all.first_success.p50_ms),
            rpo_lost: results.rpo.measured.then_some(results.rpo.lost),
            load_seconds: results.load_seconds(),
            metrics: metrics::ALL
                .iter()
                .map(|metric| metric.of(results))
                .collect(),
        };
        Self {
            system: results.system.clone(),
            workload: results.workload.clone(),
            nemesis: results.nemesis.clone(),
            seed: Some(results.seed),
            measured: Some(measured),
            ..Self::unjudged(id, State::Judged(results.valid), &results.run)
        }
    }

    /// A run without results, as far as its spec tells of it.
    pub fn unjudged(id: &str, state: State, run: &Run) -> Self {
        let folder = || id.rsplit('/').nth(1).unwrap_or(id).to_owned();
        Self {
            id: id.to_owned(),
            state,
            name: match run.name.is_empty() {
                true => folder(),
                false => run.name.clone(),
            },
            system: run.system.clone(),
            environment: run.environment.clone(),
            workload: run.workload.clone(),
            nemesis: run.nemesis.clone(),
            seed: (!run.system.is_empty()).then_some(run.seed),
            started: run.started.clone(),
            measured: None,
        }
    }

    /// By which runs are put in order: when they began, or else what their folder's name says of it.
    pub fn moment(&self) -> (String, &str) {
        let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
        let leaf = self.id.rsplit('/').next().unwrap_or_default();
        let mut moment = match self.started.is_empty() {
            true => digits(leaf),
            false => digits(&self.started),
        };
        moment.truncate(14);
        (moment, &self.id)
    }

    /// The start for a reader: to the second, UTC.
    pub fn began(&self) -> String {
        match self.started.get(..19) {
            Some(second) => second.replace('T', " "),
            None => "-".to_owned(),
        }
    }

    /// What a search looks through.
    pub(crate) fn mentions(&self, lower: &str) -> bool {
        let seed = self.seed.map(|seed| seed.to_string());
        [
            &self.id,
            &self.name,
            &self.system,
            &self.workload,
            &self.environment,
        ]
        .into_iter()
        .chain(&self.nemesis)
        .chain(&seed)
        .any(|text| text.to_lowercase().contains(lower))
    }
}
