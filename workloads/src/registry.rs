//! The workloads by name: what each does, by which model it is judged, and what can be chosen.

use crate::objects::{Kind, Objects};
use crate::transactions::{Shape, Transactions, Write};
use crate::{Bank, Ledger, Register, Union, Workload, locks, queues, registers, values};
use std::collections::BTreeMap;

/// What `shakedown list` tells of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    pub name: &'static str,
    /// The model that judges it, as [`checker::checkers_for`] names it; without its argument.
    pub model: &'static str,
    /// Its share when several run together.
    pub weight: u32,
    pub about: &'static str,
    /// What `NAME:OPTION=NUMBER` can change.
    pub options: &'static [Choice],
}

/// An option of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub name: &'static str,
    pub default: u64,
    pub least: u64,
    pub most: u64,
    pub about: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownWorkload {
    #[error("unknown workload {name:?}; known: {known} (join several with +)")]
    Name { name: String, known: String },
    #[error("workload {0:?} is named twice")]
    Twice(String),
    #[error("workload {workload:?} has no option {option:?}; it has: {known}")]
    Option {
        workload: String,
        option: String,
        known: String,
    },
    #[error("workload {workload:?}: {option}: expected a whole number from {least} to {most}")]
    Value {
        workload: String,
        option: String,
        least: u64,
        most: u64,
    },
}

const fn choice(
    name: &'static str,
    default: u64,
    [least, most]: [u64; 2],
    about: &'static str,
) -> Choice {
    Choice {
        name,
        default,
        least,
        most,
        about,
    }
}

/// Objects that are used by several threads for a while and then replaced.
const fn shared(ops: u64, most: u64, threads: u64) -> [Choice; 2] {
    [
        choice(
            "ops-per-key",
            ops,
            [1, most],
            "operations after which an object is replaced",
        ),
        choice(
            "threads-per-key",
            threads,
            [1, 1_024],
            "threads that work on one object at a time",
        ),
    ]
}

const SHORT: &[Choice] = &shared(200, 1_000_000, 5);
/// Of objects that are judged by trying many orders.
const SHORTEST: &[Choice] = &shared(60, 1_000_000, 3);
const LONG: &[Choice] = &shared(1_000, 1_000_000, 5);
/// A read of a set shows at most 1,000 elements.
const SETS: &[Choice] = &shared(400, 1_000, 5);
/// One object for everybody.
const ONE: &[Choice] = &shared(1_000_000, 1_000_000, 1_024);
const SEMAPHORE: &[Choice] = &[
    SHORT[0],
    SHORT[1],
    choice(
        "permits",
        2,
        [2, 16],
        "how many may hold the semaphore at once",
    ),
];
const BANK: &[Choice] = &[
    choice("accounts", 8, [2, 100], "number of accounts"),
    choice("balance", 100, [0, 1_000_000], "what each holds at first"),
];
const TRANSACTIONS: &[Choice] = &[
    choice("keys", 8, [1, 64], "keys that are used at a time"),
    choice("steps", 4, [1, 16], "most steps of a transaction"),
    choice(
        "writes-per-key",
        64,
        [1, 1_024],
        "most writes before a key is replaced",
    ),
];

const fn entry(
    name: &'static str,
    model: &'static str,
    options: &'static [Choice],
    about: &'static str,
) -> Description {
    Description {
        name,
        model,
        weight: 1,
        about,
        options,
    }
}

/// All single workloads, and the models that judge them.
#[rustfmt::skip]
pub const ALL: &[Description] = &[
    Description { weight: 3, ..entry("register", "cas-register", LONG,
        "read, write and cas over independent keys; must be linearizable") },
    entry("ledger", "ledger", &[],
        "append 1, 2, 3, ... to a list per thread; what was acknowledged must survive (RPO)"),
    entry("cas-register", "cas-register", LONG,
        "as register, and most operations are cas"),
    entry("key-value", "key-value", SHORT,
        "get, put, delete, cas and append of texts; must be linearizable"),
    entry("multi-register", "multi-register", SHORTEST,
        "transactions of reads and writes over three registers; must be linearizable together"),
    entry("mutex", "mutex", SHORT,
        "acquire and release; one owner at a time"),
    entry("fenced-lock", "fenced-lock", SHORT,
        "acquire and release; every holder gets a greater token"),
    entry("semaphore", "semaphore", SEMAPHORE,
        "acquire and release; no more owners than permits"),
    entry("counter", "counter", SHORT,
        "add and read; must be linearizable"),
    entry("counter-bounds", "counter-bounds", LONG,
        "add and read; reads must lie between what must and what may have been added"),
    entry("monotonic", "monotonic", ONE,
        "add 1 and read; what is read must never get less"),
    entry("set", "set", SHORT,
        "add, remove and read all; must be linearizable"),
    entry("set-full", "set-full", SETS,
        "add and read all; what was added must be seen from then on"),
    entry("fifo-queue", "fifo-queue", SHORT,
        "enqueue and dequeue; must be linearizable"),
    entry("total-queue", "total-queue", LONG,
        "enqueue and dequeue, in the end all; what went in must come out, once"),
    entry("stack", "stack", SHORTEST,
        "push and pop; must be linearizable"),
    entry("log", "log", SHORT,
        "append and read all; must be linearizable"),
    entry("unique-ids", "unique-ids", ONE,
        "ask for ids; none may be given twice"),
    entry("bank", "bank", BANK,
        "transfer between accounts and read all of them; the total must stay"),
    entry("list-append", "list-append", TRANSACTIONS,
        "transactions that read and append to lists; must be strictly serializable"),
    entry("rw-register", "rw-register", TRANSACTIONS,
        "transactions that read and write registers; must be strictly serializable"),
    entry("long-fork", "long-fork", &shared(40, 1_000_000, 5),
        "write each of four registers once and read all; reads must agree on the order"),
    entry("causal", "causal", SHORT,
        "read and write three registers; who sees an effect must see its causes"),
    entry("causal-reverse", "causal-reverse", &shared(100, 1_000_000, 5),
        "write ten registers one after the other and read all; none may be seen without those before"),
];

/// What was chosen for a workload.
struct Chosen(BTreeMap<&'static str, u64>);

impl Chosen {
    fn read(description: &Description, text: &str) -> Result<Self, UnknownWorkload> {
        let workload = || description.name.to_owned();
        let mut chosen: BTreeMap<_, _> = description
            .options
            .iter()
            .map(|option| (option.name, option.default))
            .collect();
        for part in text.split(':').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let Some(option) = description.options.iter().find(|known| known.name == name) else {
                let known: Vec<&str> = description.options.iter().map(|known| known.name).collect();
                return Err(UnknownWorkload::Option {
                    workload: workload(),
                    option: name.to_owned(),
                    known: match known.is_empty() {
                        true => "none".to_owned(),
                        false => known.join(", "),
                    },
                });
            };
            let value = value.parse().ok();
            let value = value.filter(|value| (option.least..=option.most).contains(value));
            let value = value.ok_or_else(|| UnknownWorkload::Value {
                workload: workload(),
                option: name.to_owned(),
                least: option.least,
                most: option.most,
            })?;
            chosen.insert(option.name, value);
        }
        Ok(Self(chosen))
    }

    fn of(&self, option: &str) -> u64 {
        self.0.get(option).copied().unwrap_or(0)
    }

    fn objects(&self, description: &Description, model: String, kind: Kind) -> Box<dyn Workload> {
        let (ops, threads) = (self.of("ops-per-key"), self.of("threads-per-key"));
        Box::new(Objects::new(description.name, model, kind, ops, threads))
    }

    fn shape(&self) -> Shape {
        Shape {
            keys: self.of("keys"),
            steps: self.of("steps"),
            writes: self.of("writes-per-key"),
        }
    }
}

/// A workload by name; `register+ledger` runs both, `bank:accounts=4` has four accounts.
pub fn by_name(name: &str) -> Result<Box<dyn Workload>, UnknownWorkload> {
    let mut parts = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for part in name.split('+').map(str::trim) {
        let (part, options) = part.split_once(':').unwrap_or((part, ""));
        if names.contains(&part) {
            return Err(UnknownWorkload::Twice(part.to_owned()));
        }
        names.push(part);
        let Some(known) = ALL.iter().find(|known| known.name == part) else {
            let known: Vec<&str> = ALL.iter().map(|known| known.name).collect();
            return Err(UnknownWorkload::Name {
                name: part.to_owned(),
                known: known.join(", "),
            });
        };
        let chosen = Chosen::read(known, options)?;
        parts.push((known.weight, make(known, &chosen)));
    }
    if parts.len() == 1
        && let Some((_, only)) = parts.pop()
    {
        return Ok(only);
    }
    Ok(Box::new(Union::new(parts)))
}

fn make(known: &Description, chosen: &Chosen) -> Box<dyn Workload> {
    let register = |register: Register| {
        let register = register.ops_per_key(chosen.of("ops-per-key"));
        Box::new(register.threads_per_key(chosen.of("threads-per-key")))
    };
    let kind = match known.name {
        "ledger" => return Box::new(Ledger::default()),
        "register" => return register(Register::default()),
        "cas-register" => return register(Register::mostly_cas()),
        "bank" => return Box::new(Bank::new(chosen.of("accounts"), chosen.of("balance"))),
        "list-append" => return Box::new(Transactions::new(Write::Append, chosen.shape())),
        "rw-register" => return Box::new(Transactions::new(Write::Set, chosen.shape())),
        "semaphore" => {
            let permits = chosen.of("permits");
            let kind = locks::semaphore(permits as i64);
            return chosen.objects(known, format!("semaphore={permits}"), kind);
        }
        "key-value" => values::KEY_VALUE,
        "counter" => values::COUNTER,
        "counter-bounds" => values::COUNTER_BOUNDS,
        "monotonic" => values::MONOTONIC,
        "set" => values::SET,
        "set-full" => values::SET_FULL,
        "log" => values::LOG,
        "unique-ids" => values::UNIQUE_IDS,
        "multi-register" => registers::MULTI_REGISTER,
        "long-fork" => registers::LONG_FORK,
        "causal" => registers::CAUSAL,
        "causal-reverse" => registers::CAUSAL_REVERSE,
        "mutex" => locks::MUTEX,
        "fenced-lock" => locks::FENCED_LOCK,
        "fifo-queue" => queues::FIFO_QUEUE,
        "total-queue" => queues::TOTAL_QUEUE,
        "stack" => queues::STACK,
        other => unreachable!("{other} is in the table and is not made"),
    };
    chosen.objects(known, known.model.to_owned(), kind)
}
