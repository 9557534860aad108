//! What the measured stores hold: numbered keys, and values that no compression makes smaller than their alphabet.

use super::client::{Client, Protocol};
use super::{BenchError, resp};
use rand::{RngExt, SeedableRng};
use std::net::SocketAddr;
use std::sync::Arc;

/// Writers that fill strata before a measurement.
const FILLERS: u64 = 64;
/// Commands that fill Redis in one piece.
const PIECE: u64 = 1_000;

/// Values of one length, cut from a random text.
#[derive(Clone)]
pub struct Values {
    text: Arc<str>,
    bytes: usize,
}

impl Values {
    pub fn new(bytes: usize) -> Self {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
        let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(7);
        let text: String = (0..bytes + (64 << 10))
            .map(|_| LETTERS[random.random_range(0..LETTERS.len())] as char)
            .collect();
        Self {
            text: text.into(),
            bytes,
        }
    }

    /// The value that belongs to a number.
    pub fn of(&self, number: u64) -> &str {
        // Fibonacci hashing: near numbers get far apart texts.
        let at = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize;
        &self.text[at..at + self.bytes]
    }
}

/// A state of `keys` keys, key `n` with value `n`.
#[derive(Clone)]
pub struct State {
    pub keys: u64,
    pub values: Values,
}

impl State {
    /// As many keys as make `mib` MiB of values.
    pub fn of_mib(mib: u64, value_bytes: usize) -> Self {
        Self {
            keys: (mib << 20) / value_bytes.max(1) as u64,
            values: Values::new(value_bytes),
        }
    }

    pub fn key(number: u64) -> String {
        format!("key-{number:010}")
    }

    /// Puts the keys `from..to`.
    pub async fn fill(
        &self,
        protocol: Protocol,
        addr: SocketAddr,
        from: u64,
        to: u64,
    ) -> Result<(), BenchError> {
        if protocol == Protocol::Redis {
            return self.fill_redis(addr, from, to).await;
        }
        let fillers: Vec<_> = (0..FILLERS)
            .map(|filler| {
                let state = self.clone();
                tokio::spawn(async move {
                    let mut client = Client::open(protocol, addr).await?;
                    for number in (from + filler..to).step_by(FILLERS as usize) {
                        client
                            .put(&Self::key(number), state.values.of(number))
                            .await?;
                    }
                    Ok::<_, BenchError>(())
                })
            })
            .collect();
        for filler in fillers {
            filler.await??;
        }
        Ok(())
    }

    async fn fill_redis(&self, addr: SocketAddr, from: u64, to: u64) -> Result<(), BenchError> {
        let mut connection = resp::Connection::open(addr).await?;
        for begin in (from..to).step_by(PIECE as usize) {
            let end = (begin + PIECE).min(to);
            for number in begin..end {
                connection.queue(&["SET", &Self::key(number), self.values.of(number)]);
            }
            for reply in connection.flush((end - begin) as usize).await? {
                if !matches!(reply, resp::Reply::Text(_)) {
                    return Err(BenchError::Answer {
                        what: "SET".into(),
                        answer: format!("{reply:?}"),
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether the last key has the value that it was given.
    pub async fn check_last(&self, client: &mut Client) -> Result<(), BenchError> {
        let last = self.keys - 1;
        let found = client.get(&Self::key(last)).await?;
        if found.as_deref() == Some(self.values.of(last)) {
            return Ok(());
        }
        Err(BenchError::Answer {
            what: format!("get {}", Self::key(last)),
            answer: format!("{found:?}"),
        })
    }
}
