//! Every model: the checkers against the definition, on small histories that are often wrong, and on
//! larger ones with planted violations.

use checker::generate::{self, Kind};
use checker::history::Operation;
use checker::linearizability::Linearizable;
use checker::model::{self, Footprint, Model};
use checker::special::Decision;
use checker::{
    Budget, Checker, Event, History, Key, Mop, Op, Phase, Reason, Ret, Seen, Validity, Value,
    checkers_for,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::collections::HashSet;

/// Small histories for each model, and for each kind of values.
const CASES: u64 = 1_200;

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

    fn value(&self) -> Option<Value> {
        self.0.value()
    }
}

/// The definition, tried out: some operation that nothing precedes goes first, then the rest. What was
/// tried is remembered as the set of operations that went before.
fn brute_force<M: Model>(initial: &M, operations: &[Operation<'_>]) -> bool {
    fn goes_on<M: Model>(
        state: &M,
        gone: u32,
        operations: &[Operation<'_>],
        seen: &mut HashSet<(u32, M)>,
    ) -> bool {
        let rest = || (0..operations.len()).filter(|at| gone & (1 << at) == 0);
        if !rest().any(|at| operations[at].is_ok()) {
            return true;
        }
        if !seen.insert((gone, state.clone())) {
            return false;
        }
        rest().any(|at| {
            let first = &operations[at];
            let preceded = rest().any(|other| {
                let other = &operations[other];
                other.is_ok() && other.completed_at.is_some_and(|end| end < first.invoked_at)
            });
            !preceded
                && first.failure().is_none()
                && state
                    .step(first.op(), first.ret())
                    .is_some_and(|next| goes_on(&next, gone | 1 << at, operations, seen))
        })
    }
    goes_on(initial, 0, operations, &mut HashSet::new())
}

/// A witness must be legal, in real-time order, and hold every operation that succeeded, each once.
fn assert_witness<M: Model>(initial: &M, operations: &[Operation<'_>], order: &[usize]) {
    let mut state = initial.clone();
    let mut latest_call = 0;
    for at in order {
        let operation = &operations[*at];
        state = state
            .step(operation.op(), operation.ret())
            .unwrap_or_else(|| panic!("{order:?} is not legal at {at}"));
        if operation.is_ok() {
            let completed_at = operation.completed_at.expect("it succeeded");
            assert!(completed_at >= latest_call, "{order:?} breaks real time");
        }
        latest_call = latest_call.max(operation.invoked_at);
    }
    let taken: HashSet<usize> = order.iter().copied().collect();
    assert_eq!(taken.len(), order.len(), "{order:?}");
    for (at, operation) in operations.iter().enumerate() {
        assert!(!operation.is_ok() || taken.contains(&at), "{order:?}");
    }
}

/// Spoils a history: other results, other outcomes, another order of events.
fn spoil(history: &mut History, rng: &mut Pcg64) {
    for _ in 0..rng.random_range(0..7) {
        let at = rng.random_range(0..history.events.len() - 1);
        if rng.random_bool(0.6) {
            // Neighbours of different processes change places.
            let [a, b] = &mut history.events[at..at + 2] else {
                continue;
            };
            if a.process != b.process {
                std::mem::swap(a, b);
            }
            continue;
        }
        let event = &mut history.events[at];
        if event.phase != Phase::Invoke {
            event.phase = spoiled(event, rng);
        }
    }
    for (at, event) in history.events.iter_mut().enumerate() {
        event.index = at as u64;
        event.time = at as u64 * 1_000;
    }
}

fn spoiled(event: &Event, rng: &mut Pcg64) -> Phase {
    let mut number = || rng.random_range(0..6);
    let value = match (number(), &event.op) {
        (0, _) => Value::Nil,
        (n, Op::Read { .. }) if matches!(event.phase, Phase::Ok(Ret::Value(Value::Text(_)))) => {
            Value::Text(format!("v{n}").into())
        }
        (n, _) => Value::Int(n),
    };
    Phase::Ok(match (&event.op, &event.phase) {
        (op, Phase::Fail(_) | Phase::Info(_)) if op.gives_nothing() => Ret::Done,
        (Op::Acquire { .. }, Phase::Fail(_)) => Ret::Value(value),
        (_, Phase::Ok(Ret::Done)) if number() < 3 => return Phase::Fail(Reason::new("no")),
        (_, Phase::Ok(Ret::Value(_))) => Ret::Value(value),
        (_, Phase::Ok(Ret::List(seen))) => {
            let mut seen = seen.clone();
            match (number(), seen.len()) {
                (0 | 1, 2..) => seen.swap(0, 1),
                (0..=3, 1..) => drop(seen.pop()),
                (0..=4, _) => seen.push(number()),
                _ => seen.extend(seen.first().copied()),
            }
            Ret::List(seen)
        }
        (_, Phase::Ok(Ret::Map(seen))) => {
            let shown = seen.iter().map(|(key, _)| (key.clone(), value.clone()));
            Ret::Map(shown.collect())
        }
        (Op::Txn { ops }, Phase::Ok(Ret::Txn(_))) => {
            let seen = ops.iter().map(|op| match op {
                Mop::Read { .. } => Seen::Value(value.clone()),
                _ => Seen::Done,
            });
            Ret::Txn(seen.collect())
        }
        (_, phase) => return phase.clone(),
    })
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
            let mut history = generate::History {
                model: self.kind,
                operations: rng.random_range(4..9),
                processes: rng.random_range(2..5),
                keys: 1 + usize::from(self.kind == Kind::MultiRegister),
                values: self.values,
                crashed: [0.0, 0.1, 0.4][seed as usize % 3],
                planted: None,
                seed,
            }
            .generate()
            .unwrap();
            spoil(&mut history, &mut rng);
            let operations = history.operations().unwrap();
            let truth = brute_force(&initial, &operations);
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

#[test]
fn generated_histories_are_right() {
    for (kind, values) in MODELS.into_iter().chain([(Kind::Ledger, [0, 0])]) {
        for seed in 0..20 {
            let wanted = medium(kind, values[seed as usize % 2], seed);
            let verdict = judge(kind, &wanted.generate().unwrap());
            assert_eq!(
                verdict.valid,
                Validity::Valid,
                "{wanted:?}: {}",
                verdict.reason
            );
        }
    }
}

#[test]
fn planted_violations_are_found() {
    for (kind, values) in MODELS.into_iter().chain([(Kind::Ledger, [0, 0])]) {
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
