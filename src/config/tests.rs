use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::*;

struct Fake(BTreeMap<&'static str, &'static str>);

impl Environment for Fake {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|v| (*v).to_owned())
    }
    fn read(&self, path: &Path) -> io::Result<String> {
        let found = self.0.get(path.to_str().unwrap_or_default()).map(|v| (*v).to_owned());
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }
}

fn environment() -> Fake {
    Fake(BTreeMap::from([("APP", "xapp-play"), ("BOT", "xoxb-play"), ("EMPTY", ""), ("conf/ids/acme", "acme-7f3k\n")]))
}

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("conf/muster.toml"), text, &environment())
        .map_err(|faults| faults.iter().map(|f| format!("{f}\n")).collect())
}

const GOOD: &str = r#"
version = 1
[slack]
app_token = { env = "APP" }
bot_token = { env = "BOT" }
[aws]
region = "eu-west-1"
central_role = "arn:aws:iam::999999999999:role/muster-hub"
boundary_tag = { key = "Muster", value = "allowed" }
[[account]]
id = "011111111111"
name = "acme-prod"
role = "muster-runner"
external_id = { file = "ids/acme" }
regions = ["eu-west-1", "us-east-1"]
labels = { customer = "acme", env = "prod" }
[[account]]
id = "222222222222"
name = "acme-staging"
role = "arn:aws:iam::222222222222:role/ops/muster-runner"
[organizations]
discover = true
role = "muster-runner"
exclude = ["999999999999"]
[paths]
store = "/var/lib/muster"
[metrics]
listen = "127.0.0.1:9464"
"#;

#[test]
fn a_whole_configuration_is_read_and_its_secrets_are_looked_up_but_never_shown() {
    let config = parse(GOOD).unwrap();
    let slack = config.slack.as_ref().unwrap();
    assert_eq!((slack.command.as_str(), slack.api_url.as_str()), ("/runbook", SLACK_API));
    assert_eq!(slack.bot_token.reveal(), "xoxb-play");
    assert_eq!(config.accounts[0].account.id.as_str(), "011111111111");
    assert_eq!(config.accounts[0].external_id.as_ref().unwrap().reveal(), "acme-7f3k");
    assert_eq!(config.accounts[1].account.regions, std::slice::from_ref(&config.aws.region));
    assert_eq!(config.aws.request_expiry, REQUEST_EXPIRY);
    assert_eq!(config.paths.runbooks, Path::new("conf/runbooks"));
    assert_eq!(config.paths.store, Path::new("/var/lib/muster"));
    assert_eq!(config.store.keep_outputs, KEEP_OUTPUTS);
    assert!(!format!("{config:?}").contains("xoxb-play"));
}

const DISCORD: &str = "[discord]\napplication_id = \"1100000000000000010\"\nbot_token = { env = \"BOT\" }\n[aws]";

#[test]
fn discord_stands_beside_slack_or_alone_and_has_the_same_command() {
    let both = parse(&GOOD.replace("[aws]", DISCORD)).unwrap();
    let discord = both.discord.as_ref().unwrap();
    assert_eq!((discord.command.as_str(), discord.api_url.as_str()), ("/runbook", DISCORD_API));
    assert_eq!(discord.application_id, "1100000000000000010");
    let named = GOOD.replace("[slack]", "[slack]\ncommand = \"/ops\"").replace("[aws]", DISCORD);
    assert_eq!(parse(&named).unwrap().discord.unwrap().command, "/ops", "it is named once");
    let twice = named.replace("[discord]", "[discord]\ncommand = \"/runbook\"");
    assert!(parse(&twice).unwrap_err().contains("name both alike"));
    let alone = GOOD.replace("[slack]\napp_token = { env = \"APP\" }\nbot_token = { env = \"BOT\" }\n[aws]", DISCORD);
    let alone = parse(&alone).unwrap();
    assert!(alone.slack.is_none());
    assert_eq!(alone.command(), "/runbook");
}

#[test]
fn what_discord_cannot_be_reached_with_is_said_before_anybody_tries() {
    for (good, bad, says) in [
        ("\"1100000000000000010\"", "\"muster\"", "is not the id of an application"),
        ("application_id = \"1100000000000000010\"", "", "application_id"),
        ("bot_token = { env = \"BOT\" }", "", "DISCORD_BOT_TOKEN"),
        ("bot_token = { env = \"BOT\" }", "bot_token = { env = \"EMPTY\" }", "EMPTY"),
        ("[discord]", "[discord]\napi_url = \"http://discord.example\"", "in the clear"),
        ("[discord]", "[discord]\ncommand = \"runbook\"", "is not a slash command"),
    ] {
        let text = GOOD.replace("[aws]", &DISCORD.replace(good, bad));
        let faults = parse(&text).unwrap_err();
        assert!(faults.contains(says), "{bad}: {faults}");
    }
}

#[test]
fn the_request_expiry_is_lower_only_against_another_endpoint() {
    let with = |lines: &str| parse(&GOOD.replace("central_role", &format!("{lines}\ncentral_role")));
    assert!(with("request_expiry = \"5s\"\nendpoint_url = \"http://127.0.0.1:4566\"").is_ok());
    assert!(with("request_expiry = \"5s\"").unwrap_err().contains("only where `endpoint_url` is set"));
    assert!(with("request_expiry = \"6m\"\nendpoint_url = \"http://127.0.0.1:4566\"").is_err());
    assert!(with("endpoint_url = \"http://aws.example.com\"").unwrap_err().contains("in the clear"));
}

#[test]
fn every_fault_of_a_bad_configuration_is_told_at_once_and_no_secret_with_it() {
    let plain = concat!("xoxb-", "1234567890");
    let text = format!(
        r#"
version = 1
[slack]
command = "runbook"
api_url = "ftp://x"
app_token = {{ env = "BOT" }}
bot_token = "{plain}"
tokn = 1
[aws]
region = "eu-west"
central_role = "muster-hub"
reads_per_second = "many"
[[account]]
id = 11111111111
name = "acme prod"
role = "arn:aws:iam::222222222222:role/x"
external_id = "plain"
[[account]]
id = "333333333333"
name = "globex"
role = "arn:aws:iam::222222222222:role/x"
external_id = {{ env = "NOT_SET" }}
regions = []
[[account]]
id = "333333333333"
name = "globex"
role = "no role"
external_id = {{ file = "gone", env = "APP" }}
[[account]]
external_id = {{ env = "EMPTY" }}
[organizations]
discover = true
role = "arn:aws:iam::222222222222:role/x"
[metrics]
listen = "here"
"#
    );
    let said = parse(&text).unwrap_err();
    assert!(!said.contains(plain));
    insta::assert_snapshot!(said, @r#"
    conf/muster.toml:4:11: `slack.command`: `runbook` is not a slash command
      write it like `"/runbook"`
    conf/muster.toml:5:11: `slack.api_url`: `ftp://x` is not an address such as `https://…`
      leave it out for `https://slack.com/api`
    conf/muster.toml:6:13: `slack.app_token` does not start with `xapp-`, as Slack's app-level tokens do
      check whether the two tokens are swapped
    conf/muster.toml:7:13: `slack.bot_token` must not stand in the file itself
      write `{ env = "NAME" }` or `{ file = "PATH" }`, and replace the value if the file was shared: it is no secret any more
    conf/muster.toml:8:1: unknown key `tokn` in `slack`
      known here: `api_url`, `app_token`, `bot_token` or `command`
    conf/muster.toml:10:10: `aws.region`: `eu-west` is not an AWS region such as `eu-west-1`
      write it like `"eu-west-1"`
    conf/muster.toml:11:16: `muster-hub` is not the ARN of a role
      write it like `arn:aws:iam::999999999999:role/muster-hub`
    conf/muster.toml:12:20: `aws.reads_per_second` is `many`
      use a number from `0.1` to `100`
    conf/muster.toml:14:6: `account[0].id`: expected text, found an integer
      account ids are text, because a number would lose its leading zeros: write `"11111111111"`
    conf/muster.toml:15:8: `acme prod` is not an account name: letters, digits, `-`, `_` and `.`
      write it like `acme-prod`
    conf/muster.toml:17:15: `account[0].external_id` must not stand in the file itself
      write `{ env = "NAME" }` or `{ file = "PATH" }`, and replace the value if the file was shared: it is no secret any more
    conf/muster.toml:21:8: the role is in account `222222222222`, not in `333333333333`
      write the role's name alone, or correct one of the two
    conf/muster.toml:22:15: `account[1].external_id`: the environment variable `NOT_SET` is not set
      set it for this process, or name another place
    conf/muster.toml:23:11: `account[1].regions` is empty, so nothing is there
      name one, or take the key out
    conf/muster.toml:25:6: there is an account `333333333333` before this one
      keep one
    conf/muster.toml:26:8: there is an account named `globex` before this one
      give each account its own name; people select by it
    conf/muster.toml:27:8: `no role` is not the name of a role
      write it like `muster-runner`
    conf/muster.toml:28:15: `account[2].external_id` names two places
      keep `env` or `file`
    conf/muster.toml:29:1: `account[3].id` is missing
      add `id = "012345678901"`
    conf/muster.toml:29:1: `account[3].name` is missing
      add `name = "…"`
    conf/muster.toml:29:1: `account[3].role` is missing
      add `role = "…"`
    conf/muster.toml:30:15: `account[3].external_id`: `EMPTY` is empty
      put the secret there
    conf/muster.toml:33:8: `arn:aws:iam::222222222222:role/x` is an ARN, but every account has a role of its own
      write the role's name, the same in every account
    conf/muster.toml:35:10: `metrics.listen`: `here` is not an address with a port
      write it like `"127.0.0.1:9464"`
    "#);
}

#[test]
fn nothing_at_all_says_what_to_write_first() {
    insta::assert_snapshot!(parse("").unwrap_err(), @r#"
    conf/muster.toml:1:1: `version` is missing
      add `version = 1`
    conf/muster.toml:1:1: `aws` is missing
      add a table `[aws]`
    conf/muster.toml:1:1: `account` is missing
      add `[[account]]` with `id`, `name` and `role`, or `[organizations]` with `discover = true`
    "#);
    insta::assert_snapshot!(parse("version = 1\n[aws]\nregion = 'eu-west-1'\n[slack]\n").unwrap_err(), @r#"
    conf/muster.toml:1:1: `account` is missing
      add `[[account]]` with `id`, `name` and `role`, or `[organizations]` with `discover = true`
    conf/muster.toml:4:1: `slack.app_token` is missing
      add `app_token = { env = "SLACK_APP_TOKEN" }`
    conf/muster.toml:4:1: `slack.bot_token` is missing
      add `bot_token = { env = "SLACK_BOT_TOKEN" }`
    "#);
    let missing = Config::load(Path::new("conf/none.toml"), &environment()).unwrap_err();
    assert_eq!(missing[0].remedy, "name the configuration with `--config FILE` or `MUSTER_CONFIG`");
}

#[test]
fn references_can_be_checked_without_the_secrets() {
    let path = Path::new("conf/muster.toml");
    assert!(Config::parse(path, GOOD, &NotLookedUp).is_ok());
    assert!(Config::parse(path, &GOOD.replace("{ env = \"APP\" }", "'x'"), &NotLookedUp).is_err());
}

#[test]
fn outputs_are_kept_for_a_day_at_least() {
    let with = |keep: &str| parse(&format!("{GOOD}\n[store]\nkeep_outputs = \"{keep}\"\n"));
    assert_eq!(with("30d").unwrap().store.keep_outputs, Millis::from_secs(30 * 86_400));
    let told = with("90m").unwrap_err();
    assert!(told.contains("`store.keep_outputs` is") && told.contains("use at least `1d`"), "{told}");
}

#[test]
fn two_accounts_do_not_keep_their_outputs_in_one_place() {
    let with = |place: &str| {
        let one = GOOD.replace("labels = {", "outputs = { bucket = \"acme-outputs\" }\nlabels = {");
        let other = "\n[[account]]\nid = \"999999999999\"\nname = \"other\"\nrole = \"muster-runner\"\nexternal_id = { env = \"OTHER\" }\n";
        parse(&format!("{one}{other}outputs = {{ bucket = \"acme-outputs\"{place} }}\n"))
    };
    let told = with("").unwrap_err();
    assert!(told.contains("keeps its outputs in `acme-outputs/muster` too"), "{told}");
    assert!(told.contains("give each account a prefix of its own"), "{told}");
    assert!(
        !with(", prefix = \"other\"").map_or_else(|told| told.to_string(), |_| String::new()).contains("outputs in")
    );
}

#[test]
fn an_account_may_name_a_bucket_for_whole_outputs() {
    let with = |outputs: &str| parse(&GOOD.replace("labels = {", &format!("outputs = {outputs}\nlabels = {{")));
    let bucket = |text: &str| with(text).unwrap().accounts[0].outputs.clone().unwrap();
    let least = bucket("{ bucket = \"acme-outputs\" }");
    assert_eq!(
        (least.name.as_str(), least.prefix.as_str(), least.region.as_str()),
        ("acme-outputs", "muster", "eu-west-1")
    );
    let whole = bucket("{ bucket = \"acme.outputs\", prefix = \"ops/muster_1\", region = \"us-east-1\" }");
    assert_eq!((whole.prefix.as_str(), whole.region.as_str()), ("ops/muster_1", "us-east-1"));
    assert!(parse(GOOD).unwrap().accounts.iter().all(|a| a.outputs.is_none()));
    let mut told = String::new();
    for bad in [
        "{ prefix = \"muster\" }",
        "{ bucket = \"Acme_Outputs\", prefix = \"/muster/\", region = \"eu\", key = \"x\" }",
        "{ bucket = \"acme-outputs\", prefix = \"*\" }",
        "{ bucket = \"acme-outputs\", prefix = \"a/../b\" }",
        "\"acme-outputs\"",
    ] {
        told += &with(bad).unwrap_err();
    }
    insta::assert_snapshot!(told, @r#"
    conf/muster.toml:16:11: `account[0].outputs.bucket` is missing
      name the bucket, such as `bucket = "acme-muster-outputs"`
    conf/muster.toml:16:22: `account[0].outputs.bucket`: `Acme_Outputs` is not the name of a bucket
      write it like `"acme-muster-outputs"`
    conf/muster.toml:16:47: `account[0].outputs.prefix`: `/muster/` is not a prefix of keys
      write it like `"muster"` or `"muster/acme-prod"`
    conf/muster.toml:16:68: `account[0].outputs.region`: `eu` is not an AWS region such as `eu-west-1`
      write it like `"eu-west-1"`
    conf/muster.toml:16:74: unknown key `key` in `account[0].outputs`
      known here: `bucket`, `prefix` or `region`
    conf/muster.toml:16:47: `account[0].outputs.prefix`: `*` is not a prefix of keys
      write it like `"muster"` or `"muster/acme-prod"`
    conf/muster.toml:16:47: `account[0].outputs.prefix`: `a/../b` is not a prefix of keys
      write it like `"muster"` or `"muster/acme-prod"`
    conf/muster.toml:16:11: `account[0].outputs`: expected a table, found text
      write `[outputs]` on a line of its own, or `{ key = … }`
    "#);
}
