//! Writes down what the probes and the status polls observe.

use crate::exit::Result;
use crate::watch::Observation;
use results::observe::{Probe, Sample};
use results::{Folder, folder};
use tokio::sync::mpsc;

/// The files of observations.
pub struct Lines {
    probes: folder::Lines<Probe>,
    status: folder::Lines<Sample>,
}

impl Lines {
    pub fn open(folder: &Folder) -> Result<Self> {
        Ok(Self {
            probes: folder.append_probes()?,
            status: folder.append_status()?,
        })
    }

    /// Writes until every sender is gone.
    pub async fn write(self, mut observations: mpsc::UnboundedReceiver<Observation>) -> Result<()> {
        while let Some(observation) = observations.recv().await {
            match observation {
                Observation::Probe(probe) => self.probes.append(&probe)?,
                Observation::Sample(sample) => self.status.append(&sample)?,
            }
        }
        self.probes.sync()?;
        Ok(self.status.sync()?)
    }
}
