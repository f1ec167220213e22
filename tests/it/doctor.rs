//! `muster doctor`, the real binary, against both simulators.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use muster::adapters::slack::methods::bot_scopes;
use muster::cli::playground_aws::write_config;
use muster::domain::Millis;
use muster::playground::aws::{FaultName, FaultSpec, Organisation, Settings, serve};
use muster::playground::slack::{Options, Server, scopes, workspace};
use serde_json::Value;

struct Installation {
    folder: tempfile::TempDir,
    organisation: Organisation,
    _aws: muster::playground::aws::Running,
    slack: Server,
}

impl Installation {
    /// Everything as it should be, but for `faults` at AWS and scopes that are not granted.
    async fn new(faults: Vec<FaultSpec>, not_granted: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let organisation = Organisation::new(Settings { faults, ..Settings::quick() }).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let aws = serve(listener, organisation.clone()).await.unwrap();
        let mut settings = workspace::Settings::default();
        settings.scopes.retain(|scope| !not_granted.contains(&scope.as_str()));
        let slack = Server::start(Options { settings, ..Options::default() }).await.unwrap();

        let config = folder.path().join("muster.toml");
        write_config(&config, &organisation, &aws.url(), Millis::from_secs(300)).unwrap();
        let aws_part = fs::read_to_string(&config).unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = format!(
            "version = 1\n[slack]\napi_url = {:?}\napp_token = {{ env = \"APP\" }}\nbot_token = {{ env = \"BOT\" }}\n\
             [paths]\nrunbooks = {:?}\npolicies = \"policies\"\nstore = \"store\"\n{aws_part}",
            slack.api_url,
            here.join("runbooks"),
        );
        // Discovery has its own test; here it would only add an account that has no role.
        let text = text[..text.find("\n[organizations]").unwrap()].to_owned();
        fs::write(&config, text).unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        let policy = fs::read_to_string(here.join("policies/default.toml")).unwrap();
        let policy = policy.replacen(
            "# channels = [\"slack:T0MUSTER:C0OPS\"]   would allow it in this channel only",
            "channels = [\"slack:T0MUSTER:C0OPS\", \"slack:T0MUSTER:C0RANDOM\", \"slack:T0MUSTER:C0GONE\"]",
            1,
        );
        fs::write(folder.path().join("policies/default.toml"), policy).unwrap();
        Installation { folder, organisation, _aws: aws, slack }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("muster.toml")
    }

    fn edit(&self, change: impl Fn(String) -> String) {
        fs::write(self.config(), change(fs::read_to_string(self.config()).unwrap())).unwrap();
    }

    async fn doctor(&self, more: &[&str]) -> Output {
        let base = self.organisation.base_credentials();
        tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(["doctor", "--config"])
            .arg(self.config())
            .args(more)
            .env_clear()
            .env("APP", &self.slack.app_token)
            .env("BOT", &self.slack.bot_token)
            .env("AWS_ACCESS_KEY_ID", base.access_key)
            .env("AWS_SECRET_ACCESS_KEY", base.secret)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .output()
            .await
            .unwrap()
    }

    /// What it printed, without this host's folder.
    fn text(&self, output: &Output) -> String {
        let shown = self.folder.path().display().to_string();
        String::from_utf8(output.stdout.clone()).unwrap().replace(&shown, "/etc/muster")
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// However many are shipped.
static RULES: std::sync::LazyLock<regex::Regex> =
    std::sync::LazyLock::new(|| regex::Regex::new(r"( )\d+ runbooks and \d+ grants").unwrap());

#[tokio::test(flavor = "multi_thread")]
async fn it_finds_the_wrong_external_id_and_the_role_that_does_not_ask_for_one() {
    let open = FaultSpec::new(FaultName::OpenTrust).account("globex-staging");
    let offline = FaultSpec::new(FaultName::OfflineNode).account("acme-prod");
    let place = Installation::new(vec![open, offline], &["im:history", "files:write"]).await;
    fs::write(place.folder.path().join("muster.secrets/222222222222.external-id"), "not-the-right-one").unwrap();

    let output = place.doctor(&[]).await;
    insta::assert_snapshot!(RULES.replace(&place.text(&output), "$1<n> runbooks and <n> grants"));
    assert_eq!(code(&output), 2);
    assert!(output.stderr.is_empty(), "a pipe gets no progress: {}", String::from_utf8_lossy(&output.stderr));
    assert!(place.organisation.sends().is_empty(), "nothing is sent to nodes");
    assert!(place.slack.workspace.world().messages.is_empty(), "nothing is said in chat");
    assert!(!place.folder.path().join("store").exists(), "and nothing is left on this host");
    let secret = String::from_utf8_lossy(&output.stdout).contains("not-the-right-one");
    assert!(!secret, "an External ID is never printed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_that_is_right_exits_with_0_and_a_program_reads_the_same() {
    let place = Installation::new(Vec::new(), &[]).await;
    let policy = place.folder.path().join("policies/default.toml");
    let text = fs::read_to_string(&policy).unwrap();
    let text = text.replace(", \"slack:T0MUSTER:C0RANDOM\", \"slack:T0MUSTER:C0GONE\"", "");
    fs::write(&policy, text).unwrap();

    let output = place.doctor(&["--json"]).await;
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(code(&output), 0, "{json:#}");
    assert_eq!(json["state"], "ok");
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(json["counts"]["ok"].as_u64().unwrap() + 1, findings.len() as u64, "only the slash command is unseen");
    let areas: BTreeSet<&str> = findings.iter().map(|f| f["area"].as_str().unwrap()).collect();
    assert_eq!(areas, BTreeSet::from(["aws", "host", "slack"]));
}

/// The simulated workspace refuses a call without its scope, by a table of its own: so every conversation that a test
/// plays shows that the manifest's scopes suffice.
#[test]
fn the_simulated_workspace_grants_what_the_manifest_asks_for_and_nothing_else() {
    assert_eq!(scopes::granted(), bot_scopes().into_iter().map(str::to_owned).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_only_the_organisation_knows_are_looked_at_and_an_open_door_is_a_warning() {
    let place = Installation::new(vec![FaultSpec::new(FaultName::OpenTrust).account("sandbox")], &[]).await;
    let discovery = "\n[organizations]\ndiscover = true\nrole = \"muster-runner\"\nregions = [\"eu-west-1\"]\n";
    place.edit(|text| text + discovery);
    let output = place.doctor(&["--account", "sandbox"]).await;
    let text = place.text(&output);
    assert!(text.contains("warning  sandbox "), "{text}");
    assert!(text.contains("is entered without any External ID: require one"), "{text}");
    assert!(text.contains("sandbox eu-west-1"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_is_looked_at_alone_and_an_unknown_one_is_named() {
    let place = Installation::new(Vec::new(), &[]).await;
    let output = place.doctor(&["--account", "acme-prod", "--account", "acme"]).await;
    let text = place.text(&output);
    assert!(text.contains("acme-prod eu-west-1") && !text.contains("globex-prod eu-west-1"), "{text}");
    assert!(text.contains("there is no such account: choose of acme-prod, acme-staging,"), "{text}");
    assert_eq!(code(&output), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_first_is_told_and_what_hangs_on_it_is_not_guessed() {
    let place = Installation::new(Vec::new(), &[]).await;
    place.edit(|text| text.replace("role/muster-hub", "role/muster-hup"));
    fs::write(place.folder.path().join("policies/default.toml"), "version = 1\n[grants]\n").unwrap();
    place.slack.stop();
    let output = place.doctor(&[]).await;
    let text = place.text(&output).replace(&place.slack.api_url, "http://slack/api");
    insta::assert_snapshot!(text);
    assert_eq!(code(&output), 2);

    place.edit(|text| text.replace("[aws]", "[aw]"));
    let output = place.doctor(&[]).await;
    let text = place.text(&output);
    assert!(text.contains("needs a configuration without faults"), "{text}");
    assert_eq!(code(&output), 2);
}
