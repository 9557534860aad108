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
//! or [`zones`] contradict one another.

use super::entries::{Entries, NEVER, Values};
use super::zones;
use crate::model::Model;

/// When a unique value may be replaced. All of it is void for values that can come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leave {
    /// Not before this call: that of the last read of the value.
    pub last_read_call: Option<u32>,
    /// Only by this entry: the cas from it that must happen.
    pub only_by: Option<u32>,
}

/// Entries that observe and install each value.
#[derive(Clone, Debug, Default)]
struct Users {
    observers: u32,
    installers: u32,
    /// The installer, if there is one.
    installer: Option<u32>,
}

pub fn apply<M: Model>(prepared: &mut Entries<'_, M>) {
    let Some(mut values) = prepared.values.take() else {
        return;
    };
    drop_optional(prepared, &values);
    let users = count(prepared, &values);
    let initial = values.initial;
    prepared.impossible = !set_deadlines(prepared, &values, &users)
        || zones::contradict(prepared, &values, |value| is_unique(&users, value, initial));
    prepared.impossible |= !mark(prepared, &mut values, &users);
    prepared.values = Some(values);
}

fn count<M>(prepared: &Entries<'_, M>, values: &Values) -> Vec<Users> {
    let mut users = vec![Users::default(); values.names.len()];
    for (at, entry) in prepared.entries.iter().enumerate() {
        if let Some(value) = values.observes[entry.class as usize] {
            users[value as usize].observers += 1;
        }
        if let Some(value) = values.installs[entry.class as usize] {
            users[value as usize].installers += 1;
            users[value as usize].installer = Some(at as u32);
        }
    }
    users
}

/// Whether the object begins to hold a value at most once.
fn is_unique(users: &[Users], value: u32, initial: u32) -> bool {
    users[value as usize].installers == u32::from(value != initial)
}

/// Rules 1 and 2, until nothing changes: a dropped cas is no observer and no installer any more.
fn drop_optional<M>(prepared: &mut Entries<'_, M>, values: &Values) {
    loop {
        let users = count(prepared, values);
        let before = prepared.entries.len();
        prepared.entries.retain(|entry| {
            let observes = values.observes[entry.class as usize];
            let installs = values.installs[entry.class as usize];
            let seen = installs.is_none_or(|value| users[value as usize].observers > 0);
            let possible = observes.is_none_or(|value| {
                value == values.initial || users[value as usize].installers > 0
            });
            entry.deadline != NEVER || (seen && possible)
        });
        if prepared.entries.len() == before {
            return;
        }
    }
}

/// Rule 3. False if it shows that there is no linearization.
fn set_deadlines<M>(prepared: &mut Entries<'_, M>, values: &Values, users: &[Users]) -> bool {
    let mut changed: Vec<u32> = (0..prepared.entries.len() as u32).collect();
    while let Some(at) = changed.pop() {
        let entry = &prepared.entries[at as usize];
        let deadline = entry.deadline;
        let Some(value) = values.observes[entry.class as usize] else {
            continue;
        };
        if deadline == NEVER || value == values.initial {
            continue;
        }
        let users = &users[value as usize];
        match (users.installers, users.installer) {
            (0, _) => return false,
            (1, Some(installer)) => {
                let installer_entry = &mut prepared.entries[installer as usize];
                if deadline < installer_entry.deadline {
                    installer_entry.deadline = deadline;
                    changed.push(installer);
                }
            }
            _ => {}
        }
    }
    prepared
        .entries
        .iter()
        .all(|entry| entry.call < entry.deadline)
}

/// Rules 4 and 5. False if two entries must both be the one cas from a value.
fn mark<M>(prepared: &mut Entries<'_, M>, values: &mut Values, users: &[Users]) -> bool {
    let mut possible = true;
    values.leave = vec![Leave::default(); values.names.len()];
    for (at, entry) in prepared.entries.iter_mut().enumerate() {
        let observes = values.observes[entry.class as usize];
        let installs = values.installs[entry.class as usize];
        if let (None, Some(value)) = (observes, installs) {
            entry.unobserved = users[value as usize].observers == 0;
        }
        let Some(value) = observes else {
            continue;
        };
        if !is_unique(users, value, values.initial) || entry.deadline == NEVER {
            continue;
        }
        let leave = &mut values.leave[value as usize];
        match installs {
            None => leave.last_read_call = leave.last_read_call.max(Some(entry.call)),
            Some(to) if to != value => possible &= leave.only_by.replace(at as u32).is_none(),
            Some(_) => {}
        }
    }
    possible
}
