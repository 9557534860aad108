//! Judges the history while it is recorded: a violation is told when it happens, not when the run is over.
//!
//! Checkers that can do so get every event, on a thread of their own. What they say is news; the verdict of the run is
//! that of the recorded file, which all checkers read when the run is over.

use crate::progress::Progress;
use checker::{Budget, Checker, Event, Validity, Verdict, Watch};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// So many events may wait to be judged. With more the judgement can't keep up, and is given up: it must not take
/// the memory of the run.
const WAITING_MAX: usize = 500_000;

/// The judgement of a run that goes on.
pub struct Online {
    events: Events,
    thread: JoinHandle<Vec<Verdict>>,
}

/// Where events are handed in.
#[derive(Clone)]
pub struct Events {
    sender: Sender<Event>,
    waiting: Arc<AtomicUsize>,
}

impl Events {
    /// Hands in the next event; false when nobody judges any more.
    #[must_use]
    pub fn send(&self, event: &Event) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX
            && self.sender.send(event.clone()).is_ok()
    }
}

impl Online {
    /// Begins, with the checkers that can judge while history is made; `None` if there is none. `violated` is set to
    /// true when one is certain of a violation.
    pub fn start(
        checkers: &[Box<dyn Checker>],
        budget: Budget,
        progress: Progress,
        violated: watch::Sender<bool>,
    ) -> std::io::Result<Option<Self>> {
        let watches = checkers.iter().filter_map(|checker| checker.watch(budget));
        let watches: Vec<Box<dyn Watch>> = watches.collect();
        if watches.is_empty() {
            return Ok(None);
        }
        let (sender, receiver) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let events = Events {
            sender,
            waiting: waiting.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("online".into())
            .spawn(move || judge(watches, &receiver, &waiting, &progress, &violated))?;
        Ok(Some(Self { events, thread }))
    }

    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// What was found, one verdict of each checker; everything handed in is judged.
    pub fn finish(self) -> Vec<Verdict> {
        drop(self.events);
        self.thread.join().unwrap_or_else(|_| {
            vec![Verdict::unknown(
                "the judgement during the run ended abnormally",
            )]
        })
    }
}

fn judge(
    mut watches: Vec<Box<dyn Watch>>,
    events: &Receiver<Event>,
    waiting: &AtomicUsize,
    progress: &Progress,
    violated: &watch::Sender<bool>,
) -> Vec<Verdict> {
    for event in events {
        waiting.fetch_sub(1, Ordering::Relaxed);
        let mut certain = 0;
        for watch in &mut watches {
            let before = watch.early().is_some();
            watch.observe(&event);
            let Some(verdict) = watch.early() else {
                continue;
            };
            certain += 1;
            if !before && verdict.valid == Validity::Invalid {
                progress.note(&format!("violation: {}", verdict.reason));
                violated.send_replace(true);
            }
        }
        if certain == watches.len() {
            break;
        }
    }
    watches.into_iter().map(Watch::finish).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::{Key, Op, Phase, ProcessId, Ret, Value};

    fn events(read: i64) -> Vec<Event> {
        let key = || Key::Int(1);
        let write = || Op::Write {
            key: key(),
            value: Value::Int(1),
        };
        let value = Ret::Value(Value::Int(read));
        [
            (Phase::Invoke, write()),
            (Phase::Ok(Ret::Done), write()),
            (Phase::Invoke, Op::Read { key: key() }),
            (Phase::Ok(value), Op::Read { key: key() }),
        ]
        .into_iter()
        .zip(0..)
        .map(|((phase, op), index)| Event {
            index,
            time: index,
            process: ProcessId(1),
            phase,
            op,
        })
        .collect()
    }

    fn judged(read: i64) -> (Vec<Verdict>, bool) {
        let checkers = checker::checkers_for("cas-register").unwrap();
        let (violated, news) = watch::channel(false);
        let progress = Progress::new(true);
        let online = Online::start(&checkers, Budget::default(), progress, violated)
            .unwrap()
            .unwrap();
        let hand_in = online.events();
        for event in events(read) {
            assert!(hand_in.send(&event));
        }
        drop(hand_in);
        let verdicts = online.finish();
        (verdicts, *news.borrow())
    }

    #[test]
    fn what_is_recorded_is_judged_by_who_can() {
        let (verdicts, _) = judged(1);
        // Statistics are made at the end only.
        assert_eq!(verdicts.len(), 1);
        assert_eq!(verdicts[0].valid, Validity::Valid);
    }

    #[test]
    fn a_violation_is_found() {
        let (verdicts, _) = judged(2);
        assert_eq!(verdicts[0].valid, Validity::Invalid);
    }
}
