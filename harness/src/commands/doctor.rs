//! `shakedown doctor`.

use crate::cli::Output;
use crate::exit::{HARNESS, Result, VALID};
use clap::Args;
use testbed::doctor::{self, Status, Wanted};

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &Doctor) -> Result<u8> {
    let found = doctor::examine();
    let choice = doctor::choose(Wanted::Auto);
    let code = if choice.is_ok() { VALID } else { HARNESS };
    if args.output.json {
        let choice = choice.as_ref().map_err(ToString::to_string);
        println!(
            "{}",
            serde_json::to_string_pretty(&serde_json::json!({"abilities": found, "auto": choice}))?
        );
        return Ok(code);
    }
    for capability in &found {
        let mark = match capability.status {
            Status::Works => "works",
            Status::Missing => "missing",
        };
        println!(
            "{mark:<8} {:<20} {}",
            capability.ability.to_string(),
            capability.reason
        );
        if let Some(remedy) = &capability.remedy {
            println!("{:<29} {remedy}", "");
        }
    }
    println!();
    match choice {
        Ok(choice) => println!("a run would use {}: {}", choice.name, choice.why),
        Err(error) => println!("no environment works here: {error}"),
    }
    Ok(code)
}
