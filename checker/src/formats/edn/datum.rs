//! What EDN writes down, as far as histories need it.

use std::fmt;

/// A value. Tags are left out: `#jepsen.history.Op{...}` is the map.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    Nil,
    Bool(bool),
    Int(i64),
    Text(String),
    /// Without its colon.
    Keyword(String),
    /// Also what is no whole number of 64 bits: fractions, characters.
    Symbol(String),
    /// A vector or a list.
    Vector(Vec<Datum>),
    Set(Vec<Datum>),
    Map(Vec<(Datum, Datum)>),
}

impl Datum {
    pub fn items(&self) -> Option<&[Datum]> {
        match self {
            Datum::Vector(items) => Some(items),
            _ => None,
        }
    }

    /// What a keyword, symbol or text says.
    pub fn word(&self) -> Option<&str> {
        match self {
            Datum::Keyword(word) | Datum::Symbol(word) | Datum::Text(word) => Some(word),
            _ => None,
        }
    }

    /// What a map holds under a keyword.
    pub fn get(&self, name: &str) -> Option<&Datum> {
        match self {
            Datum::Map(pairs) => Some(&pairs[self.position(name)?].1),
            _ => None,
        }
    }

    /// Which pair of a map has this keyword for a name.
    pub fn position(&self, name: &str) -> Option<usize> {
        match self {
            Datum::Map(pairs) => pairs
                .iter()
                .position(|(key, _)| matches!(key, Datum::Keyword(word) if word == name)),
            _ => None,
        }
    }
}

/// As EDN; the reader bounds how deep it goes.
impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, open: &str, items: &[Datum], close: &str| {
            f.write_str(open)?;
            for (at, item) in items.iter().enumerate() {
                let space = if at == 0 { "" } else { " " };
                write!(f, "{space}{item}")?;
            }
            f.write_str(close)
        };
        match self {
            Datum::Nil => f.write_str("nil"),
            Datum::Bool(truth) => write!(f, "{truth}"),
            Datum::Int(number) => write!(f, "{number}"),
            Datum::Text(text) => write!(f, "{text:?}"),
            Datum::Keyword(word) => write!(f, ":{word}"),
            Datum::Symbol(word) => f.write_str(word),
            Datum::Vector(items) => list(f, "[", items, "]"),
            Datum::Set(items) => list(f, "#{", items, "}"),
            Datum::Map(pairs) => {
                f.write_str("{")?;
                for (at, (key, value)) in pairs.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{key} {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}
