//! The server processes that one fault has taken hold of, signalled together.

use crate::{Aim, Context, Effect, Error, Result, View, impact};
use futures::future::try_join_all;
use serde_json::json;
use std::time::Duration;
use testbed::{NodeId, Process, ProcessState, Signal};

/// Of the kernel, to do what a signal says.
pub(crate) const STATE_LIMIT: Duration = Duration::from_secs(5);

/// See the module. Noted before anything is done to them.
#[derive(Default)]
pub(crate) struct Servers(Vec<Process>);

/// What taking these nodes down means.
pub(crate) fn aim_at(nodes: Vec<NodeId>, view: &View) -> Aim {
    let impact = impact::of(&view.nodes(), view.leader(), &nodes, &[]);
    Aim {
        leader: view.leader().cloned(),
        hit_leader: impact.leader,
        hit_majority: impact.majority,
        nodes,
        ..Aim::default()
    }
}

impl Servers {
    /// Those that run on these nodes.
    pub(crate) fn of(ctx: &Context, nodes: &[NodeId]) -> Result<Self> {
        let servers = nodes.iter().map(|node| ctx.server(node));
        Ok(Self(servers.collect::<Result<_>>()?))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.0.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Signals all, as close together as a loop of system calls comes, then waits for all.
    pub(crate) async fn turn(
        &self,
        ctx: &Context,
        signal: Signal,
        state: ProcessState,
    ) -> Result<()> {
        for process in &self.0 {
            ctx.node(&process.node)?.signal(process, signal).await?;
        }
        let waits = self.0.iter().map(|process| async move {
            let node = ctx.node(&process.node)?;
            node.await_state(process, state, STATE_LIMIT).await?;
            Ok::<_, Error>(())
        });
        try_join_all(waits).await?;
        Ok(())
    }

    /// Lets go of those that have ended.
    pub(crate) async fn keep_living(&mut self, ctx: &Context) -> Result<()> {
        let mut living = Vec::new();
        for process in &self.0 {
            if ctx.node(&process.node)?.state(process).await? != ProcessState::Gone {
                living.push(process.clone());
            }
        }
        self.0 = living;
        Ok(())
    }

    /// That this is now so of each.
    pub(crate) fn effect(&self, ctx: &Context, what: &str) -> Effect {
        let lines = self.0.iter().map(|process| {
            let text = json!(format!("process {} {what}", process.pid));
            (process.node.to_string(), text)
        });
        Effect {
            at: ctx.clock.now(),
            proof: lines.collect(),
        }
    }
}
