//! `shakedown list`.

use crate::cli::Output;
use crate::exit::{Result, VALID};
use clap::Args;
use nemesis::Kind;
use nemesis::links::Shape;
use nemesis::members::Change;

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &List) -> Result<u8> {
    let systems = systems::list();
    if args.output.json {
        let workloads: Vec<_> = workloads::ALL
            .iter()
            .map(|workload| {
                let options: Vec<_> = workload
                    .options
                    .iter()
                    .map(|option| {
                        serde_json::json!({
                            "name": option.name, "default": option.default, "least": option.least,
                            "most": option.most, "description": option.about,
                        })
                    })
                    .collect();
                serde_json::json!({
                    "name": workload.name, "model": workload.model, "description": workload.about,
                    "options": options,
                })
            })
            .collect();
        let faults: Vec<_> = Kind::ALL
            .iter()
            .map(|kind| serde_json::json!({"name": kind.name(), "description": kind.description()}))
            .collect();
        let models: Vec<_> = checker::MODELS
            .iter()
            .map(|(name, about)| serde_json::json!({"name": name, "description": about}))
            .collect();
        let metrics: Vec<_> = results::metrics::ALL
            .iter()
            .map(|metric| {
                serde_json::json!({
                    "name": metric.name, "written_as": metric.unit.example(), "description": metric.help,
                })
            })
            .collect();
        let document = serde_json::json!({
            "systems": systems, "workloads": workloads, "faults": faults,
            "partitions": Shape::ALL.map(Shape::name), "members": Change::ALL.map(Change::name),
            "models": models, "metrics": metrics, "environments": ["netns", "loopback"],
        });
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(VALID);
    }
    println!("systems (--system)");
    for system in &systems {
        row(system.name, system.description);
        for setting in &system.settings {
            println!("      --set {}={}", setting.key, setting.default);
            println!("          {}; {}", setting.help, setting.allowed);
        }
    }
    println!("\nworkloads (--workload NAME, or NAME:OPTION=NUMBER:...)");
    for workload in workloads::ALL {
        row(workload.name, workload.about);
        for option in workload.options {
            println!("      {}={}", option.name, option.default);
            println!(
                "          {}; {} to {}",
                option.about, option.least, option.most
            );
        }
    }
    println!("\nfaults (--nemesis)");
    for kind in Kind::ALL {
        row(kind.name(), kind.description());
    }
    println!("\npartitions: {}", Shape::ALL.map(Shape::name).join(", "));
    println!("members: {}", Change::ALL.map(Change::name).join(", "));
    println!("\nenvironments (--env): auto, netns, loopback");
    println!("\nmodels (check --model)");
    for (name, about) in checker::MODELS {
        row(name, about);
    }
    println!("\nmetrics (expect: in a suite)");
    for metric in results::metrics::ALL {
        let (name, example) = (metric.name, metric.unit.example());
        println!("  {name:<31} {}, as {example}", metric.help);
    }
    Ok(VALID)
}

fn row(name: &str, about: &str) {
    println!("  {name:<14} {about}");
}
