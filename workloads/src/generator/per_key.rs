//! Many keys, each used by a group of threads until its generator is done, then replaced.
//!
//! Short-lived keys keep judging cheap: linearizability is decided per key, and its cost grows with
//! the operations that crashed on one key.

use super::{Boxed, Owners, earlier};
use crate::{Context, Generator, Next};
use checker::{Event, Key, ProcessId};

/// Splits the threads into groups of `threads_per_key` (the last may be smaller); each group works on
/// one key at a time.
pub struct PerKey<K, M> {
    keys: K,
    make: M,
    threads_per_key: u64,
    groups: Vec<Group>,
    /// The group and its serial: events of a replaced key's operations go nowhere.
    owners: Owners<(usize, u64)>,
    free: Vec<ProcessId>,
}

#[derive(Default)]
struct Group {
    /// Counts the keys that this group has had.
    serial: u64,
    part: Option<Boxed>,
    /// Whether the keys ran out for this group.
    done: bool,
}

impl<K, M> PerKey<K, M>
where
    K: Iterator<Item = Key> + Send,
    M: FnMut(&Key) -> Boxed + Send,
{
    /// `keys` names the keys in the order of use; `make` makes the generator of one.
    pub fn new(
        keys: impl IntoIterator<Item = Key, IntoIter = K>,
        threads_per_key: u64,
        make: M,
    ) -> Self {
        Self {
            keys: keys.into_iter(),
            make,
            threads_per_key: threads_per_key.max(1),
            groups: Vec::new(),
            owners: Owners::default(),
            free: Vec::new(),
        }
    }

    /// Asks the generator of a group's key, taking new keys as old ones end.
    fn ask(&mut self, at: usize, ctx: &Context<'_>) -> Next {
        let group = &mut self.groups[at];
        loop {
            if group.done {
                return Next::Done;
            }
            let part = match &mut group.part {
                Some(part) => part,
                None => {
                    let Some(key) = self.keys.next() else {
                        group.done = true;
                        continue;
                    };
                    group.serial += 1;
                    group.part.insert((self.make)(&key))
                }
            };
            match part.next(ctx) {
                Next::Done => group.part = None,
                Next::Op(process, op) => {
                    self.owners.claim(process, (at, group.serial));
                    return Next::Op(process, op);
                }
                pending => return pending,
            }
        }
    }
}

impl<K, M> Generator for PerKey<K, M>
where
    K: Iterator<Item = Key> + Send,
    M: FnMut(&Key) -> Boxed + Send,
{
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        let count = ctx.threads.div_ceil(self.threads_per_key).max(1) as usize;
        if self.groups.len() < count {
            self.groups.resize_with(count, Group::default);
        }
        let threads_per_key = self.threads_per_key;
        let group_of = |process: ProcessId| (ctx.thread(process) / threads_per_key) as usize;
        let mut until = None;
        let mut asked = vec![false; count];
        for index in 0..ctx.free.len() {
            let at = group_of(ctx.free[index]);
            if asked[at] {
                continue;
            }
            asked[at] = true;
            let mut free = std::mem::take(&mut self.free);
            free.clear();
            free.extend(ctx.free.iter().filter(|process| group_of(**process) == at));
            let next = self.ask(
                at,
                &Context {
                    free: &free,
                    ..*ctx
                },
            );
            self.free = free;
            match next {
                Next::Op(process, op) => return Next::Op(process, op),
                Next::Pending { until: at } => until = earlier(until, at),
                Next::Done => {}
            }
        }
        if self.groups.iter().all(|group| group.done) {
            Next::Done
        } else {
            Next::Pending { until }
        }
    }

    fn observe(&mut self, event: &Event) {
        if let Some((at, serial)) = self.owners.of(event) {
            let group = &mut self.groups[at];
            if group.serial == serial
                && let Some(part) = &mut group.part
            {
                part.observe(event);
            }
        }
    }
}
