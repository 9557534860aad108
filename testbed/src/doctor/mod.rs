//! What this machine can do, why not where it can't, and how to get it; and from that the choice of an
//! environment.
//!
//! Nothing here reads versions or guesses from settings whether something would work: each ability is
//! tried, in a child process that vanishes. Settings are only read to explain a failure.

mod attempts;
mod child;

use crate::{Error, Result, netns};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The abilities that the netns environment needs, all of them.
const NETNS_NEEDS: [Ability; 4] = [
    Ability::NetworkNamespaces,
    Ability::ProcMount,
    Ability::VirtualLinks,
    Ability::PacketSockets,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    Root,
    UserNamespaces,
    NetworkNamespaces,
    ProcMount,
    VirtualLinks,
    PacketSockets,
    LoopbackAddresses,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Works,
    Missing,
}

/// One ability of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    pub ability: Ability,
    pub status: Status,
    /// What was found.
    pub reason: String,
    /// How to get it, where it is missing and anyone needs it.
    pub remedy: Option<String>,
}

/// The environment that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// The best that works here.
    #[default]
    Auto,
    Netns,
    Loopback,
}

/// The environment that will be used, and why this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// `netns` or `loopback`.
    pub name: String,
    pub why: String,
}

/// Tries everything. Takes some milliseconds and blocks.
pub fn examine() -> Vec<Capability> {
    let mut found = vec![root()];
    found.extend(
        [
            (Ability::UserNamespaces, attempts::user_namespace as Attempt),
            (Ability::NetworkNamespaces, attempts::namespaces),
            (Ability::ProcMount, attempts::proc_mount),
            (Ability::VirtualLinks, attempts::veth),
            (Ability::PacketSockets, attempts::packet_socket),
            (Ability::LoopbackAddresses, loopback_address),
        ]
        .map(|(ability, attempt)| capability(ability, attempt())),
    );
    found
}

/// Settles on an environment; an error says what the wanted one lacks and how to get it.
pub fn choose(wanted: Wanted) -> Result<Choice> {
    if netns::is_inside() {
        return settle(wanted, &[]);
    }
    settle(wanted, &examine())
}

/// The decision, on what was found. An ability that is not listed counts as working.
fn settle(wanted: Wanted, found: &[Capability]) -> Result<Choice> {
    let lacking = |needs: &[Ability]| {
        found
            .iter()
            .find(|found| found.status == Status::Missing && needs.contains(&found.ability))
    };
    let choice = |name: &str, why: String| Choice {
        name: name.to_owned(),
        why,
    };
    let no_netns = lacking(&NETNS_NEEDS);
    let no_loopback = lacking(&[Ability::LoopbackAddresses]);
    match (wanted, no_netns, no_loopback) {
        (Wanted::Auto, None, _) => Ok(choice(
            "netns",
            "the best environment, and it works here".into(),
        )),
        (Wanted::Netns, None, _) => Ok(choice("netns", "asked for".into())),
        (Wanted::Loopback, _, None) => Ok(choice("loopback", "asked for".into())),
        (Wanted::Auto, Some(missing), None) => Ok(choice(
            "loopback",
            format!("netns does not work here: {missing}"),
        )),
        (Wanted::Netns, Some(missing), _) | (Wanted::Auto | Wanted::Loopback, _, Some(missing)) => {
            Err(Error::Unsupported(missing.to_string()))
        }
    }
}

type Attempt = fn() -> std::io::Result<()>;

fn root() -> Capability {
    let uid = geteuid();
    let (status, reason) = match uid.is_root() {
        true => (Status::Works, "this is the root user".to_owned()),
        false => (Status::Missing, format!("this is user {uid}")),
    };
    Capability {
        ability: Ability::Root,
        status,
        reason,
        remedy: None,
    }
}

fn capability(ability: Ability, outcome: std::io::Result<()>) -> Capability {
    match outcome {
        Ok(()) => Capability {
            ability,
            status: Status::Works,
            reason: "tried".into(),
            remedy: None,
        },
        Err(error) => Capability {
            ability,
            status: Status::Missing,
            reason: error.to_string(),
            remedy: Some(remedy(ability)),
        },
    }
}

fn loopback_address() -> std::io::Result<()> {
    std::net::TcpListener::bind("127.64.0.1:0").map(drop)
}

fn remedy(ability: Ability) -> String {
    const CONTAINER: &str = "in a container, give it --privileged or \
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined";
    match ability {
        Ability::Root => "not needed where user namespaces work".into(),
        Ability::UserNamespaces | Ability::NetworkNamespaces => match forbidding_setting() {
            Some((setting, value)) => {
                format!("as root: sysctl -w {setting}={value}; or run as root")
            }
            None => format!("run as root; {CONTAINER}"),
        },
        Ability::ProcMount => "parts of /proc are hidden, as in containers: give it \
             --security-opt systempaths=unconfined, or --privileged"
            .into(),
        Ability::VirtualLinks => "a kernel with CONFIG_VETH (as root: modprobe veth)".into(),
        Ability::PacketSockets => {
            format!("a kernel with CONFIG_PACKET (as root: modprobe af_packet); {CONTAINER}")
        }
        Ability::LoopbackAddresses => {
            "bring up the interface lo (as root: ip link set lo up)".into()
        }
    }
}

/// A setting of this machine that forbids user namespaces, and the value that allows them.
fn forbidding_setting() -> Option<(&'static str, &'static str)> {
    [
        ("user.max_user_namespaces", "0", "15000"),
        ("user.max_net_namespaces", "0", "15000"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ]
    .into_iter()
    .find(|(setting, forbidding, _)| {
        let path = format!("/proc/sys/{}", setting.replace('.', "/"));
        std::fs::read_to_string(path).is_ok_and(|value| value.trim() == *forbidding)
    })
    .map(|(setting, _, allowing)| (setting, allowing))
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Root => "root",
            Self::UserNamespaces => "user-namespaces",
            Self::NetworkNamespaces => "network-namespaces",
            Self::ProcMount => "proc-mount",
            Self::VirtualLinks => "virtual-links",
            Self::PacketSockets => "packet-sockets",
            Self::LoopbackAddresses => "loopback-addresses",
        })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.ability, self.reason)?;
        match &self.remedy {
            Some(remedy) => write!(f, " ({remedy})"),
            None => Ok(()),
        }
    }
}

impl FromStr for Wanted {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "netns" => Ok(Self::Netns),
            "loopback" => Ok(Self::Loopback),
            other => Err(Error::Unsupported(format!(
                "no environment {other}: there are auto, netns, loopback"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(ability: Ability) -> Capability {
        capability(ability, Err(std::io::Error::from_raw_os_error(1)))
    }

    #[test]
    fn auto_prefers_netns_and_falls_back_with_the_reason() {
        assert_eq!(settle(Wanted::Auto, &[]).unwrap().name, "netns");
        let fallback = settle(Wanted::Auto, &[missing(Ability::ProcMount)]).unwrap();
        assert_eq!(fallback.name, "loopback");
        assert!(
            fallback.why.contains("proc-mount: Operation not permitted"),
            "{fallback:?}"
        );
    }

    #[test]
    fn user_namespaces_alone_are_not_needed_by_root() {
        let found = [missing(Ability::UserNamespaces)];
        assert_eq!(settle(Wanted::Auto, &found).unwrap().name, "netns");
    }

    #[test]
    fn a_wanted_environment_that_does_not_work_is_refused_with_the_remedy() {
        let found = [missing(Ability::PacketSockets)];
        let error = settle(Wanted::Netns, &found).unwrap_err().to_string();
        assert!(
            error.contains("packet-sockets") && error.contains("CONFIG_PACKET"),
            "{error}"
        );
        assert_eq!(settle(Wanted::Loopback, &found).unwrap().name, "loopback");
    }

    #[test]
    fn examining_changes_nothing_for_the_caller() {
        let namespaces = || {
            ["net", "user", "mnt", "uts", "pid_for_children"]
                .map(|kind| std::fs::read_link(format!("/proc/thread-self/ns/{kind}")).unwrap())
        };
        let before = namespaces();
        let found = examine();
        assert_eq!(namespaces(), before);
        assert_eq!(found.len(), 7);
        for capability in found {
            println!("{capability}");
        }
    }

    #[test]
    fn an_unknown_environment_is_answered_with_the_known_ones() {
        let error = "docker".parse::<Wanted>().unwrap_err().to_string();
        assert!(error.contains("auto, netns, loopback"), "{error}");
    }
}
