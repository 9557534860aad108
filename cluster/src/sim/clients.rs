//! Clients, and what they were told.
//!
//! Each client has one operation under way. Some work on a few registers with read, write and cas, and their history is
//! judged by the project's checker; others append to lists, each value once, which shows lost and doubled writes; and
//! all of them put long values under new keys now and then, so that the state has many pages. Transactions move amounts
//! between [`accounts`](super::accounts).

use super::accounts::{self, Accounts};
use super::invariants::Violation;
use super::load::Load;
use crate::api::{Answer, ApiError, KvOp, Request, Session};
use crate::machine::Machine;
use crate::replica::Ticket;
use crate::types::ServerId;
use checker::linearizability::Linearizable;
use checker::{
    Budget, Checker, Event, History, Key, Op, Outcome, Phase, ProcessId, Reason, Ret, Validity,
    Value,
};
use std::collections::BTreeMap;
use std::time::Duration;

const REGISTERS: u64 = 2;
const LISTS: u64 = 4;
const TIMEOUT_MS: u64 = 1_500;

pub struct Clients {
    clients: Vec<Client>,
    waiting: BTreeMap<Ticket, Waiting>,
    next_ticket: Ticket,
    next_process: u64,
    next_value: i64,
    events: Vec<Event>,
    appends: BTreeMap<i64, Append>,
    accounts: Accounts,
    acknowledged: u64,
}

struct Client {
    process: ProcessId,
    session: u64,
    sequence: u64,
    /// Asked last.
    server: ServerId,
}

struct Waiting {
    client: usize,
    server: ServerId,
    /// `None`: filler, of which nothing is recorded.
    op: Option<Op>,
    /// The value that it appends.
    append: Option<i64>,
    accounts: Option<accounts::Request>,
}

struct Append {
    list: u64,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Unknown,
    Acknowledged,
    Refused,
}

impl Clients {
    pub fn new(count: u64) -> Self {
        let client = |number: u64| Client {
            process: ProcessId(number),
            session: number + 1,
            sequence: 0,
            server: ServerId(1 + number % 3),
        };
        Self {
            clients: (0..count).map(client).collect(),
            waiting: BTreeMap::new(),
            next_ticket: 1,
            next_process: count,
            next_value: 1,
            events: Vec::new(),
            appends: BTreeMap::new(),
            accounts: Accounts::default(),
            acknowledged: 0,
        }
    }
}

impl Load for Clients {
    fn clients(&self) -> usize {
        self.clients.len()
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    fn is_idle(&self, client: usize) -> bool {
        !self
            .waiting
            .values()
            .any(|waiting| waiting.client == client)
    }

    fn ask(
        &mut self,
        client: usize,
        servers: &[ServerId],
        now_ms: u64,
        draw: &mut dyn FnMut(u64) -> u64,
    ) -> Option<(ServerId, Ticket, Request)> {
        if draw(4) == 0 {
            self.clients[client].server = servers[draw(servers.len() as u64) as usize];
        }
        let server = self.clients[client].server;
        let register = draw(REGISTERS);
        let key = format!("r{register}");
        let name = Key::Int(register as i64);
        let value = self.next_value;
        self.next_value += 1;
        let mut accounts = None;
        let (op, recorded, append) = match draw(12) {
            0..2 => (KvOp::Get { key }, Some(Op::Read { key: name }), None),
            2..4 => {
                let op = KvOp::Put {
                    key,
                    value: value.to_string(),
                };
                let write = Op::Write {
                    key: name,
                    value: Value::Int(value),
                };
                (op, Some(write), None)
            }
            4 => {
                let from = value - 1 - draw(6) as i64;
                let op = KvOp::Cas {
                    key,
                    from: Some(from.to_string()),
                    to: value.to_string(),
                };
                let cas = Op::Cas {
                    key: name,
                    from: Value::Int(from),
                    to: Value::Int(value),
                };
                (op, Some(cas), None)
            }
            5..7 => {
                let list = draw(LISTS);
                let fate = Fate::Unknown;
                self.appends.insert(value, Append { list, fate });
                let op = KvOp::Append {
                    key: format!("list{list}"),
                    value: format!("{value} "),
                };
                (op, None, Some(value))
            }
            7..9 => {
                let (op, request) = self.accounts.ask(draw);
                accounts = Some(request);
                (op, None, None)
            }
            _ => {
                let op = KvOp::Put {
                    key: format!("fill{:04}", draw(2_000)),
                    value: "x".repeat(500 + draw(1_500) as usize),
                };
                (op, None, None)
            }
        };
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if let Some(op) = &recorded {
            self.record(client, now_ms, Phase::Invoke, op.clone());
        }
        let session = (!op.is_read_only() && draw(3) == 0).then(|| {
            let client = &mut self.clients[client];
            client.sequence += 1;
            Session {
                client: client.session,
                sequence: client.sequence,
            }
        });
        self.waiting.insert(
            ticket,
            Waiting {
                client,
                server,
                op: recorded,
                append,
                accounts,
            },
        );
        let request = Request {
            op,
            session,
            stale: false,
            timeout_ms: Some(TIMEOUT_MS),
        };
        Some((server, ticket, request))
    }

    fn answered(&mut self, ticket: Ticket, result: Result<Answer, ApiError>, now_ms: u64) {
        let Some(waiting) = self.waiting.remove(&ticket) else {
            return;
        };
        if let Some(request) = waiting.accounts {
            self.accounts.answered(request, &result);
        }
        let definite = result.as_ref().err().map(|error| error.definite);
        if definite.is_none() {
            self.acknowledged += 1;
        }
        if let Some(value) = waiting.append
            && let Some(append) = self.appends.get_mut(&value)
        {
            append.fate = match definite {
                None => Fate::Acknowledged,
                Some(true) => Fate::Refused,
                Some(false) => Fate::Unknown,
            };
        }
        let Some(op) = waiting.op else {
            return;
        };
        let outcome = match result {
            Ok(answer) => Outcome::Ok(match &op {
                Op::Read { .. } => Ret::Value(match answer.value {
                    None => Value::Nil,
                    Some(text) => text.parse().map_or(Value::Text(text.into()), Value::Int),
                }),
                _ => Ret::Done,
            }),
            Err(error) if error.definite => Outcome::Fail(Reason::new(error.code)),
            Err(error) => Outcome::Info(Reason::new(error.code)),
        };
        let phase = match outcome {
            Outcome::Ok(ret) => Phase::Ok(ret),
            Outcome::Fail(reason) => Phase::Fail(reason),
            Outcome::Info(reason) => Phase::Info(reason),
        };
        let unknown = matches!(phase, Phase::Info(_));
        self.record(waiting.client, now_ms, phase, op);
        if unknown {
            self.clients[waiting.client].process = ProcessId(self.next_process);
            self.next_process += 1;
        }
    }

    fn server_gone(&mut self, server: ServerId, now_ms: u64) {
        let lost: Vec<Ticket> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.server == server)
            .map(|(&ticket, _)| ticket)
            .collect();
        for ticket in lost {
            let error = ApiError {
                code: "connection-lost".into(),
                definite: false,
                message: String::new(),
                leader: None,
            };
            self.answered(ticket, Err(error), now_ms);
        }
    }

    fn judge(&mut self, machine: &Machine) -> Option<Result<(), Violation>> {
        let checked = self
            .check_appends(machine)
            .and_then(|()| self.accounts.check(machine));
        match checked {
            Ok(()) => self.check_registers(),
            wrong => Some(wrong),
        }
    }
}

impl Clients {
    fn record(&mut self, client: usize, now_ms: u64, phase: Phase, op: Op) {
        self.events.push(Event {
            index: self.events.len() as u64,
            time: now_ms * 1_000_000,
            process: self.clients[client].process,
            phase,
            op,
        });
    }

    /// At the end: every acknowledged append is there once, no refused one is, and no other one twice.
    fn check_appends(&self, machine: &Machine) -> Result<(), Violation> {
        let mut found: BTreeMap<i64, u64> = BTreeMap::new();
        for list in 0..LISTS {
            let text = machine.get(&format!("list{list}")).unwrap_or_default();
            for value in text.split_whitespace() {
                let number = value.parse().ok().filter(|number| {
                    self.appends
                        .get(number)
                        .is_some_and(|append| append.list == list)
                });
                let Some(number) = number else {
                    return Err(Violation(format!(
                        "list{list} holds {value}, which nobody wrote"
                    )));
                };
                *found.entry(number).or_default() += 1;
            }
        }
        for (value, append) in &self.appends {
            let times = found.get(value).copied().unwrap_or(0);
            let holds = match append.fate {
                Fate::Acknowledged => times == 1,
                Fate::Refused => times == 0,
                Fate::Unknown => times <= 1,
            };
            if !holds {
                return Err(Violation(format!(
                    "append {value} to list{} was {:?} and is there {times} times",
                    append.list, append.fate
                )));
            }
        }
        Ok(())
    }

    /// At the end: the registers were linearizable. `None`: the checker ran out of its budget.
    fn check_registers(&mut self) -> Option<Result<(), Violation>> {
        let history = History {
            events: std::mem::take(&mut self.events),
            ..History::default()
        };
        let budget = Budget {
            time: Duration::from_secs(10),
            memory: 256 << 20,
        };
        let verdict = Linearizable::cas_register().check(&history, budget);
        match verdict.valid {
            Validity::Valid => Some(Ok(())),
            Validity::Unknown => None,
            Validity::Invalid => Some(Err(Violation(format!(
                "the registers were not linearizable: {}",
                verdict.reason
            )))),
        }
    }
}
