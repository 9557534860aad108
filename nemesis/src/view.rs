//! What is known of the cluster at one moment: every server's own words, asked for all at once.

use crate::Context;
use futures::future::join_all;
use std::time::Duration;
use systems::ServerStatus;
use testbed::NodeId;

/// One answer; a server that takes longer does not answer.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct View {
    servers: Vec<(NodeId, Result<ServerStatus, String>)>,
}

impl View {
    /// Asks every server.
    pub async fn take(ctx: &Context) -> Self {
        let asked = ctx.env.nodes().iter().map(|node| async {
            let answer = ctx.system.status(node.id(), ANSWER_LIMIT).await;
            (node.id().clone(), answer.map_err(|error| error.to_string()))
        });
        Self {
            servers: join_all(asked).await,
        }
    }

    pub fn nodes(&self) -> Vec<NodeId> {
        self.servers.iter().map(|(node, _)| node.clone()).collect()
    }

    pub fn status(&self, node: &NodeId) -> Option<&ServerStatus> {
        let (_, answer) = self.servers.iter().find(|(other, _)| other == node)?;
        answer.as_ref().ok()
    }

    /// The server that says it leads, in the highest term of those that say so.
    pub fn leader(&self) -> Option<&NodeId> {
        let leading = self.servers.iter().filter_map(|(node, answer)| {
            let status = answer.as_ref().ok()?;
            (status.role == "leader").then_some((status.term, node))
        });
        leading.max_by_key(|(term, _)| *term).map(|(_, node)| node)
    }

    /// Why the cluster is not whole; nothing when every server answers and follows the one leader.
    pub fn blemish(&self) -> Option<String> {
        for (node, answer) in &self.servers {
            if let Err(error) = answer {
                let first = error.lines().next().unwrap_or_default();
                return Some(if first.starts_with(node.as_str()) {
                    first.to_owned()
                } else {
                    format!("{node}: {first}")
                });
            }
        }
        let Some(leader) = self.leader() else {
            return Some(format!("no server leads: {}", self.summary()));
        };
        let stray = self.servers.iter().find_map(|(node, answer)| {
            let follows = answer.as_ref().ok()?.leader.as_deref();
            (follows != Some(leader.as_str())).then_some((node, follows))
        });
        stray.map(|(node, follows)| match follows {
            Some(other) => format!("{node} follows {other}, not {leader}"),
            None => format!("{node} knows no leader"),
        })
    }

    /// One line: every server with its role.
    pub fn summary(&self) -> String {
        let roles: Vec<_> = self
            .servers
            .iter()
            .map(|(node, answer)| match answer {
                Ok(status) => format!("{node} {}", status.role),
                Err(_) => format!("{node} silent"),
            })
            .collect();
        roles.join(", ")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A cluster of `n` that follows this node.
    pub(crate) fn led_by(n: usize, leader: Option<usize>) -> View {
        let server = |i: usize| {
            let status = ServerStatus {
                role: if Some(i) == leader {
                    "leader"
                } else {
                    "follower"
                }
                .into(),
                term: 3,
                leader: leader.map(|i| format!("n{i}")),
                commit: 10,
                ..ServerStatus::default()
            };
            (NodeId::new(format!("n{i}")), Ok(status))
        };
        View {
            servers: (1..=n).map(server).collect(),
        }
    }

    #[test]
    fn a_whole_cluster_has_no_blemish_and_others_say_theirs() {
        assert_eq!(led_by(3, Some(2)).blemish(), None);
        assert_eq!(
            led_by(2, None).blemish().unwrap(),
            "no server leads: n1 follower, n2 follower"
        );
        let mut silent = led_by(3, Some(2));
        silent.servers[2].1 = Err("connection refused".into());
        assert_eq!(silent.blemish().unwrap(), "n3: connection refused");
        let mut stray = led_by(3, Some(2));
        stray.servers[0].1.as_mut().unwrap().leader = None;
        assert_eq!(stray.blemish().unwrap(), "n1 knows no leader");
    }

    #[test]
    fn of_two_that_say_they_lead_the_higher_term_does() {
        let mut view = led_by(3, Some(1));
        let newer = view.servers[2].1.as_mut().unwrap();
        (newer.role, newer.term) = ("leader".into(), 4);
        assert_eq!(view.leader().unwrap().as_str(), "n3");
    }
}
