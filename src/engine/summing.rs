//! A run's summary, with the outputs it is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::Digest;
use crate::message::{rows, summary_input};
use crate::run::Run;
use crate::summary::{Summary, summarise};

use super::Services;

/// Redacted outputs by key.
pub type Texts = BTreeMap<Digest, Arc<str>>;

/// Summarises the run as it stands, with the outputs it needs. Outputs that were pruned are simply absent.
pub async fn summary_of(services: &Services, run: &Run) -> (Summary, Texts) {
    let mut texts = Texts::new();
    for key in rows::output_keys(run) {
        match services.outputs.get(run.id, &key).await {
            Ok(Some(text)) => {
                texts.insert(key, text);
            }
            Ok(None) => {}
            Err(fault) => tracing::error!(run = %run.id, %fault, "an output cannot be read"),
        }
    }
    let summary = summarise(&summary_input(run, texts.clone()));
    (summary, texts)
}
