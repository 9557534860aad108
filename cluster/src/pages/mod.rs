//! The state as copy-on-write pages: what to capture, and what changed since when.
//!
//! An ordered map of bytes to bytes, cut into pages of about [`PAGE_BYTES`], each with the LSN of its last change.
//! Cloning [`Pages`] clones one reference: that is a capture, and it takes the same time for any size. What changed
//! since *any* LSN is a walk that passes over every subtree that is older ([`Pages::changed_since`]), so one
//! mechanism serves increments of checkpoints and images for any follower.
//!
//! [`leaf`] is one page, [`tree`] what holds them, [`overlay`] how a state comes out of pages of several ages. The
//! sum of a state ([`Pages::sum`]) depends on its content only, not on how it is cut: two servers that applied the
//! same log have the same sum.

mod leaf;
pub mod overlay;
#[cfg(test)]
mod tests;
mod tree;

pub use leaf::{Leaf, MAX_KEY};
pub use overlay::Page;

use std::ops::ControlFlow;
use std::sync::Arc;
use tree::{Change, Child, Node, Range};

/// The position of a change in the replicated log.
pub type Lsn = u64;
/// A key, shared.
pub type Key = Arc<[u8]>;

/// A page that grows beyond this is cut in two, unless it holds one entry only.
pub const PAGE_BYTES: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("a page ends within an entry")]
    Cut,
    #[error("the keys of a page are not in order")]
    Order,
    #[error("a page holds a key outside of its range")]
    Outside,
    #[error("the pages do not follow each other at key {at:?}")]
    Gap { at: String },
}

/// An ordered map whose clone is a capture.
#[derive(Clone, Debug)]
pub struct Pages {
    root: Arc<Node>,
    /// Of the last change.
    lsn: Lsn,
    counters: Counters,
}

/// Sizes, kept up to date by every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub pages: u64,
    /// Bytes of all pages.
    pub bytes: u64,
    /// Sum of the hashes of all entries.
    pub sum: u128,
    /// Pages are counted as changed if they were last changed up to here.
    captured: Lsn,
    /// Pages changed since, and their bytes when they were first changed.
    pub changed_pages: u64,
    pub changed_bytes: u64,
}

impl Counters {
    fn touch(&mut self, leaf: &Leaf) {
        if leaf.lsn <= self.captured {
            self.changed_pages += 1;
            self.changed_bytes += leaf.bytes().len() as u64;
        }
    }

    fn grow(&mut self, before: usize, after: usize) {
        self.bytes = self.bytes + after as u64 - before as u64;
        // What grows now belongs to a page that is counted as changed.
        self.changed_bytes += after.saturating_sub(before) as u64;
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            root: Arc::new(Node::Leaf(Leaf::empty(0))),
            lsn: 0,
            counters: Counters {
                pages: 1,
                ..Counters::default()
            },
        }
    }
}

impl Pages {
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The LSN of the last change.
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// Counts changes anew from here on: everything up to `lsn` is part of a capture.
    pub fn mark_captured(&mut self, lsn: Lsn) {
        self.counters.captured = lsn;
        self.counters.changed_pages = 0;
        self.counters.changed_bytes = 0;
    }

    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.root.get(key)
    }

    /// Sets a key; returns the length of the value it had. LSNs must not go back.
    pub fn put(&mut self, lsn: Lsn, key: &[u8], value: &[u8]) -> Option<usize> {
        debug_assert!(key.len() <= MAX_KEY && lsn >= self.lsn);
        self.lsn = lsn;
        let Change { old, split } = tree::put(&mut self.root, lsn, key, value, &mut self.counters);
        if let Some(second) = split {
            let first = Child {
                low: Arc::from([]),
                lsn,
                node: self.root.clone(),
            };
            self.root = Arc::new(Node::inner(vec![first, second]));
        }
        old
    }

    /// Makes the next change of this key as cheap as if no capture held its page. Changes nothing.
    pub fn unshare(&mut self, key: &[u8]) {
        tree::unshare(&mut self.root, key);
    }

    /// Removes a key; returns the length of its value.
    pub fn remove(&mut self, lsn: Lsn, key: &[u8]) -> Option<usize> {
        debug_assert!(lsn >= self.lsn);
        self.get(key)?;
        self.lsn = lsn;
        let old = tree::remove(&mut self.root, lsn, key, &mut self.counters);
        while let Node::Inner(inner) = &*self.root {
            if inner.children.len() > 1 {
                break;
            }
            self.root = inner.children[0].node.clone();
        }
        old
    }

    /// Sum of the hashes of all entries, by content only. Kept up to date by every change.
    pub fn sum(&self) -> u128 {
        self.counters.sum
    }

    /// Calls `visit` with the entries from `from` on, in order, until it breaks.
    pub fn scan<B>(
        &self,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<B>,
    ) -> Option<B> {
        let flow = self.walk(
            from,
            |_, _| true,
            |_, _, leaf| {
                for (key, value) in leaf.iter() {
                    if key >= from {
                        visit(key, value)?;
                    }
                }
                ControlFlow::Continue(())
            },
        );
        match flow {
            ControlFlow::Break(found) => Some(found),
            ControlFlow::Continue(()) => None,
        }
    }

    /// The pages changed after `base`, in order; with `all`, the others too.
    pub fn changed_since(&self, base: Lsn, all: bool) -> Vec<Page> {
        let mut pages = Vec::new();
        let _: ControlFlow<()> = self.walk(
            &[],
            |_, lsn| all || lsn > base,
            |range, node, leaf| {
                if all || leaf.lsn > base {
                    pages.push(Page {
                        low: range.low.clone(),
                        high: range.high.cloned(),
                        node: node.clone(),
                    });
                }
                ControlFlow::Continue(())
            },
        );
        pages
    }

    /// Visits pages in order from the one that holds `from` on. `wanted` may pass over subtrees by their range
    /// (begin and end, `None`: no end) and highest LSN.
    pub fn visit<B>(
        &self,
        from: &[u8],
        wanted: impl Fn(&[u8], Option<&[u8]>, Lsn) -> bool,
        mut visit: impl FnMut(&Key, Option<&Key>, &Leaf) -> ControlFlow<B>,
    ) -> Option<B> {
        let flow = self.walk(
            from,
            |range, lsn| wanted(range.low, range.high.map(|high| &**high), lsn),
            |range, _, leaf| {
                if wanted(range.low, range.high.map(|high| &**high), leaf.lsn) {
                    visit(range.low, range.high, leaf)
                } else {
                    ControlFlow::Continue(())
                }
            },
        );
        match flow {
            ControlFlow::Break(found) => Some(found),
            ControlFlow::Continue(()) => None,
        }
    }

    fn walk<B>(
        &self,
        from: &[u8],
        wanted: impl Fn(Range<'_>, Lsn) -> bool,
        mut visit: impl FnMut(Range<'_>, &Arc<Node>, &Leaf) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let first: Key = Arc::from([]);
        let whole = Range {
            low: &first,
            high: None,
        };
        tree::walk(
            &self.root,
            whole,
            from,
            &wanted,
            &mut |range, node, leaf| visit(range, node, leaf),
        )
    }
}
