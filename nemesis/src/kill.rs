//! Kill: SIGKILL to the servers, and a new start when healed.
//!
//! Proof: the kernel knows the process with that id and start time no more; afterwards another process
//! runs and its server answers.

use crate::servers::{self, STATE_LIMIT, Servers};
use crate::{Aim, Context, Effect, Error, Kind, Nemesis, PlannedFault, Result, Stream, View};
use async_trait::async_trait;
use futures::future::try_join_all;
use serde_json::{Map, json};
use std::time::Duration;
use testbed::{NodeId, Process, ProcessState, Signal};
use tokio::time::Instant;

/// From a restart to the first answer, loading its checkpoint included.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
const ANSWER_PAUSE: Duration = Duration::from_millis(20);
const STATUS_LIMIT: Duration = Duration::from_millis(300);

#[derive(Default)]
pub struct Kill {
    /// Noted before each signal, forgotten when a new server runs.
    killed: Servers,
}

#[async_trait]
impl Nemesis for Kill {
    fn kind(&self) -> Kind {
        Kind::Kill
    }

    fn aim(&self, fault: &PlannedFault, view: &View, stream: &mut Stream) -> Result<Aim> {
        Ok(servers::aim_at(fault.target.resolve(view, stream)?, view))
    }

    async fn inject(&mut self, ctx: &Context, aim: &Aim) -> Result<Effect> {
        self.killed = Servers::of(ctx, &aim.nodes)?;
        self.killed
            .turn(ctx, Signal::Kill, ProcessState::Gone)
            .await?;
        for process in self.killed.iter() {
            ctx.system.forget(&process.node);
        }
        Ok(self.killed.effect(ctx, "is gone"))
    }

    async fn heal(&mut self, ctx: &Context) -> Result<Effect> {
        let mut started = Vec::new();
        for old in self.killed.iter() {
            started.push((old, restart(ctx, old).await?));
        }
        let at = ctx.clock.now();
        let answers = started.iter().map(|(old, new)| async move {
            let waited = answer(ctx, &new.node).await?;
            let text = format!(
                "process {} took the place of {}, answered after {} ms",
                new.pid,
                old.pid,
                waited.as_millis()
            );
            Ok::<_, Error>((new.node.to_string(), json!(text)))
        });
        let proof: Map<_, _> = try_join_all(answers).await?.into_iter().collect();
        self.killed.clear();
        Ok(Effect { at, proof })
    }
}

/// Sees to it that the old process is gone and another one runs, which may have happened before.
async fn restart(ctx: &Context, old: &Process) -> Result<Process> {
    let node = ctx.node(&old.node)?;
    if let Some(current) = ctx.system.process(&old.node)
        && current != *old
        && node.state(&current).await? != ProcessState::Gone
    {
        return Ok(current);
    }
    if node.state(old).await? != ProcessState::Gone {
        node.signal(old, Signal::Kill).await?;
        node.await_state(old, ProcessState::Gone, STATE_LIMIT)
            .await?;
    }
    ctx.system.forget(&old.node);
    ctx.start_server(&old.node).await
}

/// Waits until a server answers, and says how long that took.
async fn answer(ctx: &Context, node: &NodeId) -> Result<Duration> {
    let start = Instant::now();
    loop {
        let error = match ctx.system.status(node, STATUS_LIMIT).await {
            Ok(_) => return Ok(start.elapsed()),
            Err(error) => error,
        };
        let server = ctx.server(node)?;
        let gone = ctx.node(node)?.state(&server).await? == ProcessState::Gone;
        if gone || start.elapsed() >= ANSWER_LIMIT {
            let waited = start.elapsed().as_millis();
            return Err(Error::Failed(format!(
                "{node}: no answer {waited} ms after its restart: {error}"
            )));
        }
        tokio::time::sleep(ANSWER_PAUSE).await;
    }
}
