//! `muster schema`: the JSON Schema of each kind of file, so that editors complete and check while people write.
//!
//! The types under `schema/` mirror the file formats for editors; what is right is what the strict readers say, and
//! tests hold that both know the same keys. A schema cannot say everything: `muster check` has the last word.

pub mod config;
pub mod policy;
pub mod runbook;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use schemars::Schema;
use schemars::generate::SchemaSettings;

/// Print the JSON Schema (draft 2020-12) of one kind of file.
///
/// With the "Even Better TOML" extension or taplo, a first line `#:schema ./runbook.schema.json` in a file makes the
/// editor complete keys and underline slips.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example:\n  muster schema runbook > runbook.schema.json")]
pub struct Args {
    /// Which file
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// runbooks/*.toml
    Runbook,
    /// policies/*.toml
    Policy,
    /// muster.toml
    Config,
}

#[must_use]
pub fn run(args: &Args) -> ExitCode {
    println!("{:#}", schema(args.kind).as_value());
    ExitCode::SUCCESS
}

#[must_use]
pub fn schema(kind: Kind) -> Schema {
    let generator = SchemaSettings::draft2020_12().into_generator();
    match kind {
        Kind::Runbook => generator.into_root_schema_for::<runbook::RunbookFile>(),
        Kind::Policy => generator.into_root_schema_for::<policy::PolicyFile>(),
        Kind::Config => generator.into_root_schema_for::<config::ConfigFile>(),
    }
}

/// The only format there is.
#[derive(Debug, Clone, Copy)]
pub struct One;

impl<'de> serde::Deserialize<'de> for One {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            1 => Ok(One),
            other => Err(serde::de::Error::custom(format!("version `{other}` is not 1"))),
        }
    }
}
impl schemars::JsonSchema for One {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        schemars::json_schema!({ "const": 1, "description": "Version of the file format" })
    }
}
