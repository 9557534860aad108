//! What `--set key=value` accepts for strata, and the server's flags that it becomes.
//!
//! Every setting that has a default is passed to the server, so what `shakedown list` shows is what
//! runs, whatever the server's own defaults are.

use crate::{Durability, Error, Interval, Meaning, Result, SettingDoc, suggest};
use std::collections::BTreeMap;
use std::time::Duration;

/// One setting: its name, the server's flag, and what it may be.
struct Setting {
    key: &'static str,
    flag: &'static str,
    /// Not passed to the server when empty.
    default: &'static str,
    form: Form,
    help: &'static str,
}

enum Form {
    /// A whole number, at least this.
    Count(u64),
    /// Bytes: `4096`, `64KiB`, `8MiB`.
    Size,
    /// `50ms`, `2s`, `1m`.
    Duration,
    Choice(&'static [&'static str], &'static str),
    /// Bytes in a second, written as a size.
    Rate,
    /// `always`, `interval=<duration>` or `never`.
    Sync,
    /// `discard`, `trailing=<count>` or `keep-for-followers=<size>`.
    Retention,
    /// A name of the catalogue of planted bugs.
    Bug,
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "checkpoint.every",
        flag: "--checkpoint-entries",
        default: "1000",
        form: Form::Count(0),
        help: "write a checkpoint after this many log entries; 0: never for their number",
    },
    Setting {
        key: "checkpoint.bytes",
        flag: "--checkpoint-bytes",
        default: "",
        form: Form::Size,
        help: "write a checkpoint after this many bytes of log",
    },
    Setting {
        key: "checkpoint.seconds",
        flag: "--checkpoint-seconds",
        default: "",
        form: Form::Duration,
        help: "write a checkpoint after this time",
    },
    Setting {
        key: "checkpoint.mode",
        flag: "--checkpoint-mode",
        default: "levels",
        form: Form::Choice(
            &["full", "incremental", "levels"],
            "full | incremental | levels",
        ),
        help: "full: all of the state each time; incremental: what changed, in one growing chain; levels: what changed, merged so that the chain stays short",
    },
    Setting {
        key: "checkpoint.capture",
        flag: "--capture",
        default: "cow",
        form: Form::Choice(&["cow", "dirty-flush", "stop"], "cow | dirty-flush | stop"),
        help: "how a checkpoint gets hold of the state: copy-on-write, writing out the changed pages in the background, or stopping the server (for comparison)",
    },
    Setting {
        key: "checkpoint.rate",
        flag: "--checkpoint-rate",
        default: "",
        form: Form::Size,
        help: "bytes per second that a checkpoint is written at",
    },
    Setting {
        key: "checkpoint.keep",
        flag: "--keep-checkpoints",
        default: "",
        form: Form::Count(1),
        help: "restore points that are kept",
    },
    Setting {
        key: "log.retention",
        flag: "--log-retention",
        default: "trailing=100",
        form: Form::Retention,
        help: "what stays of the log before a checkpoint: nothing, so many entries, or what the slowest follower needs up to a size",
    },
    Setting {
        key: "log.archive",
        flag: "--log-archive",
        default: "remove",
        form: Form::Choice(&["remove", "archive"], "remove | archive"),
        help: "what becomes of files of the log that are no longer needed",
    },
    Setting {
        key: "log.segment",
        flag: "--segment-bytes",
        default: "",
        form: Form::Size,
        help: "size of a file of the log",
    },
    Setting {
        key: "log.limit",
        flag: "--log-limit",
        default: "",
        form: Form::Size,
        help: "log beyond the last checkpoint at which writes are refused; from half of it on a checkpoint is due",
    },
    Setting {
        key: "sync",
        flag: "--sync",
        default: "always",
        form: Form::Sync,
        help: "when the log is made durable",
    },
    Setting {
        key: "disk",
        flag: "--disk",
        default: "direct",
        form: Form::Choice(&["direct", "power-loss"], "direct | power-loss"),
        help: "power-loss: a kill also loses what was written but not synced",
    },
    Setting {
        key: "reads",
        flag: "--reads",
        default: "linearizable",
        form: Form::Choice(
            &["linearizable", "lease", "local"],
            "linearizable | lease | local",
        ),
        help: "lease: the leader answers without asking the others while it trusts its clock; local: a follower answers from its own state, however old (unsafe)",
    },
    Setting {
        key: "ack",
        flag: "--ack",
        default: "quorum",
        form: Form::Choice(&["quorum", "leader"], "quorum | leader"),
        help: "leader: a write is acknowledged before it is replicated (unsafe)",
    },
    Setting {
        key: "raft.heartbeat",
        flag: "--heartbeat",
        default: "50ms",
        form: Form::Duration,
        help: "how often a leader is heard of",
    },
    Setting {
        key: "raft.election-timeout",
        flag: "--election-timeout",
        default: "300ms",
        form: Form::Duration,
        help: "least silence after which a leader is taken for dead",
    },
    Setting {
        key: "transfer.chunk",
        flag: "--chunk-bytes",
        default: "",
        form: Form::Size,
        help: "size of a piece of an image sent to a follower",
    },
    Setting {
        key: "transfer.mode",
        flag: "--transfer-mode",
        default: "delta",
        form: Form::Choice(&["delta", "full"], "delta | full"),
        help: "delta: an image brings only what changed since the follower's own checkpoint, where that is still known",
    },
    Setting {
        key: "transfer.rate",
        flag: "--transfer-rate",
        default: "",
        form: Form::Rate,
        help: "most bytes a second that an image takes",
    },
    Setting {
        key: "transfer.window",
        flag: "--transfer-window",
        default: "",
        form: Form::Size,
        help: "bytes of an image that may be under way before the follower has confirmed them",
    },
    Setting {
        key: "bug",
        flag: "--bug",
        default: "",
        form: Form::Bug,
        help: "carry a bug, to prove that tests find it; needs a strata that was built with the feature `bugs`",
    },
];

/// The settings as documentation.
pub fn docs() -> Vec<SettingDoc> {
    SETTINGS
        .iter()
        .map(|setting| SettingDoc {
            key: setting.key,
            default: if setting.default.is_empty() {
                "the server's own"
            } else {
                setting.default
            },
            allowed: setting.form.allowed(),
            help: setting.help,
        })
        .collect()
}

/// The chosen settings, checked, defaults filled in.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    values: BTreeMap<&'static str, String>,
}

impl Settings {
    pub(super) fn parse(chosen: &BTreeMap<String, String>) -> Result<Self> {
        let mut values: BTreeMap<_, _> = SETTINGS
            .iter()
            .filter(|setting| !setting.default.is_empty())
            .map(|setting| (setting.key, setting.default.to_owned()))
            .collect();
        for (key, value) in chosen {
            let keys = SETTINGS.iter().map(|setting| setting.key);
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
                return Err(Error::Setting(format!(
                    "strata: unknown setting `{key}`{}; known: {}",
                    suggest::hint(key, keys.clone()),
                    keys.collect::<Vec<_>>().join(", ")
                )));
            };
            let value = value.trim();
            if !setting.form.accepts(value) {
                return Err(Error::Setting(format!(
                    "strata: setting `{key}` can't be `{value}`; allowed: {}",
                    setting.form.allowed()
                )));
            }
            values.insert(setting.key, value.to_owned());
        }
        Ok(Self { values })
    }

    /// The server's arguments, flag and value in turn, in the order of the documentation.
    pub(super) fn arguments(&self) -> Vec<String> {
        SETTINGS
            .iter()
            .filter_map(|setting| {
                let value = self.values.get(setting.key)?;
                Some([setting.flag.to_owned(), value.clone()])
            })
            .flatten()
            .collect()
    }

    /// What is chosen, in the terms of all systems. Of several triggers the first in the documentation is taken.
    pub(super) fn meaning(&self) -> Meaning {
        let value = |key| self.values.get(key).map(String::as_str);
        let entries = value("checkpoint.every")
            .and_then(|text| text.parse().ok())
            .filter(|entries| *entries > 0);
        let interval = None
            .or_else(|| entries.map(Interval::Entries))
            .or_else(|| Some(Interval::Bytes(bytes(value("checkpoint.bytes")?)?)))
            .or_else(|| Some(Interval::Time(duration(value("checkpoint.seconds")?)?)))
            .unwrap_or(Interval::Never);
        let durability = match value("sync") {
            Some("always") => Some(Durability::Always),
            Some("never") => Some(Durability::Checkpointed),
            Some(other) => other
                .strip_prefix("interval=")
                .and_then(duration)
                .map(Durability::Within),
            None => None,
        };
        Meaning {
            interval: Some(interval),
            durability,
        }
    }

    pub(super) fn is(&self, key: &str, value: &str) -> bool {
        self.values.get(key).is_some_and(|held| held == value)
    }
}

impl Form {
    fn allowed(&self) -> &'static str {
        match self {
            Form::Count(0) => "a whole number from 0",
            Form::Count(_) => "a whole number from 1",
            Form::Size => "bytes, as 4096, 64KiB or 8MiB",
            Form::Duration => "a time with its unit, as 50ms, 2s or 1m",
            Form::Choice(_, allowed) => allowed,
            Form::Rate => "bytes per second, as 512KiB or 8MiB",
            Form::Sync => "always | interval=<time, as 100ms> | never",
            Form::Retention => {
                "discard | trailing=<entries, as 100> | keep-for-followers=<bytes, as 64MiB>"
            }
            Form::Bug => "a name that `shakedown sim --list-bugs` prints",
        }
    }

    fn accepts(&self, value: &str) -> bool {
        match self {
            Form::Count(least) => value.parse::<u64>().is_ok_and(|n| n >= *least),
            Form::Size | Form::Rate => amount(value, &["", "B", "KiB", "MiB", "GiB"]),
            Form::Duration => amount(value, &["us", "ms", "s", "m", "h"]),
            Form::Choice(choices, _) => choices.contains(&value),
            Form::Sync => match value.split_once('=') {
                None => matches!(value, "always" | "never"),
                Some((word, every)) => word == "interval" && Form::Duration.accepts(every),
            },
            Form::Retention => match value.split_once('=') {
                None => value == "discard",
                Some(("trailing", entries)) => Form::Count(0).accepts(entries),
                Some(("keep-for-followers", most)) => Form::Size.accepts(most),
                Some(_) => false,
            },
            Form::Bug => cluster::bugs::by_name(value).is_some(),
        }
    }
}

/// Whether this is a positive whole number followed by one of these units.
fn amount(value: &str, units: &[&str]) -> bool {
    number_and_unit(value).is_some_and(|(number, unit)| number > 0 && units.contains(&unit))
}

fn number_and_unit(value: &str) -> Option<(u64, &str)> {
    let rest = value.trim_start_matches(|c: char| c.is_ascii_digit());
    let (number, unit) = value.split_at(value.len() - rest.len());
    Some((number.parse().ok()?, unit))
}

/// A size in the form that is allowed for one.
fn bytes(value: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(value)?;
    let shift = match unit {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

/// A time in the form that is allowed for one.
fn duration(value: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(value)?;
    let microseconds: u64 = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return None,
    };
    number.checked_mul(microseconds).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Settings> {
        let chosen = pairs
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        Settings::parse(&chosen)
    }

    #[test]
    fn chosen_settings_replace_defaults_and_become_flags() {
        let arguments = parse(&[("sync", "interval=20ms"), ("checkpoint.bytes", "8MiB")])
            .unwrap()
            .arguments()
            .join(" ");
        assert_eq!(
            arguments,
            "--checkpoint-entries 1000 --checkpoint-bytes 8MiB --checkpoint-mode levels \
             --capture cow --log-retention trailing=100 --log-archive remove --sync interval=20ms \
             --disk direct --reads linearizable --ack quorum --heartbeat 50ms \
             --election-timeout 300ms --transfer-mode delta"
        );
    }

    #[test]
    fn every_trade_off_of_recovery_can_be_chosen_and_reaches_its_flag() {
        for (key, value, flag) in [
            ("checkpoint.every", "0", "--checkpoint-entries 0"),
            ("checkpoint.mode", "full", "--checkpoint-mode full"),
            (
                "checkpoint.mode",
                "incremental",
                "--checkpoint-mode incremental",
            ),
            ("checkpoint.capture", "dirty-flush", "--capture dirty-flush"),
            ("checkpoint.capture", "stop", "--capture stop"),
            ("checkpoint.keep", "5", "--keep-checkpoints 5"),
            ("log.retention", "discard", "--log-retention discard"),
            ("log.retention", "trailing=0", "--log-retention trailing=0"),
            (
                "log.retention",
                "keep-for-followers=64MiB",
                "--log-retention keep-for-followers=64MiB",
            ),
            ("log.archive", "archive", "--log-archive archive"),
            ("reads", "lease", "--reads lease"),
            ("transfer.mode", "full", "--transfer-mode full"),
            ("transfer.rate", "8MiB", "--transfer-rate 8MiB"),
            ("transfer.window", "1MiB", "--transfer-window 1MiB"),
            ("bug", "ack-before-sync", "--bug ack-before-sync"),
        ] {
            let arguments = parse(&[(key, value)]).unwrap().arguments().join(" ");
            assert!(
                format!("{arguments} ").contains(&format!("{flag} ")),
                "{key}={value}: {arguments}"
            );
        }
    }

    #[test]
    fn what_the_settings_come_to_is_told_in_the_terms_of_all_systems() {
        let meaning = |pairs: &[(&str, &str)]| {
            let Meaning {
                interval,
                durability,
            } = parse(pairs).unwrap().meaning();
            (interval.unwrap(), durability.unwrap())
        };
        assert_eq!(meaning(&[]), (Interval::Entries(1_000), Durability::Always));
        let never = ("checkpoint.every", "0");
        let half = Duration::from_millis(500);
        assert_eq!(
            meaning(&[never, ("sync", "interval=500ms")]),
            (Interval::Never, Durability::Within(half))
        );
        assert_eq!(
            meaning(&[never, ("checkpoint.bytes", "8MiB"), ("sync", "never")]),
            (Interval::Bytes(8 << 20), Durability::Checkpointed)
        );
        assert_eq!(
            meaning(&[never, ("checkpoint.seconds", "2m")]).0,
            Interval::Time(Duration::from_secs(120))
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_and_the_list() {
        let error = parse(&[("checkpoint.evry", "9")]).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "strata: unknown setting `checkpoint.evry`; did you mean `checkpoint.every`?; \
                 known: checkpoint.every, checkpoint.bytes,"
            ),
            "{error}"
        );
    }

    #[test]
    fn a_bad_value_is_refused_with_its_key_and_what_is_allowed() {
        for (key, value, allowed) in [
            ("checkpoint.every", "often", "a whole number from 0"),
            ("checkpoint.keep", "0", "a whole number from 1"),
            ("checkpoint.mode", "partial", "full | incremental | levels"),
            (
                "log.retention",
                "trailing",
                "discard | trailing=<entries, as 100> | keep-for-followers=<bytes, as 64MiB>",
            ),
            (
                "log.retention",
                "keep-for-followers=0",
                "discard | trailing=<entries, as 100> | keep-for-followers=<bytes, as 64MiB>",
            ),
            (
                "transfer.rate",
                "8MB/s",
                "bytes per second, as 512KiB or 8MiB",
            ),
            ("checkpoint.bytes", "8 MB", "bytes, as 4096, 64KiB or 8MiB"),
            (
                "raft.heartbeat",
                "50",
                "a time with its unit, as 50ms, 2s or 1m",
            ),
            ("reads", "fast", "linearizable | lease | local"),
            (
                "bug",
                "gremlin",
                "a name that `shakedown sim --list-bugs` prints",
            ),
            (
                "sync",
                "interval",
                "always | interval=<time, as 100ms> | never",
            ),
            (
                "sync",
                "interval=0ms",
                "always | interval=<time, as 100ms> | never",
            ),
        ] {
            assert_eq!(
                parse(&[(key, value)]).unwrap_err().to_string(),
                format!("strata: setting `{key}` can't be `{value}`; allowed: {allowed}")
            );
        }
    }

    #[test]
    fn every_default_is_an_allowed_value() {
        for setting in SETTINGS {
            assert!(
                setting.default.is_empty() || setting.form.accepts(setting.default),
                "{}",
                setting.key
            );
        }
    }
}
