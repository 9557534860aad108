//! Writes down what the probes and the status polls observe.

use crate::exit::Result;
use crate::watch::Observation;
use results::Folder;
use tokio::sync::mpsc;

/// Writes observations until every sender is gone.
pub async fn write(folder: &Folder, mut observations: mpsc::UnboundedReceiver<Observation>) -> Result<()> {
    let probes = folder.append_probes()?;
    let status = folder.append_status()?;
    while let Some(observation) = observations.recv().await {
        match observation {
            Observation::Probe(probe) => probes.append(&probe)?,
            Observation::Sample(sample) => status.append(&sample)?,
        }
    }
    probes.sync()?;
    Ok(status.sync()?)
}
