//! `spec.yaml` of a run folder: the settings as resolved, and what was known of the run besides.

use crate::exit::{Failure, Result};
use crate::spec::Spec;
use results::{Marks, Method, Run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stored {
    pub spec: Spec,
    /// The command line as it was given.
    pub argv: Vec<String>,
    /// What the machine was found to be able to do.
    pub host: BTreeMap<String, String>,
    pub run: Run,
    pub method: Method,
    /// Filled in as the run goes on.
    #[serde(default)]
    pub marks: Marks,
}

impl Stored {
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        serde_yaml::from_str(text).map_err(|error| {
            let place = error.location().map_or(String::new(), |at| {
                format!(":{}:{}", at.line(), at.column())
            });
            Failure::usage(format!("{origin}{place}: {error}"))
        })
    }

    pub fn yaml(&self) -> Result<String> {
        Ok(serde_yaml::to_string(self)?)
    }
}
