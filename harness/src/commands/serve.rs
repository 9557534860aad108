//! `shakedown serve`.

use crate::cli::{Output, Store};
use crate::exit::{self, Result};
use crate::serve;
use clap::Args;
use std::io::Write as _;

#[derive(Debug, Args)]
pub struct Serve {
    /// Address to listen on; loopback only. Port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8742")]
    pub listen: String,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &Serve) -> Result<u8> {
    let address = serve::address(&args.listen)?;
    let store = serve::store::Store::new(args.store.runs.clone());
    let runs = args.store.runs.display().to_string();
    super::runtime()?.block_on(serve::serve(store, address, |address| {
        let url = format!("http://{address}/");
        let line = match args.output.json {
            true => serde_json::json!({ "url": url, "runs": runs }).to_string(),
            false => format!("{url} shows the runs in {runs}; end with Ctrl-C"),
        };
        // Whoever closed our output can still open the pages.
        let _ = writeln!(std::io::stdout(), "{line}");
    }))?;
    Ok(exit::VALID)
}
