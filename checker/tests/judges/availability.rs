use checker::Validity;
use checker::availability::{Attempt, Availability};
use checker::fault_windows::FaultWindow;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const RUNS: u64 = 2_000;
const SECOND: u64 = 1_000_000_000;

fn attempts(rng: &mut Pcg64) -> Vec<Attempt> {
    let up = [0.02, 0.2, 0.9][rng.random_range(0..3)];
    (0..rng.random_range(0..40))
        .map(|_| {
            let begun = rng.random_range(0..80) * SECOND / 2;
            let served = rng.random_bool(up);
            let takes = rng.random_range(0..4) * SECOND / 4;
            Attempt {
                begun,
                served: served.then_some(begun + takes),
            }
        })
        .collect()
}

fn faults(rng: &mut Pcg64) -> Vec<FaultWindow> {
    (0..rng.random_range(0..3))
        .map(|_| {
            let from = rng.random_range(0..80) * SECOND / 2;
            let healed = rng.random_bool(0.9);
            FaultWindow {
                kind: "pause".into(),
                targets: vec!["n1".into()],
                from,
                to: healed.then(|| from + rng.random_range(0..8) * SECOND / 2),
            }
        })
        .collect()
}

/// By comparing all pairs of attempts as the ends of an outage.
fn oracle(judge: Availability, attempts: &[Attempt], faults: &[FaultWindow]) -> Validity {
    let recovery = judge.recovery.as_nanos() as u64;
    let excused = |at: u64| {
        faults
            .iter()
            .any(|fault| fault.from <= at && fault.to.is_none_or(|to| at <= to + recovery))
    };
    let out = |from: u64, to: u64| {
        let mut begun: Vec<u64> = attempts
            .iter()
            .map(|attempt| attempt.begun)
            .filter(|at| (from..=to).contains(at))
            .collect();
        begun.sort_unstable();
        let silence = judge.silence.as_nanos() as u64;
        let served = attempts.iter().filter_map(|attempt| attempt.served);
        to >= from + judge.outage.as_nanos() as u64
            && begun.windows(2).all(|pair| pair[1] - pair[0] <= silence)
            && !begun.iter().any(|at| excused(*at))
            && !served.into_iter().any(|at| from < at && at <= to)
    };
    let ends = || attempts.iter().map(|attempt| attempt.begun);
    if ends().any(|from| ends().any(|to| out(from, to))) {
        return Validity::Invalid;
    }
    let healed = faults.iter().filter_map(|fault| fault.to).max();
    let after = |healed: u64| attempts.iter().any(|attempt| attempt.begun > healed);
    let back = |healed: u64| attempts.iter().any(|attempt| attempt.served > Some(healed));
    match healed {
        _ if attempts.is_empty() => Validity::Unknown,
        Some(healed) if after(healed) && !back(healed) => Validity::Unknown,
        _ => Validity::Valid,
    }
}

#[test]
fn random_outages_are_judged_by_comparing_all_attempts() {
    let judge = Availability {
        recovery: std::time::Duration::from_secs(6),
        ..Availability::default()
    };
    let mut counts = [0u64; 3];
    for seed in 0..RUNS {
        let mut rng = Pcg64::seed_from_u64(seed);
        let (attempts, faults) = (attempts(&mut rng), faults(&mut rng));
        let expected = oracle(judge, &attempts, &faults);
        let verdict = judge.judge(&attempts, &faults);
        assert_eq!(
            verdict.valid, expected,
            "seed {seed}: {}\n{attempts:?}\n{faults:?}",
            verdict.reason
        );
        counts[expected as usize] += 1;
    }
    assert!(counts.iter().all(|count| *count > RUNS / 50), "{counts:?}");
}
