//! Holds the orders that show a history to be linearizable against their definition, once more.
//!
//! A verdict of valid rests on them alone. They come from searches and shortcuts; here each is compared
//! with real time, and the model is stepped through it ([`linearization_while`]), which shares nothing
//! with how it was found.

use super::search::{Answer, Found};
use super::{Linearizable, Object, name};
use crate::explain::verify::linearization_while;
use crate::model::Model;
use crate::verdict::Verdict;
use serde_json::json;
use std::time::{Duration, Instant};

/// Models whose state is large step slowly, where a shortcut needed no state at all: so confirming may take
/// as long as judging did, and this.
const TIME: Duration = Duration::from_secs(1);

impl<M: Model> Linearizable<M> {
    /// The verdict on objects that all have an order, found within `judged`.
    pub(super) fn confirm(
        &self,
        objects: &[Object<'_>],
        answers: &[Found],
        judged: Duration,
    ) -> Verdict {
        let deadline = Instant::now() + TIME + judged;
        let mut confirmed = 0;
        for (object, found) in objects.iter().zip(answers) {
            let Answer::Linearizable(order) = &found.answer else {
                continue;
            };
            let order = order.iter().map(|at| *at as usize);
            let in_time = || Instant::now() < deadline;
            match linearization_while(&self.initial, &object.operations, order, in_time) {
                Ok(Some(_)) => confirmed += 1,
                Ok(None) => break,
                Err(flaw) => {
                    return Verdict::unknown(format!(
                        "{}: the order that was found does not hold, which is a defect of the checker: {flaw}",
                        name(&object.key)
                    ));
                }
            }
        }
        Verdict::valid().with("confirmed", json!(confirmed))
    }
}
