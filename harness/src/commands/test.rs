//! `shakedown test`.

use crate::cli::Test;
use crate::exit::{Failure, Result, code_of};
use crate::run::prepare;
use crate::run::session::{self, Session, Settled};
use checker::Validity;

pub fn run(args: &Test) -> Result<u8> {
    let spec = args.resolve()?;
    let checked = prepare::check(spec.clone(), args.binary.clone())?;
    prepare::wanted(&spec)?;
    if args.plan {
        return print_plan(args, &checked);
    }
    let choice = match session::settle(&checked)? {
        Settled::Here(choice) => choice,
        Settled::Done(code) => return Ok(code),
    };
    let first_seed = spec.seed.unwrap_or_else(prepare::fresh_seed);
    let runtime = super::runtime()?;
    let worst = runtime.block_on(async {
        let session = Session::begin(choice, args.output.quiet)?;
        let mut worst = Validity::Valid;
        for number in 0..args.count {
            let seed = first_seed.wrapping_add(number.into());
            let judged = session
                .run(spec.clone(), seed, args.binary.clone(), &args.store.runs)
                .await?;
            session.progress().finish();
            super::print(&judged, args.output.json)?;
            worst = worst.max(judged.results.valid);
            if session.interrupt().happened() {
                break;
            }
        }
        Ok::<_, Failure>(worst)
    })?;
    Ok(code_of(worst))
}

fn print_plan(args: &Test, checked: &prepare::Checked) -> Result<u8> {
    let first_seed = checked.spec.seed.unwrap_or_else(prepare::fresh_seed);
    for number in 0..args.count {
        let seed = first_seed.wrapping_add(number.into());
        let plan = prepare::plan(&checked.spec, &checked.kinds, seed)?;
        match args.output.json {
            true => println!("{}", serde_json::to_string(&plan)?),
            false => print!("{plan}"),
        }
    }
    Ok(crate::exit::VALID)
}
