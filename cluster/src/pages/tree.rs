//! The tree over the pages: wide, shallow, shared between captures.
//!
//! Nodes are behind reference counts. A change copies the nodes on its way that a capture still holds, and no
//! others. Every reference to a child carries the highest LSN below it, so a walk for what changed since any LSN
//! passes over whole subtrees.

use super::leaf::Put;
use super::{Counters, Key, Leaf, Lsn, PAGE_BYTES};
use crate::bugs::{Bug, planted};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Most children of an inner node.
pub const FAN: usize = 64;

#[derive(Clone, Debug)]
pub enum Node {
    Leaf(Leaf),
    Inner(Inner),
}

#[derive(Clone, Debug)]
pub struct Inner {
    pub children: Vec<Child>,
}

#[derive(Clone, Debug)]
pub struct Child {
    /// Where its range begins; it ends where the next one's begins.
    pub low: Key,
    /// Of the last change below.
    pub lsn: Lsn,
    pub node: Arc<Node>,
}

/// What a change did to the node it went through.
pub struct Change {
    pub old: Option<usize>,
    /// The node grew too large: its second half.
    pub split: Option<Child>,
}

impl Node {
    pub fn inner(children: Vec<Child>) -> Self {
        Node::Inner(Inner { children })
    }

    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.get(key),
                Node::Inner(inner) => node = &inner.children[inner.child(key)].node,
            }
        }
    }

    /// Whether it is so small that it should go together with a neighbour, and its size.
    fn weight(&self) -> (bool, usize, usize) {
        match self {
            Node::Leaf(leaf) => {
                let size = leaf.bytes().len();
                (size < PAGE_BYTES / 4, size, PAGE_BYTES * 7 / 8)
            }
            Node::Inner(inner) => {
                let size = inner.children.len();
                (size < FAN / 4, size, FAN * 3 / 4)
            }
        }
    }
}

impl Inner {
    fn child(&self, key: &[u8]) -> usize {
        let after = self.children[1..].partition_point(|child| *child.low <= *key);
        after.min(self.children.len() - 1)
    }

    /// Puts a small child together with a neighbour, if both fit into one.
    fn mend(&mut self, at: usize, lsn: Lsn, counters: &mut Counters) {
        let (small, size, limit) = self.children[at].node.weight();
        if !small || self.children.len() < 2 {
            return;
        }
        let first = if at > 0 { at - 1 } else { 0 };
        let other = if at > 0 { first } else { 1 };
        let (_, other_size, _) = self.children[other].node.weight();
        if size > 0 && size + other_size > limit {
            return;
        }
        let second = self.children.remove(first + 1);
        let kept = &mut self.children[first];
        kept.lsn = kept.lsn.max(second.lsn);
        match (Arc::make_mut(&mut kept.node), &*second.node) {
            (Node::Leaf(leaf), Node::Leaf(next)) => {
                counters.touch(leaf);
                leaf.absorb(lsn, next);
                counters.pages -= 1;
                kept.lsn = lsn;
            }
            (Node::Inner(inner), Node::Inner(next)) => {
                inner.children.extend(next.children.iter().cloned());
            }
            _ => unreachable!("all leaves are equally deep"),
        }
    }
}

/// Copies what a capture still holds of the way to `key`, so that the next change there copies nothing.
pub fn unshare(mut node: &mut Arc<Node>, key: &[u8]) {
    loop {
        match Arc::make_mut(node) {
            Node::Leaf(_) => return,
            Node::Inner(inner) => {
                let at = inner.child(key);
                node = &mut inner.children[at].node;
            }
        }
    }
}

pub fn put(
    node: &mut Arc<Node>,
    lsn: Lsn,
    key: &[u8],
    value: &[u8],
    counters: &mut Counters,
) -> Change {
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => {
            counters.touch(leaf);
            let before = leaf.bytes().len();
            let Put { old, at_end, sum } = leaf.put(lsn, key, value);
            counters.sum = counters.sum.wrapping_add(sum);
            counters.grow(before, leaf.bytes().len());
            let split = if leaf.bytes().len() > PAGE_BYTES {
                leaf.split(at_end && old.is_none())
            } else {
                None
            };
            counters.pages += u64::from(split.is_some());
            let split = split.map(|(low, second)| Child {
                low: low.into(),
                lsn: if planted(Bug::NewPagesMissing) {
                    0
                } else {
                    lsn
                },
                node: Arc::new(Node::Leaf(second)),
            });
            Change { old, split }
        }
        Node::Inner(inner) => {
            let at = inner.child(key);
            let child = &mut inner.children[at];
            child.lsn = lsn;
            let Change { old, split } = put(&mut child.node, lsn, key, value, counters);
            let Some(second) = split else {
                return Change { old, split: None };
            };
            let last = at + 1 == inner.children.len();
            inner.children.insert(at + 1, second);
            let split = (inner.children.len() > FAN).then(|| {
                let half = if last { FAN - 1 } else { FAN / 2 };
                let children = inner.children.split_off(half);
                Child {
                    low: children[0].low.clone(),
                    lsn: highest(&children),
                    node: Arc::new(Node::inner(children)),
                }
            });
            Change { old, split }
        }
    }
}

/// The key must be there: nothing is copied for one that is not.
pub fn remove(
    node: &mut Arc<Node>,
    lsn: Lsn,
    key: &[u8],
    counters: &mut Counters,
) -> Option<usize> {
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => {
            counters.touch(leaf);
            let before = leaf.bytes().len();
            let (old, lost) = leaf.remove(lsn, key)?;
            counters.sum = counters.sum.wrapping_sub(lost);
            counters.grow(before, leaf.bytes().len());
            Some(old)
        }
        Node::Inner(inner) => {
            let at = inner.child(key);
            let child = &mut inner.children[at];
            child.lsn = lsn;
            let old = remove(&mut child.node, lsn, key, counters);
            inner.mend(at, lsn, counters);
            old
        }
    }
}

pub fn highest(children: &[Child]) -> Lsn {
    children.iter().map(|child| child.lsn).max().unwrap_or(0)
}

/// Where a walk stands: the range of a node.
#[derive(Clone, Copy)]
pub struct Range<'a> {
    pub low: &'a Key,
    pub high: Option<&'a Key>,
}

/// Visits the pages in order whose range ends after `from` and that `wanted` lets through; `wanted` sees the range and
/// the highest LSN of a subtree first, so that it can be passed over.
pub fn walk<'a, B>(
    node: &'a Arc<Node>,
    range: Range<'a>,
    from: &[u8],
    wanted: &impl Fn(Range<'_>, Lsn) -> bool,
    visit: &mut impl FnMut(Range<'a>, &'a Arc<Node>, &'a Leaf) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match &**node {
        Node::Leaf(leaf) => visit(range, node, leaf),
        Node::Inner(inner) => {
            for (at, child) in inner.children.iter().enumerate() {
                let next = inner.children.get(at + 1);
                let below = Range {
                    low: &child.low,
                    high: next.map(|next| &next.low).or(range.high),
                };
                if below.high.is_some_and(|high| **high <= *from) || !wanted(below, child.lsn) {
                    continue;
                }
                walk(&child.node, below, from, wanted, visit)?;
            }
            ControlFlow::Continue(())
        }
    }
}
