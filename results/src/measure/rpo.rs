//! RPO: acknowledged work that was gone afterwards, from the durability ledgers.

use crate::recorded::LedgerFigures;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rpo {
    /// False: no ledger was kept, so nothing is known.
    pub measured: bool,
    /// Acknowledged writes that were missing in the final reads.
    pub lost: u64,
    /// The worst ledger's: last acknowledged minus last surviving write.
    pub lost_seconds: f64,
    pub acknowledged: u64,
    /// Writes without a known outcome, and how many of them survived.
    pub unacknowledged: u64,
    pub unacknowledged_survived: u64,
    pub ledgers: Vec<LedgerFigures>,
}

pub(super) fn rpo(ledgers: &[LedgerFigures]) -> Rpo {
    let sum = |of: fn(&LedgerFigures) -> u64| ledgers.iter().map(of).sum();
    Rpo {
        measured: !ledgers.is_empty(),
        lost: sum(|l| l.lost),
        lost_seconds: ledgers.iter().map(|l| l.lost_seconds).fold(0.0, f64::max),
        acknowledged: sum(|l| l.acknowledged),
        unacknowledged: sum(|l| l.unacknowledged),
        unacknowledged_survived: sum(|l| l.unacknowledged_survived),
        ledgers: ledgers.to_vec(),
    }
}

impl Rpo {
    /// The figure as a sentence.
    pub fn sentence(&self) -> String {
        let count = crate::table::count;
        if !self.measured {
            return "not measured: no ledger was kept".into();
        }
        let mut sentence = format!(
            "{} of {} acknowledged writes lost",
            count(self.lost),
            count(self.acknowledged)
        );
        if self.lost > 0 {
            sentence += &format!(", {:.3} s of work", self.lost_seconds);
        }
        if self.unacknowledged > 0 {
            sentence += &format!(
                "; of {} without an answer {} survived",
                count(self.unacknowledged),
                count(self.unacknowledged_survived)
            );
        }
        sentence
    }
}
