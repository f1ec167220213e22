//! What the subcommands for operators share: which running Muster is asked, and how its answer is printed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::adapters::host;
use crate::config::Config;
use crate::ports::Order;

use super::terminal::Terminal;

/// Which Muster.
#[derive(Debug, clap::Args)]
pub struct Where {
    /// The configuration of the Muster that runs; only `[paths] store` of it is read
    #[arg(long, env = "MUSTER_CONFIG", default_value = "muster.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Its store's folder, in place of the configuration's
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
}

impl Where {
    fn store(&self) -> Result<PathBuf, String> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let text = std::fs::read_to_string(&self.config).map_err(|fault| {
            format!(
                "`{}` cannot be read: {fault}; name the configuration with --config FILE, or the store with --store DIR",
                self.config.display()
            )
        })?;
        // Secrets are not looked up, and faults elsewhere in the file do not matter now.
        let paths = Config::paths(&self.config, &text);
        Ok(if paths.store.as_os_str().is_empty() { Path::new(".").to_owned() } else { paths.store })
    }
}

/// Asks, and prints what was said.
pub fn order(at: &Where, order: &Order) -> ExitCode {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(fault) => return super::complain(fault),
    };
    let answer = match at.store() {
        Ok(store) => runtime.block_on(host::call(&store, order)).map_err(|fault| fault.to_string()),
        Err(fault) => Err(fault),
    };
    match answer {
        Ok(answer) => {
            print!("{}", Terminal::stdout().titled(&answer.text));
            if answer.done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(fault) => super::complain(fault),
    }
}
