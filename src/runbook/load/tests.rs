use super::*;
use crate::domain::Millis;
use crate::runbook::{Action, Kind, Library, OnFailure};

const RESTART: &str = include_str!("../../../runbooks/restart-service.toml");

fn faults(text: &str) -> String {
    match load(Path::new("runbooks/x.toml"), text) {
        Ok(_) => String::new(),
        Err(faults) => faults.iter().map(|f| format!("{f}\n")).collect(),
    }
}

/// The smallest good file, with more lines in front of the step and in it.
fn small(top: &str, step: &str) -> String {
    format!(
        "version = 1\ntitle = \"t\"\ndescription = \"d\"\nrisk = \"change\"\nowner = \"o\"\n{top}\n\
         [[steps]]\nname = \"one\"\n{step}\n"
    )
}

#[test]
fn a_file_becomes_a_runbook_with_its_defaults() {
    let runbook = load(Path::new("restart-service.toml"), RESTART).unwrap();
    assert_eq!(runbook.name.as_str(), "restart-service");
    assert_eq!(runbook.revision, Digest::of(RESTART.as_bytes()));
    assert_eq!(runbook.risk, Risk::Change);
    assert!(matches!(runbook.parameters["service"].kind, Kind::String { .. }));
    assert_eq!((runbook.targets.max, runbook.targets.exclusive), (200, true));
    assert_eq!(runbook.rollout.waves, [Amount::Count(1), Amount::Percent(10), Amount::Percent(100)]);
    let step = &runbook.steps[0];
    assert!(matches!(step.action, Action::Shell { .. }));
    assert_eq!((step.timeout.secs_up(), step.delivery_timeout.secs_up()), (120, 60));
    assert_eq!(step.on_failure, OnFailure::Stop);

    let plain = load(Path::new("x.toml"), &small("", "shell = 'true'")).unwrap();
    assert_eq!(plain.targets.max, MAX_TARGETS_DEFAULT);
    assert_eq!(plain.targets.platforms, [NodePlatform::Linux, NodePlatform::Macos]);
    assert_eq!(plain.rollout.waves, [Amount::Percent(100)]);
    assert_eq!((plain.rollout.max_in_flight, plain.rollout.max_errors), (Amount::Percent(25), Amount::Percent(10)));
    assert_eq!(plain.steps[0].timeout, Millis::from_secs(TIMEOUT_DEFAULT_SECS));
    let read = load(Path::new("x.toml"), &small("", "shell = 'true'").replace("change", "read")).unwrap();
    assert_eq!((read.rollout.max_in_flight, read.rollout.max_errors), (Amount::Percent(100), Amount::Percent(100)));
}

#[test]
fn the_shipped_runbooks_are_good_and_their_revision_follows_their_text() {
    let folder = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks")).unwrap();
    let read = |path: std::path::PathBuf| std::fs::read_to_string(&path).map(|text| (path, text)).unwrap();
    let library = Library::load(folder.map(|entry| read(entry.unwrap().path()))).unwrap();
    let names: Vec<&str> = library.runbooks.keys().map(RunbookName::as_str).collect();
    assert!(names.len() >= 20, "{names:?}");
    assert!(names.contains(&"disk-usage") && names.contains(&"host-diagnostics"), "{names:?}");
    assert_eq!(library.closest("restart_servce"), Some("restart-service"));
    let one = |text: &str| Library::load([("restart-service.toml", text)]).unwrap().revision;
    assert_ne!(one(RESTART), one(&RESTART.replace("2%", "3%")));
    assert!(Library::load([("a/x.toml", RESTART), ("b/x.toml", RESTART)]).is_err());
}

#[test]
fn what_is_planned_and_not_built_is_refused_by_name() {
    let text = small("[parameters.secret]\ntype = \"secret-ref\"\ndescription = \"x\"\n", "shell = 'true'");
    insta::assert_snapshot!(faults(&text), @r#"
    runbooks/x.toml:7:8: parameters of type `secret-ref` are not supported by this version
      let the script read the secret on the node
    "#);
}

#[test]
fn only_a_runbook_that_may_change_something_reboots_and_it_says_so() {
    let quiet = small("", "shell = 'exit 194'");
    insta::assert_snapshot!(faults(&quiet), @"
    runbooks/x.toml:9:10: exit code `194` asks the agent for a reboot, which the step does not announce
      say `reboots = true` in the step, or exit with another code, such as `1`
    ");
    let reads = small("", "shell = 'exit 194'\nreboots = true").replace("risk = \"change\"", "risk = \"read\"");
    insta::assert_snapshot!(faults(&reads), @r#"
    runbooks/x.toml:4:8: the step `one` reboots, and a runbook of risk `read` changes nothing
      write `risk = "change"`, or take `reboots` out
    "#);
    let runbook =
        load(Path::new("runbooks/x.toml"), &small("", "shell = 'exit 194'\nreboots = true\ntimeout = \"20m\""));
    let longest = runbook.unwrap().steps[0].longest();
    // Five runs of 20 m, five reboots of 15 m, and a minute until the agent has taken it.
    assert_eq!(longest, Millis::from_secs((5 * (20 + 15) + 1) * 60));
}

#[test]
fn what_leads_from_step_to_step_must_name_what_is_there() {
    let text = small(
        "",
        "shell = 'true'\nextract.state = '\\w+'\nwhen.state = \"a\"\ngate = { from = \"sre\" }\n\
         [[steps]]\nname = \"stop\"\nautomation = \"AWS-StopEC2Instance\"\nreboots = true\non_failure = \"rollback\"\n\
         when.stat = \"up\"\nunless.state = []\ngate = { count = 0, expires = \"9d\", who = \"x\" }\n\
         parameters = { InstanceId = \"i-1\" }\ndocument_hash = \"x\"\n\
         [[steps]]\nname = \"rollback\"\nshell = 'true'\ntarget_parameter = \"x\"",
    );
    insta::assert_snapshot!(faults(&text), @r#"
    runbooks/x.toml:11:6: `when.state` names nothing that an earlier step extracts
      add `extract.state = '…'` to a step before this one
    runbooks/x.toml:12:8: a gate before the first step
      approval rules of the policy ask before a run; take it out
    runbooks/x.toml:15:14: `AWS-StopEC2Instance` has no role to act with, and Muster's own session may only start it
      add `AutomationAssumeRole = "NAME"` to its `parameters`: a role of each account that Systems Manager may assume
    runbooks/x.toml:16:11: `reboots` is for `shell` and `powershell` steps
      take it out; a document reboots by its own means
    runbooks/x.toml:17:14: `on_failure = "rollback"` and no rollback is defined
      add `[rollback]` with `shell = '''…'''`, or use `stop`
    runbooks/x.toml:18:6: `when.stat` names nothing that an earlier step extracts
      did you mean `state`?
    runbooks/x.toml:19:8: `unless.state` has no value that could fit
      write a value, or a list of them
    runbooks/x.toml:20:8: `steps[1].gate.from` is missing
      add `from = "…"`
    runbooks/x.toml:20:18: `steps[1].gate.count` is `0`
      use a number from `1` to `20`
    runbooks/x.toml:20:31: `expires` is 9 d
      use a time from `1s` to `7d`
    runbooks/x.toml:20:37: unknown key `who` in `steps[1].gate`
      known here: `ask`, `count`, `expires` or `from`
    runbooks/x.toml:21:16: `InstanceId` takes the node's id and cannot be given
      take it out, or name another parameter in `target_parameter`
    runbooks/x.toml:22:1: `document_hash` is only for `document` steps
      take it out
    runbooks/x.toml:22:17: `steps[1].document_hash`: `x` is not a SHA-256 in hex
      write it like `"64 hex digits"`
    runbooks/x.toml:24:8: the name `rollback` is the rollback's own
      give each step its own name
    runbooks/x.toml:26:1: `target_parameter` is only for `automation` steps
      take it out
    "#);
    let text = small(
        "[rollback]\nname = \"undo\"\nwhen.x = \"y\"\n\
         [rollout]\nhold = \"sometimes\"\nhold_for = \"1s\"\ndeadline = \"1m\"",
        "shell = 'true'",
    );
    insta::assert_snapshot!(faults(&text), @"
    runbooks/x.toml:6:1: `rollback` does nothing
      add `shell = '''…'''`, `powershell`, `document` or `automation`
    runbooks/x.toml:7:1: `name` is not a key of the rollback
      take it out; it runs once on each touched node
    runbooks/x.toml:8:1: `when` is not a key of the rollback
      take it out; it runs once on each touched node
    runbooks/x.toml:10:8: `rollout.hold` is `sometimes`
      use `never`, `failure` or `always`
    runbooks/x.toml:11:12: `rollout.hold_for` is 1 s
      use a time from `1m` to `7d`
    runbooks/x.toml:12:12: `rollout.deadline` is 1 m, and one node alone may take 11 m
      use a time that every step fits in, at most `14d`
    ");
}

#[test]
fn an_automation_acts_with_one_role_that_the_file_names() {
    let with = |parameters: &str| {
        let parameter =
            "[parameters.role]\ntype = \"string\"\npattern = \".*\"\ndescription = \"x\"\nexamples = [\"a\"]\n";
        let parameter = if parameters.contains('$') { parameter } else { "" };
        faults(&small(parameter, &format!("automation = \"AWS-RestartEC2Instance\"\nparameters = {{ {parameters} }}")))
    };
    for good in ["\"muster-automation\"", "\"arn:aws:iam::111111111111:role/ops/restart\"", "[\"muster-automation\"]"] {
        assert_eq!(with(&format!("AutomationAssumeRole = {good}")), "", "{good}");
    }
    insta::assert_snapshot!(
        ["", "AutomationAssumeRole = \"$role\"", "AutomationAssumeRole = \"the role\"", "AutomationAssumeRole = \"\""]
            .map(with)
            .join("---\n"),
        @r#"
    runbooks/x.toml:9:14: `AWS-RestartEC2Instance` has no role to act with, and Muster's own session may only start it
      add `AutomationAssumeRole = "NAME"` to its `parameters`: a role of each account that Systems Manager may assume
    ---
    runbooks/x.toml:15:39: `$role` lets whoever runs it choose the rights of the automation
      write the role's name into the file
    ---
    runbooks/x.toml:10:39: `the role` is not a role
      write it like `muster-automation`
    ---
    runbooks/x.toml:10:39: `` is not a role
      write it like `muster-automation`
    "#
    );
}

#[test]
fn targets_and_rollout_must_make_sense() {
    let text = small(
        "[targets]\nplatforms = [\"windows\", \"bsd\"]\nmax = 0\noffline = \"wait\"\nexclusive = true\n\
         [rollout]\nwaves = [\"10%\", \"5\", \"5%\", \"0\"]\nmax_in_flight = \"0%\"\nmax_errors = \"2\"",
        "shell = 'true'",
    );
    insta::assert_snapshot!(faults(&text), @r#"
    runbooks/x.toml:7:14: a `shell` step cannot run on windows
      take `windows` out, or make a runbook of its own with `powershell`
    runbooks/x.toml:7:25: `targets.platforms[1]` is `bsd`
      use `linux`, `windows` or `macos`
    runbooks/x.toml:8:7: `targets.max` is `0`
      use a number from `1` to `50000`
    runbooks/x.toml:9:11: `targets.offline` is `wait`
      use `skip` or `send`
    runbooks/x.toml:10:13: `targets.exclusive`: expected text, found a boolean
      write text in quotes, like `"node"`
    runbooks/x.toml:12:17: wave `5` is not larger than wave `10%` before it
      waves are cumulative, counts first: `["1", "10%", "100%"]`
    runbooks/x.toml:12:28: wave `0` is not larger than wave `5%` before it
      waves are cumulative, counts first: `["1", "10%", "100%"]`
    runbooks/x.toml:12:28: a wave of nothing
      take it out
    runbooks/x.toml:12:28: the last wave is `0`, which is not everything
      end the list with `"100%"`
    runbooks/x.toml:13:17: `rollout.max_in_flight` is nothing, so no node could ever start
      use at least `"1"`
    "#);
    insta::assert_snapshot!(faults(&small("[targets]\nplatforms = []\n[rollout]\nwaves = []", "powershell = 'dir'")), @r#"
    runbooks/x.toml:7:13: `targets.platforms` is empty, so nothing could be a target
      name one, or take the key out
    runbooks/x.toml:9:1: `rollout.waves` is empty
      end the list with `"100%"`
    "#);
}

#[test]
fn parameters_are_checked_with_their_own_examples() {
    let text = small(
        "[parameters.path]\ntype = \"string\"\npattern = \"[a-z\"\ndescription = \"x\"\nexamples = [\"a\"]\n\
         [parameters.Service_Name]\ntype = \"strin\"\ndescription = \"\"\n\
         [parameters.name]\ntype = \"string\"\npattern = \"[a-z]+\"\ndescription = \"x\"\ndefault = \"A\"\nexamples = [\"a b\"]\n\
         [parameters.lines]\ntype = \"integer\"\nmin = 5\nmax = 1\ndescription = \"x\"\npattern = \"x\"\n\
         [parameters.color]\ntype = \"choice\"\nvalues = [\"red\", \"red\"]\ndefault = \"gren\"\ndescription = \"x\"\n\
         [parameters.wait]\ntype = \"duration\"\nmax = \"1m\"\ndefault = \"2m\"\ndescription = \"x\"\n\
         [parameters.share]\ntype = \"number\"\nmin = 0.5\nmax = 0.25\ndescription = \"x\"\n\
         [parameters.unused]\ntype = \"boolean\"\ndescription = \"x\"\ndefault = true\n",
        "shell = 'echo \"$path$name$lines$color$wait$share\"'",
    );
    insta::assert_snapshot!(faults(&text), @r#"
    runbooks/x.toml:6:13: `path` is a reserved name, because shells or commands use it themselves
      give it another name, such as `service` or `lines2`
    runbooks/x.toml:8:11: `parameters.path.pattern` is not a regular expression: unclosed character class
      correct it; Muster adds `^` and `$` itself
    runbooks/x.toml:11:13: `Service_Name` is not a parameter name: lower-case letters and digits only
      give it another name, such as `service` or `lines2`
    runbooks/x.toml:12:8: `parameters.Service_Name.type` is `strin`
      did you mean `string`?
    runbooks/x.toml:13:15: `parameters.Service_Name.description` is empty
      write something there
    runbooks/x.toml:18:11: the default `A` is no good value: it does not match `[a-z]+`
      change it, or what the parameter allows
    runbooks/x.toml:19:13: the example `a b` is no good value: it does not match `[a-z]+`
      change it, or what the parameter allows
    runbooks/x.toml:23:7: `parameters.lines.max` is below `min`, so no value would be good
      swap them or correct one
    runbooks/x.toml:25:1: `pattern` is only for parameters of type `string`
      take it out
    runbooks/x.toml:28:18: `red` stands here a second time
      keep one
    runbooks/x.toml:29:11: the default `gren` is no good value: it is none of `red` or `red`
      change it, or what the parameter allows
    runbooks/x.toml:34:11: the default `2m` is no good value: it is longer than 1 m
      change it, or what the parameter allows
    runbooks/x.toml:39:7: `parameters.share.max` is below `min`, so no value would be good
      swap them or correct one
    runbooks/x.toml:41:13: no step uses the parameter `unused`
      use `"$unused"` in a step, or take the parameter out
    "#);
}

#[test]
fn steps_are_one_of_four_and_their_scripts_are_read() {
    let text = small(
        "[parameters.service]\ntype = \"string\"\npattern = \"[a-z]+\"\ndescription = \"x\"\nexamples = [\"a\"]\n",
        "shell = '''\n\
         systemctl restart $service\n\
         eval \"$service\"\n\
         '''\n\
         timeout = \"1s\"\n\
         delivery_timeout = \"90d\"\n\
         extract.state = '('\n\
         expect.stat = \"active\"\n\
         parameters = { a = \"b\" }\n\
         [[steps]]\nname = \"one\"\nshell = 'true'\npowershell = 'dir'\n\
         [[steps]]\nname = \"Two\"\n\
         [[steps]]\nname = \"three\"\ndocument = \"AWS-RunShellScript\"\nparameters = { a = \"x$service\", b = [\"$servic\", \"{{ x }}\"], c = \"$service\" }",
    );
    insta::assert_snapshot!(faults(&text), @r#"
    runbooks/x.toml:15:19: `$service` stands outside quotes, so its value is split and expanded
      write `"$service"`
    runbooks/x.toml:16:1: `eval` makes program text of values
      values are data: give them to a fixed program as arguments
    runbooks/x.toml:18:11: `steps[0].timeout` is 1 s, outside what Systems Manager allows
      use `5s` to `48h`
    runbooks/x.toml:19:20: `steps[0].delivery_timeout` is 90 d, outside what Systems Manager allows
      use `30s` to `30d`
    runbooks/x.toml:20:17: `steps[0].extract.state` is not a regular expression: unclosed group
      correct it; the syntax is that of Rust's regex crate
    runbooks/x.toml:21:8: `expect.stat` names nothing that this step extracts
      did you mean `state`?
    runbooks/x.toml:22:1: `parameters` is only for `document` or `automation` steps
      take it out
    runbooks/x.toml:24:8: there is a step `one` before this one
      give each step its own name
    runbooks/x.toml:26:1: a step is one of `shell`, `powershell`, `document` or `automation`
      make two steps of it
    runbooks/x.toml:27:1: `steps[2]` does nothing
      add `shell = '''…'''`, `powershell`, `document` or `automation`
    runbooks/x.toml:28:8: `Two` is not a name: lower-case letters, digits, `-` and `_`, at most 32
      write it like `restart`
    runbooks/x.toml:31:12: `AWS-RunShellScript` would run values as program text
      write a `shell` step
    runbooks/x.toml:32:20: `x$service` puts a value inside another text
      a value stands alone: `"$name"`
    runbooks/x.toml:32:38: `$servic` is no parameter of this runbook
      did you mean `$service`?
    runbooks/x.toml:32:49: `{{` would be replaced by Systems Manager
      write the value itself
    "#);
}

#[test]
fn a_limit_has_a_number() {
    let step = |limit: &str| small("", &format!("shell = 'true'\nextract.used = '(\\d+%)'\nexpect.used = \"{limit}\""));
    assert_eq!(faults(&step("<= 90%")), "");
    insta::assert_snapshot!(faults(&step("<= ninety")), @"
    runbooks/x.toml:11:15: `expect.used` is `<= ninety`, a limit without a number
      write it like `<= 90%`, in the unit that the value has
    ");
}

#[test]
fn the_file_name_is_the_name() {
    let name = |file: &str| load(Path::new(file), &small("", "shell = 'true'")).map(|r| r.name.to_string());
    assert_eq!(name("a/b/restart-x.toml").unwrap(), "restart-x");
    assert!(name("Restart X.toml").is_err() && name("").is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]
    #[test]
    fn a_damaged_runbook_never_panics(
        at in 0usize..1200, cut in 0usize..20, put in "[\\[\\]{}='\"$\\\\.,#a-c0-9\\n é-]{0,6}"
    ) {
        let mut text: Vec<char> = RESTART.chars().collect();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, put.chars());
        let _ = load(Path::new("x.toml"), &text.into_iter().collect::<String>());
    }
}

#[test]
fn a_value_that_is_handed_to_programs_by_export_is_used() {
    let text = small(
        "[parameters.line]\ntype = \"string\"\npattern = \".*\"\ndescription = \"x\"\nexamples = [\"a\"]\n",
        "shell = '''\nexport line\nawk 'BEGIN { print ENVIRON[\"line\"] }'\n'''",
    );
    assert_eq!(faults(&text), "");
    assert!(faults(&text.replace("export line", "export other")).contains("no step uses the parameter `line`"));
}
