//! The main phase and what follows it: clients, probes, status polls and the nemesis together; then healing, quiet,
//! and the final reads.

use super::background::Writers;
use super::{observe, online::Online, prefill, prepare::Prepared};
use crate::exit::{Failure, Result};
use crate::interpreter::{Clock, Interpreter, NemesisNote, Recorder};
use crate::interrupt::Interrupt;
use crate::progress::{Now, Progress};
use crate::watch::{probes::Prober, status};
use checker::history::Header;
use checker::history::faults::{FaultRecord, Step};
use checker::{Budget, Validity, Verdict};
use results::{Folder, Marks};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use workloads::generator::{Stagger, TimeLimit};

/// Bound of the final reads: each is tried again until it succeeds.
const FINALE: Duration = Duration::from_secs(60);
/// Limit for the cluster to be whole again after everything was healed.
const RETURN: Duration = Duration::from_secs(30);
/// How often the progress line is made new.
const REFRESH: Duration = Duration::from_millis(250);

/// Loads the deployed cluster, breaks it, heals it and reads what is left. Everything is on disk when it returns;
/// what it returns are remarks on what went otherwise than planned.
pub async fn run(
    prepared: &Prepared,
    folder: &Folder,
    processes: Arc<nemesis::ProcessJournal>,
    marks: &mut Marks,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Vec<String>> {
    let spec = &prepared.spec;
    if spec.prefill.0 > 0 {
        progress.phase("prefill", &spec.prefill.to_string());
        prefill::run(prepared, spec.prefill.0).await?;
    }
    let clock = Clock::start();
    let (notes, nemesis_notes) = mpsc::unbounded_channel();
    let mut interpreter = interpreter(prepared, clock, nemesis_notes).await?;
    let header = Header {
        version: 1,
        workload: prepared.workload.name().to_owned(),
        model: prepared.workload.model().to_owned(),
    };
    let mut recorder = Recorder::create(&folder.history(), header)?;
    let (violated, violation) = watch::channel(false);
    let online = online(prepared, progress, violated)?;
    if let Some(online) = &online {
        recorder.judged_by(online.events());
    }

    let watchers = Watchers::start(prepared, folder, clock)?;
    let active = ActiveFaults::default();
    progress.phase(
        "load",
        &format!(
            "{} clients, {} faults planned",
            spec.clients,
            prepared.plan.faults.len()
        ),
    );
    let shown = tokio::spawn(show(
        progress.clone(),
        clock,
        spec.time.0,
        interpreter.counts(),
        active.clone(),
        watchers.newest.clone(),
        prepared.plan.faults.len() as u32,
    ));

    // The load goes on for as long as there are faults, so that every recovery is watched under load; and the
    // faults end when the user says so, or when nothing can be recorded any more.
    let (stop_load, mut load_stopped) = watch::channel(false);
    let (stop_faults, faults_stopped) = watch::channel(false);
    let interrupted = tokio::spawn(pass_on(interrupt.watch(), stop_faults.clone()));
    let ended_early = spec
        .fail_fast
        .then(|| tokio::spawn(pass_on(violation.clone(), stop_faults.clone())));
    let nemesis = nemesis(
        prepared,
        folder,
        processes,
        clock,
        notes,
        active,
        faults_stopped.clone(),
    );
    let faults = async {
        let summary = nemesis.await;
        // A run whose plan ends early, or that has none, lasts as long as it was asked to.
        let mut stopped = faults_stopped;
        tokio::select! {
            () = tokio::time::sleep_until(clock.instant(spec.time.nanos())) => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        stop_load.send_replace(true);
        summary
    };
    marks.load_start = clock.now();
    let background = Writers::start(prepared, &load_stopped)?;
    let rng = workloads::seed::stream(prepared.seed, "stagger");
    let paced = Stagger::new(
        spec.rate as f64,
        prepared.workload.generator(prepared.seed),
        rng,
    );
    // The schedule may overrun its time when faults take longer; not without end, though.
    let mut generator = TimeLimit::new(spec.time.0 * 4 + Duration::from_secs(60), Box::new(paced));
    let load = async {
        let loaded = interpreter
            .run(&mut generator, &mut recorder, &mut load_stopped)
            .await;
        if loaded.is_err() {
            stop_faults.send_replace(true);
        }
        loaded
    };
    let (loaded, summary) = tokio::join!(load, faults);
    background.finish().await;
    interrupted.abort();
    if let Some(ended_early) = ended_early {
        ended_early.abort();
    }
    shown.abort();
    marks.load_end = clock.now();
    marks.all_healed = clock.now();
    let summary = summary?;
    loaded?;

    progress.phase("quiet", &format!("{} without faults", spec.quiet));
    let mut remarks = remarks(&summary);
    if prepared.environment.is_some()
        && let Err(error) = prepared.system.ready(RETURN).await
    {
        // The store's failure, not ours: what clients see from now on is part of the evidence.
        remarks.push(format!(
            "the cluster was not whole {RETURN:?} after healing: {error}"
        ));
    }
    if spec.fail_fast && *violation.borrow() {
        remarks.push("the load ended at the first violation (fail-fast)".into());
    }
    if !interrupt.happened() {
        tokio::time::sleep(spec.quiet.0).await;
    }

    progress.phase("finale", "final reads");
    marks.finale_start = clock.now();
    let (stop_finale, mut finale_stopped) = watch::channel(false);
    let bound = tokio::spawn(async move {
        tokio::time::sleep(FINALE).await;
        stop_finale.send_replace(true);
    });
    let mut finale = prepared.workload.finale(prepared.seed);
    interpreter
        .run(finale.as_mut(), &mut recorder, &mut finale_stopped)
        .await?;
    bound.abort();
    watchers.finish().await?;
    marks.end = clock.now();
    recorder.finish()?;
    if let Some(online) = online {
        remarks.extend(gave_up(
            tokio::task::spawn_blocking(|| online.finish()).await,
        ));
    }

    for remark in &remarks {
        progress.note(remark);
    }
    match summary.aborted {
        Some(why) => Err(Failure::harness(why)),
        None => Ok(remarks),
    }
}

/// The judgement that goes on with the run, by the checkers that can.
fn online(
    prepared: &Prepared,
    progress: &Progress,
    violated: watch::Sender<bool>,
) -> Result<Option<Online>> {
    let spec = &prepared.spec;
    let checkers = super::workload::checkers(&spec.workloads)?;
    let budget = Budget {
        time: spec.check_time.0,
        memory: spec.check_memory.0 as usize,
    };
    Online::start(&checkers, budget, progress.clone(), violated)
        .map_err(|error| Failure::harness(format!("no thread for judging: {error}")))
}

/// Why the judgement during the run told nothing, if so.
fn gave_up(verdicts: std::result::Result<Vec<Verdict>, tokio::task::JoinError>) -> Vec<String> {
    let verdicts = verdicts.unwrap_or_default().into_iter();
    verdicts
        .filter(|verdict| verdict.valid == Validity::Unknown)
        .map(|verdict| format!("judging during the run gave up: {}", verdict.reason))
        .collect()
}

/// What went otherwise than planned, one sentence each.
fn remarks(summary: &nemesis::Summary) -> Vec<String> {
    let exits = summary.unexpected_exits.iter();
    let exits = exits.map(|exit| format!("{} ended without our doing: {}", exit.node, exit.error));
    let unhealed = summary
        .unhealed
        .iter()
        .map(|what| format!("not healed: {what}"));
    exits.chain(unhealed).collect()
}

/// Says `stop` when the user interrupts the run.
async fn pass_on(mut interrupted: watch::Receiver<bool>, stop: watch::Sender<bool>) {
    if interrupted.wait_for(|happened| *happened).await.is_ok() {
        stop.send_replace(true);
    }
}

async fn interpreter(
    prepared: &Prepared,
    clock: Clock,
    notes: mpsc::UnboundedReceiver<NemesisNote>,
) -> Result<Interpreter> {
    let nodes = prepared.nodes();
    let mut clients = Vec::new();
    for thread in 0..prepared.spec.clients {
        clients.push(
            prepared
                .system
                .connect(&nodes[thread % nodes.len()])
                .await?,
        );
    }
    Ok(Interpreter::new(
        clock,
        clients,
        prepared.spec.deadline.0,
        notes,
    ))
}

/// Probes, status polls and whoever writes down what they see.
struct Watchers {
    stop: watch::Sender<bool>,
    tasks: tokio::task::JoinSet<()>,
    writer: tokio::task::JoinHandle<Result<()>>,
    newest: status::Newest,
}

impl Watchers {
    fn start(prepared: &Prepared, folder: &Folder, clock: Clock) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (observations, received) = mpsc::unbounded_channel();
        let newest = status::Newest::default();
        let mut tasks = tokio::task::JoinSet::new();
        let (system, nodes) = (prepared.system.clone(), prepared.nodes());
        let prober = Prober {
            system: system.clone(),
            nodes,
            clock,
            every: prepared.spec.probe_every.0,
            observations: observations.clone(),
        };
        tasks.spawn(prober.run(stopped.clone()));
        if let Some(environment) = &prepared.environment {
            let every = prepared.spec.status_every.0;
            tasks.spawn(status::run(
                system,
                environment.nodes().to_vec(),
                clock,
                every,
                newest.clone(),
                observations,
                stopped,
            ));
        }
        let lines = observe::Lines::open(folder)?;
        let writer = tokio::spawn(lines.write(received));
        Ok(Self {
            stop,
            tasks,
            writer,
            newest,
        })
    }

    /// Ends when the last probe has; each has its limit.
    async fn finish(mut self) -> Result<()> {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        self.writer
            .await
            .map_err(|error| Failure::harness(format!("observations: {error}")))?
    }
}

/// The faults that are active, for the progress line.
#[derive(Clone, Default)]
struct ActiveFaults(Arc<Mutex<(u32, BTreeMap<u32, String>)>>);

impl ActiveFaults {
    fn note(&self, record: &FaultRecord) {
        let mut active = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        active.0 = active.0.max(record.fault);
        match record.step {
            Step::Effective => {
                let name = match record.variant.as_str() {
                    "" => record.kind.clone(),
                    variant => format!("{} {variant}", record.kind),
                };
                active
                    .1
                    .insert(record.fault, format!("{name} {}", record.targets.join(",")));
            }
            Step::Healed | Step::Failed => {
                active.1.remove(&record.fault);
            }
            Step::Intend | Step::Heal => {}
        }
    }

    fn now(&self) -> (u32, Vec<String>) {
        let active = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        (active.0, active.1.values().cloned().collect())
    }
}

async fn nemesis(
    prepared: &Prepared,
    folder: &Folder,
    processes: Arc<nemesis::ProcessJournal>,
    clock: Clock,
    notes: mpsc::UnboundedSender<NemesisNote>,
    active: ActiveFaults,
    stop: watch::Receiver<bool>,
) -> Result<nemesis::Summary> {
    let Some(environment) = &prepared.environment else {
        return Ok(nemesis::Summary::default());
    };
    let context = nemesis::Context {
        env: environment.clone(),
        system: prepared.system.clone(),
        clock: nemesis::Clock::new(clock.instant(0)),
        processes,
    };
    let journal = nemesis::FaultJournal::create(folder.path())?;
    let mut observer = Notes { notes, active };
    Ok(nemesis::run(&prepared.plan, &context, &journal, stop, &mut observer).await)
}

/// Carries the nemesis's steps into the history and the progress line.
struct Notes {
    notes: mpsc::UnboundedSender<NemesisNote>,
    active: ActiveFaults,
}

impl nemesis::Observer for Notes {
    fn waiting(&mut self, why: &str) {
        tracing::info!(why, "the next fault waits for the cluster");
    }

    fn unexpected_exit(&mut self, exit: &nemesis::UnexpectedExit) {
        tracing::error!(node = %exit.node, pid = exit.pid, error = exit.error, "a server ended by itself");
    }

    fn step(&mut self, record: &FaultRecord) {
        self.active.note(record);
        tracing::info!(
            fault = record.fault,
            step = ?record.step,
            kind = record.kind,
            variant = record.variant,
            targets = record.targets.join(","),
            leader = record.leader.as_deref().unwrap_or("none"),
            error = record.error.as_deref().unwrap_or(""),
            "fault"
        );
        let f = match record.step {
            Step::Intend => return,
            Step::Effective => record.kind.clone(),
            Step::Heal => return,
            Step::Healed => format!("heal-{}", record.kind),
            Step::Failed => format!("failed-{}", record.kind),
        };
        let value = serde_json::json!({
            "fault": record.fault, "targets": record.targets, "variant": record.variant, "error": record.error,
        });
        // The history may have been closed by an error that is reported elsewhere.
        let _ = self.notes.send(NemesisNote {
            time: record.time,
            f,
            value,
        });
    }
}

async fn show(
    progress: Progress,
    clock: Clock,
    total: Duration,
    counts: watch::Receiver<crate::interpreter::Counts>,
    active: ActiveFaults,
    newest: status::Newest,
    planned: u32,
) {
    let mut before = 0;
    let mut ticks = tokio::time::interval(REFRESH);
    loop {
        ticks.tick().await;
        let counts = *counts.borrow();
        let done = counts.ok + counts.fail + counts.info;
        let (number, faults) = active.now();
        progress.update(&Now {
            elapsed: Some(Duration::from_nanos(clock.now())),
            total: Some(total),
            ops_per_second: Some((done - before) as f64 / REFRESH.as_secs_f64()),
            ok: counts.ok,
            fail: counts.fail,
            info: counts.info,
            faults,
            fault_number: (planned > 0).then_some((number.min(planned), planned)),
            leader: newest.leader(),
        });
        before = done;
    }
}
