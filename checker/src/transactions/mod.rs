//! Judges transactions of lists (`list-append`) and of registers (`rw-register`) by their dependencies.
//!
//! After Elle (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental
//! Observations", VLDB 2020) and Adya ("Weak Consistency: A Generalized Theory and Optimistic
//! Implementations for Distributed Transactions", 1999): the values that transactions read tell which
//! versions of which objects they saw, the versions tell which transactions depend on which, and a cycle
//! of dependencies is an anomaly that some models forbid.
//!
//! | where | what |
//! |---|---|
//! | `intern` | the transactions of a history with dense numbers |
//! | `infer` | versions, anomalies that show without a cycle, dependencies; also those of time |
//! | `graph`, `scc`, `path` | the graph, its components, shortest paths; nothing recurses |
//! | `search` | cycles, named by what they are made of |
//! | [`anomalies`](Name), [`models`](Isolation) | the names, and which model forbids what |
//! | [`witness`](Anomaly) | an anomaly in words |
//! | [`verify`] | checks a witness against the history, on its own |
//!
//! What is reported is certain: no order of the transactions explains what was seen. For lists the
//! reverse is true as well: a history without anomaly is strictly serializable. Of registers less is
//! known; there a valid verdict says that nothing was found.

mod anomalies;
mod graph;
mod infer;
mod intern;
mod meter;
mod models;
mod path;
mod scc;
mod search;
mod verify;
mod witness;

pub use anomalies::{Name, Scope, Shape, UnknownAnomaly};
pub use graph::EdgeKind;
pub use models::{Isolation, UnknownIsolation};
pub use verify::{Refuted, verify};
pub use witness::{Anomaly, Step};

use crate::{Budget, Checker, History, Validity, Verdict};
use graph::Builder;
use infer::{Doubts, Evidence, Sightings, lists, registers, time};
use intern::{Fate, Transactions, Unfit};
use meter::{Exhausted, Meter};
use search::Found;
use serde_json::{Map, Value as Json, json};

/// What transactions work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lists, to which transactions append distinct numbers, and which they read whole.
    ListAppend,
    /// Registers, to which transactions write distinct values.
    RwRegister,
}

/// Judges transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transactional {
    kind: Kind,
    /// What the history has to satisfy.
    model: Isolation,
}

/// What an analysis brings to light, as far as it came.
#[derive(Debug, Default)]
struct Findings {
    sightings: Sightings,
    doubts: Doubts,
    found: Found,
    cycles: Vec<Anomaly>,
    figures: Map<String, Json>,
    committed: usize,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::ListAppend => "list-append",
            Kind::RwRegister => "rw-register",
        }
    }
}

impl Transactional {
    /// Judges a history by a model; the strongest is [`Isolation::StrictSerializable`].
    pub fn new(kind: Kind, model: Isolation) -> Self {
        Self { kind, model }
    }

    /// `list-append` or `rw-register`, alone or with the name of a consistency model:
    /// `list-append=snapshot-isolation`.
    pub fn by_name(name: &str) -> Option<Self> {
        let (kind, model) = match name.split_once('=') {
            Some((kind, model)) => (kind, model.parse().ok()?),
            None => (name, Isolation::default()),
        };
        let kinds = [Kind::ListAppend, Kind::RwRegister];
        let kind = kinds.into_iter().find(|known| known.name() == kind)?;
        Some(Self { kind, model })
    }

    fn analyse(
        &self,
        history: &History,
        findings: &mut Findings,
        meter: &mut Meter,
    ) -> Result<(), Unfit> {
        let mut transactions = Transactions::of(history, self.kind, meter)?;
        let count = |fate| {
            transactions
                .all
                .iter()
                .filter(|txn| txn.fate == fate)
                .count()
        };
        findings.committed = count(Fate::Committed);
        for (name, figure) in [
            ("transactions", transactions.all.len()),
            ("committed", findings.committed),
            ("failed", count(Fate::Aborted)),
            ("unknown", count(Fate::Unknown)),
            ("steps", transactions.steps_total()),
            ("objects", transactions.keys.len()),
        ] {
            findings.figures.insert(name.to_owned(), json!(figure));
        }
        let (transactions, sightings) = (&mut transactions, &mut findings.sightings);
        let doubts = &mut findings.doubts;
        match self.kind {
            Kind::ListAppend => {
                let lists = lists::infer(transactions, sightings, doubts, meter)?;
                findings.connect(&lists, meter)?;
            }
            Kind::RwRegister => {
                let registers = registers::infer(transactions, sightings, doubts, meter)?;
                findings.connect(&registers, meter)?;
            }
        }
        Ok(())
    }

    fn judge(&self, analysis: Result<(), Unfit>, findings: Findings) -> Verdict {
        let Findings {
            sightings,
            doubts,
            found,
            cycles,
            figures,
            committed,
        } = findings;
        let mut anomalies = sightings.shown;
        anomalies.extend(cycles);
        anomalies.sort_by_key(|anomaly| (anomaly.name, anomaly.steps.len()));
        let names: Vec<Name> = sightings
            .counts
            .keys()
            .chain(found.cycles.keys())
            .copied()
            .collect();
        let not = Isolation::excluded_by(&names);
        let culprit = anomalies
            .iter()
            .find(|anomaly| self.model.forbids(anomaly.name));
        let partly = found.partly.iter().find(|name| self.model.forbids(**name));
        let verdict = if let Some(culprit) = culprit {
            let operations: Vec<u64> = culprit.steps.iter().map(|step| step.index).collect();
            let reason = format!("not {}: {}: {}", self.model, culprit.name, culprit.why);
            Verdict::invalid(reason).with("operations", operations)
        } else if let Err(unfit) = &analysis {
            Verdict::unknown(unfit.to_string())
        } else if committed == 0 {
            Verdict::unknown(format!("no {} transaction was committed", self.kind.name()))
        } else if doubts.count > 0 {
            Verdict::unknown(doubts.why)
        } else if let Some(name) = partly {
            Verdict::unknown(format!(
                "cycles were found, and the search among them for {name} was too long to be completed"
            ))
        } else {
            Verdict::valid()
        };
        let mut verdict = verdict.with("model", self.model.name());
        verdict.details.extend(figures);
        if !anomalies.is_empty() {
            let count = |name: &Name| sightings.counts.get(name).copied();
            let counts: Map<String, Json> = names
                .iter()
                .filter_map(|name| Some((name.to_string(), json!(count(name)?))))
                .collect();
            verdict = verdict
                .with("anomalies", json!(anomalies))
                .with("anomaly_counts", counts);
        }
        if found.components > 0 {
            verdict = verdict
                .with("components", found.components)
                .with("greatest_component", found.greatest);
        }
        if let Err(unfit) = analysis
            && verdict.valid == Validity::Invalid
        {
            verdict = verdict.with("stopped", unfit.to_string());
        }
        if !found.partly.is_empty() {
            verdict = verdict.with("partly_searched", json!(found.partly));
        }
        if doubts.count > 0 {
            verdict = verdict.with("doubts", doubts.count);
        }
        let weakest = Isolation::weakest(&not);
        let also: Vec<Isolation> = not
            .iter()
            .filter(|model| !weakest.contains(model))
            .copied()
            .collect();
        let possible: Vec<Isolation> = Isolation::all()
            .filter(|model| !not.contains(model))
            .collect();
        verdict
            .with("not", json!(weakest))
            .with("also_not", json!(also))
            .with("may_be", json!(Isolation::strongest(&possible)))
    }
}

impl Findings {
    /// Builds the graph of dependencies and looks for cycles.
    fn connect(&mut self, data: &impl Evidence, meter: &mut Meter) -> Result<(), Exhausted> {
        let transactions = data.transactions();
        let mut builder = Builder::new(transactions.all.len());
        data.add_edges(&mut builder, meter)?;
        time::add(transactions, &mut builder, meter)?;
        let graph = builder.build(meter)?;
        self.figures
            .insert("dependencies".into(), json!(graph.edges()));
        let searched = search::search(graph, &mut self.found, meter);
        for (name, cycles) in &self.found.cycles {
            let told = cycles
                .iter()
                .map(|cycle| transactions.cycle(*name, cycle, data));
            self.cycles.extend(told);
        }
        searched
    }
}

impl Checker for Transactional {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        let mut meter = Meter::new(budget);
        let mut findings = Findings::default();
        let analysis = self.analyse(history, &mut findings, &mut meter);
        let verdict = self.judge(analysis, findings);
        debug_assert!(verdict.valid != Validity::Invalid || !verdict.reason.is_empty());
        verdict
    }
}
