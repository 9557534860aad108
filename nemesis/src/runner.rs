//! Follows a plan: one fault after another, each written down before and after, each bounded, and in the
//! end everything healed whatever happened.
//!
//! A fault that fails is recorded and the run goes on. A server that ends without our doing is recorded
//! as `unexpected-exit`, which condemns the run, and started again so that the rest can be seen.

use crate::context::Context;
use crate::view::View;
use crate::{Aim, Effect, Error, FaultJournal, Kind, Nemesis, Plan, PlannedFault, Result, Stream};
use checker::history::faults::{FaultRecord, Step, UNEXPECTED_EXIT};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use testbed::{NodeId, Process, ProcessState, Signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// A cluster that is not whole by then is hit as it is.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);
const SETTLE_PAUSE: Duration = Duration::from_millis(50);
/// Between two looks at the processes.
const PATROL_PAUSE: Duration = Duration::from_millis(200);
/// For the server's last words.
const STATUS_LIMIT: Duration = Duration::from_millis(300);

/// Told of every step as it happens. A step is on the disk before it is told.
pub trait Observer: Send {
    fn step(&mut self, record: &FaultRecord);
    /// The next fault waits until the cluster is whole again; says why it is not.
    fn waiting(&mut self, _why: &str) {}
    fn unexpected_exit(&mut self, _exit: &UnexpectedExit) {}
}

/// A server that ended without our doing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnexpectedExit {
    pub node: NodeId,
    pub pid: i32,
    /// When it was noticed: nanoseconds since the start of the run.
    pub time: u64,
    /// With its last words.
    pub error: String,
}

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    pub planned: usize,
    /// Faults that were shown to take effect.
    pub effective: usize,
    pub healed: usize,
    /// Faults that could not be injected, had no effect or could not be healed, by number.
    pub failed: Vec<(u32, String)>,
    /// Not empty: the run is invalid.
    pub unexpected_exits: Vec<UnexpectedExit>,
    /// What is still broken at the end.
    pub unhealed: Vec<String>,
    /// Ended by the stop signal before the plan did.
    pub stopped: bool,
    /// The journal could not be written, so nothing more was broken.
    pub aborted: Option<String>,
}

/// Follows the plan until its end or until `stop` turns true, then heals what is left to heal.
pub async fn run(
    plan: &Plan,
    ctx: &Context,
    journal: &FaultJournal,
    stop: watch::Receiver<bool>,
    observer: &mut dyn Observer,
) -> Summary {
    let crew = ctx.env.nodes().iter().map(|node| node.id().clone());
    let mut run = Run {
        plan,
        ctx,
        journal,
        stop,
        observer,
        crew: crew
            .filter(|node| ctx.system.process(node).is_some())
            .collect(),
        unhealed: Vec::new(),
        extra: plan.faults.iter().map(|f| f.number).max().unwrap_or(0),
        summary: Summary {
            planned: plan.faults.len(),
            ..Summary::default()
        },
    };
    if let Err(error) = run.follow().await {
        run.summary.aborted = Some(error.to_string());
    }
    run.restore().await;
    run.summary
}

struct Run<'a> {
    plan: &'a Plan,
    ctx: &'a Context,
    journal: &'a FaultJournal,
    stop: watch::Receiver<bool>,
    observer: &'a mut dyn Observer,
    /// The nodes whose servers ran at the start, and must in the end.
    crew: Vec<NodeId>,
    /// Tried again at the end.
    unhealed: Vec<Box<dyn Nemesis>>,
    /// The number of the last record that belongs to no planned fault.
    extra: u32,
    summary: Summary,
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Go {
    On,
    Stop,
}

impl Run<'_> {
    /// An error only when the journal can't be written.
    async fn follow(&mut self) -> Result<()> {
        let mut earliest = Instant::now();
        for fault in &self.plan.faults {
            let planned = self.ctx.clock.at(Duration::from_millis(fault.start_ms));
            if self.wait(planned.max(earliest), &[]).await? == Go::Stop {
                break;
            }
            let Some(before) = self.settle().await? else {
                break;
            };
            self.undergo(fault, before).await?;
            earliest = Instant::now() + Duration::from_millis(fault.pause_ms);
        }
        // The last fault's recovery belongs to the run as well.
        self.wait(earliest, &[]).await?;
        Ok(())
    }

    /// Waits until the cluster is whole and looks at it; nothing when the run is to stop.
    async fn settle(&mut self) -> Result<Option<View>> {
        let end = Instant::now() + SETTLE_LIMIT;
        let mut told = false;
        loop {
            let view = View::take(self.ctx).await;
            let Some(blemish) = view.blemish() else {
                return Ok(Some(view));
            };
            if Instant::now() >= end {
                return Ok(Some(view));
            }
            if !told {
                self.observer.waiting(&blemish);
                told = true;
            }
            if self.wait(Instant::now() + SETTLE_PAUSE, &[]).await? == Go::Stop {
                return Ok(None);
            }
        }
    }

    /// One fault from its intention to its healing.
    async fn undergo(&mut self, fault: &PlannedFault, view: View) -> Result<()> {
        let mut nemesis = crate::of(fault);
        let name = format!("nemesis/fault/{}", fault.number);
        let mut stream = Stream::derive(self.plan.seed, &name);
        let aim = match nemesis.aim(fault, &view, &mut stream) {
            Ok(aim) => aim,
            Err(error) => return self.fail(fault, &Aim::default(), error.to_string()).await,
        };
        let mut before = aim.shape.clone();
        let state = view.blemish().unwrap_or_else(|| "whole".into());
        before.insert("cluster".into(), json!(state));
        self.record(fault, &aim, Step::Intend, self.ctx.clock.now(), before)
            .await?;

        let effect = match self.inject(nemesis.as_mut(), &aim).await {
            Ok(effect) => effect,
            Err(error) => {
                // Half an injection must be undone before the record says that nothing is left of it.
                let healed = self.undo(nemesis.as_mut()).await;
                let mut error = error.to_string();
                if let Err(unhealed) = healed {
                    error = format!("{error}; and could not be undone: {unhealed}");
                    self.unhealed.push(nemesis);
                }
                return self.fail(fault, &aim, error).await;
            }
        };
        self.summary.effective += 1;
        let end = self.ctx.clock.at(Duration::from_nanos(effect.at))
            + Duration::from_millis(fault.duration_ms);
        self.record(fault, &aim, Step::Effective, effect.at, effect.proof)
            .await?;
        // A lag has done its work when it is effective. A stop ends the wait, not the healing.
        if fault.kind != Kind::Lag {
            let killed = matches!(fault.kind, Kind::Kill | Kind::PowerLoss);
            let exempt = if killed {
                aim.nodes.clone()
            } else {
                Vec::new()
            };
            self.wait(end, &exempt).await?;
        }
        self.record(fault, &aim, Step::Heal, self.ctx.clock.now(), Map::new())
            .await?;
        match self.undo(nemesis.as_mut()).await {
            Ok(healed) => {
                self.summary.healed += 1;
                self.record(fault, &aim, Step::Healed, healed.at, healed.proof)
                    .await
            }
            Err(error) => {
                self.unhealed.push(nemesis);
                self.fail(fault, &aim, format!("not healed: {error}")).await
            }
        }
    }

    /// Bounded, and given up when the run is to stop.
    async fn inject(&mut self, nemesis: &mut dyn Nemesis, aim: &Aim) -> Result<Effect> {
        let limit = nemesis.limit();
        let injection = timeout(limit, nemesis.inject(self.ctx, aim));
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => Err(Error::Failed("the run was stopped".into())),
            effect = injection => effect.unwrap_or_else(|_| {
                Err(Error::Failed(format!("not injected within {limit:?}")))
            }),
        }
    }

    async fn undo(&self, nemesis: &mut dyn Nemesis) -> Result<Effect> {
        let limit = nemesis.limit();
        timeout(limit, nemesis.heal(self.ctx))
            .await
            .unwrap_or_else(|_| Err(Error::Failed(format!("not healed within {limit:?}"))))
    }

    /// Waits, and watches the servers but the exempt ones meanwhile.
    async fn wait(&mut self, until: Instant, exempt: &[NodeId]) -> Result<Go> {
        loop {
            self.patrol(exempt).await?;
            let next = until.min(Instant::now() + PATROL_PAUSE);
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => {
                    self.summary.stopped = true;
                    return Ok(Go::Stop);
                }
                () = sleep_until(next) => {}
            }
            if Instant::now() >= until {
                return Ok(Go::On);
            }
        }
    }

    /// Looks for servers that ended by themselves, and starts them again.
    async fn patrol(&mut self, exempt: &[NodeId]) -> Result<()> {
        for id in self.crew.clone() {
            if exempt.contains(&id) {
                continue;
            }
            let Some(process) = self.ctx.system.process(&id) else {
                continue;
            };
            if state(self.ctx, &process).await != Some(ProcessState::Gone) {
                continue;
            }
            let exit = self.obituary(process).await;
            self.extra += 1;
            let record = FaultRecord {
                fault: self.extra,
                step: Step::Failed,
                time: exit.time,
                kind: UNEXPECTED_EXIT.into(),
                variant: String::new(),
                targets: vec![id.to_string()],
                leader: None,
                hit_leader: false,
                hit_majority: false,
                proof: Map::new(),
                error: Some(exit.error.clone()),
            };
            self.journal.append(&record).await?;
            self.observer.step(&record);
            self.observer.unexpected_exit(&exit);
            self.summary.unexpected_exits.push(exit);
            self.ctx.system.forget(&id);
            if let Err(error) = self.ctx.start_server(&id).await {
                tracing::warn!(node = %id, %error, "server could not be started again");
            }
        }
        Ok(())
    }

    async fn obituary(&self, process: Process) -> UnexpectedExit {
        let words = self.ctx.system.status(&process.node, STATUS_LIMIT).await;
        UnexpectedExit {
            error: match words {
                Err(error) => error.to_string(),
                Ok(_) => format!("{}: process {} has ended", process.node, process.pid),
            },
            time: self.ctx.clock.now(),
            pid: process.pid,
            node: process.node,
        }
    }

    /// Heals what the faults did not: every link passes, every server of the start runs.
    async fn restore(&mut self) {
        for mut nemesis in std::mem::take(&mut self.unhealed) {
            if let Err(error) = self.undo(nemesis.as_mut()).await {
                let kind = nemesis.kind();
                self.summary.unhealed.push(format!("{kind}: {error}"));
            }
        }
        if let Some(network) = self.ctx.env.network()
            && let Err(error) = network.heal().await
        {
            self.summary.unhealed.push(format!("network: {error}"));
        }
        for id in self.crew.clone() {
            if let Err(error) = revive(self.ctx, &id).await {
                self.summary.unhealed.push(error.to_string());
            }
        }
    }

    async fn record(
        &mut self,
        fault: &PlannedFault,
        aim: &Aim,
        step: Step,
        time: u64,
        proof: Map<String, Value>,
    ) -> Result<()> {
        let record = FaultRecord {
            step,
            time,
            proof,
            ..record_of(fault, aim)
        };
        self.journal.append(&record).await?;
        self.observer.step(&record);
        Ok(())
    }

    async fn fail(&mut self, fault: &PlannedFault, aim: &Aim, error: String) -> Result<()> {
        self.summary.failed.push((fault.number, error.clone()));
        let record = FaultRecord {
            step: Step::Failed,
            time: self.ctx.clock.now(),
            error: Some(error),
            ..record_of(fault, aim)
        };
        self.journal.append(&record).await?;
        self.observer.step(&record);
        Ok(())
    }
}

fn record_of(fault: &PlannedFault, aim: &Aim) -> FaultRecord {
    FaultRecord {
        fault: fault.number,
        step: Step::Intend,
        time: 0,
        kind: fault.kind.to_string(),
        variant: fault.variant.map(|v| v.to_string()).unwrap_or_default(),
        targets: aim.nodes.iter().map(NodeId::to_string).collect(),
        leader: aim.leader.as_ref().map(NodeId::to_string),
        hit_leader: aim.hit_leader,
        hit_majority: aim.hit_majority,
        proof: Map::new(),
        error: None,
    }
}

async fn state(ctx: &Context, process: &Process) -> Option<ProcessState> {
    ctx.node(&process.node).ok()?.state(process).await.ok()
}

/// Sees to it that a server runs.
async fn revive(ctx: &Context, id: &NodeId) -> Result<()> {
    let Some(process) = ctx.system.process(id) else {
        ctx.start_server(id).await?;
        return Ok(());
    };
    match ctx.node(id)?.state(&process).await? {
        ProcessState::Running => {}
        ProcessState::Stopped => ctx.node(id)?.signal(&process, Signal::Continue).await?,
        ProcessState::Gone => {
            ctx.system.forget(id);
            ctx.start_server(id).await?;
        }
    }
    Ok(())
}

/// Ends when the run is to stop; never when nobody can say so any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
