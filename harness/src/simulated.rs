//! A workload's clients in strata's simulation: the same generators, operations and checkers as in a run on real
//! nodes, on simulated disks, networks and clocks, with the same bytes for the same seed.

use checker::{Budget, Event, History, Op, Outcome, Phase, ProcessId, Reason, Validity, check_all};
use cluster::api::{Answer, ApiError, KvOp, Request};
use cluster::machine::Machine;
use cluster::replica::Ticket;
use cluster::sim::{Load, Violation};
use cluster::types::ServerId;
use std::collections::BTreeMap;
use std::time::Duration;
use systems::strata::operations::{Exchange, Failure, Turn};
use workloads::{Context, Generator, Next, Workload};

/// How long a server may take for a request, in simulated milliseconds.
const TIMEOUT_MS: u64 = 1_500;
/// Limits of each checker.
const BUDGET: Budget = Budget {
    time: Duration::from_secs(10),
    memory: 256 << 20,
};

/// The clients of one simulation.
pub struct Simulated {
    workload: Box<dyn Workload>,
    seed: u64,
    generator: Box<dyn Generator>,
    stage: Stage,
    clients: Vec<Client>,
    waiting: BTreeMap<Ticket, Waiting>,
    last_ticket: Ticket,
    acknowledged: u64,
    events: Vec<Event>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Main,
    /// What is open ends, before the finale begins, as in a run on real nodes.
    Ending,
    Finale,
    Over,
}

struct Client {
    /// Its thread is its place.
    process: ProcessId,
    /// Asked last.
    server: ServerId,
    /// Not ended yet, with the request that is to be made next.
    open: Option<(Exchange, Option<KvOp>, Op)>,
}

struct Waiting {
    client: usize,
    server: ServerId,
}

impl Simulated {
    /// As many clients as threads.
    pub fn new(workload: Box<dyn Workload>, seed: u64, threads: u64) -> Self {
        let client = |number: u64| Client {
            process: ProcessId(number),
            server: ServerId(1 + number % 3),
            open: None,
        };
        Self {
            generator: workload.generator(seed),
            workload,
            seed,
            stage: Stage::Main,
            clients: (0..threads.max(1)).map(client).collect(),
            waiting: BTreeMap::new(),
            last_ticket: 0,
            acknowledged: 0,
            events: Vec::new(),
        }
    }

    fn record(&mut self, process: ProcessId, now_ms: u64, phase: Phase, op: Op) {
        let event = Event {
            index: self.events.len() as u64,
            time: now_ms * 1_000_000,
            process,
            phase,
            op,
        };
        self.generator.observe(&event);
        self.events.push(event);
    }

    /// Takes up a new operation of a free client.
    fn begin(&mut self, client: usize, now_ms: u64) {
        if self.stage == Stage::Ending {
            if !self.nothing_is_open() {
                return;
            }
            self.generator = self.workload.finale(self.seed);
            self.stage = Stage::Finale;
        }
        let process = self.clients[client].process;
        let next = self.generator.next(&Context {
            time: now_ms * 1_000_000,
            free: &[process],
            threads: self.clients.len() as u64,
        });
        match next {
            Next::Op(_, op) => {
                self.record(process, now_ms, Phase::Invoke, op.clone());
                match Exchange::begin(&op) {
                    Some((exchange, request)) => {
                        self.clients[client].open = Some((exchange, Some(request), op));
                    }
                    None => {
                        let reason = Reason::new(format!("unsupported: {}", op.name()));
                        self.end(client, now_ms, Outcome::Fail(reason), op);
                    }
                }
            }
            Next::Pending { .. } => {}
            Next::Done if self.stage == Stage::Finale => self.stage = Stage::Over,
            Next::Done => {}
        }
    }

    fn nothing_is_open(&self) -> bool {
        self.clients.iter().all(|client| client.open.is_none())
    }

    fn end(&mut self, client: usize, now_ms: u64, outcome: Outcome, op: Op) {
        let process = self.clients[client].process;
        match &outcome {
            Outcome::Ok(_) => self.acknowledged += 1,
            Outcome::Fail(_) => {}
            Outcome::Info(_) => {
                let threads = self.clients.len() as u64;
                self.clients[client].process = ProcessId(process.0 + threads);
            }
        }
        self.record(process, now_ms, outcome.into(), op);
    }
}

impl Load for Simulated {
    fn clients(&self) -> usize {
        self.clients.len()
    }

    fn is_idle(&self, client: usize) -> bool {
        let mut waiting = self.waiting.values();
        waiting.all(|waiting| waiting.client != client)
    }

    fn ask(
        &mut self,
        client: usize,
        servers: &[ServerId],
        now_ms: u64,
        draw: &mut dyn FnMut(u64) -> u64,
    ) -> Option<(ServerId, Ticket, Request)> {
        if self.clients[client].open.is_none() {
            self.begin(client, now_ms);
        }
        let op = self.clients[client].open.as_mut()?.1.take()?;
        if draw(4) == 0 {
            let at = draw(servers.len() as u64) as usize;
            self.clients[client].server = servers[at];
        }
        let server = self.clients[client].server;
        self.last_ticket += 1;
        self.waiting
            .insert(self.last_ticket, Waiting { client, server });
        let request = Request {
            op,
            session: None,
            stale: false,
            timeout_ms: Some(TIMEOUT_MS),
        };
        Some((server, self.last_ticket, request))
    }

    fn answered(&mut self, ticket: Ticket, result: Result<Answer, ApiError>, now_ms: u64) {
        let Some(Waiting { client, .. }) = self.waiting.remove(&ticket) else {
            return;
        };
        let Some((mut exchange, _, op)) = self.clients[client].open.take() else {
            return;
        };
        let answer = result.map_err(|error| {
            let reason = Reason::new(error.code);
            match error.definite {
                true => Failure::Definite(reason),
                false => Failure::Indefinite(reason),
            }
        });
        match exchange.answered(answer) {
            Turn::Ask(next) => self.clients[client].open = Some((exchange, Some(next), op)),
            Turn::End(outcome) => self.end(client, now_ms, outcome, op),
        }
    }

    fn server_gone(&mut self, server: ServerId, now_ms: u64) {
        let lost: Vec<Ticket> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.server == server)
            .map(|(ticket, _)| *ticket)
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

    fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    fn wind_up(&mut self) {
        self.stage = Stage::Ending;
    }

    fn is_done(&self) -> bool {
        self.stage == Stage::Over && self.nothing_is_open()
    }

    fn judge(&mut self, _machine: &Machine) -> Option<Result<(), Violation>> {
        let history = History {
            events: std::mem::take(&mut self.events),
            ..History::default()
        };
        let verdicts = check_all(&history, &self.workload.checkers(), BUDGET);
        let invalid = verdicts
            .iter()
            .find(|(_, verdict)| verdict.valid == Validity::Invalid);
        if let Some((name, verdict)) = invalid {
            let what = format!("{}, {name}: {}", self.workload.name(), verdict.reason);
            return Some(Err(Violation(what)));
        }
        let decided = verdicts
            .values()
            .all(|verdict| verdict.valid == Validity::Valid);
        decided.then_some(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster::sim::{Options, Report, run_with};

    fn play(workload: &str, seed: u64) -> Report {
        let workload = workloads::by_name(workload).unwrap();
        let options = Options::of(seed);
        let load = Simulated::new(workload, seed, options.clients);
        run_with(seed, &options, Box::new(load))
    }

    #[test]
    fn every_workload_holds_in_the_simulation_and_repeats_itself() {
        for (number, known) in workloads::ALL.iter().enumerate() {
            let seed = number as u64;
            let report = play(known.name, seed);
            assert_eq!(report.violation, None, "{} --seed {seed}", known.name);
            assert!(report.acknowledged > 50, "{}: {report:?}", known.name);
            assert_eq!(report, play(known.name, seed), "{}", known.name);
        }
    }
}
