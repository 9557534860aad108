//! Linearizability by every model.

use crate::definition::linearizable;
use crate::spoil;
use checker::explain::verify;
use checker::generate::{self, Kind};
use checker::history::Operation;
use checker::linearizability::Linearizable;
use checker::model::{self, Alike, Footprint, Model};
use checker::special::Decision;
use checker::{Budget, Checker, History, Key, Op, Ret, Validity, Value, checkers_for};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use std::time::Duration;

/// Small histories for each model, and for each kind of values.
const CASES: u64 = 1_200;

/// Larger ones for each model.
const LARGER: u64 = 100;

/// The models that have an initial state and steps, with the number of values: 0 for new ones only.
const MODELS: [(Kind, [usize; 2]); 12] = [
    (Kind::CasRegister, [0, 2]),
    (Kind::KeyValue, [0, 2]),
    (Kind::MultiRegister, [0, 2]),
    (Kind::Mutex, [0, 0]),
    (Kind::FencedLock, [0, 0]),
    (Kind::Semaphore(2), [0, 0]),
    (Kind::Counter, [1, 3]),
    (Kind::Set, [0, 2]),
    (Kind::FifoQueue, [0, 2]),
    (Kind::Stack, [0, 2]),
    (Kind::Log, [0, 2]),
    (Kind::Register, [0, 3]),
];

/// A model of which only the steps are known: what is left is the search in its plainest form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Opaque<M>(M);

impl<M: Model> Model for Opaque<M> {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        self.0.step(op, ret).map(Opaque)
    }

    fn partition(op: &Op) -> Option<Key> {
        M::partition(op)
    }
}

/// The same with what is known of values, but without a decider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Searched<M>(M);

impl<M: Model> Model for Searched<M> {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        self.0.step(op, ret).map(Searched)
    }

    fn partition(op: &Op) -> Option<Key> {
        M::partition(op)
    }

    fn footprint(op: &Op, ret: Option<&Ret>) -> Option<Footprint> {
        M::footprint(op, ret)
    }

    fn footprints(&self, operations: &[Alike<'_>]) -> Option<Vec<Footprint>> {
        self.0.footprints(operations)
    }

    fn value(&self) -> Option<Value> {
        self.0.value()
    }
}

/// Says why the order is no linearization.
fn assert_witness<M: Model>(initial: &M, operations: &[Operation<'_>], order: &[usize]) {
    verify::linearization(initial, operations, order)
        .unwrap_or_else(|flaw| panic!("{order:?}: {flaw}"));
}

/// Compares all ways to judge a model with the definition.
struct Compare {
    kind: Kind,
    values: usize,
}

impl model::Visitor for Compare {
    type Output = ();

    fn visit<M: Model + 'static>(self, initial: M, owns: fn(&Op) -> bool) {
        let (mut good, mut bad, mut decided) = (0, 0, 0);
        for seed in 0..CASES {
            let mut rng = Pcg64::seed_from_u64(seed);
            let history = spoil::small(self.kind, self.values, seed, &mut rng);
            let operations = history.operations().unwrap();
            let truth = linearizable(&initial, &operations);
            let succeeded = operations.iter().any(|operation| operation.is_ok());
            let expected = match (truth, succeeded) {
                (_, false) => Validity::Unknown,
                (true, _) => Validity::Valid,
                (false, _) => Validity::Invalid,
            };
            let checkers: [Box<dyn Checker>; 3] = [
                Box::new(Linearizable::new(initial.clone(), owns)),
                Box::new(Linearizable::new(Searched(initial.clone()), owns)),
                Box::new(Linearizable::new(Opaque(initial.clone()), owns)),
            ];
            for (at, checker) in checkers.iter().enumerate() {
                let verdict = checker.check(&history, Budget::default());
                assert_eq!(
                    verdict.valid, expected,
                    "{} seed {seed} way {at}: {} {:#?}",
                    self.kind, verdict.reason, history.events
                );
            }
            if let Some(decision) = initial.decide(&operations, u32::MAX) {
                decided += 1;
                match decision {
                    Decision::Linearizable(order) => assert_witness(&initial, &operations, &order),
                    Decision::NotLinearizable => assert!(!truth),
                }
            }
            match truth {
                true => good += 1,
                false => bad += 1,
            }
        }
        println!(
            "{} with {} values: {good} good, {bad} bad, {decided} decided",
            self.kind, self.values
        );
        // Both must occur, or the comparison shows little.
        assert!(
            good > CASES / 20 && bad > CASES / 20,
            "{}: {good} good, {bad} bad",
            self.kind
        );
        let special = matches!(
            self.kind,
            Kind::Counter | Kind::Set | Kind::FifoQueue | Kind::Log
        );
        let premise = self.values == usize::from(self.kind == Kind::Counter);
        assert!(!(special && premise) || decided > CASES / 2, "{decided}");
    }
}

#[test]
fn every_model_is_judged_as_defined() {
    for (kind, values) in MODELS {
        for values in values {
            let argument = match kind {
                Kind::Semaphore(_) => Some("2"),
                _ => None,
            };
            let compare = Compare { kind, values };
            model::with(kind.name(), argument, compare).expect("there is such a model");
        }
    }
}

/// Compares what is known of a model with the search in its plainest form, where the definition would take
/// too long.
struct CompareLarger {
    kind: Kind,
    values: usize,
}

impl model::Visitor for CompareLarger {
    type Output = ();

    fn visit<M: Model + 'static>(self, initial: M, owns: fn(&Op) -> bool) {
        let (mut bad, mut undecided) = (0, 0);
        for seed in 0..LARGER {
            let mut rng = Pcg64::seed_from_u64(seed);
            let wanted = generate::History {
                operations: 40,
                processes: 5,
                keys: 1 + usize::from(self.kind == Kind::MultiRegister),
                crashed: [0.0, 0.05][seed as usize % 2],
                ..medium(self.kind, self.values, seed)
            };
            let mut history = wanted.generate().unwrap();
            spoil::spoil(&mut history, &mut rng);
            let known = Linearizable::new(initial.clone(), owns);
            let plain = Linearizable::new(Opaque(initial.clone()), owns);
            let budget = Budget {
                time: Duration::from_millis(500),
                ..Budget::default()
            };
            let known = known.check(&history, budget);
            let plain = plain.check(&history, budget);
            if known.valid == Validity::Unknown || plain.valid == Validity::Unknown {
                undecided += 1;
                continue;
            }
            assert_eq!(known.valid, plain.valid, "{} seed {seed}", self.kind);
            bad += u64::from(known.valid == Validity::Invalid);
            if let Some(Decision::Linearizable(order)) =
                initial.decide(&history.operations().unwrap(), u32::MAX)
            {
                assert_witness(&initial, &history.operations().unwrap(), &order);
            }
        }
        println!(
            "{}: {bad} of {LARGER} bad, {undecided} undecided",
            self.kind
        );
        assert!(bad > 0 && undecided < LARGER / 2, "{}", self.kind);
    }
}

#[test]
fn larger_histories_are_judged_alike_by_all_that_is_known_and_by_steps_alone() {
    for (kind, [values, _]) in MODELS {
        let argument = match kind {
            Kind::Semaphore(_) => Some("2"),
            _ => None,
        };
        let compare = CompareLarger { kind, values };
        model::with(kind.name(), argument, compare).expect("there is such a model");
    }
}

fn medium(kind: Kind, values: usize, seed: u64) -> generate::History {
    generate::History {
        model: kind,
        operations: 60,
        processes: 4,
        keys: 2,
        values,
        crashed: 0.04,
        planted: None,
        seed,
    }
}

fn judge(kind: Kind, history: &History) -> checker::Verdict {
    let checkers = checkers_for(&kind.to_string()).unwrap();
    checkers
        .last()
        .expect("at least the statistics")
        .check(history, Budget::default())
}

/// All that can be made up and that there is a checker for, with two numbers of values.
fn judged() -> Vec<(Kind, [usize; 2])> {
    let known = |kind: &Kind| checkers_for(&kind.to_string()).is_ok();
    let all = Kind::ALL.into_iter().filter(known);
    all.map(|kind| {
        let model = MODELS.iter().find(|(model, _)| *model == kind);
        (kind, model.map_or([0, 3], |(_, values)| *values))
    })
    .collect()
}

#[test]
fn generated_histories_are_right() {
    for (kind, values) in judged() {
        for seed in 0..20 {
            let wanted = medium(kind, values[seed as usize % 2], seed);
            let verdict = judge(kind, &wanted.generate().unwrap());
            assert_eq!(
                verdict.valid,
                Validity::Valid,
                "{wanted:?}: {}",
                verdict.reason
            );
            // What is linearizable has its order held against the definition once more.
            if MODELS.iter().any(|(model, _)| *model == kind) {
                let detail = |name: &str| verdict.details.get(name);
                assert_ne!(detail("confirmed"), None, "{wanted:?}");
                assert_eq!(detail("objects"), detail("confirmed"), "{wanted:?}");
            }
        }
    }
}

#[test]
fn planted_violations_are_found() {
    for (kind, values) in judged() {
        for planted in kind.plantable() {
            for seed in 0..8 {
                let wanted = generate::History {
                    planted: Some(*planted),
                    ..medium(kind, values[seed as usize % 2], seed)
                };
                let verdict = judge(kind, &wanted.generate().unwrap());
                assert_eq!(
                    verdict.valid,
                    Validity::Invalid,
                    "{wanted:?}: {}",
                    verdict.reason
                );
                assert!(!verdict.reason.is_empty());
            }
        }
    }
}
