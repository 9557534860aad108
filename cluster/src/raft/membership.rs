//! Who must agree: majorities of a membership, and which membership holds at which index.
//!
//! While a change is under way (joint consensus; Raft thesis, 4.3) every decision needs a majority of the old
//! voters *and* one of the new. All of it is arithmetic on sets; [`super::change`] decides when they change.

use super::Impossible;
use crate::types::{Entry, Index, Membership, ServerId};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

impl Membership {
    /// Whether two sets of voters must agree.
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether the server takes part in decisions, by either set.
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.voters.contains(&id) || self.outgoing.contains(&id)
    }

    pub fn contains(&self, id: ServerId) -> bool {
        self.is_voter(id) || self.learners.contains(&id)
    }

    /// All servers that receive entries.
    pub fn everyone(&self) -> BTreeSet<ServerId> {
        let sets = [&self.voters, &self.outgoing, &self.learners];
        sets.into_iter().flatten().copied().collect()
    }

    /// Whether those who said yes are a majority of each set of voters.
    pub fn has_quorum(&self, yes: impl Fn(ServerId) -> bool) -> bool {
        self.sets()
            .all(|set| set.iter().filter(|&&id| yes(id)).count() > set.len() / 2)
    }

    /// The highest number that a majority of each set of voters has reached.
    pub fn agreed(&self, reached: impl Fn(ServerId) -> u64) -> u64 {
        let of_set = |set: &BTreeSet<ServerId>| {
            let mut numbers: Vec<u64> = set.iter().map(|&id| reached(id)).collect();
            numbers.sort_unstable_by(|a, b| b.cmp(a));
            numbers.get(set.len() / 2).copied().unwrap_or(0)
        };
        self.sets().map(of_set).min().unwrap_or(0)
    }

    /// The sets of which a majority is needed each. Without voters nothing is ever decided.
    fn sets(&self) -> impl Iterator<Item = &BTreeSet<ServerId>> {
        let outgoing = Some(&self.outgoing).filter(|set| !set.is_empty());
        std::iter::once(&self.voters).chain(outgoing)
    }

    /// The joint membership on the way from this one to `voters`.
    pub(super) fn entering(&self, voters: BTreeSet<ServerId>) -> Self {
        let learners = self.learners.difference(&voters).copied().collect();
        Self {
            outgoing: self.voters.clone(),
            voters,
            learners,
            addresses: self.addresses.clone(),
        }
    }

    /// What a joint membership leads to.
    pub(super) fn leaving(&self) -> Self {
        let mut next = Self {
            outgoing: BTreeSet::new(),
            ..self.clone()
        };
        let left = next.everyone();
        next.addresses.retain(|id, _| left.contains(id));
        next
    }

    pub(super) fn encode(&self) -> Arc<[u8]> {
        postcard::to_stdvec(self)
            .expect("a membership is plain data")
            .into()
    }

    pub(super) fn decode(entry: &Entry) -> Result<Self, Impossible> {
        postcard::from_bytes(&entry.data)
            .map_err(|error| Impossible(format!("entry {} is no membership: {error}", entry.index)))
    }
}

/// The memberships of the log. The newest one holds, committed or not (Raft thesis, 4.1); older ones are needed when
/// it is truncated, and for images of the time before it.
#[derive(Clone, Debug)]
pub(super) struct Configs {
    /// By the index from which on they hold; never empty.
    list: VecDeque<(Index, Membership)>,
    /// Counts changes of any kind.
    pub version: u64,
}

impl Configs {
    pub fn new(index: Index, members: Membership) -> Self {
        Self {
            list: VecDeque::from([(index, members)]),
            version: 1,
        }
    }

    fn newest(&self) -> &(Index, Membership) {
        self.list.back().expect("there is always a membership")
    }

    /// What holds now.
    pub fn current(&self) -> &Membership {
        &self.newest().1
    }

    /// Since when it does.
    pub fn index(&self) -> Index {
        self.newest().0
    }

    /// What held at an index; for one before the first that is known, the first.
    pub fn at(&self, index: Index) -> &Membership {
        let known = self.list.iter().rev().find(|(since, _)| *since <= index);
        known.map_or(&self.list[0].1, |(_, members)| members)
    }

    pub fn push(&mut self, index: Index, members: Membership) {
        debug_assert!(index > self.index());
        self.list.push_back((index, members));
        self.version += 1;
    }

    /// The log lost its entries from `from` on.
    pub fn truncate(&mut self, from: Index) {
        while self.list.len() > 1 && self.index() >= from {
            self.list.pop_back();
            self.version += 1;
        }
    }

    /// What held before `index` is not asked for any more.
    pub fn forget_before(&mut self, index: Index) {
        while self.list.len() > 1 && self.list[1].0 <= index {
            self.list.pop_front();
        }
    }

    /// An image took the place of everything up to `index`; the log goes on to `last`.
    pub fn restore(&mut self, index: Index, members: Membership, last: Index) {
        self.list
            .retain(|(since, _)| *since > index && *since <= last);
        self.list.push_front((index, members));
        self.version += 1;
    }

    /// Everybody who belongs to what is committed, or to what may come to be: those who leave receive entries until
    /// it is certain that they left.
    pub fn recipients(&self, commit: Index) -> BTreeSet<ServerId> {
        let concerned = self.since(commit);
        concerned.flat_map(Membership::everyone).collect()
    }

    /// Whether a server may stand for election: it votes, or it voted until a change that may not be committed yet.
    /// If it has that change and those who stay do not, it has the longer log, and nobody else could win
    /// (Raft thesis, 4.2.2).
    pub fn may_stand(&self, id: ServerId, commit: Index) -> bool {
        self.since(commit).any(|members| members.is_voter(id))
    }

    /// What held at an index and what came after it.
    fn since(&self, index: Index) -> impl Iterator<Item = &Membership> {
        let begin = self.list.iter().rposition(|(since, _)| *since <= index);
        let concerned = self.list.iter().skip(begin.unwrap_or(0));
        concerned.map(|(_, members)| members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u64]) -> BTreeSet<ServerId> {
        numbers.iter().copied().map(ServerId).collect()
    }

    fn joint(voters: &[u64], outgoing: &[u64]) -> Membership {
        Membership {
            voters: ids(voters),
            outgoing: ids(outgoing),
            ..Membership::default()
        }
    }

    #[test]
    fn a_joint_quorum_is_a_majority_of_both_sets() {
        let members = joint(&[3, 4, 5], &[1, 2, 3]);
        let quorum = |yes: &[u64]| members.has_quorum(|id| yes.contains(&id.0));
        assert!(quorum(&[1, 3, 4]));
        assert!(quorum(&[1, 2, 4, 5]));
        assert!(!quorum(&[1, 2, 3]), "of the new set only one");
        assert!(!quorum(&[3, 4, 5]), "of the old set only one");
    }

    #[test]
    fn learners_and_strangers_are_no_part_of_a_quorum() {
        let mut members = Membership::of([1, 2, 3].map(ServerId));
        members.learners = ids(&[4, 5]);
        assert!(!members.has_quorum(|id| [1, 4, 5, 9].contains(&id.0)));
        assert!(members.has_quorum(|id| [1, 2].contains(&id.0)));
    }

    #[test]
    fn an_even_number_of_voters_needs_more_than_half() {
        let members = Membership::of([1, 2, 3, 4].map(ServerId));
        assert!(!members.has_quorum(|id| id.0 <= 2));
        assert!(members.has_quorum(|id| id.0 <= 3));
        assert_eq!(members.agreed(|id| id.0 * 10), 20);
    }

    #[test]
    fn the_committed_index_of_a_joint_membership_is_the_lower_one() {
        let matched = |id: ServerId| [0, 9, 7, 5, 3, 1][id.0 as usize];
        assert_eq!(joint(&[1, 2, 3], &[]).agreed(matched), 7);
        assert_eq!(joint(&[3, 4, 5], &[]).agreed(matched), 3);
        assert_eq!(joint(&[3, 4, 5], &[1, 2, 3]).agreed(matched), 3);
        assert_eq!(joint(&[1], &[4, 5]).agreed(matched), 1);
    }

    #[test]
    fn without_voters_nothing_is_decided() {
        let nobody = Membership::default();
        assert!(!nobody.has_quorum(|_| true));
        assert_eq!(nobody.agreed(|_| 7), 0);
    }

    #[test]
    fn leaving_a_joint_membership_forgets_who_left_and_where_they_were() {
        let mut members = Membership::of([1, 2, 3].map(ServerId));
        members.learners = ids(&[4]);
        members.addresses = [(ServerId(2), "b:2".into()), (ServerId(4), "d:4".into())].into();
        let joint = members.entering(ids(&[1, 3, 4]));
        assert_eq!(
            (joint.learners.len(), joint.outgoing.clone()),
            (0, ids(&[1, 2, 3]))
        );
        assert_eq!(joint.addresses.len(), 2);
        let done = joint.leaving();
        assert_eq!(done.voters, ids(&[1, 3, 4]));
        assert_eq!(
            done.addresses.keys().copied().collect::<BTreeSet<_>>(),
            ids(&[4])
        );
    }

    #[test]
    fn a_truncated_membership_falls_back_and_an_image_replaces_what_is_older() {
        let of = |count: u64| Membership::of((1..=count).map(ServerId));
        let mut configs = Configs::new(0, of(1));
        configs.push(3, of(2));
        configs.push(7, of(3));
        assert_eq!(
            (configs.at(2), configs.at(3), configs.at(9)),
            (&of(1), &of(2), &of(3))
        );
        configs.truncate(7);
        assert_eq!((configs.current(), configs.index()), (&of(2), 3));
        configs.push(8, of(4));
        configs.restore(5, of(5), 8);
        assert_eq!((configs.at(7), configs.at(8)), (&of(5), &of(4)));
        configs.restore(9, of(6), 9);
        assert_eq!((configs.current(), configs.index()), (&of(6), 9));
    }

    #[test]
    fn those_who_leave_receive_entries_until_it_is_committed() {
        let mut configs = Configs::new(0, Membership::of([1, 2].map(ServerId)));
        configs.push(5, Membership::of([1, 3].map(ServerId)));
        assert_eq!(configs.recipients(4), ids(&[1, 2, 3]));
        assert_eq!(configs.recipients(5), ids(&[1, 3]));
        assert!(configs.may_stand(ServerId(2), 4) && !configs.may_stand(ServerId(2), 5));
    }
}
