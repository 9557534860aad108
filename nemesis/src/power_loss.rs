//! Power loss: every server ends at once and starts again, as after a power cut.
//!
//! A kill alone loses nothing that the kernel already holds, so the system must be set up to lose what it
//! did not sync; [`crate::capability`] refuses this fault where it is not. What was lost is not seen here
//! but by the checkers. Proof: as of a kill, of every node.

use crate::kill::Kill;
use crate::{
    Aim, Context, Effect, Kind, Nemesis, PlannedFault, Result, Stream, Target, View, servers,
};
use async_trait::async_trait;

#[derive(Default)]
pub struct PowerLoss {
    kill: Kill,
}

#[async_trait]
impl Nemesis for PowerLoss {
    fn kind(&self) -> Kind {
        Kind::PowerLoss
    }

    fn aim(&self, _fault: &PlannedFault, view: &View, stream: &mut Stream) -> Result<Aim> {
        Ok(servers::aim_at(Target::All.resolve(view, stream)?, view))
    }

    async fn inject(&mut self, ctx: &Context, aim: &Aim) -> Result<Effect> {
        self.kill.inject(ctx, aim).await
    }

    async fn heal(&mut self, ctx: &Context) -> Result<Effect> {
        self.kill.heal(ctx).await
    }
}
