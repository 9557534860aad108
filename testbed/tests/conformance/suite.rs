//! Runs test cases one after another, says how each ended, and counts.

use crate::cases::{self, Outcome};
use crate::figures;
use std::path::Path;
use std::sync::Arc;
use testbed::Environment;

pub struct Suite {
    environment: String,
    filters: Vec<String>,
    passed: usize,
    failed: usize,
}

impl Suite {
    pub fn new(environment: &str, filters: &[&str]) -> Self {
        Self {
            environment: environment.to_owned(),
            filters: filters.iter().copied().map(String::from).collect(),
            passed: 0,
            failed: 0,
        }
    }

    pub fn run(&mut self, name: &str, case: impl FnOnce() -> Outcome) {
        let title = format!("{}::{name}", self.environment);
        if !self.filters.is_empty() && !self.filters.iter().any(|part| title.contains(part)) {
            return;
        }
        match case() {
            Ok(()) => {
                self.passed += 1;
                println!("test {title} ... ok");
            }
            Err(error) => {
                self.failed += 1;
                println!("test {title} ... FAILED: {error}");
            }
        }
    }

    pub fn end(self) -> Outcome {
        println!(
            "{}: {} passed; {} failed",
            self.environment, self.passed, self.failed
        );
        match self.failed {
            0 => Ok(()),
            failed => Err(format!("{failed} failed").into()),
        }
    }
}

/// Every case of [`cases`] and [`figures`], each in a fresh environment.
pub fn cases(name: &str, folder: &Path, filters: &[&str]) -> Outcome {
    let mut suite = Suite::new(name, filters);
    macro_rules! each {
        ($room:ident: $($case:ident),+ $(,)?) => {
            $( suite.run(stringify!($case), || {
                fresh(name, &folder.join(stringify!($case)), $room::$case)
            }); )+
        };
    }
    each!(
        cases:
        every_node_has_its_own_address_folder_and_name,
        a_process_is_stopped_continued_and_killed,
        a_program_that_is_missing_is_named_in_the_error,
        a_client_reaches_a_node_and_is_refused_where_none_listens,
        a_cut_stops_one_direction_only,
        heal_mends_every_link,
        a_slow_link_is_slow_or_refused_by_name,
        an_established_connection_survives_a_cut_without_losing_a_byte,
        a_connection_opened_during_a_cut_waits_for_its_end,
        bulk_data_arrives_whole,
        a_node_in_namespaces_has_its_hostname_and_knows_the_others,
        teardown_leaves_no_process,
    );
    each!(figures: info_round_trip, info_throughput, info_bulk);
    suite.end()
}

fn fresh<F>(name: &str, folder: &Path, case: impl FnOnce(Arc<dyn Environment>) -> F) -> Outcome
where
    F: Future<Output = Outcome>,
{
    crate::runtime().block_on(async {
        let env = testbed::open(name, crate::NODES, folder).await?;
        let outcome = case(env.clone()).await;
        env.teardown().await?;
        outcome
    })
}
