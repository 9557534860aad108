//! Exactly-once: what was applied already.
//!
//! Two things may be repeated. A *client* may repeat a request whose answer it did not get: its session remembers
//! the last answer. The *network between servers* may repeat a forwarded command: its origin (server, boot,
//! sequence) is admitted once.

use super::{Applied, Machine, stored};
use crate::api::Session;
use crate::types::{Index, ServerId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Sessions that are remembered. The one that was used longest ago is forgotten first; a client that comes
/// back after that is a new one, and its repeated request would be applied again.
pub const MAX_SESSIONS: u64 = 10_000;
/// How far apart commands of one origin may overtake each other.
const ORIGIN_WINDOW: u64 = 16_384;

/// The last request of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub sequence: u64,
    pub used: Index,
    pub answer: Applied,
}

impl Machine {
    fn remembered(&self, client: u64) -> Option<Remembered> {
        // What this program wrote, it reads.
        stored::remembered_from(self.pages.get(&stored::session(client))?).ok()
    }

    /// The answer to a request that was applied before. One older than the client's last is a duplicate
    /// whose answer nobody can be waiting for.
    pub(super) fn answered(&self, session: &Session) -> Option<Applied> {
        let remembered = self.remembered(session.client)?;
        match remembered.sequence.cmp(&session.sequence) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(remembered.answer),
            std::cmp::Ordering::Greater => Some(Applied::Duplicate),
        }
    }

    pub(super) fn remember(&mut self, session: Session, index: Index, answer: &Applied) {
        let client = session.client;
        match self.remembered(client) {
            Some(earlier) => {
                self.pages
                    .remove(index, &stored::used(earlier.used, client));
            }
            None => self.totals.sessions += 1,
        }
        let remembered = Remembered {
            sequence: session.sequence,
            used: index,
            answer: answer.clone(),
        };
        self.pages.put(
            index,
            &stored::session(client),
            &stored::remembered(&remembered),
        );
        self.pages.put(index, &stored::used(index, client), &[]);
        if self.totals.sessions > MAX_SESSIONS {
            let oldest = self.pages.scan(&[stored::USED], |key, _| {
                ControlFlow::Break(stored::used_from(key))
            });
            if let Some(Some((used, client))) = oldest {
                self.pages.remove(index, &stored::used(used, client));
                self.pages.remove(index, &stored::session(client));
                self.totals.sessions -= 1;
            }
        }
    }
}

/// Which commands of each server were admitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origins {
    pub seen: BTreeMap<ServerId, Seen>,
    /// Servers whose commands were admitted since the pages were told.
    pub changed: BTreeSet<ServerId>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub boot: u64,
    /// Everything up to here was admitted or is too old to be.
    pub floor: u64,
    /// What was admitted after the floor.
    pub after: BTreeSet<u64>,
}

impl Origins {
    /// True for the first time; commands of an earlier boot come too late.
    pub fn admit(&mut self, origin: &super::Origin) -> bool {
        self.changed.insert(origin.server);
        let seen = self.seen.entry(origin.server).or_default();
        if origin.boot < seen.boot {
            return false;
        }
        if origin.boot > seen.boot {
            *seen = Seen {
                boot: origin.boot,
                ..Seen::default()
            };
        }
        if origin.sequence <= seen.floor || !seen.after.insert(origin.sequence) {
            return false;
        }
        while seen.after.remove(&(seen.floor + 1)) {
            seen.floor += 1;
        }
        if origin.sequence > seen.floor + ORIGIN_WINDOW {
            seen.floor = origin.sequence - ORIGIN_WINDOW;
            seen.after = seen.after.split_off(&(seen.floor + 1));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::Origin;
    use super::*;

    fn origin(boot: u64, sequence: u64) -> Origin {
        Origin {
            server: ServerId(1),
            boot,
            sequence,
        }
    }

    #[test]
    fn a_command_is_admitted_once_in_any_order() {
        let mut origins = Origins::default();
        let admitted: Vec<bool> = [1, 3, 3, 2, 1, 4]
            .map(|sequence| origins.admit(&origin(1, sequence)))
            .to_vec();
        assert_eq!(admitted, [true, true, false, true, false, true]);
        assert_eq!(
            (
                origins.seen[&ServerId(1)].floor,
                origins.seen[&ServerId(1)].after.len()
            ),
            (4, 0)
        );
    }

    #[test]
    fn a_command_of_an_earlier_boot_comes_too_late() {
        let mut origins = Origins::default();
        assert!(origins.admit(&origin(2, 1)));
        assert!(!origins.admit(&origin(1, 2)));
        assert!(origins.admit(&origin(3, 1)));
    }

    #[test]
    fn the_session_used_longest_ago_is_forgotten_first() {
        let mut machine = Machine::new();
        let session = |client| Session {
            client,
            sequence: 1,
        };
        for client in 0..=MAX_SESSIONS {
            let answer = Applied::Done { index: client + 1 };
            machine.remember(session(client), client + 1, &answer);
        }
        assert_eq!(machine.totals.sessions, MAX_SESSIONS);
        assert_eq!(machine.answered(&session(0)), None);
        assert_eq!(
            machine.answered(&session(1)),
            Some(Applied::Done { index: 2 })
        );
    }
}
