//! Members: a server is taken out of the cluster while everything goes on, and taken in again.
//!
//! With `remove-add` it keeps running outside, with its data. With `replace` its data is removed while it is
//! out, as when a machine is replaced: it starts with nothing and has to get everything, so the others' logs
//! must not reach back to the beginning any more.
//!
//! Proof: the leader no longer counts it among the members; afterwards it does, the server has applied what
//! was committed when it was taken in, and one that came with nothing counts an image of the whole state.

use crate::{
    Aim, Context, Effect, Error, Kind, Nemesis, PlannedFault, Result, Stream, View, servers,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::fmt;
use std::time::Duration;
use systems::ServerStatus;
use testbed::{NodeId, ProcessState};
use tokio::time::Instant;

/// For one change of the members. A server that is added has caught up by the end of it.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);
/// Bounds each wait for something to be seen.
const WAIT_LIMIT: Duration = Duration::from_secs(20);
const POLL_PAUSE: Duration = Duration::from_millis(50);

/// What is done to the server while it is out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Nothing.
    #[default]
    RemoveAdd,
    /// It is stopped and its data removed.
    Replace,
}

pub struct Members {
    change: Change,
    /// Noted before it is taken out.
    out: Option<Out>,
}

struct Out {
    node: NodeId,
    /// Noted before its data is removed.
    wiped: bool,
    /// What it had received in its life, while it had one.
    images: u64,
}

impl Change {
    pub const ALL: [Change; 2] = [Change::RemoveAdd, Change::Replace];

    pub fn name(self) -> &'static str {
        match self {
            Change::RemoveAdd => "remove-add",
            Change::Replace => "replace",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Members {
    pub fn new(change: Change) -> Self {
        Self { change, out: None }
    }
}

#[async_trait]
impl Nemesis for Members {
    fn kind(&self) -> Kind {
        Kind::Members
    }

    fn limit(&self) -> Duration {
        CHANGE_LIMIT + 2 * WAIT_LIMIT + Duration::from_secs(10)
    }

    fn aim(&self, fault: &PlannedFault, view: &View, stream: &mut Stream) -> Result<Aim> {
        let mut nodes = fault.target.resolve(view, stream)?;
        nodes.truncate(1);
        Ok(servers::aim_at(nodes, view))
    }

    async fn inject(&mut self, ctx: &Context, aim: &Aim) -> Result<Effect> {
        let node = aim.nodes[0].clone();
        if self.change == Change::Replace {
            await_discarded(ctx, &node).await?;
        }
        let view = View::take(ctx).await;
        let status = view.status(&node);
        self.out = Some(Out {
            images: status.map_or(0, |status| status.snapshots_installed_total),
            node: node.clone(),
            wiped: false,
        });
        ctx.system.remove_member(&node, CHANGE_LIMIT).await?;
        // From here on the others go on without it.
        let at = ctx.clock.now();
        let (leader, status) = await_leader(ctx, &node, false).await?;
        let mut proof = Map::from_iter([
            ("leader".to_owned(), json!(leader.as_str())),
            ("voters".to_owned(), json!(status.voters.join(" "))),
        ]);
        if self.change == Change::Replace {
            ctx.system.stop(&node).await?;
            if let Some(out) = &mut self.out {
                out.wiped = true;
            }
            ctx.system.wipe(&node).await?;
            proof.insert("data".into(), json!("removed"));
            proof.insert("log_reaches_back_to".into(), json!(status.first_index));
        }
        Ok(Effect { at, proof })
    }

    async fn heal(&mut self, ctx: &Context) -> Result<Effect> {
        let Some(out) = &self.out else {
            return Ok(Effect {
                at: ctx.clock.now(),
                ..Effect::default()
            });
        };
        if !runs(ctx, &out.node).await? {
            ctx.system.forget(&out.node);
            ctx.start_server(&out.node).await?;
        }
        let view = View::take(ctx).await;
        let leader = view.leader().and_then(|leader| view.status(leader));
        let commit = leader.map_or(0, |status| status.commit);
        let began = ctx.clock.now();
        ctx.system.add_member(&out.node, CHANGE_LIMIT).await?;
        let at = ctx.clock.now();
        let (leader, voters) = await_leader(ctx, &out.node, true).await?;
        let (status, images) = out.await_return(ctx, commit).await?;
        let waited = (ctx.clock.now() - began) / 1_000_000;
        let proof = [
            ("leader", json!(leader.as_str())),
            ("voters", json!(voters.voters.join(" "))),
            ("images_installed", json!(images)),
            ("image_base", json!(status.snapshot_last_base)),
            ("caught_up_to", json!(commit)),
            ("caught_up_after_ms", json!(waited)),
        ];
        self.out = None;
        Ok(Effect {
            at,
            proof: proof
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
        })
    }
}

impl Out {
    /// Waits until the server has what was committed, and has got it in the way that it must; says what it
    /// says then, and how many images it took.
    async fn await_return(&self, ctx: &Context, commit: u64) -> Result<(ServerStatus, u64)> {
        let had = if self.wiped { 0 } else { self.images };
        let end = Instant::now() + WAIT_LIMIT;
        loop {
            let view = View::take(ctx).await;
            let status = view.status(&self.node);
            let images = status.map_or(0, |status| {
                status.snapshots_installed_total.saturating_sub(had)
            });
            if let Some(status) = status
                && status.applied >= commit
                && (images > 0 || !self.wiped)
            {
                if self.wiped && status.snapshots_installed_delta >= images {
                    return Err(Error::Failed(format!(
                        "{} had no data and was sent only what had changed since index {}",
                        self.node, status.snapshot_last_base
                    )));
                }
                return Ok((status.clone(), images));
            }
            if Instant::now() >= end {
                return Err(Error::Failed(match status {
                    None => format!("{} does not answer after it was added", self.node),
                    Some(status) => format!(
                        "{WAIT_LIMIT:?} after it was added {} has applied {} of {commit} entries and installed {images} images",
                        self.node, status.applied,
                    ),
                }));
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }
}

/// Waits until the logs of all others begin after the first entry, so that they can't bring back a server
/// that has nothing.
async fn await_discarded(ctx: &Context, node: &NodeId) -> Result<()> {
    let end = Instant::now() + WAIT_LIMIT;
    loop {
        let view = View::take(ctx).await;
        let whole = view.nodes().into_iter().find(|peer| {
            let status = view.status(peer);
            peer != node && status.is_none_or(|status| status.first_index <= 1)
        });
        let Some(whole) = whole else {
            return Ok(());
        };
        if Instant::now() >= end {
            return Err(Error::NoEffect(format!(
                "in {WAIT_LIMIT:?} {whole} did not discard any of its log, which would bring a server without data back entry by entry: write more, or checkpoint more often"
            )));
        }
        tokio::time::sleep(POLL_PAUSE).await;
    }
}

/// Waits for a leader that counts the server among those who vote, or among nobody; it never is that server
/// when it is out.
async fn await_leader(
    ctx: &Context,
    node: &NodeId,
    inside: bool,
) -> Result<(NodeId, ServerStatus)> {
    let end = Instant::now() + WAIT_LIMIT;
    loop {
        let view = View::take(ctx).await;
        let leader = view.leader();
        if let Some(leader) = leader
            && let Some(status) = view.status(leader)
            && !status.voters.is_empty()
            && is_so(status, leader, node, inside)
        {
            return Ok((leader.clone(), status.clone()));
        }
        if Instant::now() >= end {
            let said = leader.and_then(|leader| {
                let voters = &view.status(leader)?.voters;
                Some(format!("{leader} says that {} vote", voters.join(" ")))
            });
            let said = said.unwrap_or_else(|| view.summary());
            return Err(match inside {
                true => Error::Failed(format!("{node} was added and is no member: {said}")),
                false => Error::NoEffect(format!("{node} was removed and is a member: {said}")),
            });
        }
        tokio::time::sleep(POLL_PAUSE).await;
    }
}

fn is_so(status: &ServerStatus, leader: &NodeId, node: &NodeId, inside: bool) -> bool {
    let among = |names: &[String]| names.iter().any(|name| name == node.as_str());
    match inside {
        true => among(&status.voters),
        false => leader != node && !among(&status.voters) && !among(&status.learners),
    }
}

async fn runs(ctx: &Context, node: &NodeId) -> Result<bool> {
    Ok(match ctx.system.process(node) {
        None => false,
        Some(process) => ctx.node(node)?.state(&process).await? != ProcessState::Gone,
    })
}
