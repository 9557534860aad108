//! Transactions: several steps at one moment, or none of them.
//!
//! A transaction is one command, so one entry of the log: nothing can come between its steps, on any server. It is
//! worked out aside first; only when every condition holds and every step is possible are its writes put into the
//! pages, in the order of their keys.

use super::{Applied, Machine, Refusal};
use crate::api::limits::{MAX_ANSWER, MAX_READ, MAX_STORED};
use crate::api::{Condition, Step, Transaction};
use crate::types::Index;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What the keys that a transaction writes hold after it; `None`: nothing.
pub(super) type Writes<'a> = BTreeMap<&'a str, Option<String>>;

/// `amount` more than a value. Nothing counts as 0.
pub(super) fn sum(held: Option<&str>, amount: i64) -> Result<i64, Refusal> {
    number(held)?.checked_add(amount).ok_or(Refusal::Overflow)
}

/// Only what this program would write counts as a number, so that no value changes by adding 0.
fn number(held: Option<&str>) -> Result<i64, Refusal> {
    let Some(text) = held else {
        return Ok(0);
    };
    text.parse()
        .ok()
        .filter(|number: &i64| number.to_string() == text)
        .ok_or(Refusal::NotANumber)
}

impl Machine {
    /// What a transaction gives now, and what it would write.
    pub(super) fn attempt<'a>(
        &self,
        index: Index,
        transaction: &'a Transaction,
    ) -> (Applied, Writes<'a>) {
        let unmet = transaction
            .conditions
            .iter()
            .position(|condition| !self.holds(condition));
        if let Some(at) = unmet {
            let condition = at as u32;
            return (Applied::Unmet { condition }, Writes::new());
        }
        let read_only = transaction.is_read_only();
        let mut room = if read_only { MAX_ANSWER } else { MAX_READ };
        let mut writes = Writes::new();
        let mut given = Vec::with_capacity(transaction.steps.len());
        for (at, step) in transaction.steps.iter().enumerate() {
            match self.take(step, &mut room, &mut writes) {
                Ok(value) => given.push(value),
                Err(why) => {
                    let step = Some(at as u32);
                    return (Applied::Refused { step, why }, Writes::new());
                }
            }
        }
        (Applied::Steps { index, given }, writes)
    }

    pub(super) fn write(&mut self, index: Index, writes: Writes<'_>) {
        for (key, value) in writes {
            match value {
                Some(value) => self.set(index, key, value.as_bytes()),
                None => self.remove(index, key),
            }
        }
    }

    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Is { key, value } => self.get(key).as_deref() == value.as_deref(),
            Condition::AtLeast { key, amount } => {
                number(self.get(key).as_deref()).is_ok_and(|held| held >= *amount)
            }
        }
    }

    /// One step, on top of those before it.
    fn take<'a>(
        &self,
        step: &'a Step,
        room: &mut usize,
        writes: &mut Writes<'a>,
    ) -> Result<Option<String>, Refusal> {
        match step {
            Step::Get { key } => {
                let value = self.held(key, writes).map(Cow::into_owned);
                let bytes = value.as_ref().map_or(0, String::len);
                *room = room.checked_sub(bytes).ok_or(Refusal::AnswerTooLong)?;
                return Ok(value);
            }
            Step::Put { key, value } => {
                writes.insert(key, Some(value.clone()));
            }
            Step::Delete { key } => {
                writes.insert(key, None);
            }
            Step::Append { key, value } => {
                let mut whole = self
                    .held(key, writes)
                    .map_or_else(String::new, Cow::into_owned);
                if whole.len() + value.len() > MAX_STORED {
                    return Err(Refusal::TooLong);
                }
                whole.push_str(value);
                writes.insert(key, Some(whole));
            }
            Step::Add { key, amount } => {
                let sum = sum(self.held(key, writes).as_deref(), *amount)?.to_string();
                writes.insert(key, Some(sum.clone()));
                return Ok(Some(sum));
            }
        }
        Ok(None)
    }

    fn held<'b>(&'b self, key: &str, writes: &'b Writes<'_>) -> Option<Cow<'b, str>> {
        match writes.get(key) {
            Some(written) => written.as_deref().map(Cow::Borrowed),
            None => self.get(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::*;
    use crate::api::{KvOp, Scan, Session};

    fn apply(machine: &mut Machine, json: &str) -> Applied {
        let request: crate::api::Request = serde_json::from_str(json).unwrap();
        let command = Command {
            origin: None,
            session: request.session,
            op: request.op,
        };
        machine.apply(machine.applied() + 1, &command)
    }

    fn given(index: Index, values: &[Option<&str>]) -> Applied {
        Applied::Steps {
            index,
            given: values.iter().map(|value| value.map(Into::into)).collect(),
        }
    }

    #[test]
    fn each_step_sees_those_before_it_and_all_take_effect_at_one_index() {
        let mut machine = Machine::new();
        let txn = r#"{"op":"txn","steps":[
            {"op":"get","key":"a"},{"op":"put","key":"a","value":"1"},{"op":"get","key":"a"},
            {"op":"append","key":"a","value":"2"},{"op":"get","key":"a"},
            {"op":"add","key":"n","amount":5},{"op":"add","key":"n","amount":-7},
            {"op":"delete","key":"a"},{"op":"get","key":"a"},{"op":"append","key":"b","value":"x"}]}"#;
        let expected = [
            None,
            None,
            Some("1"),
            None,
            Some("12"),
            Some("5"),
            Some("-2"),
            None,
            None,
            None,
        ];
        assert_eq!(apply(&mut machine, txn), given(1, &expected));
        assert_eq!(machine.get("a"), None);
        assert_eq!(machine.get("b").as_deref(), Some("x"));
        assert_eq!(machine.get("n").as_deref(), Some("-2"));
        assert_eq!((machine.keys(), machine.bytes()), (2, 5));
    }

    #[test]
    fn a_condition_that_does_not_hold_or_a_step_that_is_impossible_undoes_everything() {
        let mut machine = Machine::new();
        apply(&mut machine, r#"{"op":"put","key":"a","value":"x"}"#);
        apply(&mut machine, r#"{"op":"add","key":"n","amount":5}"#);
        let before = machine.clone();
        for (txn, expected) in [
            (
                r#"{"op":"txn","if":[{"key":"a","is":"x"},{"key":"a","is":null}],"steps":[{"op":"delete","key":"a"}]}"#,
                Applied::Unmet { condition: 1 },
            ),
            (
                r#"{"op":"txn","if":[{"key":"n","at_least":6}],"steps":[{"op":"add","key":"n","amount":-6}]}"#,
                Applied::Unmet { condition: 0 },
            ),
            (
                r#"{"op":"txn","if":[{"key":"a","at_least":0}],"steps":[{"op":"delete","key":"a"}]}"#,
                Applied::Unmet { condition: 0 },
            ),
            (
                r#"{"op":"txn","steps":[{"op":"put","key":"b","value":"1"},{"op":"add","key":"a","amount":1}]}"#,
                Applied::Refused {
                    step: Some(1),
                    why: Refusal::NotANumber,
                },
            ),
            (
                r#"{"op":"txn","steps":[{"op":"delete","key":"a"},{"op":"add","key":"n","amount":9223372036854775807}]}"#,
                Applied::Refused {
                    step: Some(1),
                    why: Refusal::Overflow,
                },
            ),
        ] {
            assert_eq!(apply(&mut machine, txn), expected, "{txn}");
            assert_eq!(machine.pages.sum(), before.pages.sum(), "{txn}");
        }
        let enough = r#"{"op":"txn","if":[{"key":"n","at_least":5},{"key":"m","at_least":0}],"steps":[{"op":"add","key":"n","amount":-5}]}"#;
        assert_eq!(apply(&mut machine, enough), given(8, &[Some("0")]));
    }

    #[test]
    fn an_addition_needs_a_number_as_this_program_writes_it() {
        for (held, amount, expected) in [
            (None, 3, Ok(3)),
            (Some("-4"), 3, Ok(-1)),
            (Some("+4"), 3, Err(Refusal::NotANumber)),
            (Some("04"), 3, Err(Refusal::NotANumber)),
            (Some("-0"), 0, Err(Refusal::NotANumber)),
            (Some(""), 3, Err(Refusal::NotANumber)),
            (Some("9223372036854775807"), 1, Err(Refusal::Overflow)),
        ] {
            assert_eq!(sum(held, amount), expected, "{held:?}");
        }
    }

    #[test]
    fn what_grows_too_long_is_refused_and_stays_as_it_was() {
        let mut machine = Machine::new();
        let piece = "x".repeat(MAX_STORED / 4);
        let append = |value: &str| Step::Append {
            key: "a".into(),
            value: value.into(),
        };
        let command = |steps| Command {
            origin: None,
            session: None,
            op: KvOp::Txn(Transaction {
                conditions: Vec::new(),
                steps,
            }),
        };
        assert_eq!(
            machine.apply(1, &command(vec![append(&piece); 4])),
            given(1, &[None; 4])
        );
        let too_long = |step| Applied::Refused {
            step,
            why: Refusal::TooLong,
        };
        assert_eq!(
            machine.apply(2, &command(vec![append("y")])),
            too_long(Some(0))
        );
        let single = Command {
            origin: None,
            session: None,
            op: append("y").into(),
        };
        assert_eq!(machine.apply(3, &single), too_long(None));
        // One that writes may not read so much, one that only reads neither.
        let get = || Step::Get { key: "a".into() };
        let answer = Applied::Refused {
            step: Some(0),
            why: Refusal::AnswerTooLong,
        };
        assert_eq!(machine.apply(4, &command(vec![get()])), answer);
        assert_eq!(machine.get("a").unwrap().len(), MAX_STORED);
    }

    #[test]
    fn a_repeated_transaction_is_answered_with_what_it_gave_and_not_applied_again() {
        let mut machine = Machine::new();
        let txn = r#"{"op":"txn","session":{"client":1,"sequence":1},"steps":[{"op":"add","key":"n","amount":1},{"op":"get","key":"a"}]}"#;
        let add = r#"{"op":"add","key":"n","amount":1,"session":{"client":2,"sequence":1}}"#;
        let unmet = r#"{"op":"txn","session":{"client":3,"sequence":1},"if":[{"key":"n","is":null}],"steps":[{"op":"get","key":"n"},{"op":"delete","key":"n"}]}"#;
        let refused = r#"{"op":"txn","session":{"client":4,"sequence":1},"steps":[{"op":"put","key":"b","value":"b"},{"op":"add","key":"b","amount":1}]}"#;
        let answers: Vec<Applied> = [txn, add, unmet, refused]
            .map(|text| apply(&mut machine, text))
            .into();
        // Also after the state went through its pages.
        let mut restored = Machine::from_capture(machine.capture()).unwrap();
        for machine in [&mut machine, &mut restored] {
            for (text, answer) in [txn, add, unmet, refused].iter().zip(&answers) {
                assert_eq!(apply(machine, text), *answer);
            }
            assert_eq!(machine.get("n").as_deref(), Some("2"));
        }
        let remembered = machine.answered(&Session {
            client: 1,
            sequence: 1,
        });
        assert_eq!(remembered, Some(given(1, &[Some("1"), None])));
    }

    #[test]
    fn a_scan_gives_the_keys_in_order_and_says_where_to_go_on() {
        let mut machine = Machine::new();
        for key in ["b", "a", "ba", "c", "ä"] {
            let put = format!(r#"{{"op":"put","key":"{key}","value":"of {key}"}}"#);
            apply(&mut machine, &put);
        }
        let scan = |from: &str, to: Option<&str>, limit: u64, bytes: usize| {
            let scan = Scan {
                from: from.into(),
                to: to.map(Into::into),
                limit,
            };
            let (found, next) = machine.scan(&scan, bytes);
            let keys: Vec<String> = found.into_iter().map(|entry| entry.key).collect();
            (keys.join(" "), next.unwrap_or_default())
        };
        let said = |keys: &str, next: &str| (keys.to_owned(), next.to_owned());
        assert_eq!(scan("", None, 10, 1_000), said("a b ba c ä", ""));
        assert_eq!(scan("b", Some("c"), 10, 1_000), said("b ba", ""));
        assert_eq!(scan("a", None, 2, 1_000), said("a b", "ba"));
        assert_eq!(scan("a", Some("b"), 1, 1_000), said("a", ""));
        assert_eq!(scan("a", None, 0, 1_000), said("", "a"));
        assert_eq!(scan("c", Some("b"), 10, 1_000), said("", ""));
        // The first comes however long it is.
        assert_eq!(scan("a", None, 10, 1), said("a", "b"));
    }
}
