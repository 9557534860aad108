//! Exit codes, as every command returns them, and the errors that end a command without a verdict.

use checker::Validity;
use std::fmt;

/// The judged history is valid and every gate was passed.
pub const VALID: u8 = 0;
/// A violation was proved.
pub const INVALID: u8 = 1;
/// Nothing was proved: a limit ran out, or nothing was really tested.
pub const UNKNOWN: u8 = 2;
/// A stated threshold was missed.
pub const THRESHOLD: u8 = 3;
/// The command line, the spec or an input file is wrong.
pub const USAGE: u8 = 254;
/// The harness itself failed.
pub const HARNESS: u8 = 255;

/// Shown below `--help`.
pub const HELP: &str = "Exit codes:
  0    valid
  1    invalid: a violation was proved
  2    unknown: a limit ran out, or nothing was really tested
  3    a stated threshold was missed
  254  bad usage: command line, spec or input file
  255  the harness itself failed
The worst of several wins: 255, 1, 3, 2, 0.";

/// Why a command ended without a verdict.
#[derive(Debug)]
pub enum Failure {
    /// The user's input is wrong; the text names the field, file or node.
    Usage(anyhow::Error),
    /// The harness or its surroundings failed.
    Harness(anyhow::Error),
}

pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn usage(text: impl fmt::Display) -> Self {
        Failure::Usage(anyhow::anyhow!("{text}"))
    }

    pub fn harness(text: impl fmt::Display) -> Self {
        Failure::Harness(anyhow::anyhow!("{text}"))
    }

    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Harness(_) => HARNESS,
        }
    }
}

/// Anything that is not marked as the user's mistake is ours.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Harness(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(error) | Failure::Harness(error) => write!(f, "{error:#}"),
        }
    }
}

pub fn code_of(validity: Validity) -> u8 {
    match validity {
        Validity::Valid => VALID,
        Validity::Invalid => INVALID,
        Validity::Unknown => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_the_code_of_the_contract() {
        let codes = [Validity::Valid, Validity::Invalid, Validity::Unknown].map(code_of);
        assert_eq!(codes, [0, 1, 2]);
    }

    #[test]
    fn an_error_of_a_library_counts_as_ours() {
        let failure: Failure = std::io::Error::other("disk on fire").into();
        assert_eq!(
            (failure.code(), failure.to_string().as_str()),
            (255, "disk on fire")
        );
    }
}
