//! Partition: links between nodes are cut, and mended when healed. Links to the clients stay: a node that
//! is alone can still be asked, which is when stale answers would show.
//!
//! Proof: probes do not arrive over any cut link and do arrive over every other one; the cut links
//! counted what they dropped; afterwards, probes arrive over all.

use crate::links::{self, Link, Shape};
use crate::{
    Aim, Context, Effect, Error, Kind, Nemesis, PlannedFault, Result, Stream, View, impact,
};
use async_trait::async_trait;
use futures::future::{join_all, try_join_all};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use testbed::{Network, NodeId};
use tokio::time::Instant;

/// A probe that has not arrived by then is taken for lost: many times a round trip.
const LOST_AFTER: Duration = Duration::from_millis(150);
const ARRIVES_WITHIN: Duration = Duration::from_millis(1000);
/// Of a link that was mended.
const PASSES_WITHIN: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Partition {
    cuts: Cuts,
}

#[async_trait]
impl Nemesis for Partition {
    fn kind(&self) -> Kind {
        Kind::Partition
    }

    fn aim(&self, fault: &PlannedFault, view: &View, stream: &mut Stream) -> Result<Aim> {
        let nodes = view.nodes();
        let mut hit = fault.target.resolve(view, stream)?;
        let mut direction = None;
        let first = hit[0].clone();
        let cuts = match fault.shape().unwrap_or(Shape::One) {
            Shape::One | Shape::LeaderAlone => links::isolate(&hit[..1], &nodes),
            Shape::Halves => {
                // Exactly half when their number is even, which leaves no majority.
                let mut drawn = nodes.clone();
                stream.shuffle(&mut drawn);
                hit = drawn[..nodes.len() / 2].to_vec();
                hit.sort_by_key(|node| nodes.iter().position(|other| other == node));
                links::isolate(&hit, &nodes)
            }
            Shape::MajorityRing => links::majority_ring(&nodes, stream),
            Shape::Bridge => links::bridge(&first, &nodes, stream),
            Shape::OneWay => {
                let outgoing = stream.coin();
                direction = Some(if outgoing { "can't send" } else { "can't hear" });
                links::one_way(&first, outgoing, &nodes)
            }
        };
        Ok(aim_at(hit, cuts, view, direction))
    }

    async fn inject(&mut self, ctx: &Context, aim: &Aim) -> Result<Effect> {
        self.cuts.make(ctx, &aim.cuts).await
    }

    async fn heal(&mut self, ctx: &Context) -> Result<Effect> {
        self.cuts.mend(ctx).await
    }
}

/// What cutting these links means, with who still reaches whom for the reader.
pub(crate) fn aim_at(
    nodes: Vec<NodeId>,
    cuts: Vec<Link>,
    view: &View,
    direction: Option<&str>,
) -> Aim {
    let all = view.nodes();
    let impact = impact::of(&all, view.leader(), &[], &cuts);
    let reach = links::reachable(&all, &cuts)
        .into_iter()
        .map(|(node, seen)| {
            let seen: Vec<_> = seen.iter().map(NodeId::as_str).collect();
            (node.to_string(), json!(seen.join(" ")))
        });
    let mut shape = Map::from_iter([("reach".to_owned(), Value::Object(reach.collect()))]);
    if let Some(direction) = direction {
        shape.insert("direction".into(), json!(direction));
    }
    Aim {
        leader: view.leader().cloned(),
        hit_leader: impact.leader,
        hit_majority: impact.majority,
        nodes,
        cuts,
        shape,
        heir: None,
    }
}

/// Links that are cut now.
#[derive(Default)]
pub(crate) struct Cuts {
    /// Noted before each is cut.
    links: Vec<Link>,
}

impl Cuts {
    /// Cuts the links, then shows that exactly these are cut.
    pub(crate) async fn make(&mut self, ctx: &Context, links: &[Link]) -> Result<Effect> {
        let network = network(ctx)?;
        let before = dropped(network.as_ref(), links);
        self.links = links.to_vec();
        try_join_all(links.iter().map(|link| network.cut(&link.from, &link.to))).await?;
        let at = ctx.clock.now();

        let cut: BTreeSet<_> = links.iter().collect();
        let nodes: Vec<_> = ctx
            .env
            .nodes()
            .iter()
            .map(|node| node.id().clone())
            .collect();
        let kept: Vec<_> = links::all(&nodes)
            .into_iter()
            .filter(|link| !cut.contains(link))
            .collect();
        let (over_cut, over_kept) = futures::future::join(
            probe(network.as_ref(), links, LOST_AFTER),
            probe(network.as_ref(), &kept, ARRIVES_WITHIN),
        )
        .await;
        if let Some((link, _)) = over_cut?.into_iter().find(|(_, arrived)| *arrived) {
            return Err(Error::NoEffect(format!(
                "a probe passed the cut link {link}"
            )));
        }
        if let Some((link, _)) = over_kept?.into_iter().find(|(_, arrived)| !*arrived) {
            return Err(Error::Failed(format!(
                "a probe was lost on {link}, which is not cut"
            )));
        }
        let dropped = dropped(network.as_ref(), links).saturating_sub(before);
        if dropped == 0 && !links.is_empty() {
            return Err(Error::NoEffect("no cut link dropped anything".into()));
        }
        let proof = Map::from_iter([
            ("links_cut".to_owned(), json!(links.len())),
            ("links_kept".to_owned(), json!(kept.len())),
            ("probes_lost".to_owned(), json!(links.len())),
            ("probes_arrived".to_owned(), json!(kept.len())),
            ("dropped".to_owned(), json!(dropped)),
        ]);
        Ok(Effect { at, proof })
    }

    /// Mends what [`Cuts::make`] cut, then shows that it passes again.
    pub(crate) async fn mend(&mut self, ctx: &Context) -> Result<Effect> {
        if self.links.is_empty() {
            return Ok(Effect {
                at: ctx.clock.now(),
                ..Effect::default()
            });
        }
        let network = network(ctx)?;
        try_join_all(
            self.links
                .iter()
                .map(|link| network.mend(&link.from, &link.to)),
        )
        .await?;
        let at = ctx.clock.now();
        let end = Instant::now() + PASSES_WITHIN;
        let mut silent = self.links.clone();
        while !silent.is_empty() {
            let arrivals = probe(network.as_ref(), &silent, ARRIVES_WITHIN).await?;
            let lost = arrivals.into_iter().filter(|(_, arrived)| !*arrived);
            silent = lost.map(|(link, _)| link).collect();
            if let Some(link) = silent.first()
                && Instant::now() >= end
            {
                return Err(Error::Failed(format!(
                    "nothing passes the mended link {link}"
                )));
            }
        }
        let proof = Map::from_iter([("probes_arrived".to_owned(), json!(self.links.len()))]);
        self.links.clear();
        Ok(Effect { at, proof })
    }
}

fn network(ctx: &Context) -> Result<Arc<dyn Network>> {
    ctx.env.network().ok_or_else(|| {
        let name = ctx.env.name();
        Error::Refused(format!("environment {name} has no links that can be cut"))
    })
}

fn dropped(network: &dyn Network, links: &[Link]) -> u64 {
    let counts = links
        .iter()
        .map(|link| network.counters(&link.from, &link.to).cut);
    counts.sum()
}

async fn probe(
    network: &dyn Network,
    links: &[Link],
    limit: Duration,
) -> Result<Vec<(Link, bool)>> {
    let probes = links.iter().map(|link| async move {
        let arrived = network.probe(&link.from, &link.to, limit).await?;
        Ok::<_, Error>((link.clone(), arrived))
    });
    join_all(probes).await.into_iter().collect()
}
