//! A made-up run of 60 s with five faults whose recoveries are known by construction.
//!
//! | fault | t0 | served again | healed from | caught up |
//! |---|---|---|---|---|
//! | 1 kill of the leader n1 | 10 s | +1,200 ms | +4,000 ms | 1,000 ms after that |
//! | 2 pause of the follower n3 | 20 s | never away | +3,000 ms | 400 ms |
//! | 3 partition of the leader n2 | 28 s | +1,500 ms (kept: +1,700 ms) | +5,000 ms | 600 ms |
//! | 4 lag of the follower n5 | 38 s | never away | +8,000 ms | 1,000 ms, by InstallSnapshot |
//! | 5 kill of n1, n2 and n3, a majority | 50 s | +4,000 ms | +3,000 ms | 1,200 ms |
//!
//! A probe that waits while the service is away is answered 1 ms after it is back, so the first
//! success comes 1 ms after the table's time.

use checker::history::Header;
use checker::history::faults::{FaultRecord, Step};
use checker::{Event, Op, Phase, ProcessId, Reason, Ret, Value, Verdict};
use results::observe::{Connection, Probe, Sample};
use results::{LedgerFigures, Marks, Recorded, Run};
use std::collections::BTreeMap;

pub const MS: u64 = 1_000_000;
const NODES: [&str; 5] = ["n1", "n2", "n3", "n4", "n5"];

struct Known {
    kind: &'static str,
    variant: &'static str,
    targets: &'static [&'static str],
    leader: &'static str,
    hit: (bool, bool),
    t0: u64,
    /// After t0: until nobody is served, on new and on kept connections; 0: always served.
    back: (u64, u64),
    heal: u64,
    /// After the heal.
    healed: u64,
    caught_up: u64,
    proof: &'static str,
}

const FAULTS: [Known; 5] = [
    Known {
        kind: "kill",
        variant: "leader",
        targets: &["n1"],
        leader: "n1",
        hit: (true, false),
        t0: 10_000,
        back: (1_200, 1_200),
        heal: 4_000,
        healed: 300,
        caught_up: 1_000,
        proof: r#"{"pid":4711,"gone":true}"#,
    },
    Known {
        kind: "pause",
        variant: "follower",
        targets: &["n3"],
        leader: "n2",
        hit: (false, false),
        t0: 20_000,
        back: (0, 0),
        heal: 3_000,
        healed: 50,
        caught_up: 400,
        proof: r#"{"pid":4713,"state":"stopped"}"#,
    },
    Known {
        kind: "partition",
        variant: "leader-alone",
        targets: &["n2"],
        leader: "n2",
        hit: (true, false),
        t0: 28_000,
        back: (1_500, 1_700),
        heal: 5_000,
        healed: 100,
        caught_up: 600,
        proof: r#"{"links_cut":8,"packets_dropped":412,"probe_passed":false}"#,
    },
    Known {
        kind: "lag",
        variant: "",
        targets: &["n5"],
        leader: "n4",
        hit: (false, false),
        t0: 38_000,
        back: (0, 0),
        heal: 8_000,
        healed: 100,
        caught_up: 1_000,
        proof: r#"{"follower_last_index":76000,"leader_first_index":77501}"#,
    },
    Known {
        kind: "kill",
        variant: "majority",
        targets: &["n1", "n2", "n3"],
        leader: "n4",
        hit: (false, true),
        t0: 50_000,
        back: (4_000, 4_000),
        heal: 3_000,
        healed: 300,
        caught_up: 1_200,
        proof: r#"{"pids":[5210,5211,5213],"gone":true}"#,
    },
];

/// Leaders by time: from when, who, and in which term.
const LEADERS: [(u64, &str, u64); 4] = [
    (0, "n1", 2),
    (11_200, "n2", 3),
    (29_500, "n4", 4),
    (54_000, "n4", 5),
];

pub fn recorded() -> Recorded {
    Recorded {
        run: run(),
        history: checker::History {
            header: Some(Header {
                version: 1,
                workload: "register+ledger".into(),
                model: "cas-register".into(),
            }),
            events: events(),
            nemesis: Vec::new(),
            truncated: false,
        },
        faults: faults(),
        probes: probes(),
        samples: samples(),
        marks: Marks {
            load_start: 1_000 * MS,
            load_end: 60_000 * MS,
            all_healed: 60_200 * MS,
            finale_start: 62_200 * MS,
            end: 63_000 * MS,
        },
        verdicts: BTreeMap::from([
            (
                "linearizable".to_owned(),
                Verdict::valid()
                    .with("keys", 12)
                    .with("operations", 88_412)
                    .with("states_explored", 412_003)
                    .with("time_ms", 843.2),
            ),
            (
                "ledger".to_owned(),
                Verdict::valid()
                    .with("acknowledged", 20_412)
                    .with("lost", 0),
            ),
        ]),
        ledgers: vec![LedgerFigures {
            name: "ledger".into(),
            acknowledged: 20_412,
            lost: 0,
            lost_seconds: 0.0,
            lost_span_seconds: 0.0,
            unacknowledged: 61,
            unacknowledged_survived: 22,
        }],
        method: Default::default(),
    }
}

fn run() -> Run {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Run {
        name: "smoke".into(),
        seed: 7,
        system: "strata".into(),
        workload: "register+ledger".into(),
        nemesis: ["kill", "pause", "partition", "lag"]
            .map(str::to_owned)
            .to_vec(),
        environment: "netns".into(),
        nodes: NODES.map(str::to_owned).to_vec(),
        version: "0.1.0".into(),
        started: "2026-11-22T23:00:00Z".into(),
        repeat: "shakedown test --seed 7 --time 60s --nemesis kill,pause,partition,lag".into(),
        program: Some(results::Program {
            path: "target/release/strata".into(),
            bytes: 68_703_264,
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
        }),
        machine: vec![
            pair("kernel", "Linux 6.1.0"),
            pair("processors", "2"),
            pair("memory", "7.8 GiB"),
            pair("file system", "ext4"),
        ],
        data_bytes: Some(92 << 20),
        remarks: Vec::new(),
        not_exercised: vec![
            "Clocks: no fault moved a node's clock.".into(),
            "Disks: no write was torn, delayed or refused.".into(),
        ],
        expected_checks: vec!["linearizable".into(), "ledger".into()],
        faults_asked: 5,
        operations_floor: 1_000,
    }
}

fn faults() -> Vec<FaultRecord> {
    let mut records = Vec::new();
    for (n, known) in FAULTS.iter().enumerate() {
        let heal = known.t0 + known.heal;
        let steps = [
            (Step::Intend, known.t0 - 12),
            (Step::Effective, known.t0),
            (Step::Heal, heal),
            (Step::Healed, heal + known.healed),
        ];
        for (step, time) in steps {
            records.push(FaultRecord {
                fault: n as u32 + 1,
                step,
                time: time * MS,
                kind: known.kind.into(),
                variant: known.variant.into(),
                targets: known.targets.iter().map(|t| t.to_string()).collect(),
                leader: Some(known.leader.into()),
                hit_leader: step == Step::Effective && known.hit.0,
                hit_majority: step == Step::Effective && known.hit.1,
                proof: match step {
                    Step::Effective => serde_json::from_str(known.proof).unwrap(),
                    _ => Default::default(),
                },
                error: None,
            });
        }
    }
    records
}

/// When the service is back, if it is away at this time for this kind of connection.
fn away_until(time: u64, connection: Connection) -> Option<u64> {
    FAULTS.iter().find_map(|known| {
        let back = match connection {
            Connection::New => known.back.0,
            Connection::Kept => known.back.1,
        };
        (known.t0..known.t0 + back)
            .contains(&time)
            .then_some(known.t0 + back)
    })
}

/// The fault that keeps this node from answering at this time.
fn hit_by(node: &str, time: u64) -> Option<&'static Known> {
    FAULTS.iter().find(|known| {
        let until = known.t0 + known.heal + known.healed;
        known.kind != "lag" && known.targets.contains(&node) && (known.t0..until).contains(&time)
    })
}

fn probes() -> Vec<Probe> {
    let mut probes = Vec::new();
    for (n, node) in NODES.iter().enumerate() {
        for (offset, connection) in [(0, Connection::Kept), (1, Connection::New)] {
            for (count, time) in (1_000..62_000).step_by(20).enumerate() {
                let at = time + 2 * n as u64 + offset;
                let (took, error) = match (hit_by(node, at), away_until(at, connection)) {
                    (Some(known), _) if known.kind == "kill" => (1, Some("connect: refused")),
                    (Some(_), _) => (300, Some("timeout")),
                    (None, Some(back)) if back - at < 300 => (back - at + 1, None),
                    (None, Some(_)) => (300, Some("timeout")),
                    (None, None) => (1, None),
                };
                probes.push(Probe {
                    intended: at * MS,
                    sent: at * MS + 40_000,
                    done: (at + took) * MS
                        + if error.is_none() && took == 1 {
                            300_000
                        } else {
                            0
                        },
                    node: node.to_string(),
                    connection,
                    write: count % 2 == 0,
                    ok: error.is_none(),
                    error: error.map(str::to_owned),
                });
            }
        }
    }
    probes.sort_by_key(|probe| probe.intended);
    probes
}

fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for time in (0..63_000).step_by(50) {
        let known_leader = LEADERS.iter().rev().find(|(from, ..)| *from <= time);
        let (_, leader, term) = *known_leader.unwrap();
        let away = away_until(time, Connection::New);
        let commit = 2 * time;
        for node in NODES {
            if hit_by(node, time).is_some() {
                samples.push(Sample {
                    up: false,
                    ..sample(time, node)
                });
                continue;
            }
            // Somebody notices 400 ms before the service is back; until then all name the old leader.
            let noticed = away.is_some_and(|back| time + 400 >= back);
            let lagging = FAULTS.iter().rev().find(|known| {
                known.targets.contains(&node)
                    && (known.t0..known.t0 + known.heal + known.caught_up).contains(&time)
            });
            let applied = match lagging {
                Some(known) => 2 * known.t0,
                None => commit,
            };
            let restarted = FAULTS
                .iter()
                .rev()
                .find(|k| k.kind == "kill" && k.targets.contains(&node) && time >= k.t0 + k.heal);
            // Counters begin anew with the server.
            let own = restarted.map_or(time, |k| time - k.t0 - k.heal);
            let lag = &FAULTS[3];
            let installed =
                u64::from(node == "n5" && time >= lag.t0 + lag.heal + lag.caught_up / 2);
            samples.push(Sample {
                role: match () {
                    () if noticed && node == "n4" => "candidate".into(),
                    () if away.is_none() && node == leader => "leader".into(),
                    () => "follower".into(),
                },
                term: if noticed { term + 1 } else { term },
                leader: (!noticed).then(|| leader.to_owned()),
                commit: applied,
                applied,
                first_index: commit.saturating_sub(2_000),
                checkpoint_index: commit / 1_000 * 1_000,
                snapshots_installed: installed,
                snapshots_installed_total: installed,
                snapshots_installed_delta: installed,
                snapshot_bytes_received: installed * 3_400_000,
                snapshot_last_bytes: installed * 3_400_000,
                snapshot_last_full_bytes: installed * 68_000_000,
                snapshot_last_base: installed * 76_000,
                // A checkpoint every 1,000 entries: ten small files become one, ten of those the next full one.
                checkpoint_chain: 1 + commit / 1_000 % 10 + commit / 10_000 % 10,
                checkpoints_written: own / 500,
                checkpoint_bytes_written: own / 500 * 1_540_000,
                checkpoint_bytes_changed: own / 500 * 700_000,
                checkpoint_longest_pause_us: 31.5,
                voters: NODES.map(str::to_owned).to_vec(),
                recovery_ms: match restarted {
                    Some(_) => BTreeMap::from(
                        [
                            ("open", 3.1),
                            ("load", 41.0),
                            ("replay", 187.5),
                            ("join", 320.0),
                        ]
                        .map(|(name, ms)| (name.to_owned(), ms)),
                    ),
                    None => BTreeMap::new(),
                },
                recovery_counts: match restarted {
                    Some(_) => BTreeMap::from([
                        ("checkpoint_index".to_owned(), 19_000),
                        ("replayed_entries".to_owned(), 812),
                    ]),
                    None => BTreeMap::new(),
                },
                uptime_ms: own,
                ..sample(time, node)
            });
        }
    }
    samples
}

fn sample(time: u64, node: &str) -> Sample {
    Sample {
        time: time * MS,
        node: node.to_owned(),
        up: true,
        ..Sample::default()
    }
}

/// Twenty clients, each with about 130 operations/s; slower for a while after an outage.
fn events() -> Vec<Event> {
    let mut events: Vec<(u64, u64, Phase, Op)> = Vec::new();
    let mut noise = Noise(7);
    for client in 0..20u64 {
        let mut process = client;
        let mut at = 1_000 * MS + client * 300_000;
        while at < 60_000 * MS {
            let op = match noise.below(4) {
                0 | 1 => Op::Read { key: 1.into() },
                2 => Op::Write {
                    key: 1.into(),
                    value: 5.into(),
                },
                _ => Op::Cas {
                    key: 1.into(),
                    from: 5.into(),
                    to: 6.into(),
                },
            };
            let settle = FAULTS
                .iter()
                .filter(|k| k.back.0 > 0)
                .any(|k| (k.t0 + k.back.0..k.t0 + k.back.0 + 800).contains(&(at / MS)));
            let tail = if noise.below(30) == 0 { 4_000_000 } else { 0 };
            let usual =
                1_200_000 + noise.below(1_500_000) + tail + if settle { 9_000_000 } else { 0 };
            let away = away_until(at / MS, Connection::New);
            let done = match away {
                Some(back) if back * MS - at >= 300 * MS => at + 300 * MS,
                Some(back) => back * MS + usual,
                None => at + usual,
            };
            let phase = match away {
                Some(back) if back * MS - at >= 300 * MS => Phase::Info(Reason::new("timeout")),
                _ if matches!(op, Op::Cas { .. }) && noise.below(3) == 0 => {
                    Phase::Fail(Reason::new("cas-mismatch"))
                }
                _ => Phase::Ok(match op {
                    Op::Read { .. } => Ret::Value(Value::Int(5)),
                    _ => Ret::Done,
                }),
            };
            let crashed = matches!(phase, Phase::Info(_));
            events.push((at, process, Phase::Invoke, op.clone()));
            events.push((done, process, phase, op));
            if crashed {
                process += 20;
            }
            at = done + 5_000_000 + noise.below(1_000_000);
        }
    }
    events.sort_by_key(|(time, ..)| *time);
    events
        .into_iter()
        .enumerate()
        .map(|(index, (time, process, phase, op))| Event {
            index: index as u64,
            time,
            process: ProcessId(process),
            phase,
            op,
        })
        .collect()
}

/// A small fixed generator, so that the specimen is the same everywhere.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
