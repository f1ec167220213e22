//! The whole bot by what people type and read: conversation files played by the real binary against the simulators.
//!
//! `tests/conversations/*.conversation` say what is typed and what must be seen; what their `snapshot` steps saw is
//! compared with `tests/conversations/snapshots`. Conversations of one stage share a process, because starting one takes
//! seconds; none needs another to have been played. `cargo insta review` takes new texts over.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use muster::playground::conversation::normalise::normalise;

/// Where a conversation is played. The description is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Platform {
    Slack,
    Discord,
}

/// What cannot be played at Discord from the same description, each with the rule of the platform that forces it.
const NOT_AT_DISCORD: &[(&str, &str)] = &[
    ("home", "Discord has no page of a person's own with a bot"),
    ("picker", "a modal neither changes while it is open nor follows another, and it has no field to search in"),
    ("shared-channel", "a channel belongs to one guild; people of another are foreign by their guild"),
    ("foreign-click", "a channel belongs to one guild, so people of another never see its cards"),
    ("line-break", "a field of a slash command is one line, in which a pasted break becomes a space"),
    ("slack-outage", "who cannot be heard is told so by the platform itself: `discord-outage` has its words"),
    ("slack-down-at-start", "who cannot be heard is told so by the platform itself: `discord-outage` has its words"),
];
/// The same the other way round.
const NOT_AT_SLACK: &[(&str, &str)] = &[
    ("discord-outage", "who cannot be heard is told so by the platform itself: `slack-outage` has its words"),
    (
        "unknown-guild",
        "an app is installed for one workspace and hears of no other but in shared channels: `shared-channel`",
    ),
];

/// Conversations played by one process, and how it was started.
struct Stage {
    name: &'static str,
    options: fn(&Path) -> Vec<String>,
    conversations: &'static [&'static str],
    /// At Slack, and at Discord.
    played: [OnceLock<Played>; 2],
}

impl Stage {
    const fn new(
        name: &'static str,
        options: fn(&Path) -> Vec<String>,
        conversations: &'static [&'static str],
    ) -> Stage {
        Stage { name, options, conversations, played: [OnceLock::new(), OnceLock::new()] }
    }

    /// Each stage is played once on each platform.
    fn at(&self, platform: Platform) -> &Played {
        self.played[platform as usize].get_or_init(|| play(self, platform))
    }

    fn played_at(&self, platform: Platform) -> impl Iterator<Item = &'static str> {
        self.conversations.iter().copied().filter(move |name| is_played(name, platform))
    }
}

/// An ordinary day.
static ORDINARY: Stage = Stage::new(
    "ordinary",
    |_| Vec::new(),
    &[
        "unknown-runbook",
        "bad-arguments",
        "nothing-matches",
        "wrong-external-id",
        "not-in-channel",
        "unknown-guild",
        "shared-channel",
        "hostile-words",
        "line-break",
        "clicks",
        "narrow",
        "expired-credentials",
        "slack-outage",
        "discord-outage",
        "automation",
        "long-output",
        "details",
        "doors",
        "canary",
        "budget",
        "cancel",
        "two-runs",
        "reboot",
    ],
);
/// A runbook with a gate and a way back, made of a shipped one.
static CONTROL: Stage = Stage::new("control", control, &["gate", "way-back", "way-back-unknown", "removed"]);
/// What a newcomer meets first. The own page tells of all runs of a person, and a form starts from the last values, so
/// the page comes first and no other conversation is played there.
static PAGE: Stage = Stage::new("page", |_| Vec::new(), &["home", "picker"]);
/// Large accounts, and a policy that shows outputs to a partner organisation.
static LARGE: Stage = Stage::new("large", large, &["too-many", "foreign-click"]);
/// Production is frozen for a long time.
static FREEZING: Stage = Stage::new("freezing", freezing, &["freeze"]);
/// The same, and whoever has a reason may break the glass.
static EMERGENCY: Stage = Stage::new("emergency", emergency, &["break-glass"]);
/// Slack cannot be reached for the first seconds.
static DOWN: Stage = Stage::new("down", |_| vec!["--break".into(), "refused".into()], &["slack-down-at-start"]);
/// Everything is halted now and then, which others need not meet.
static HALTING: Stage = Stage::new("halting", |_| Vec::new(), &["halt"]);
/// The files that every run depends on were broken at the start.
static BROKEN: Stage = Stage::new("broken", broken, &["no-rules"]);

fn broken(_: &Path) -> Vec<String> {
    let folder = |kind: &str| [format!("--{kind}"), format!("tests/fixtures/malformed/{kind}")];
    [folder("runbooks"), folder("policies")].concat()
}

/// The shipped policy and one file more.
fn policy_with(folder: &Path, name: &str, text: &str) -> Vec<String> {
    let policies = folder.join("policies");
    std::fs::create_dir_all(&policies).unwrap();
    std::fs::copy(root().join("policies/default.toml"), policies.join("default.toml")).unwrap();
    std::fs::write(policies.join(name), text).unwrap();
    let option = |name: &str, value: &Path| [name.to_owned(), value.display().to_string()];
    [option("--runbooks", &root().join("runbooks")), option("--policies", &policies)].concat()
}

const FREEZE: &str = "version = 1\n[[freeze]]\nid = \"turn-of-the-year\"\nfrom = \"2026-01-01T00:00:00Z\"\n\
                      to = \"2099-01-01T00:00:00Z\"\nwhere = [\"production\"]\nexcept = { risk = [\"read\"] }\n\
                      because = \"the year ends\"\n";

fn freezing(folder: &Path) -> Vec<String> {
    policy_with(folder, "freeze.toml", FREEZE)
}

/// Whoever has to be told is told on the platform that is played.
fn emergency(folder: &Path) -> Vec<String> {
    let discord = folder.parent().is_some_and(|parent| parent.ends_with("conversations-discord"));
    let channel = if discord { "discord:1100000000000000001:1100000000000000202" } else { "slack:T0MUSTER:C0INCIDENT" };
    let glass = format!(
        "{FREEZE}[break_glass]\nwho = [\"support\"]\noverrides = [\"freeze\", \"approval\"]\nsecond = \"sre\"\n\
         justification_min = 20\nmax_targets = 10\nnotify = [\"{channel}\"]\nreview = [\"sre\"]\nreview_within = \"24h\"\n"
    );
    policy_with(folder, "emergency.toml", &glass)
}

/// With `--nodes 110` an account has 202 Linux nodes.
fn large(folder: &Path) -> Vec<String> {
    let partner =
        "version = 1\n[[view]]\nid = \"partner\"\nshared_channels = [\"slack:T0MUSTER:C0PARTNER\"]\nwhere = [\"*\"]\n";
    [policy_with(folder, "partner.toml", partner), vec!["--nodes".into(), "110".into()]].concat()
}

/// `careful-restart`: looks at the service, asks @sre before it restarts it where it does not run, and looks once more as
/// its way back. `hasty-restart` restarts everywhere and goes back by itself. Their scripts are those of shipped ones.
fn control(folder: &Path) -> Vec<String> {
    let runbooks = folder.join("runbooks");
    std::fs::create_dir_all(&runbooks).unwrap();
    let shipped = |name: &str| std::fs::read_to_string(root().join(format!("runbooks/{name}.toml"))).unwrap();
    let careful = shipped("restart-where-failed");
    let script = careful.split("shell = '''").nth(1).and_then(|s| s.split("'''").next()).unwrap().to_owned();
    let back = format!("\n[rollback]\nshell = '''{script}'''\n\n[rollout]");
    let gate = "name = \"restart\"\ngate = { from = \"sre\", ask = \"do the nodes that failed look alike?\" }";
    let careful = careful.replace("name = \"restart\"", gate).replace("\n[rollout]", &back);
    let hasty = shipped("restart-service")
        .replace("name = \"restart\"", "name = \"restart\"\non_failure = \"rollback\"")
        .replace("\n[rollout]", &back);
    let slow = shipped("restart-service").replace("\n[rollout]", &back);
    for (name, text) in [("careful-restart", careful), ("hasty-restart", hasty), ("restart-with-way-back", slow)] {
        std::fs::write(runbooks.join(format!("{name}.toml")), text).unwrap();
    }
    let policies = folder.join("policies");
    std::fs::create_dir_all(&policies).unwrap();
    let groups = "version = 1\n[groups]\n\
                  support = { slack_usergroups = [\"slack:T0MUSTER:S0SUPPORT\"], discord_roles = [\"discord:1100000000000000001:1100000000000000021\"] }\n\
                  sre = { slack_usergroups = [\"slack:T0MUSTER:S0SRE\"], discord_roles = [\"discord:1100000000000000001:1100000000000000022\"] }\n[sets.staging]\nlabels = { env = [\"staging\"] }\n\
                  production = false\n[[grant]]\nid = \"support\"\nwho = [\"support\"]\nrun = { risk = [\"change\"] }\n\
                  where = [\"staging\"]\nmax_targets = 50\n";
    std::fs::write(policies.join("control.toml"), groups).unwrap();
    let option = |name: &str, value: &Path| [name.to_owned(), value.display().to_string()];
    [option("--runbooks", &runbooks), option("--policies", &policies)].concat()
}

static STAGES: [&Stage; 9] = [&ORDINARY, &CONTROL, &PAGE, &LARGE, &FREEZING, &EMERGENCY, &DOWN, &HALTING, &BROKEN];

struct Played {
    platform: Platform,
    folder: PathBuf,
    told: String,
    log: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn play(stage: &Stage, platform: Platform) -> Played {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (folder, bodies) = match platform {
        Platform::Slack => ("conversations", "conversations"),
        Platform::Discord => ("conversations-discord", "discord"),
    };
    let (folder, bodies) = (tmp.join(folder).join(stage.name), tmp.join(format!("{bodies}-{}.jsonl", stage.name)));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("playground").args((stage.options)(&folder)).current_dir(root()).stdin(Stdio::null());
    command.env("MUSTER_LOG", "warn").env_remove("MUSTER_CONFIG").env_remove("MUSTER_LOG_FORMAT");
    if platform == Platform::Discord {
        command.args(["--chat", "discord"]);
    }
    for name in stage.conversations.iter().filter(|name| is_played(name, platform)) {
        command.arg("--play").arg(format!("tests/conversations/{name}.conversation"));
    }
    // Discord's own fields take 6,000 characters at most.
    if stage.name == ORDINARY.name && platform == Platform::Slack {
        let file = folder.join("long-words.conversation");
        std::fs::write(&file, long_words()).unwrap();
        command.arg("--play").arg(file);
    }
    command.arg("--snapshots").arg(&folder);
    command.arg("--bodies").arg(bodies);
    let out = command.output().unwrap();
    let [told, log] = [out.stdout, out.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    Played { platform, folder, told, log }
}

fn is_played(name: &str, platform: Platform) -> bool {
    let excepted = if platform == Platform::Slack { NOT_AT_SLACK } else { NOT_AT_DISCORD };
    !excepted.iter().any(|(excepted, _)| *excepted == name)
}

/// Too long for a file that people read.
fn long_words() -> String {
    let long = |n: usize| "<!here> 🦀 `x` ".chars().cycle().take(n).collect::<String>();
    format!(
        "@support: /runbook run restart-service service=nginx on env=staging because \"{}\"\n\
         expect @support sees \"longer than\"\nexpect nothing pings\nsnapshot ephemeral\nexpect no thread\nexpect nothing ran\n\
         @support: /runbook {}\nexpect @support sees \"shorten it\"\nexpect nothing pings\nexpect no thread\n\
         @support: /runbook run disk-usage on tag:service={}\nexpect @support sees \"nothing was run\"\n\
         expect nothing pings\nexpect no thread\nexpect nothing ran\n",
        long(10_000),
        "x".repeat(10_000),
        "y".repeat(250),
    )
}

/// Every step was fulfilled, and every snapshot reads as the stored one.
fn holds(played: &Played, name: &str) {
    let heading = format!("{name}.conversation\n");
    let from = played.told.find(&heading).map_or("", |at| &played.told[at..]);
    let went = format!("{name}.conversation went as written.");
    assert!(
        played.told.contains(&went),
        "{}\n\nthe bot's log:\n{}",
        if from.is_empty() { &played.told } else { from },
        played.log
    );
    assert!(!played.log.contains("panicked"), "{}", played.log);
    let mut seen = 0;
    while let Ok(text) = std::fs::read_to_string(played.folder.join(format!("{name}-{}.txt", seen + 1))) {
        seen += 1;
        let stored = match played.platform {
            Platform::Slack => "../conversations/snapshots",
            Platform::Discord => "../conversations/snapshots/discord",
        };
        insta::with_settings!({
            snapshot_path => stored, prepend_module_to_snapshot => false, omit_expression => true,
        }, { insta::assert_snapshot!(format!("{name}-{seen}"), text) });
    }
    let file = root().join(format!("tests/conversations/{name}.conversation"));
    if let Ok(script) = std::fs::read_to_string(file) {
        assert_eq!(seen, script.lines().filter(|line| line.trim().starts_with("snapshot ")).count());
    }
}

#[test]
fn every_conversation_belongs_to_a_stage() {
    let listed = STAGES.iter().flat_map(|s| s.conversations).map(|n| (*n).to_owned());
    let listed: BTreeSet<String> = listed.chain(["tour".to_owned()]).collect();
    let files = std::fs::read_dir(root().join("tests/conversations")).unwrap().map(|e| e.unwrap().path());
    let files = files.filter(|f| f.extension().is_some_and(|e| e == "conversation"));
    let files: BTreeSet<String> = files.map(|f| f.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(files, listed);
}

/// The one suite for both platforms: what is typed and clicked is the same, and so is what has to be seen.
#[test]
fn every_conversation_is_held_at_discord_too() {
    let all: usize = STAGES.iter().map(|stage| stage.conversations.len()).sum();
    println!("conversations: {} at Slack, {} at Discord", all - NOT_AT_SLACK.len(), all - NOT_AT_DISCORD.len());
    for (name, rule) in NOT_AT_DISCORD.iter().chain(NOT_AT_SLACK) {
        println!("not on both: {name}, because {rule}");
        assert!(STAGES.iter().any(|stage| stage.conversations.contains(name)), "{name} is no conversation");
    }
    let fails = |stage: &Stage| {
        let fails = |name: &&str| std::panic::catch_unwind(|| holds(stage.at(Platform::Discord), name)).is_err();
        stage.played_at(Platform::Discord).filter(fails).collect::<Vec<_>>()
    };
    let failed = on_each_stage(fails);
    assert!(failed.is_empty(), "not held at Discord: {}", failed.join(", "));
}

/// All stages at once: most of the time they wait.
fn on_each_stage<T: Send>(work: impl Fn(&'static Stage) -> Vec<T> + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let playing: Vec<_> = STAGES.iter().map(|stage| scope.spawn(|| work(stage))).collect();
        playing.into_iter().flat_map(|stage| stage.join().unwrap()).collect()
    })
}

/// Who asked stands in SourceIdentity and differs, and nothing else does.
#[test]
fn what_is_sent_to_aws_is_the_same_from_both_platforms() {
    let sent = |stage: &Stage, platform, name: &str| {
        let file = stage.at(platform).folder.join(format!("{name}-sent.txt"));
        std::fs::read_to_string(&file).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()))
    };
    let compare = |stage: &'static Stage| {
        let on_both = stage.played_at(Platform::Discord).filter(|name| is_played(name, Platform::Slack));
        let pair = |name| (name, sent(stage, Platform::Slack, name), sent(stage, Platform::Discord, name));
        on_both.map(pair).collect()
    };
    let pairs = on_each_stage(compare);
    let requests: usize = pairs.iter().map(|(_, slack, _)| slack.lines().count()).sum();
    let differ: Vec<&(&str, String, String)> = pairs.iter().filter(|(_, slack, discord)| slack != discord).collect();
    println!("{} conversations, {requests} requests to AWS, {} conversations differ", pairs.len(), differ.len());
    assert!(requests > 30, "the comparison is of next to nothing");
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn an_unknown_runbook_is_answered_with_what_was_meant() {
    holds(ORDINARY.at(Platform::Slack), "unknown-runbook");
}

#[test]
fn unknown_parameters_and_bad_values_are_told_all_at_once() {
    holds(ORDINARY.at(Platform::Slack), "bad-arguments");
}

#[test]
fn a_selector_that_matches_nothing_says_which_word_is_wrong() {
    holds(ORDINARY.at(Platform::Slack), "nothing-matches");
}

#[test]
fn a_wrong_external_id_is_named_and_stops_nobody_else() {
    holds(ORDINARY.at(Platform::Slack), "wrong-external-id");
}

#[test]
fn expired_credentials_are_told_once_and_forgotten_when_renewed() {
    holds(ORDINARY.at(Platform::Slack), "expired-credentials");
}

#[test]
fn a_channel_without_the_bot_tells_how_to_invite_it() {
    holds(ORDINARY.at(Platform::Slack), "not-in-channel");
}

#[test]
fn a_channel_shared_with_another_organisation_gets_no_outputs() {
    holds(ORDINARY.at(Platform::Slack), "shared-channel");
}

#[test]
fn hostile_words_get_one_answer_and_ping_nobody() {
    holds(ORDINARY.at(Platform::Slack), "hostile-words");
    holds(ORDINARY.at(Platform::Slack), "line-break");
    holds(ORDINARY.at(Platform::Slack), "long-words");
}

#[test]
fn late_double_and_forbidden_clicks_change_nothing() {
    holds(ORDINARY.at(Platform::Slack), "clicks");
}

#[test]
fn an_approver_agrees_to_a_part_and_the_rest_is_not_run() {
    holds(ORDINARY.at(Platform::Slack), "narrow");
}

#[test]
fn a_slack_outage_passes_without_anybodys_help() {
    holds(ORDINARY.at(Platform::Slack), "slack-outage");
}

#[test]
fn a_canary_that_fails_holds_the_run_and_what_failed_is_retried_under_its_approval() {
    holds(ORDINARY.at(Platform::Slack), "canary");
}

#[test]
fn a_budget_that_is_spent_inside_a_wave_starts_nothing_further() {
    holds(ORDINARY.at(Platform::Slack), "budget");
}

#[test]
fn a_cancel_stops_what_runs_what_waits_and_what_is_held() {
    holds(ORDINARY.at(Platform::Slack), "cancel");
}

#[test]
fn two_changes_never_meet_on_a_node_and_the_second_says_whom_it_waits_for() {
    holds(ORDINARY.at(Platform::Slack), "two-runs");
}

#[test]
fn a_gate_asks_its_group_between_two_steps_and_each_node_takes_the_steps_that_concern_it() {
    holds(CONTROL.at(Platform::Slack), "gate");
}

#[test]
fn a_freeze_is_told_with_its_end_and_leaves_what_it_is_not_about() {
    holds(FREEZING.at(Platform::Slack), "freeze");
}

#[test]
fn broken_glass_takes_a_second_person_is_told_before_and_looked_at_afterwards() {
    holds(EMERGENCY.at(Platform::Slack), "break-glass");
}

#[test]
fn a_bot_that_is_removed_from_the_channel_tells_the_end_directly() {
    holds(CONTROL.at(Platform::Slack), "removed");
}

#[test]
fn what_was_touched_is_rolled_back_by_a_person_or_by_itself_and_what_could_not_be_is_named() {
    holds(CONTROL.at(Platform::Slack), "way-back");
}

#[test]
fn a_node_of_which_nobody_knows_what_it_did_counts_as_touched_and_is_taken_back() {
    holds(CONTROL.at(Platform::Slack), "way-back-unknown");
}

#[test]
fn machines_are_rebooted_in_waves_and_seen_to_come_back() {
    holds(ORDINARY.at(Platform::Slack), "reboot");
}

#[test]
fn a_halt_holds_everything_back_until_somebody_who_may_resumes() {
    holds(HALTING.at(Platform::Slack), "halt");
}

#[test]
fn a_form_in_place_of_syntax_leads_to_the_same_run() {
    holds(PAGE.at(Platform::Slack), "picker");
}

#[test]
fn a_refusal_is_a_door_to_the_allowed_part_and_to_those_who_may() {
    holds(ORDINARY.at(Platform::Slack), "doors");
}

#[test]
fn an_automation_whose_answer_is_lost_restarts_every_machine_once() {
    holds(ORDINARY.at(Platform::Slack), "automation");
}

#[test]
fn behind_the_results_stand_nodes_differences_outputs_and_tables_for_whoever_may_see_them() {
    holds(ORDINARY.at(Platform::Slack), "details");
}

#[test]
fn what_stands_behind_the_cut_is_found_in_the_accounts_bucket_or_told_as_lost() {
    holds(ORDINARY.at(Platform::Slack), "long-output");
}

#[test]
fn the_own_page_shows_my_runs_and_what_waits_for_me() {
    holds(PAGE.at(Platform::Slack), "home");
}

#[test]
fn two_hundred_and_one_targets_are_refused_where_two_hundred_are_allowed() {
    holds(LARGE.at(Platform::Slack), "too-many");
}

#[test]
fn a_click_from_another_organisation_changes_nothing() {
    holds(LARGE.at(Platform::Slack), "foreign-click");
}

#[test]
fn without_valid_rules_nothing_runs_and_the_remedy_is_named() {
    holds(BROKEN.at(Platform::Slack), "no-rules");
    assert!(BROKEN.at(Platform::Slack).log.contains("clear-cache.toml:2:"), "{}", BROKEN.at(Platform::Slack).log);
}

#[test]
fn slack_down_at_start_is_logged_with_the_remedy_and_passes() {
    holds(DOWN.at(Platform::Slack), "slack-down-at-start");
    let first =
        DOWN.at(Platform::Slack).log.lines().find(|line| line.contains("slack does not answer")).unwrap_or_default();
    insta::assert_snapshot!(normalise(first), @"<date>  WARN slack does not answer: the connection to Slack broke during `auth.test` (connection closed before message completed). Trying again in <time>; if it lasts, check this host's way to `http://<host>/api` (DNS, firewall, TLS) and `[slack] api_url`");
}
