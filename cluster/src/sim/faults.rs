//! What goes wrong, and when.

use super::World;
use super::host::HostError;
use super::invariants::Violation;
use super::world::Event;
use crate::raft::Change;
use crate::replica::{Admin, Input};
use crate::types::{Membership, ServerId};

impl World {
    /// Something goes wrong, or an operator does something.
    pub(super) fn fault(&mut self) -> Result<(), Violation> {
        let ids = self.ids();
        let one = ids[self.random(ids.len() as u64) as usize];
        match self.random(if self.options.changes { 14 } else { 10 }) {
            0 | 1 => {
                self.report.coverage.count("crash-of-one");
                self.stop(one, true);
                let pause = 20 + self.random(2_000);
                self.schedule(pause, Event::Restart(one));
            }
            2 => {
                self.report.coverage.count("kill");
                self.stop(one, false);
                let pause = 20 + self.random(1_000);
                self.schedule(pause, Event::Restart(one));
            }
            3 | 4 => {
                // In one direction or both; often until the others have compacted.
                self.report.coverage.count("isolation");
                let direction = self.random(3);
                self.network
                    .isolate(one, &ids, direction != 1, direction != 2);
                let pause = 50 + self.random(4_000);
                self.schedule(pause, Event::Mend);
            }
            5 => {
                self.report.coverage.count("partition");
                self.network.divide(&ids, &mut self.rng);
                let pause = 50 + self.random(1_500);
                self.schedule(pause, Event::Mend);
            }
            6 => {
                self.report.coverage.count("crash-of-all");
                for id in ids {
                    self.stop(id, true);
                    let pause = 20 + self.random(500);
                    self.schedule(pause, Event::Restart(id));
                }
            }
            7 => {
                self.report.coverage.count("pause");
                let until = self.now_ms + 20 + self.random(1_500);
                self.host(one).paused_until = until;
            }
            8 => {
                self.report.coverage.count("disk-error");
                let after = 1 + self.random(4);
                self.host(one).fail_disk(Some(after));
            }
            9 => {
                self.report.coverage.count("hand-over");
                self.admin(Admin::Transfer(None))?;
            }
            _ => self.change_members(one)?,
        }
        Ok(())
    }

    /// An operator changes the membership, by what the leader says it is.
    fn change_members(&mut self, one: ServerId) -> Result<(), Violation> {
        let Some(members) = self.membership() else {
            return Ok(());
        };
        if members.is_joint() {
            return Ok(());
        }
        let spare = self.ids().into_iter().find(|id| !members.contains(*id));
        let change = match (spare, members.voters.contains(&one)) {
            (Some(spare), true) if self.random(2) == 0 => {
                self.report.coverage.count("member-replaced");
                self.perhaps_wipe(spare)?;
                Change::Replace {
                    remove: one,
                    add: spare,
                    address: None,
                }
            }
            (Some(spare), _) if members.voters.len() < 4 => {
                self.report.coverage.count("member-added");
                self.perhaps_wipe(spare)?;
                Change::Add {
                    id: spare,
                    address: None,
                }
            }
            (_, true) if members.voters.len() > 3 => {
                self.report.coverage.count("member-removed");
                Change::Remove { id: one }
            }
            _ => return Ok(()),
        };
        self.admin(Admin::Change(change))
    }

    /// Who is out for good may lose its data before it comes back.
    fn perhaps_wipe(&mut self, id: ServerId) -> Result<(), Violation> {
        let out = self.hosts.values().all(|host| {
            host.replica
                .as_ref()
                .is_none_or(|replica| !replica.raft().members().contains(id))
        });
        let all_up = self.hosts.values().all(|host| host.replica.is_some());
        if out && all_up && self.random(2) == 0 {
            self.report.coverage.count("member-wiped");
            self.stop(id, false);
            self.host(id).wipe();
            self.start(id)?;
        }
        Ok(())
    }

    /// Asks the leader, as an operator would; nobody waits for the answer.
    fn admin(&mut self, request: Admin) -> Result<(), Violation> {
        let Some(leader) = self.leader() else {
            return Ok(());
        };
        self.admin_tickets += 1;
        let input = Input::Admin {
            ticket: u64::MAX - self.admin_tickets,
            request,
            timeout_ms: 5_000,
        };
        self.step(leader, input)
    }

    /// The membership as the leader has it.
    pub(super) fn membership(&self) -> Option<Membership> {
        let leader = self.leader()?;
        let replica = self.hosts[&leader].replica.as_ref()?;
        Some(replica.raft().members().clone())
    }

    /// What an error of a host means: the fault that was asked for, or a violation.
    pub(super) fn stopped_by(
        &mut self,
        id: ServerId,
        error: HostError,
        power: bool,
    ) -> Result<(), Violation> {
        if !error.is_disk() || self.network.healed {
            return Err(Violation(format!("{id} stopped: {error}")));
        }
        self.stop(id, power);
        let pause = 20 + self.random(1_000);
        self.schedule(pause, Event::Restart(id));
        Ok(())
    }
}
