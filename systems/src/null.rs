//! A system that answers at once from the harness's own memory.
//!
//! The reference store ([`checker::store`]) behind one lock, so it knows every operation and every history it gives is
//! right. It runs no process and needs no environment: what remains of a run is the harness's own cost.

use crate::{Client, Error, Result, ServerStatus, SettingDoc, System};
use async_trait::async_trait;
use checker::store::Store;
use checker::{Op, Outcome};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use testbed::{Environment, NodeId, Process};

pub const NAME: &str = "null";

/// See the module.
#[derive(Default)]
pub struct Null {
    store: Arc<Mutex<Store>>,
}

struct NullClient {
    store: Arc<Mutex<Store>>,
}

impl Null {
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Client for NullClient {
    async fn invoke(&mut self, op: &Op, _deadline: Duration) -> Outcome {
        // A panic can't leave the store half changed, so a poisoned lock is as good as a healthy one.
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        match store.apply(op) {
            Ok(ret) => Outcome::Ok(ret),
            Err(reason) => Outcome::Fail(reason),
        }
    }

    fn disconnect(&mut self) {}
}

#[async_trait]
impl System for Null {
    fn name(&self) -> &'static str {
        NAME
    }

    fn supports(&self, _op: &Op) -> bool {
        true
    }

    fn settings(&self) -> Vec<SettingDoc> {
        Vec::new()
    }

    fn runs_processes(&self) -> bool {
        false
    }

    async fn setup(&self, _env: Arc<dyn Environment>) -> Result<()> {
        Ok(())
    }

    async fn start(&self, _node: &NodeId) -> Result<Process> {
        Err(Error::Failed("null runs no process to start".into()))
    }

    async fn stop(&self, _node: &NodeId) -> Result<()> {
        Ok(())
    }

    fn process(&self, _node: &NodeId) -> Option<Process> {
        None
    }

    fn forget(&self, _node: &NodeId) {}

    async fn wipe(&self, _node: &NodeId) -> Result<()> {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Store::default();
        Ok(())
    }

    fn kill_loses_unsynced(&self) -> bool {
        false
    }

    async fn ready(&self, _limit: Duration) -> Result<()> {
        Ok(())
    }

    async fn connect(&self, _node: &NodeId) -> Result<Box<dyn Client>> {
        Ok(Box::new(NullClient {
            store: Arc::clone(&self.store),
        }))
    }

    async fn status(&self, node: &NodeId, _limit: Duration) -> Result<ServerStatus> {
        let index = self
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .changes();
        Ok(ServerStatus {
            role: "leader".into(),
            term: 1,
            leader: Some(node.to_string()),
            commit: index,
            applied: index,
            first_index: 1,
            last_index: index,
            ..ServerStatus::default()
        })
    }

    fn log_files(&self, _node: &NodeId) -> Vec<PathBuf> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::{Key, Reason, Ret, Value};

    #[tokio::test]
    async fn clients_of_all_nodes_share_one_register_and_list_store() {
        let system = Null::new();
        let limit = Duration::from_secs(1);
        let mut one = system.connect(&NodeId::new("n1")).await.unwrap();
        let mut two = system.connect(&NodeId::new("n2")).await.unwrap();
        let key = Key::from(7);
        let read = Op::Read { key: key.clone() };
        let cas = |from: i64, to: i64| Op::Cas {
            key: Key::from(7),
            from: from.into(),
            to: to.into(),
        };

        assert_eq!(
            two.invoke(&read, limit).await,
            Outcome::Ok(Ret::Value(Value::Nil))
        );
        let write = Op::Write {
            key: key.clone(),
            value: 1.into(),
        };
        assert_eq!(one.invoke(&write, limit).await, Outcome::Ok(Ret::Done));
        assert_eq!(two.invoke(&cas(1, 2), limit).await, Outcome::Ok(Ret::Done));
        assert_eq!(
            one.invoke(&cas(1, 3), limit).await,
            Outcome::Fail(Reason::new("cas-mismatch: holds 2"))
        );
        let append = Op::Append {
            key: key.clone(),
            value: 5,
        };
        assert_eq!(one.invoke(&append, limit).await, Outcome::Ok(Ret::Done));
        assert_eq!(
            two.invoke(&Op::List { key }, limit).await,
            Outcome::Ok(Ret::List(vec![5]))
        );
        assert_eq!(
            one.invoke(&read, limit).await,
            Outcome::Ok(Ret::Value(2.into()))
        );
    }
}
