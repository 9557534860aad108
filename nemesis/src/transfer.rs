//! Transfer: the leader is told to hand over, to a server that is named or to whom it likes.
//!
//! Takes effect when it is ordered, because from then on the leader takes no more writes; so the hand-over
//! itself is part of the outage that is measured. Proof: another server leads. There is nothing to undo;
//! healing shows that all follow one leader.

use crate::{
    Aim, Context, Effect, Error, Kind, Nemesis, PlannedFault, Result, Stream, Target, View,
};
use async_trait::async_trait;
use serde_json::{Map, json};
use std::time::Duration;
use testbed::NodeId;
use tokio::time::Instant;

/// For the leader to agree, a lost election and another try included.
const ORDER_LIMIT: Duration = Duration::from_secs(12);
/// Bounds the wait for another leader, and the one for a cluster that follows it.
const WAIT_LIMIT: Duration = Duration::from_secs(5);
const POLL_PAUSE: Duration = Duration::from_millis(20);

#[derive(Default)]
pub struct Transfer {
    /// Noted before it is ordered.
    ordered: bool,
}

#[async_trait]
impl Nemesis for Transfer {
    fn kind(&self) -> Kind {
        Kind::Transfer
    }

    fn aim(&self, _fault: &PlannedFault, view: &View, stream: &mut Stream) -> Result<Aim> {
        let nodes = Target::Leader.resolve(view, stream)?;
        let others: Vec<NodeId> = view
            .nodes()
            .into_iter()
            .filter(|node| !nodes.contains(node))
            .collect();
        let named = stream.coin();
        let heir = stream.pick(&others).filter(|_| named).cloned();
        let to = heir.as_ref().map_or("any", NodeId::as_str);
        Ok(Aim {
            shape: Map::from_iter([("to".to_owned(), json!(to))]),
            leader: nodes.first().cloned(),
            hit_leader: true,
            nodes,
            heir,
            ..Aim::default()
        })
    }

    async fn inject(&mut self, ctx: &Context, aim: &Aim) -> Result<Effect> {
        let old = &aim.nodes[0];
        self.ordered = true;
        let at = ctx.clock.now();
        ctx.system
            .transfer_leadership(aim.heir.as_ref(), ORDER_LIMIT)
            .await?;
        let end = Instant::now() + WAIT_LIMIT;
        loop {
            let view = View::take(ctx).await;
            if let Some(leader) = view.leader().filter(|leader| *leader != old) {
                let waited = (ctx.clock.now() - at) / 1_000_000;
                let proof = [
                    ("before", json!(old.as_str())),
                    ("leader", json!(leader.as_str())),
                    ("term", json!(view.status(leader).map(|status| status.term))),
                    ("seen_after_ms", json!(waited)),
                ];
                return Ok(Effect {
                    at,
                    proof: proof
                        .map(|(name, value)| (name.to_owned(), value))
                        .into_iter()
                        .collect(),
                });
            }
            if Instant::now() >= end {
                return Err(Error::NoEffect(format!(
                    "{WAIT_LIMIT:?} after {old} was told to hand over, no other server leads: {}",
                    view.summary()
                )));
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }

    async fn heal(&mut self, ctx: &Context) -> Result<Effect> {
        if !self.ordered {
            return Ok(Effect {
                at: ctx.clock.now(),
                ..Effect::default()
            });
        }
        let end = Instant::now() + WAIT_LIMIT;
        loop {
            let view = View::take(ctx).await;
            let Some(blemish) = view.blemish() else {
                self.ordered = false;
                let leader = view.leader().map(NodeId::as_str);
                return Ok(Effect {
                    at: ctx.clock.now(),
                    proof: Map::from_iter([("all_follow".to_owned(), json!(leader))]),
                });
            };
            if Instant::now() >= end {
                return Err(Error::Failed(format!(
                    "the cluster is not whole {WAIT_LIMIT:?} after a hand-over: {blemish}"
                )));
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }
}
