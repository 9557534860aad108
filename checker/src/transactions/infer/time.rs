//! The orders of processes and of real time, each with a number of edges that grows with the number of
//! transactions and not with its square.
//!
//! Real time is an interval order: one transaction precedes another if it was completed before the other
//! was invoked. Its transitive reduction can still have an edge for each pair (n transactions are
//! completed, then n are invoked). So a chain of junctions stands for the moments between a completion
//! and the next invocation: a transaction leads to the moment after its completion, every moment to the
//! next, and a moment to what is invoked before the next completion.

use super::super::graph::{Builder, Node, PROCESS, REALTIME, VIA};
use super::super::intern::{Mixed, Transactions, TxnId};
use super::super::meter::{Exhausted, Meter};
use crate::ProcessId;
use std::collections::HashMap;

pub(in super::super) fn add(
    transactions: &Transactions<'_>,
    graph: &mut Builder,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    meter.stage("ordering transactions by process and time")?;
    add_processes(transactions, graph, meter)?;
    add_real_time(transactions, graph, meter)?;
    graph.settle(meter)
}

fn add_processes(
    transactions: &Transactions<'_>,
    graph: &mut Builder,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let mut last: HashMap<ProcessId, TxnId, Mixed> = HashMap::default();
    for id in transactions.ids().filter(|id| transactions.happened(*id)) {
        meter.work(1)?;
        let process = transactions.get(id).operation.invocation.process;
        if let Some(before) = last.insert(process, id) {
            graph.edge(before.0, id.0, PROCESS);
        }
    }
    Ok(())
}

fn add_real_time(
    transactions: &Transactions<'_>,
    graph: &mut Builder,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    // Completions in their order; invocations are in order by themselves. What was never completed
    // precedes nothing.
    meter.room::<(usize, TxnId)>(transactions.all.len())?;
    let mut completions: Vec<(usize, TxnId)> = transactions
        .ids()
        .filter(|id| transactions.happened(*id))
        .filter_map(|id| {
            let operation = &transactions.get(id).operation;
            let completed_at = operation.completed_at.filter(|_| operation.is_ok())?;
            Some((completed_at, id))
        })
        .collect();
    completions.sort_unstable();
    let mut completions = completions.into_iter().peekable();
    let mut moment: Option<Node> = None;
    let mut is_followed = false;
    for id in transactions.ids().filter(|id| transactions.happened(*id)) {
        meter.work(1)?;
        let invoked_at = transactions.get(id).operation.invoked_at;
        while let Some((_, before)) = completions.next_if(|(at, _)| *at < invoked_at) {
            let now = match moment {
                Some(moment) if !is_followed => moment,
                earlier => {
                    let now = graph.junction();
                    if let Some(earlier) = earlier {
                        graph.edge(earlier, now, VIA);
                    }
                    is_followed = false;
                    moment = Some(now);
                    now
                }
            };
            graph.edge(before.0, now, REALTIME);
        }
        if let Some(moment) = moment {
            graph.edge(moment, id.0, VIA);
            is_followed = true;
        }
    }
    meter.give_back::<(usize, TxnId)>(transactions.all.len());
    Ok(())
}
