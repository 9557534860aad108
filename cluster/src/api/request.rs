//! What clients may ask for, and how its JSON is read: a field that is unknown, or that does not belong to the
//! operation, is refused by name, as a misspelt one would otherwise change what is asked for.

use super::limits;
use serde::{Deserialize, Serialize};

/// A client's request. Keys and values are text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Request {
    #[serde(flatten)]
    pub op: KvOp,
    /// Makes a write exactly-once: a repeated pair is answered from memory and not applied again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// For what only reads: the answer may come from this server's state, however old.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// Give up after this time; the server's own limit is 5,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum KvOp {
    Get {
        key: String,
    },
    Put {
        key: String,
        value: String,
    },
    Delete {
        key: String,
    },
    /// Sets `key` to `to` if it holds `from` (`null`: is absent).
    Cas {
        key: String,
        from: Option<String>,
        to: String,
    },
    /// Appends to the value; an absent one counts as empty.
    Append {
        key: String,
        value: String,
    },
    /// Adds to the decimal number that the value is; an absent one counts as 0. Answers the sum.
    Add {
        key: String,
        amount: i64,
    },
    Scan(Scan),
    Txn(Transaction),
}

/// The keys from `from` on, before `to`, in the order of their bytes, with their values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scan {
    pub from: String,
    /// `null`: to the last key.
    pub to: Option<String>,
    pub limit: u64,
}

/// Steps that take effect at one moment, one after the other, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// All must hold before the first step, or nothing is done.
    #[serde(rename = "if", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ConditionFields", into = "ConditionFields")]
pub enum Condition {
    /// The key holds this value (`null`: is absent).
    Is { key: String, value: Option<String> },
    /// The key holds a decimal number, or nothing, which counts as 0, and it is not less.
    AtLeast { key: String, amount: i64 },
}

/// As the operation of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    Get { key: String },
    Put { key: String, value: String },
    Delete { key: String },
    Append { key: String, value: String },
    Add { key: String, amount: i64 },
}

/// Identifies one request of one client; `sequence` grows by the client's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub client: u64,
    pub sequence: u64,
}

impl KvOp {
    /// Whether it changes nothing, so that it needs no entry of the log.
    pub fn is_read_only(&self) -> bool {
        match self {
            KvOp::Get { .. } | KvOp::Scan(_) => true,
            KvOp::Txn(transaction) => transaction.is_read_only(),
            _ => false,
        }
    }
}

impl Transaction {
    pub fn is_read_only(&self) -> bool {
        let reads = |step: &Step| matches!(step, Step::Get { .. });
        self.steps.iter().all(reads)
    }
}

impl From<Step> for KvOp {
    fn from(step: Step) -> Self {
        match step {
            Step::Get { key } => KvOp::Get { key },
            Step::Put { key, value } => KvOp::Put { key, value },
            Step::Delete { key } => KvOp::Delete { key },
            Step::Append { key, value } => KvOp::Append { key, value },
            Step::Add { key, amount } => KvOp::Add { key, amount },
        }
    }
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            from: String::new(),
            to: None,
            limit: limits::DEFAULT_SCAN,
        }
    }
}

/// The name of an operation in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpName {
    Get,
    Put,
    Delete,
    Cas,
    Append,
    Add,
    Scan,
    Txn,
}

impl Request {
    /// Reads a request that names its operation.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        serde_json::from_slice::<Fields>(body)?.try_into()
    }

    /// Reads a request from a path that names the operation, so that the body need not.
    pub fn read_as(name: OpName, body: &[u8]) -> Result<Self, RequestError> {
        let mut fields: Fields = serde_json::from_slice(body)?;
        match fields.op.replace(name) {
            Some(other) if other != name => Err(RequestError::OtherOp { path: name, other }),
            _ => fields.try_into(),
        }
    }
}

/// Why a request could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("missing field `{0}`")]
    Missing(&'static str),
    #[error("field `{field}` does not belong to {op:?}")]
    Superfluous { field: &'static str, op: OpName },
    #[error("field `op` is {other:?} on the path of {path:?}")]
    OtherOp { path: OpName, other: OpName },
    #[error("field `steps` is empty")]
    NoSteps,
    #[error("field `stale` is for operations that only read")]
    StaleWrite,
    #[error("condition on key {key:?}: expected one of the fields `is`, `at_least`")]
    Condition { key: String },
}

/// All fields that a request may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    op: Option<OpName>,
    key: Option<String>,
    value: Option<String>,
    from: Option<String>,
    to: Option<String>,
    amount: Option<i64>,
    limit: Option<u64>,
    #[serde(rename = "if")]
    conditions: Option<Vec<Condition>>,
    steps: Option<Vec<Step>>,
    session: Option<Session>,
    #[serde(default)]
    stale: bool,
    timeout_ms: Option<u64>,
}

impl TryFrom<Fields> for Request {
    type Error = RequestError;

    fn try_from(mut fields: Fields) -> Result<Self, RequestError> {
        let name = fields.op.ok_or(RequestError::Missing("op"))?;
        let op = fields.take_op(name)?;
        let left = [
            ("key", fields.key.is_some()),
            ("value", fields.value.is_some()),
            ("from", fields.from.is_some()),
            ("to", fields.to.is_some()),
            ("amount", fields.amount.is_some()),
            ("limit", fields.limit.is_some()),
            ("if", fields.conditions.is_some()),
            ("steps", fields.steps.is_some()),
        ];
        if let Some((field, _)) = left.into_iter().find(|(_, left)| *left) {
            return Err(RequestError::Superfluous { field, op: name });
        }
        if fields.stale && !op.is_read_only() {
            return Err(RequestError::StaleWrite);
        }
        Ok(Self {
            op,
            session: fields.session,
            stale: fields.stale,
            timeout_ms: fields.timeout_ms,
        })
    }
}

impl Fields {
    /// Takes the fields of this operation.
    fn take_op(&mut self, name: OpName) -> Result<KvOp, RequestError> {
        Ok(match name {
            OpName::Get => KvOp::Get { key: self.key()? },
            OpName::Put => KvOp::Put {
                key: self.key()?,
                value: self.value()?,
            },
            OpName::Delete => KvOp::Delete { key: self.key()? },
            OpName::Cas => KvOp::Cas {
                key: self.key()?,
                from: self.from.take(),
                to: self.to.take().ok_or(RequestError::Missing("to"))?,
            },
            OpName::Append => KvOp::Append {
                key: self.key()?,
                value: self.value()?,
            },
            OpName::Add => KvOp::Add {
                key: self.key()?,
                amount: self.amount.take().ok_or(RequestError::Missing("amount"))?,
            },
            OpName::Scan => KvOp::Scan(Scan {
                from: self.from.take().unwrap_or_default(),
                to: self.to.take(),
                limit: self.limit.take().unwrap_or(limits::DEFAULT_SCAN),
            }),
            OpName::Txn => {
                let steps = self.steps.take().ok_or(RequestError::Missing("steps"))?;
                if steps.is_empty() {
                    return Err(RequestError::NoSteps);
                }
                KvOp::Txn(Transaction {
                    conditions: self.conditions.take().unwrap_or_default(),
                    steps,
                })
            }
        })
    }

    fn key(&mut self) -> Result<String, RequestError> {
        self.key.take().ok_or(RequestError::Missing("key"))
    }

    fn value(&mut self) -> Result<String, RequestError> {
        self.value.take().ok_or(RequestError::Missing("value"))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionFields {
    key: String,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    is: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_least: Option<i64>,
}

/// Tells `null` from a field that is not there.
fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl TryFrom<ConditionFields> for Condition {
    type Error = RequestError;

    fn try_from(fields: ConditionFields) -> Result<Self, RequestError> {
        let key = fields.key;
        match (fields.is, fields.at_least) {
            (Some(value), None) => Ok(Self::Is { key, value }),
            (None, Some(amount)) => Ok(Self::AtLeast { key, amount }),
            _ => Err(RequestError::Condition { key }),
        }
    }
}

impl From<Condition> for ConditionFields {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Is { key, value } => Self {
                key,
                is: Some(value),
                at_least: None,
            },
            Condition::AtLeast { key, amount } => Self {
                key,
                is: None,
                at_least: Some(amount),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            r#"{"op":"get","key":"a","stale":true}"#,
            r#"{"op":"put","key":"a","value":"1","session":{"client":1,"sequence":2}}"#,
            r#"{"op":"delete","key":"a","timeout_ms":50}"#,
            r#"{"op":"cas","key":"a","from":null,"to":"1"}"#,
            r#"{"op":"append","key":"a","value":"1"}"#,
            r#"{"op":"add","key":"a","amount":-3}"#,
            r#"{"op":"scan","from":"a","to":null,"limit":7}"#,
            r#"{"op":"txn","if":[{"key":"a","is":null},{"key":"b","is":"1"},{"key":"c","at_least":5}],"steps":[{"op":"get","key":"a"},{"op":"put","key":"a","value":"1"},{"op":"delete","key":"b"},{"op":"append","key":"c","value":"x"},{"op":"add","key":"d","amount":1}]}"#,
        ] {
            let request = read(text).unwrap();
            assert_eq!(serde_json::to_string(&request).unwrap(), text);
        }
    }

    #[test]
    fn a_field_that_is_unknown_missing_or_of_another_operation_is_named() {
        for (text, named) in [
            (
                r#"{"op":"get","key":"a","stael":true}"#,
                "unknown field `stael`",
            ),
            (
                r#"{"op":"get","key":"a","limit":3}"#,
                "field `limit` does not belong to Get",
            ),
            (r#"{"op":"put","key":"a"}"#, "missing field `value`"),
            (r#"{"key":"a"}"#, "missing field `op`"),
            (r#"{"op":"swap","key":"a"}"#, "unknown variant `swap`"),
            (
                r#"{"op":"put","key":"a","value":"1","stale":true}"#,
                "field `stale`",
            ),
            (r#"{"op":"txn","steps":[]}"#, "field `steps` is empty"),
            (
                r#"{"op":"txn","steps":[{"op":"get","key":"a","value":"1"}]}"#,
                "unknown field `value`",
            ),
            (
                r#"{"op":"txn","steps":[{"op":"cas","key":"a"}]}"#,
                "unknown variant `cas`",
            ),
            (
                r#"{"op":"txn","if":[{"key":"a"}],"steps":[{"op":"get","key":"a"}]}"#,
                "condition on key \"a\": expected one of",
            ),
            (
                r#"{"op":"txn","if":[{"key":"a","was":1}],"steps":[]}"#,
                "unknown field `was`",
            ),
            (
                r#"{"op":"get","key":"a","session":{"client":1,"sequence":1,"x":1}}"#,
                "unknown field `x`",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn a_path_that_names_the_operation_needs_no_op_and_takes_no_other() {
        let body = br#"{"steps":[{"op":"get","key":"a"}]}"#;
        assert!(Request::read_as(OpName::Txn, body).is_ok());
        let error = Request::read_as(OpName::Scan, br#"{"op":"get","key":"a"}"#).unwrap_err();
        assert_eq!(error.to_string(), "field `op` is Get on the path of Scan");
    }
}
