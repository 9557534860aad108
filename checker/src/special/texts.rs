//! Texts that are lengthened: which text each concatenation found and left.
//!
//! A concatenation can take effect whatever is there, so by itself it tells the search nothing. But where
//! every suffix is used once, a text that was seen tells by its end which operation made it, and from
//! what: `v1+a+b` was made of `v1+a` by the one that adds `+b`. So the operations on a key become
//! those on a register, for which everything is known that unique values make known:
//!
//! - A concatenation whose text was seen, or is the beginning of one that was, is a cas from the text
//!   before to the text after: nothing else can have made it, so it took effect just there.
//! - Of any other concatenation nobody saw the result, and no text that was seen is built on it. So
//!   whatever comes right after it overwrites it, or is another such concatenation: it is a write of
//!   a value of its own that nobody sees.
//! - A cas of unknown outcome whose result nobody saw need not have happened, for the same reason. It
//!   might have found a text that nobody else saw, so it is left out.
//!
//! Seen means: by an operation that certainly took effect, which a cas of unknown outcome has if its
//! result was seen and nothing else makes it.
//!
//! Premise: suffixes are used once and not empty, no text that was seen can be taken apart in two ways,
//! and there are no numbers, to which nothing can be appended.

use crate::model::Footprint;
use crate::{Op, Ret, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// All operations of one object that are alike.
#[derive(Clone, Copy, Debug)]
pub struct Alike<'a> {
    pub op: &'a Op,
    /// Absent: of unknown outcome.
    pub ret: Option<&'a Ret>,
    pub count: u32,
}

/// What is made how.
struct Texts<'a> {
    initial: &'a Value,
    /// How often a write or cas makes this.
    written: HashMap<&'a Value, u32>,
    /// By suffix: the position of its concatenation.
    suffixes: HashMap<&'a str, usize>,
    /// Of the suffixes, ascending.
    lengths: Vec<usize>,
    /// By position: what the concatenation found and left.
    joints: Vec<Option<(Value, Value)>>,
    /// All that was seen, and the beginnings of it.
    seen: HashSet<Value>,
}

/// What each of the operations does to a register that holds `initial` at first, where the premise holds.
/// `alone` tells it of an operation that is no concatenation.
pub fn footprints(
    initial: &Value,
    operations: &[Alike<'_>],
    alone: fn(&Op, Option<&Ret>) -> Option<Footprint>,
) -> Option<Vec<Footprint>> {
    if !operations.iter().any(|alike| is_concat(alike.op)) {
        let all = operations.iter();
        return all.map(|alike| alone(alike.op, alike.ret)).collect();
    }
    let known: Vec<Option<Footprint>> = operations
        .iter()
        .map(|alike| match alike.op {
            Op::Concat { .. } => None,
            op => alone(op, alike.ret),
        })
        .collect();
    let mut texts = Texts::of(initial, operations, &known)?;
    texts.look(operations, &known)?;
    operations
        .iter()
        .zip(&known)
        .enumerate()
        .map(|(at, (alike, known))| texts.footprint(at, alike, known))
        .collect()
}

fn is_concat(op: &Op) -> bool {
    matches!(op, Op::Concat { .. })
}

impl<'a> Texts<'a> {
    /// `None` where the premise fails by the operations alone.
    fn of(
        initial: &'a Value,
        operations: &[Alike<'a>],
        known: &'a [Option<Footprint>],
    ) -> Option<Self> {
        let mut texts = Self {
            initial,
            written: HashMap::new(),
            suffixes: HashMap::new(),
            lengths: Vec::new(),
            joints: vec![None; operations.len()],
            seen: HashSet::new(),
        };
        let is_number = |value: &Value| matches!(value, Value::Int(_));
        let is_empty = |value: &Value| matches!(value, Value::Text(text) if text.is_empty());
        for (at, (alike, known)) in operations.iter().zip(known).enumerate() {
            if let Op::Concat { suffix, .. } = alike.op {
                let returned = matches!(alike.ret, None | Some(Ret::Done));
                let twice = texts.suffixes.insert(suffix, at).is_some();
                if !returned || twice || alike.count != 1 || suffix.is_empty() {
                    return None;
                }
                texts.lengths.push(suffix.len());
                continue;
            }
            if let Some(value) = &known.as_ref()?.installs {
                // An empty text and nil become the same by a concatenation.
                if is_number(value) || is_empty(value) {
                    return None;
                }
                *texts.written.entry(value).or_default() += alike.count;
            }
        }
        if is_number(initial) || is_empty(initial) {
            return None;
        }
        texts.lengths.sort_unstable();
        texts.lengths.dedup();
        Some(texts)
    }

    /// Takes apart all that was seen.
    fn look(&mut self, operations: &[Alike<'_>], known: &[Option<Footprint>]) -> Option<()> {
        let mut undecided: Vec<&Footprint> = Vec::new();
        for (alike, known) in operations.iter().zip(known) {
            match known {
                Some(footprint) if alike.ret.is_some() => self.see(footprint)?,
                Some(footprint) => undecided.push(footprint),
                None => {}
            }
        }
        // What was seen shows that some more took effect, which then saw something themselves.
        loop {
            let before = undecided.len();
            let mut rest = Vec::new();
            for footprint in undecided {
                match self.took_effect(footprint) {
                    true => self.see(footprint)?,
                    false => rest.push(footprint),
                }
            }
            if rest.len() == before {
                return Some(());
            }
            undecided = rest;
        }
    }

    fn took_effect(&self, footprint: &Footprint) -> bool {
        footprint.installs.as_ref().is_some_and(|value| {
            self.seen.contains(value)
                && value != self.initial
                && self.written.get(value) == Some(&1)
        })
    }

    /// Takes apart what an operation found. `None` if there are two ways.
    fn see(&mut self, footprint: &Footprint) -> Option<()> {
        let mut next = footprint.observes.clone();
        while let Some(value) = next.take() {
            if self.seen.contains(&value) {
                break;
            }
            if let Some((at, before)) = self.take_apart(&value)? {
                // One concatenation can't make two texts: the second then has no maker.
                if self.joints[at].is_none() {
                    self.joints[at] = Some((before.clone(), value.clone()));
                    next = Some(before);
                }
            }
            self.seen.insert(value);
        }
        Some(())
    }

    /// The concatenation that made a text, and what it found; `Some(None)`: none did. `None`: unclear.
    fn take_apart(&self, value: &Value) -> Option<Option<(usize, Value)>> {
        let Value::Text(text) = value else {
            return Some(None);
        };
        let mut found = None;
        for length in &self.lengths {
            let Some(cut) = text.len().checked_sub(*length) else {
                break;
            };
            let Some(at) = text.get(cut..).and_then(|end| self.suffixes.get(end)) else {
                continue;
            };
            let before = match cut {
                0 => Value::Nil,
                cut => Value::Text(Arc::from(&text[..cut])),
            };
            if found.replace((*at, before)).is_some() {
                return None;
            }
        }
        let elsewhere = self.written.contains_key(value) || value == self.initial;
        match found.is_some() && elsewhere {
            true => None,
            false => Some(found),
        }
    }

    fn footprint(
        &self,
        at: usize,
        alike: &Alike<'_>,
        known: &Option<Footprint>,
    ) -> Option<Footprint> {
        let Some(footprint) = known else {
            return Some(match self.joints[at].clone() {
                Some((before, after)) => Footprint {
                    observes: Some(before),
                    installs: Some(after),
                },
                None => Footprint {
                    observes: None,
                    installs: Some(nobodys(at)),
                },
            });
        };
        let (Some(found), Some(left), None) = (&footprint.observes, &footprint.installs, alike.ret)
        else {
            return Some(footprint.clone());
        };
        if !self.seen.contains(left) {
            return Some(Footprint {
                observes: Some(nobodys(at)),
                installs: Some(left.clone()),
            });
        }
        // What it found, if it took effect, may have been made by a concatenation that nobody else saw.
        match self.seen.contains(found) || self.take_apart(found)?.is_none() {
            true => Some(footprint.clone()),
            false => None,
        }
    }
}

/// A value that no operation names: texts with this beginning would have to come from a client.
fn nobodys(at: usize) -> Value {
    Value::Text(format!("\0nobody saw what {at} left").into())
}
