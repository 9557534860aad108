//! Pause: SIGSTOP to the servers, SIGCONT when healed.
//!
//! Proof: the kernel says that the process is stopped; afterwards, that it runs.

use crate::kill::aim_at;
use crate::{Aim, Context, Effect, Error, Kind, Nemesis, PlannedFault, Result, Stream, View};
use async_trait::async_trait;
use futures::future::try_join_all;
use serde_json::{Map, Value, json};
use std::time::Duration;
use testbed::{Process, ProcessState, Signal};

const STATE_LIMIT: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Pause {
    /// Noted before each signal.
    stopped: Vec<Process>,
}

#[async_trait]
impl Nemesis for Pause {
    fn kind(&self) -> Kind {
        Kind::Pause
    }

    fn aim(&self, fault: &PlannedFault, view: &View, stream: &mut Stream) -> Result<Aim> {
        Ok(aim_at(fault.target.resolve(view, stream)?, view))
    }

    async fn inject(&mut self, ctx: &Context, aim: &Aim) -> Result<Effect> {
        let servers: Vec<Process> = aim
            .nodes
            .iter()
            .map(|node| ctx.server(node))
            .collect::<Result<_>>()?;
        self.stopped = servers;
        self.turn(ctx, Signal::Stop, ProcessState::Stopped).await?;
        Ok(self.effect(ctx, "is stopped"))
    }

    async fn heal(&mut self, ctx: &Context) -> Result<Effect> {
        // A process that ended meanwhile has nothing to continue; its end is noticed elsewhere.
        let mut living = Vec::new();
        for process in &self.stopped {
            if ctx.node(&process.node)?.state(process).await? != ProcessState::Gone {
                living.push(process.clone());
            }
        }
        self.stopped = living;
        self.turn(ctx, Signal::Continue, ProcessState::Running)
            .await?;
        let effect = self.effect(ctx, "runs");
        self.stopped.clear();
        Ok(effect)
    }
}

impl Pause {
    /// Signals all, then waits for all.
    async fn turn(&self, ctx: &Context, signal: Signal, state: ProcessState) -> Result<()> {
        for process in &self.stopped {
            ctx.node(&process.node)?.signal(process, signal).await?;
        }
        let waits = self.stopped.iter().map(|process| async move {
            let node = ctx.node(&process.node)?;
            node.await_state(process, state, STATE_LIMIT).await?;
            Ok::<_, Error>(())
        });
        try_join_all(waits).await?;
        Ok(())
    }

    fn effect(&self, ctx: &Context, what: &str) -> Effect {
        let lines = self.stopped.iter().map(|process| {
            let text = json!(format!("process {} {what}", process.pid));
            (process.node.to_string(), text)
        });
        Effect {
            at: ctx.clock.now(),
            proof: lines.collect::<Map<String, Value>>(),
        }
    }
}
