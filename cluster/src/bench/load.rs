//! Closed-loop writers: each sends its next put when the last one is acknowledged.
//!
//! Time is cut into phases by the one who measures; a put counts for the phase in which it is acknowledged. In a
//! closed loop a stall delays the puts behind it instead of counting against each: the throughput shows it in full,
//! the quantiles of the latency flatter it, the maximum does not.

use super::BenchError;
use super::client::{Client, Protocol};
use super::state::{State, Values};
use hdrhistogram::Histogram;
use rand::{RngExt, SeedableRng};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const OVER: usize = usize::MAX;

#[derive(Clone)]
pub struct Load {
    pub protocol: Protocol,
    /// Clients are spread over them.
    pub addrs: Vec<SocketAddr>,
    pub clients: u64,
    /// Shared by the clients where the protocol can do that; otherwise each has its own.
    pub connections: u64,
    pub values: Values,
    pub keys: Keys,
}

#[derive(Clone, Copy)]
pub enum Keys {
    /// So many for each client, one after the other.
    OfClient(u64),
    /// Any of the first so many of a [`State`].
    Anywhere(u64),
}

/// What happened in one phase.
pub struct Phase {
    /// Microseconds.
    pub latency: Histogram<u64>,
    pub elapsed: Duration,
    /// Puts that the server answered with an error.
    pub refused: u64,
}

impl Phase {
    pub fn puts(&self) -> u64 {
        self.latency.len()
    }

    pub fn puts_per_s(&self) -> f64 {
        self.latency.len() as f64 / self.elapsed.as_secs_f64()
    }

    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e3
    }

    pub fn max_ms(&self) -> f64 {
        self.latency.max() as f64 / 1e3
    }
}

/// Of one writer, for each phase: the latencies, and how many puts were refused.
type Written = Result<Vec<(Histogram<u64>, u64)>, BenchError>;

pub struct Running {
    writers: Vec<JoinHandle<Written>>,
    phase: Arc<AtomicUsize>,
    phases: usize,
    began: Vec<Instant>,
}

impl Load {
    /// Begins in the first of so many phases.
    pub async fn start(&self, phases: usize) -> Result<Running, BenchError> {
        let phase = Arc::new(AtomicUsize::new(0));
        let mut opened: Vec<Client> = Vec::new();
        for client in 0..self.clients {
            let shared = opened.get((client % self.connections) as usize);
            let connection = match shared.and_then(Client::share) {
                Some(connection) => connection,
                None => {
                    let addr = self.addrs[client as usize % self.addrs.len()];
                    Client::open(self.protocol, addr).await?
                }
            };
            opened.push(connection);
        }
        let writers = (0..)
            .zip(opened)
            .map(|(client, connection)| {
                tokio::spawn(
                    self.clone()
                        .write(client, connection, phase.clone(), phases),
                )
            })
            .collect();
        Ok(Running {
            writers,
            phase,
            phases,
            began: vec![Instant::now()],
        })
    }

    async fn write(
        self,
        client: u64,
        mut connection: Client,
        phase: Arc<AtomicUsize>,
        phases: usize,
    ) -> Written {
        let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(client);
        let mut measured = vec![(histogram(), 0); phases];
        let mut count = 0;
        while phase.load(Ordering::Relaxed) != OVER {
            let key = match self.keys {
                Keys::OfClient(keys) => format!("key-{client}-{}", count % keys),
                Keys::Anywhere(keys) => State::key(random.random_range(0..keys)),
            };
            let sent = Instant::now();
            let outcome = connection.put(&key, self.values.of(random.random())).await;
            let now = phase.load(Ordering::Relaxed);
            match (outcome, measured.get_mut(now)) {
                (Ok(()), Some((latency, _))) => {
                    latency.saturating_record(sent.elapsed().as_micros() as u64)
                }
                (Err(BenchError::Answer { .. }), Some((_, refused))) => *refused += 1,
                (Ok(()) | Err(BenchError::Answer { .. }), None) => {}
                (Err(error), _) => return Err(error),
            }
            count += 1;
        }
        Ok(measured)
    }
}

impl Running {
    /// Ends this phase and begins the next.
    pub fn next(&mut self) {
        debug_assert!(self.began.len() < self.phases, "more phases than announced");
        self.phase.store(self.began.len(), Ordering::Relaxed);
        self.began.push(Instant::now());
    }

    pub async fn finish(self) -> Result<Vec<Phase>, BenchError> {
        self.phase.store(OVER, Ordering::Relaxed);
        let mut ends: Vec<Instant> = self.began[1..].to_vec();
        ends.push(Instant::now());
        let spans = self.began.iter().zip(&ends);
        let mut phases: Vec<Phase> = spans
            .map(|(begin, end)| Phase {
                latency: histogram(),
                elapsed: end.duration_since(*begin),
                refused: 0,
            })
            .collect();
        for writer in self.writers {
            for (phase, (latency, refused)) in phases.iter_mut().zip(writer.await??) {
                phase
                    .latency
                    .add(&latency)
                    .expect("histograms of equal bounds can be added");
                phase.refused += refused;
            }
        }
        Ok(phases)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds")
}
