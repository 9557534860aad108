//! Who asks for things in a simulation.

use super::invariants::Violation;
use crate::api::{Answer, ApiError, Request};
use crate::machine::Machine;
use crate::replica::Ticket;
use crate::types::ServerId;

/// Clients, each with at most one request under way, that judge in the end what they were told. Whatever is
/// random they `draw`, a number below the one that they say, so that the same seed gives the same run.
pub trait Load {
    /// How many clients there are.
    fn clients(&self) -> usize;

    /// Whether a client waits for nothing.
    fn is_idle(&self, client: usize) -> bool;

    /// The next request of an idle client, and whom it asks; nothing now if it has none.
    fn ask(
        &mut self,
        client: usize,
        servers: &[ServerId],
        now_ms: u64,
        draw: &mut dyn FnMut(u64) -> u64,
    ) -> Option<(ServerId, Ticket, Request)>;

    /// A request was answered, or its server is not there.
    fn answered(&mut self, ticket: Ticket, result: Result<Answer, ApiError>, now_ms: u64);

    /// A server is gone: nobody will hear of what was asked of it.
    fn server_gone(&mut self, server: ServerId, now_ms: u64);

    /// How many requests took effect for certain.
    fn acknowledged(&self) -> u64;

    /// Everything is healed, and the cluster makes progress: time for what is asked in the end.
    fn wind_up(&mut self) {}

    /// Whether all of that was asked and answered.
    fn is_done(&self) -> bool {
        true
    }

    /// At the end, with the state that all servers hold: whether everything was right. `None`: that could not be
    /// decided.
    fn judge(&mut self, machine: &Machine) -> Option<Result<(), Violation>>;
}
