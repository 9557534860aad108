//! An image on its way from a leader to this server's state.
//!
//! Pieces come in the order of their keys. When another leader goes on, or the same one with a later state, what
//! came before stays: pages of the later image are laid over those of the earlier one. So a break costs what had not
//! arrived, and nothing else.

use super::file::decode_pages;
use super::{CheckpointError, Root};
use crate::machine::Capture;
use crate::pages::overlay::overlay;
use crate::pages::{Page, Pages};
use crate::types::Index;
use std::sync::Arc;

/// Pages of an image of the state at `target`, changed since `base` (or since what the receiver said it has).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub base: Index,
    pub target: Index,
    /// The image is complete up to this key; `None`: to the end.
    pub reached: Option<Vec<u8>>,
    pub data: Vec<u8>,
}

pub struct Staging {
    pub base: Index,
    /// By target, the newest last; the pages of each are sorted.
    layers: Vec<(Index, Vec<Page>)>,
}

impl Staging {
    pub fn new(base: Index) -> Self {
        Self {
            base,
            layers: Vec::new(),
        }
    }

    pub fn add(&mut self, piece: Piece) -> Result<Option<Vec<u8>>, CheckpointError> {
        let pages = decode_pages(Arc::new(piece.data), 0).map_err(corrupt)?;
        // A page that straddles the place where a transfer broke comes again, perhaps cut otherwise.
        let continues = self.layers.last().is_some_and(|(target, layer)| {
            let end = layer.last().map(|last| last.high.as_deref());
            let begin = pages.first().map(|first| &*first.low);
            *target == piece.target
                && match (end, begin) {
                    (Some(Some(end)), Some(begin)) => end <= begin,
                    (Some(None), Some(_)) => false,
                    (None, _) | (_, None) => true,
                }
        });
        match self.layers.last_mut() {
            Some((_, layer)) if continues => layer.extend(pages),
            _ => self.layers.push((piece.target, pages)),
        }
        Ok(piece.reached)
    }

    /// Lays the image over `live` and verifies it.
    pub fn finish(
        self,
        target: Index,
        root: Root,
        live: Capture,
    ) -> Result<Pages, CheckpointError> {
        let mut resolved = Vec::new();
        for (_, layer) in self.layers.into_iter().rev() {
            resolved = overlay(resolved, layer);
        }
        if self.base > 0 {
            resolved = overlay(resolved, live.pages.all());
        }
        let pages = Pages::build(resolved).map_err(|error| corrupt(error.to_string()))?;
        if Root(pages.sum()) != root {
            return Err(corrupt(format!(
                "the state at {target} has root {}, the leader's {root}",
                Root(pages.sum())
            )));
        }
        Ok(pages)
    }
}

fn corrupt(what: String) -> CheckpointError {
    CheckpointError::Corrupt {
        file: "image from the leader".into(),
        offset: 0,
        what,
    }
}
