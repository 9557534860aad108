//! A lock whose holders carry growing tokens.

use super::Model;
use crate::{Op, Ret, Value};

/// A [`Mutex`](super::Mutex) that gives every holder a greater fencing token than those before, so that
/// what it protects can turn away a holder that does not know yet that it lost the lock.
///
/// Tokens are whole numbers and may leave gaps. An acquire that gave no token takes part as a lock
/// without one. One of unknown outcome has a token that nobody saw: the least that it could have been.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FencedLock {
    holder: Option<Value>,
    token: Option<i64>,
}

impl Model for FencedLock {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        match op {
            Op::Acquire { owner, .. } if self.holder.is_none() => {
                let token = match ret {
                    Some(Ret::Value(Value::Int(token))) if self.token < Some(*token) => {
                        Some(*token)
                    }
                    Some(Ret::Done | Ret::Value(Value::Nil)) => self.token,
                    None => match self.token {
                        Some(token) => Some(token.checked_add(1)?),
                        // Without a first token there is no least one.
                        None => None,
                    },
                    _ => return None,
                };
                Some(Self {
                    holder: Some(owner.clone()),
                    token,
                })
            }
            Op::Release { owner, .. } if self.holder.as_ref() == Some(owner) => Some(Self {
                holder: None,
                token: self.token,
            }),
            _ => None,
        }
    }

    fn describe(&self) -> String {
        let holder = match &self.holder {
            None => "free".to_owned(),
            Some(Value::Nil) => "held".to_owned(),
            Some(owner) => format!("held by {owner}"),
        };
        match self.token {
            None => holder,
            Some(token) => format!("{holder}, last token {token}"),
        }
    }
}
