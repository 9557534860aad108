//! Lag: a follower is held away from its peers until the leader has compacted its log past it, so that
//! the log alone can't bring it back and the leader has to send an image.
//!
//! Proof: the leader's first log index lies beyond the next one that the follower needs; afterwards, the
//! follower counts an image more than before, of all the state or of what had changed, and has applied what
//! was committed when it returned.

use crate::partition::{self, Cuts};
use crate::{
    Aim, Context, Effect, Error, Kind, Nemesis, PlannedFault, Result, Stream, View, links,
};
use async_trait::async_trait;
use serde_json::json;
use std::time::Duration;
use systems::ServerStatus;
use testbed::NodeId;
use tokio::time::Instant;

/// Bounds the wait for the leader's compaction, and the one for the follower's return.
const WAIT_LIMIT: Duration = Duration::from_secs(30);
const POLL_PAUSE: Duration = Duration::from_millis(50);
/// What was under way when the links were cut must not arrive after all: kernels repeat it for as long as
/// a connection lives, so the follower is held away for longer than servers keep a silent one.
const LEAST_HOLD: Duration = Duration::from_secs(3);

#[derive(Default)]
pub struct Lag {
    cuts: Cuts,
    /// Set when the leader's log no longer reaches back to it.
    behind: Option<Behind>,
}

struct Behind {
    follower: NodeId,
    /// What it had received in its life when it was left behind.
    images: u64,
}

#[async_trait]
impl Nemesis for Lag {
    fn kind(&self) -> Kind {
        Kind::Lag
    }

    fn limit(&self) -> Duration {
        WAIT_LIMIT + Duration::from_secs(10)
    }

    fn aim(&self, fault: &PlannedFault, view: &View, stream: &mut Stream) -> Result<Aim> {
        let nodes = fault.target.resolve(view, stream)?;
        let cuts = links::isolate(&nodes[..1], &view.nodes());
        Ok(partition::aim_at(nodes, cuts, view, None))
    }

    async fn inject(&mut self, ctx: &Context, aim: &Aim) -> Result<Effect> {
        let follower = aim.nodes[0].clone();
        let cut = self.cuts.make(ctx, &aim.cuts).await?;
        let began = Instant::now();
        let end = began + WAIT_LIMIT;
        loop {
            let view = View::take(ctx).await;
            let leader = view.leader().filter(|leader| **leader != follower);
            let ahead = leader.and_then(|leader| view.status(leader));
            let held = view.status(&follower);
            if let (Some(ahead), Some(held)) = (ahead, held)
                && began.elapsed() >= LEAST_HOLD
                && has_passed(ahead, held)
                // The others too: whoever leads when the follower returns must have left it behind.
                && peers(&view, &follower).all(|peer| has_passed(peer, held))
            {
                self.behind = Some(Behind {
                    images: held.snapshots_installed_total,
                    follower,
                });
                let mut proof = cut.proof;
                proof.insert("cut_at".into(), json!(cut.at));
                proof.insert("leader_first_index".into(), json!(ahead.first_index));
                proof.insert("follower_last_index".into(), json!(held.last_index));
                return Ok(Effect {
                    at: ctx.clock.now(),
                    proof,
                });
            }
            if Instant::now() >= end {
                let first = ahead.map(|status| status.first_index.to_string());
                let last = held.map(|status| status.last_index.to_string());
                let or_unknown = |index: Option<String>| index.unwrap_or("unknown".into());
                return Err(Error::NoEffect(format!(
                    "in {WAIT_LIMIT:?} the leader's first log index ({}) did not pass the last one of {follower} ({}): write more, or checkpoint more often",
                    or_unknown(first),
                    or_unknown(last),
                )));
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }

    async fn heal(&mut self, ctx: &Context) -> Result<Effect> {
        let commit = match &self.behind {
            Some(_) => {
                let view = View::take(ctx).await;
                let leader = view.leader().and_then(|leader| view.status(leader));
                leader.map_or(0, |status| status.commit)
            }
            None => 0,
        };
        let mut effect = self.cuts.mend(ctx).await?;
        let Some(behind) = self.behind.take() else {
            return Ok(effect);
        };
        let end = Instant::now() + WAIT_LIMIT;
        loop {
            let view = View::take(ctx).await;
            let status = view.status(&behind.follower);
            if let Some(status) = status
                && status.snapshots_installed_total > behind.images
                && status.applied >= commit
            {
                let images = status.snapshots_installed_total - behind.images;
                let since = ctx.clock.now().saturating_sub(effect.at) / 1_000_000;
                effect
                    .proof
                    .insert("images_installed".into(), json!(images));
                let (base, bytes) = (status.snapshot_last_base, status.snapshot_last_bytes);
                effect.proof.insert("image_base".into(), json!(base));
                effect.proof.insert("image_bytes".into(), json!(bytes));
                effect.proof.insert("caught_up_to".into(), json!(commit));
                effect
                    .proof
                    .insert("caught_up_after_ms".into(), json!(since));
                return Ok(effect);
            }
            if Instant::now() >= end {
                return Err(Error::Failed(match status {
                    None => format!("{} does not answer after its return", behind.follower),
                    Some(status) => format!(
                        "{WAIT_LIMIT:?} after its return {} has applied {} of {commit} entries and installed {} images",
                        behind.follower,
                        status.applied,
                        status
                            .snapshots_installed_total
                            .saturating_sub(behind.images)
                    ),
                }));
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }
}

/// Whether the log of one no longer holds the next entry that the other needs.
fn has_passed(ahead: &ServerStatus, held: &ServerStatus) -> bool {
    ahead.first_index > held.last_index + 1
}

/// The servers that answer, but this one.
fn peers<'a>(view: &'a View, but: &'a NodeId) -> impl Iterator<Item = &'a ServerStatus> {
    let nodes = view.nodes().into_iter().filter(move |node| node != but);
    nodes.filter_map(move |node| view.status(&node))
}
