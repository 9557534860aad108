//! Pages laid over pages: how a state comes out of a chain of files, or out of what a leader sent.
//!
//! A page says: *this is all that the key range holds*. Newer pages hide what is below them, wherever the older ones
//! were cut, so nothing here depends on two servers cutting their pages alike.

use super::tree::{self, Child, FAN, Node};
use super::{Counters, Key, Leaf, PageError, Pages};
use std::sync::Arc;

/// A page and its range.
#[derive(Clone, Debug)]
pub struct Page {
    pub low: Key,
    /// `None`: to the end of the key space.
    pub high: Option<Key>,
    pub node: Arc<Node>,
}

impl Page {
    pub fn new(low: Key, high: Option<Key>, leaf: Leaf) -> Self {
        Self {
            low,
            high,
            node: Arc::new(Node::Leaf(leaf)),
        }
    }

    pub fn leaf(&self) -> &Leaf {
        match &*self.node {
            Node::Leaf(leaf) => leaf,
            Node::Inner(_) => unreachable!("a page is a leaf"),
        }
    }
}

/// Whether `a`, the end of a range, comes before the key `b`; or at it.
fn ends_by(a: Option<&Key>, b: &[u8]) -> bool {
    a.is_some_and(|a| **a <= *b)
}

/// Lays `over` on `under`; both sorted and without overlaps, and so is the result.
pub fn overlay(over: Vec<Page>, under: Vec<Page>) -> Vec<Page> {
    if over.is_empty() {
        return under;
    }
    let mut out = Vec::with_capacity(over.len() + under.len());
    let mut over = over.into_iter().peekable();
    // The last page of `over` that was taken may reach into the next page of `under`.
    let mut covered: Option<Option<Key>> = None;
    for page in under {
        let mut low = page.low.clone();
        let mut done = false;
        let mut clipped = false;
        match &covered {
            Some(None) => continue,
            Some(Some(end)) if **end > *low => {
                if page.high.as_ref().is_some_and(|high| **high <= **end) {
                    continue;
                }
                low = end.clone();
                clipped = true;
            }
            _ => {}
        }
        while let Some(next) = over.peek() {
            if page.high.as_ref().is_some_and(|high| **high <= *next.low) {
                break;
            }
            // It begins within this page, or before it.
            if *next.low > *low {
                let part = page.leaf().clip(&low, Some(&next.low));
                out.push(Page::new(low.clone(), Some(next.low.clone()), part));
            }
            clipped = true;
            let next = over.next().expect("peeked");
            let end = next.high.clone();
            let reaches = match (&end, &page.high) {
                (None, _) => true,
                (Some(end), Some(high)) => **end >= **high,
                (Some(_), None) => false,
            };
            covered = Some(end.clone());
            if let Some(end) = end.filter(|end| **end > *low) {
                low = end;
            }
            out.push(next);
            if reaches {
                done = true;
                break;
            }
        }
        if done {
            continue;
        }
        if clipped {
            let part = page.leaf().clip(&low, page.high.as_deref());
            out.push(Page::new(low, page.high.clone(), part));
        } else {
            out.push(page);
        }
    }
    out.extend(over);
    out
}

/// Whether all of `[low, high)` is hidden by `pages`.
pub fn covers(pages: &[Page], low: &[u8], high: Option<&[u8]>) -> bool {
    let mut at = pages.partition_point(|page| ends_by(page.high.as_ref(), low));
    let mut reached = low;
    loop {
        let Some(page) = pages.get(at) else {
            return false;
        };
        if *page.low > *reached {
            return false;
        }
        match (&page.high, high) {
            (None, _) => return true,
            (Some(end), Some(high)) if **end >= *high => return true,
            (Some(end), _) => reached = end,
        }
        at += 1;
    }
}

impl Pages {
    /// A tree of these pages, which must follow each other without gap or overlap from the first key to the last.
    pub fn build(pages: Vec<Page>) -> Result<Self, PageError> {
        let mut reached: Option<&[u8]> = Some(&[]);
        for page in &pages {
            match reached {
                Some(end) if end == &*page.low => {}
                _ => {
                    return Err(PageError::Gap {
                        at: String::from_utf8_lossy(&page.low).into_owned(),
                    });
                }
            }
            reached = page.high.as_deref();
        }
        if pages.is_empty() || reached.is_some() {
            return Err(PageError::Gap {
                at: String::from_utf8_lossy(reached.unwrap_or_default()).into_owned(),
            });
        }
        let mut counters = Counters::default();
        let mut level: Vec<Child> = pages
            .into_iter()
            .map(|page| {
                counters.pages += 1;
                counters.bytes += page.leaf().bytes().len() as u64;
                counters.sum = counters.sum.wrapping_add(page.leaf().sum());
                Child {
                    lsn: page.leaf().lsn,
                    low: page.low,
                    node: page.node,
                }
            })
            .collect();
        while level.len() > 1 {
            let mut above = Vec::with_capacity(level.len() / (FAN * 3 / 4) + 1);
            let mut rest = level.into_iter().peekable();
            while rest.peek().is_some() {
                let children: Vec<Child> = rest.by_ref().take(FAN * 3 / 4).collect();
                above.push(Child {
                    low: children[0].low.clone(),
                    lsn: tree::highest(&children),
                    node: Arc::new(Node::inner(children)),
                });
            }
            level = above;
        }
        let root = level.remove(0);
        Ok(Self {
            root: root.node,
            lsn: root.lsn,
            counters,
        })
    }

    /// All pages in order.
    pub fn all(&self) -> Vec<Page> {
        self.changed_since(0, true)
    }
}
