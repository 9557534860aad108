//! Pause: SIGSTOP to the servers, SIGCONT when healed.
//!
//! Proof: the kernel says that the process is stopped; afterwards, that it runs.

use crate::servers::{self, Servers};
use crate::{Aim, Context, Effect, Kind, Nemesis, PlannedFault, Result, Stream, View};
use async_trait::async_trait;
use testbed::{ProcessState, Signal};

#[derive(Default)]
pub struct Pause {
    /// Noted before each signal.
    stopped: Servers,
}

#[async_trait]
impl Nemesis for Pause {
    fn kind(&self) -> Kind {
        Kind::Pause
    }

    fn aim(&self, fault: &PlannedFault, view: &View, stream: &mut Stream) -> Result<Aim> {
        Ok(servers::aim_at(fault.target.resolve(view, stream)?, view))
    }

    async fn inject(&mut self, ctx: &Context, aim: &Aim) -> Result<Effect> {
        self.stopped = Servers::of(ctx, &aim.nodes)?;
        self.stopped
            .turn(ctx, Signal::Stop, ProcessState::Stopped)
            .await?;
        Ok(self.stopped.effect(ctx, "is stopped"))
    }

    async fn heal(&mut self, ctx: &Context) -> Result<Effect> {
        // A process that ended meanwhile has nothing to continue; its end is noticed elsewhere.
        self.stopped.keep_living(ctx).await?;
        self.stopped
            .turn(ctx, Signal::Continue, ProcessState::Running)
            .await?;
        let effect = self.stopped.effect(ctx, "runs");
        self.stopped.clear();
        Ok(effect)
    }
}
