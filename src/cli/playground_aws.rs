//! `muster playground aws`: serves the simulated organisation alone, for tools and for a bot started by hand.
//!
//! The first line it prints is JSON with the address, the control token and the base credentials.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::domain::{Millis, Region};
use crate::playground::aws::{CENTRAL, Execution, FaultName, FaultSpec, Organisation, Settings, hub_role_arn, serve};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// Member accounts; the first six are always the same
    #[arg(long, default_value_t = 6)]
    pub accounts: usize,
    /// Number of regions
    #[arg(long, default_value_t = 2)]
    pub regions: usize,
    /// Nodes of each account in each region
    #[arg(long, default_value_t = 8)]
    pub nodes: usize,
    /// The same seed gives the same organisation
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How old a signed request may be, such as `5m`
    #[arg(long, default_value = "5m", value_name = "DURATION")]
    pub request_expiry: Millis,
    /// Added before every answer, such as `20ms`
    #[arg(long, default_value = "20ms", value_name = "DURATION")]
    pub latency: Millis,
    /// Plants a fault: `NAME` or `NAME:ACCOUNT/REGION/NODE`; may be given more than once
    #[arg(long = "break", value_name = "FAULT")]
    pub faults: Vec<FaultSpec>,
    /// Runs no script: nodes answer from tables
    #[arg(long)]
    pub table: bool,
    /// How long a script takes with --table
    #[arg(long, default_value = "1s", value_name = "DURATION")]
    pub script_time: Millis,
    /// Asks for no token on the control interface
    #[arg(long)]
    pub open_control: bool,
    /// Writes the `[aws]`, `[[account]]` and `[organizations]` part of a muster.toml, and the External IDs beside it
    #[arg(long, value_name = "FILE")]
    pub write_config: Option<PathBuf>,
}

/// Regions in the order in which `--regions` takes them.
const REGIONS: [&str; 12] = [
    "eu-west-1",
    "us-east-1",
    "us-west-2",
    "ap-south-1",
    "eu-central-1",
    "ap-southeast-2",
    "us-east-2",
    "eu-north-1",
    "ap-northeast-1",
    "sa-east-1",
    "ca-central-1",
    "eu-west-2",
];

/// Serves until the process is asked to end.
pub async fn run(args: Args) -> ExitCode {
    match start(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

async fn start(args: Args) -> Result<(), String> {
    let settings = settings(&args)?;
    let organisation = Organisation::new(settings).map_err(|e| e.to_string())?;
    if let Some(why) = organisation.confinement_fault() {
        eprintln!("{why}");
    }
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .map_err(|e| format!("cannot listen on `{}`: {e}; choose another with --listen", args.listen))?;
    let running = serve(listener, organisation.clone()).await.map_err(|e| e.to_string())?;
    if let Some(path) = &args.write_config {
        write_config(path, &organisation, &running.url(), args.request_expiry)
            .map_err(|e| format!("cannot write `{}`: {e}", path.display()))?;
    }
    let base = organisation.base_credentials();
    let ready = json!({
        "address": running.url(),
        "control_token": running.control_token,
        "access_key_id": base.access_key,
        "secret_access_key": base.secret,
        "central_role": hub_role_arn(),
    });
    println!("{ready}");
    std::io::stdout().flush().map_err(|e| e.to_string())?;
    let mut term =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(|e| e.to_string())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
    running.shutdown();
    Ok(())
}

fn settings(args: &Args) -> Result<Settings, String> {
    if args.regions == 0 || args.regions > REGIONS.len() {
        return Err(format!("`--regions {}` is not between 1 and {}", args.regions, REGIONS.len()));
    }
    let regions: Result<Vec<Region>, _> = REGIONS[..args.regions].iter().map(|r| r.parse()).collect();
    let defaults = Settings::default();
    let mut faults = args.faults.clone();
    // The playground's own organisation has one account that refuses; generated ones refuse only when asked.
    if args.accounts <= 6 && args.accounts >= 5 && !faults.iter().any(|f| f.fault == FaultName::DenyAccount) {
        faults.extend(defaults.faults.clone());
    }
    Ok(Settings {
        accounts: args.accounts,
        regions: regions.map_err(|e| e.to_string())?,
        nodes: args.nodes,
        seed: args.seed,
        request_expiry: args.request_expiry,
        latency: args.latency,
        execution: if args.table { Execution::Table { script_time: args.script_time } } else { Execution::Scripts },
        faults,
        control_token: if args.open_control { None } else { defaults.control_token.clone() },
        ..defaults
    })
}

/// The part of a muster.toml that describes the organisation. External IDs are secrets, so each is a file of its own
/// in a folder beside it, readable by its owner only.
pub fn write_config(path: &Path, organisation: &Organisation, url: &str, expiry: Millis) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let folder = path.with_extension("secrets");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let folder = std::fs::canonicalize(&folder)?;
    let mut text = String::new();
    let home = organisation.settings().regions.first().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "[aws]\nregion = {home:?}\nendpoint_url = {url:?}\ncentral_role = {:?}", hub_role_arn());
    let _ = writeln!(text, "request_expiry = {:?}", format!("{}ms", expiry.0));
    let accounts = organisation.accounts().iter().filter(|m| m.configured);
    for member in accounts {
        let file = folder.join(format!("{}.external-id", member.id));
        let mut options = std::fs::OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&file)?
            .write_all(member.external_id.as_bytes())?;
        let regions: Vec<String> = member.regions.iter().map(|r| format!("{:?}", r.as_str())).collect();
        let labels: Vec<String> = member.labels.iter().map(|(k, v)| format!("{k} = {v:?}")).collect();
        let _ = writeln!(
            text,
            "\n[[account]]\nid = {:?}\nname = {:?}\nrole = {:?}\nexternal_id = {{ file = {:?} }}\nregions = [{}]\nlabels = {{ {} }}",
            member.id.as_str(),
            member.name,
            member.role_arn,
            file.display().to_string(),
            regions.join(", "),
            labels.join(", ")
        );
        // Production keeps whole outputs, the rest has what Systems Manager keeps.
        let bucket =
            organisation.settings().buckets.first().filter(|_| member.labels.get("env").is_some_and(|e| e == "prod"));
        if let Some(bucket) = bucket {
            let _ = writeln!(text, "outputs = {{ bucket = {bucket:?}, prefix = \"muster/{}\" }}", member.name);
        }
    }
    let regions: BTreeSet<String> =
        organisation.settings().regions.iter().map(|r| format!("{:?}", r.as_str())).collect();
    let _ = writeln!(
        text,
        "\n[organizations]\ndiscover = true\nrole = \"muster-runner\"\nregions = [{}]\nexclude = [{CENTRAL:?}]",
        regions.into_iter().collect::<Vec<_>>().join(", ")
    );
    std::fs::write(path, text)
}
