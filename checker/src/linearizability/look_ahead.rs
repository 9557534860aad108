//! What the whole history tells before the search begins, for objects that hold one value.
//!
//! Values are mostly unique: a read then tells which write it saw. Each rule below leaves the answer as
//! it is; together they make histories of our own workloads nearly free of choices, even with many
//! operations of unknown outcome. *Observer* of v: an entry that is possible only while the object
//! holds v (a read of v, a cas from v). *Installer* of v: a write of v, a cas to v.
//!
//! 1. **What nothing observes need not have happened.** An optional entry whose value has no observer
//!    is dropped. Take any linearization with it: whatever follows it directly is not an observer of
//!    its value, so it observes nothing, so it is a write; leaving the entry out changes no result.
//!    Failed operations are no observers here (they did not happen), so no absence is ever observed.
//! 2. **What can't have happened, has not.** An optional entry that observes a value without installer,
//!    which is not the initial one, is dropped.
//! 3. **What was seen, has happened before.** If v is not the initial value and has one installer, that
//!    one takes effect before any observer of v does, hence before the earliest deadline of these: it
//!    gets that deadline, also if it was optional. So all optional entries with unique values are
//!    either dropped or get a deadline.
//! 4. **A unique value does not come back** ([`Leave`]). Once the object stops holding it, no observer
//!    can follow: while a read of it is still to come, or while the one cas from it is, nothing else
//!    may replace it.
//! 5. **An unobserved write waits.** A write with a deadline whose value has no observer is invisible if
//!    something is written directly after it. The search lets it take effect together with the next
//!    write, or at its own deadline; why nothing is missed by this: [`super::search`].
//!
//! With rules 1 to 3 done to a fixed point, it is plain that there is no linearization where an observer
//! has no installer, an installer is called after its deadline, two cas from one unique value succeeded,
//! or [`zones`] contradict one another. Where all values are unique, [`chains`] gives the answer without
//! a search.

use super::chains;
use super::entries::{Entry, NEVER, Values};
use super::search::Answer;
use super::zones;

/// When a unique value may be replaced. All of it is void for values that can come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leave {
    /// Not before this call: that of the last read of the value.
    pub last_read_call: Option<u32>,
    /// Only by this entry: the cas from it that must happen.
    pub only_by: Option<u32>,
}

/// Entries that observe and install each value.
#[derive(Clone, Copy, Debug, Default)]
struct Users {
    observers: u32,
    installers: u32,
    /// The installer, if there is one.
    installer: u32,
}

/// Applies the rules. The answer, if they give it.
pub fn apply(entries: &mut Vec<Entry<'_>>, values: &mut Values) -> Option<Answer> {
    if entries.iter().any(|entry| entry.deadline == NEVER) {
        drop_optional(entries, values);
    }
    let users = count(entries, values);
    let possible = set_deadlines(entries, values, &users) && mark(entries, values, &users);
    if !possible {
        return Some(Answer::NotLinearizable);
    }
    let unique: Vec<bool> = (0..values.count)
        .map(|value| is_unique(&users, value, values.initial))
        .collect();
    let in_chains = |entry: &Entry<'_>| {
        let effect = values.effects[entry.class as usize];
        entry.deadline != NEVER && (effect.observes.is_some() || effect.installs.is_some())
    };
    if unique.iter().all(|unique| *unique) && entries.iter().all(in_chains) {
        return Some(chains::order(entries, values));
    }
    zones::contradict(entries, values, &unique).then_some(Answer::NotLinearizable)
}

fn count(entries: &[Entry<'_>], values: &Values) -> Vec<Users> {
    let mut users = vec![Users::default(); values.count as usize];
    for (at, entry) in (0..).zip(entries) {
        let effect = values.effects[entry.class as usize];
        if let Some(value) = effect.observes {
            users[value as usize].observers += 1;
        }
        if let Some(value) = effect.installs {
            users[value as usize].installers += 1;
            users[value as usize].installer = at;
        }
    }
    users
}

/// Whether the object begins to hold a value at most once.
fn is_unique(users: &[Users], value: u32, initial: u32) -> bool {
    users[value as usize].installers <= u32::from(value != initial)
}

/// Rules 1 and 2, until nothing changes: a dropped cas is no observer and no installer any more.
fn drop_optional(entries: &mut Vec<Entry<'_>>, values: &Values) {
    let mut users = count(entries, values);
    let effect = |entry: &Entry<'_>| values.effects[entry.class as usize];
    let mut installers: Vec<Vec<u32>> = vec![Vec::new(); values.count as usize];
    let mut observers = installers.clone();
    for (at, entry) in (0..).zip(&*entries) {
        if entry.deadline == NEVER {
            if let Some(value) = effect(entry).installs {
                installers[value as usize].push(at);
            }
            if let Some(value) = effect(entry).observes {
                observers[value as usize].push(at);
            }
        }
    }
    let mut dropped = vec![false; entries.len()];
    let mut changed: Vec<u32> = (0..values.count).collect();
    while let Some(value) = changed.pop() {
        let used = users[value as usize];
        let mut gone: Vec<u32> = Vec::new();
        if used.observers == 0 {
            gone.append(&mut installers[value as usize]);
        }
        if used.installers == 0 && value != values.initial {
            gone.append(&mut observers[value as usize]);
        }
        for at in gone {
            if std::mem::replace(&mut dropped[at as usize], true) {
                continue;
            }
            let effect = effect(&entries[at as usize]);
            if let Some(value) = effect.observes {
                users[value as usize].observers -= 1;
                changed.push(value);
            }
            if let Some(value) = effect.installs {
                users[value as usize].installers -= 1;
                changed.push(value);
            }
        }
    }
    let mut dropped = dropped.into_iter();
    entries.retain(|_| !dropped.next().unwrap_or(false));
}

/// Rule 3. False if it shows that there is no linearization.
fn set_deadlines(entries: &mut [Entry<'_>], values: &Values, users: &[Users]) -> bool {
    let mut changes: Vec<u32> = Vec::new();
    for at in 0..entries.len() {
        let effect = values.effects[entries[at].class as usize];
        let (deadline, observed) = (entries[at].deadline, effect.observes);
        let Some(value) = observed.filter(|value| *value != values.initial) else {
            continue;
        };
        let users = &users[value as usize];
        if deadline == NEVER {
            continue;
        }
        if users.installers == 0 {
            return false;
        }
        if users.installers == 1 {
            let installer = &mut entries[users.installer as usize];
            installer.deadline = installer.deadline.min(deadline);
            // What a cas observes is older still.
            if values.effects[installer.class as usize].observes.is_some() {
                changes.push(users.installer);
            }
        }
    }
    // By deadline, so that each is lowered once: nothing earlier comes after.
    changes.sort_unstable_by_key(|at| entries[*at as usize].deadline);
    for change in changes {
        let mut at = change;
        loop {
            let deadline = entries[at as usize].deadline;
            let observed = values.effects[entries[at as usize].class as usize].observes;
            let Some(value) = observed.filter(|value| *value != values.initial) else {
                break;
            };
            let users = &users[value as usize];
            if users.installers == 0 {
                return false;
            }
            if users.installers > 1 || entries[users.installer as usize].deadline <= deadline {
                break;
            }
            at = users.installer;
            entries[at as usize].deadline = deadline;
        }
    }
    entries.iter().all(|entry| entry.call < entry.deadline)
}

/// Rules 4 and 5. False if two entries must both be the one cas from a value.
fn mark(entries: &mut [Entry<'_>], values: &mut Values, users: &[Users]) -> bool {
    let mut possible = true;
    values.leave = vec![Leave::default(); values.count as usize];
    for (at, entry) in (0..).zip(entries) {
        let effect = values.effects[entry.class as usize];
        if let (None, Some(value)) = (effect.observes, effect.installs) {
            entry.unobserved = users[value as usize].observers == 0;
        }
        let Some(value) = effect.observes else {
            continue;
        };
        if !is_unique(users, value, values.initial) || entry.deadline == NEVER {
            continue;
        }
        let leave = &mut values.leave[value as usize];
        match effect.installs {
            None => leave.last_read_call = leave.last_read_call.max(Some(entry.call)),
            Some(to) if to != value => possible &= leave.only_by.replace(at).is_none(),
            Some(_) => {}
        }
    }
    possible
}
