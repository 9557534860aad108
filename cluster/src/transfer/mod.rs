//! What a leader sends of its state: pages, in the order of their keys, that the receiver lacks.
//!
//! [`Captures`] holds the states that followers are being sent and reads pieces of them; [`crate::raft`] decides what is
//! sent when, [`crate::checkpoint`] takes it in. A piece is a run of pages as they stand in checkpoint files.

use crate::checkpoint::file::put_page_parts;
use crate::machine::Capture;
use crate::raft::{ChunkData, ChunkRequest};
use crate::types::{Index, Root};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// The states that are being sent, by transfer.
#[derive(Default)]
pub struct Captures(BTreeMap<u64, Capture>);

impl Captures {
    pub fn hold(&mut self, transfer: u64, capture: Capture) {
        self.0.insert(transfer, capture);
    }

    /// Lets all others go.
    pub fn keep(&mut self, transfers: &[u64]) {
        self.0.retain(|transfer, _| transfers.contains(transfer));
    }

    /// The next pages that the receiver lacks; `None` if the state is not held any more.
    pub fn read(&self, request: &ChunkRequest) -> Option<ChunkData> {
        let capture = self.0.get(&request.transfer)?;
        Some(piece(capture, request))
    }
}

fn piece(capture: &Capture, request: &ChunkRequest) -> ChunkData {
    let known = Known {
        base: request.base,
        have: &request.have,
    };
    let mut data = Vec::with_capacity(request.bytes + 4096);
    let reached = capture.pages.visit(
        &request.from,
        |low, high, lsn| known.lacks(low, high, lsn),
        |low, high, leaf| {
            if data.len() >= request.bytes {
                return ControlFlow::Break(low.to_vec());
            }
            put_page_parts(&mut data, low, high, leaf);
            ControlFlow::Continue(())
        },
    );
    ChunkData {
        data,
        reached,
        root: Root(capture.pages.sum()),
    }
}

/// What the receiver said it has.
struct Known<'a> {
    base: Index,
    /// Up to each key the state at that index, in order; after the last the state at `base`.
    have: &'a [(Vec<u8>, Index)],
}

impl Known<'_> {
    /// Whether pages of this range and age are news. A range that the receiver has in several ages counts as old as
    /// its oldest part.
    fn lacks(&self, low: &[u8], high: Option<&[u8]>, lsn: u64) -> bool {
        let mut begin: &[u8] = &[];
        for (end, index) in self.have {
            let touches = low < end.as_slice() && high.is_none_or(|high| high > begin);
            if touches && lsn > *index {
                return true;
            }
            begin = end;
        }
        let beyond = high.is_none_or(|high| high > begin);
        beyond && (self.base == 0 || lsn > self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::file::decode_pages;
    use crate::pages::Pages;
    use crate::pages::overlay::overlay;
    use crate::types::ServerId;
    use std::sync::Arc;

    fn state(pages: Pages, applied: Index) -> Capture {
        Capture {
            applied,
            pages,
            keys: 0,
            bytes: 0,
        }
    }

    fn fill(pages: &mut Pages, lsn: Index, keys: std::ops::Range<u32>) {
        for key in keys {
            pages.put(lsn, format!("{key:06}").as_bytes(), &[lsn as u8; 100]);
        }
    }

    /// All pieces of a transfer, and the number of them.
    fn receive(
        capture: &Capture,
        base: Index,
        have: &[(Vec<u8>, Index)],
        stop_after: usize,
    ) -> (Vec<crate::pages::Page>, Option<Vec<u8>>) {
        let mut captures = Captures::default();
        captures.hold(1, capture.clone());
        let (mut pages, mut from) = (Vec::new(), Vec::new());
        for _ in 0..stop_after {
            let request = ChunkRequest {
                to: ServerId(2),
                transfer: 1,
                base,
                have: have.to_vec(),
                from,
                bytes: 20_000,
            };
            let piece = captures.read(&request).unwrap();
            pages.extend(decode_pages(Arc::new(piece.data), 0).unwrap());
            match piece.reached {
                None => return (pages, None),
                Some(reached) => from = reached,
            }
        }
        (pages, Some(from))
    }

    #[test]
    fn only_what_changed_since_the_base_travels_and_makes_the_state() {
        let mut pages = Pages::default();
        fill(&mut pages, 1, 0..20_000);
        let base = pages.clone();
        fill(&mut pages, 2, 5_000..5_200);
        let (sent, _) = receive(&state(pages.clone(), 2), 1, &[], usize::MAX);
        assert!(sent.len() < 20, "{} of {}", sent.len(), base.all().len());
        let built = Pages::build(overlay(sent, base.all())).unwrap();
        assert_eq!(built.sum(), pages.sum());
    }

    #[test]
    fn a_transfer_that_broke_is_continued_by_another_leader_with_a_later_state() {
        let mut pages = Pages::default();
        fill(&mut pages, 1, 0..20_000);
        let base = pages.clone();
        fill(&mut pages, 2, 0..20_000);
        let (first, reached) = receive(&state(pages.clone(), 2), 1, &[], 60);
        let reached = reached.expect("it broke");
        // The other leader goes on from a state in which both halves changed a little.
        fill(&mut pages, 3, 100..110);
        fill(&mut pages, 3, 19_000..19_010);
        let have = [(reached, 2)];
        let (second, end) = receive(&state(pages.clone(), 3), 1, &have, usize::MAX);
        assert_eq!(end, None);
        let all = pages.all().len();
        assert!(
            first.len() + second.len() < all + 5,
            "{} + {} of {all}",
            first.len(),
            second.len()
        );
        let built = Pages::build(overlay(overlay(second, first), base.all())).unwrap();
        assert_eq!(built.sum(), pages.sum());
    }
}
