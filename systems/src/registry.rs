//! Every system that can be tested, by name.

use crate::{Error, Null, Result, SettingDoc, Strata, System, null, strata, suggest};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What `shakedown list` says of a system.
#[derive(Clone, Debug, Serialize)]
pub struct SystemDoc {
    pub name: &'static str,
    pub description: &'static str,
    /// What `--set key=value` accepts.
    pub settings: Vec<SettingDoc>,
}

/// How to build a system.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The server program, for systems that run one.
    pub binary: Option<PathBuf>,
    pub settings: BTreeMap<String, String>,
}

/// The systems, in the order in which they are shown.
pub fn list() -> Vec<SystemDoc> {
    vec![
        SystemDoc {
            name: strata::NAME,
            description: "the reference system: a replicated key-value store of checkpoint, delta log and Raft",
            settings: strata::settings::docs(),
        },
        SystemDoc {
            name: null::NAME,
            description: "answers at once from the harness's own memory: what the harness itself costs",
            settings: Vec::new(),
        },
    ]
}

/// Builds the system of that name. An unknown name, setting or value is an [`Error::Setting`].
pub fn by_name(name: &str, options: Options) -> Result<Arc<dyn System>> {
    match name {
        strata::NAME => {
            let binary = options.binary.ok_or_else(|| {
                Error::Failed("strata: the path of its server program is not known".into())
            })?;
            Ok(Arc::new(Strata::new(binary, options.settings)?))
        }
        null::NAME => match options.settings.keys().next() {
            None => Ok(Arc::new(Null::new())),
            Some(key) => Err(Error::Setting(format!(
                "null: unknown setting `{key}`; it has none"
            ))),
        },
        _ => {
            let names: Vec<_> = list().iter().map(|system| system.name).collect();
            Err(Error::Setting(format!(
                "unknown system `{name}`{}; known: {}",
                suggest::hint(name, names.iter().copied()),
                names.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, options: Options) -> String {
        match by_name(name, options) {
            Ok(_) => panic!("{name} was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_unknown_system_is_refused_with_the_list() {
        assert_eq!(
            refusal("strat", Options::default()),
            "unknown system `strat`; did you mean `strata`?; known: strata, null"
        );
    }

    #[test]
    fn a_system_without_settings_refuses_them() {
        let settings = BTreeMap::from([("sync".to_owned(), "never".to_owned())]);
        let options = Options {
            settings,
            ..Options::default()
        };
        assert_eq!(
            refusal("null", options),
            "null: unknown setting `sync`; it has none"
        );
    }

    #[test]
    fn every_listed_system_says_what_it_is() {
        for system in list() {
            assert!(!system.description.is_empty(), "{}", system.name);
        }
    }
}
