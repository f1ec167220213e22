use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Command {
    parse(text).unwrap_or_else(|r| panic!("`{text}`: {r}"))
}
fn request_of(text: &str) -> Request {
    match read(text) {
        Command::Run(request) | Command::Plan(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_carries_runbook_arguments_selector_and_reason() {
    let text = r#"run restart-service service=nginx note="two words" on env=prod tag:team="a b" because "ticket 4711""#;
    let request = request_of(text);
    assert_eq!(request.runbook.as_str(), "restart-service");
    let arguments: Vec<(&str, &str)> = request.arguments.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(arguments, [("note", "two words"), ("service", "nginx")]);
    assert_eq!(request.selector.to_string(), r#"tag:team="a b" env=prod"#);
    assert_eq!(request.reason.as_deref(), Some("ticket 4711"));
    assert_eq!(request_of(&text.replace('"', "”")), request, "curly quotes mean the same");
    assert_eq!(request_of(&text.replacen("run", "plan", 1)), request);
}

#[test]
fn every_verb_is_read() {
    let run = || "r-7F3K".parse().unwrap();
    assert_eq!(read(""), Command::Help(Topic::Overview));
    assert_eq!(read("  \n"), Command::Help(Topic::Overview));
    assert_eq!(read("—help"), Command::Help(Topic::Overview));
    assert_eq!(read("help selector"), Command::Help(Topic::Selector));
    assert_eq!(read("List"), Command::List);
    assert_eq!(read("accounts"), Command::Accounts);
    assert_eq!(read("show disk-usage"), Command::Show { runbook: "disk-usage".parse().unwrap() });
    assert_eq!(read("why disk-usage"), Command::Why { runbook: "disk-usage".parse().unwrap(), request: None });
    let asked = request_of("run disk-usage top=3 on env=prod because \"two words\"");
    assert_eq!(
        read("why disk-usage top=3 on env=prod because \"two words\""),
        Command::Why { runbook: asked.runbook.clone(), request: Some(Box::new(asked.clone())) }
    );
    assert_eq!(request_of(&asked.to_string()), asked);
    let prod = Selector::parse("env=prod").unwrap();
    let who = Command::WhoCan { runbook: "disk-usage".parse().unwrap(), selector: prod };
    assert_eq!(read("who-can disk-usage on env=prod"), who);
    for extra in ["who-can disk-usage top=3 on env=prod", "who-can disk-usage on env=prod because x"] {
        let refusal = parse(extra).unwrap_err();
        assert_eq!(refusal.what, "`who-can` looks at the runbook and the place alone");
        assert_eq!(refusal.remedy, "write `who-can disk-usage on env=prod`; `why` judges values for you");
    }
    assert_eq!(parse("who-can disk-usage").unwrap_err().what, "`who-can` does not say on what");
    assert_eq!(read("approvals"), Command::Approvals);
    assert_eq!(read("status"), Command::Status { run: None });
    assert_eq!(read("runs"), Command::Runs(RunFilter::default()));
    let failed = RunFilter { mine: true, failed: true, runbook: Some("disk-usage".parse().unwrap()) };
    assert_eq!(read("runs failed disk-usage mine"), Command::Runs(failed));
    assert_eq!(read("status 7f3k"), Command::Status { run: Some(run()) });
    assert_eq!(read("cancel r-7f3k"), Command::Cancel { run: run() });
    assert_eq!(read("halt"), Command::Halt { because: None });
    assert_eq!(read("Halt because “the array fails”"), Command::Halt { because: Some("the array fails".into()) });
    assert_eq!(read("halt because it's on fire"), Command::Halt { because: Some("it's on fire".into()) });
    assert_eq!(read("resume"), Command::Resume);
    assert_eq!(read("output r-7F3K"), Command::Output { run: run(), node: None });
    assert_eq!(read("output r-7F3K web-1"), Command::Output { run: run(), node: Some("web-1".into()) });
    let selector = Selector::parse("env=prod nodes=web-*").unwrap();
    assert_eq!(read("targets env=prod nodes=web-*"), Command::Targets { selector: selector.clone() });
    assert_eq!(read("targets on env=prod nodes=web-*"), Command::Targets { selector });
}

#[test]
fn a_quoted_keyword_is_data() {
    let request = request_of(r#"run x a="on" b='because' on "tag:on"=because"#);
    assert_eq!(request.arguments["a"], "on");
    assert_eq!(request.arguments["b"], "because");
    assert_eq!(request.selector.to_string(), "tag:on=because");
    assert_eq!(request.reason, None);
}

#[test]
fn nothing_is_expanded_in_an_argument() {
    let request = request_of(r"run x a=$HOME b=`id` c=@/etc/passwd d=*.log e=$(id) f=a=b on env=prod");
    let values: Vec<&str> = request.arguments.values().map(String::as_str).collect();
    assert_eq!(values, ["$HOME", "`id`", "@/etc/passwd", "*.log", "$(id)", "a=b"]);
}

#[test]
fn a_reason_needs_no_quotes() {
    let reason = |text: &str| request_of(text).reason.unwrap();
    assert_eq!(reason("run x on env=prod because it's on fire"), "it's on fire");
    assert_eq!(reason("run x on env=prod because “it’s on fire”"), "it’s on fire");
}

#[test]
fn what_cannot_be_read_is_refused_with_the_remedy() {
    let refusals: Vec<String> = [
        "lst",
        "disk-usage on env=prod",
        "frobnicate",
        "retry r-7F3K faild",
        "halt r-7F3K",
        "halt all",
        "halt because",
        "resume r-7F3K",
        "resmue",
        "run",
        "run Disk",
        "run restart-service service=nginx",
        "run restart-service service=nginx on",
        "targets",
        "run x because y on env=prod",
        "run x a=1 a=2 on env=prod",
        "run x nginx on env=prod",
        "run x a = 1 on env=prod",
        "run x on evn",
        "run x on accounts=11111111111",
        "run x on env=prod because",
        "run x on env=prod because \"a\" b",
        "show",
        "show a b",
        "list all",
        "status r-12",
        "help frob",
        "help rnu",
        "run x a=\"b on env=prod",
        "run x on regions=eu-west",
    ]
    .iter()
    .map(|text| match parse(text) {
        Err(refusal) => format!("{text}\n  {}\n  {}", refusal.what, refusal.remedy),
        Ok(command) => panic!("{text}: {command:?}"),
    })
    .collect();
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    lst
      `lst` is not a command
      did you mean `list`?
    disk-usage on env=prod
      `disk-usage` is not a command
      did you mean `run disk-usage on env=prod`?
    frobnicate
      `frobnicate` is not a command
      `help` shows what can be typed, `list` the runbooks
    retry r-7F3K faild
      `faild` says nothing about what is left of a run
      did you mean `failed`?
    halt r-7F3K
      `halt` stops everything, not `r-7F3K` alone
      write `cancel r-7F3K` for one run, `halt` for everything
    halt all
      `halt` does not know what to do with `all`
      write `halt [because "REASON"]`
    halt because
      there is no reason behind `because`
      write for example `because "ticket 4711"`, or leave it out
    resume r-7F3K
      `resume` does not know what to do with `r-7F3K`
      write `resume`
    resmue
      `resmue` is not a command
      did you mean `resume`?
    run
      `run` needs the name of a runbook
      write for example `run disk-usage on accounts=acme-* env=staging tag:service=web`; `list` shows the runbooks
    run Disk
      `Disk` is not a runbook name: lower-case letters, digits and `-`, starting with a letter, at most 64
      `list` shows the runbooks
    run restart-service service=nginx
      `run` does not say on what
      write for example `run restart-service service=nginx on accounts=acme-* env=staging tag:service=web`
    run restart-service service=nginx on
      `run` does not say on what
      write for example `run restart-service service=nginx on accounts=acme-* env=staging tag:service=web because "ticket 4711"`
    targets
      `targets` does not say on what
      write for example `targets accounts=acme-* env=staging tag:service=web`
    run x because y on env=prod
      `run` does not say on what
      put `on …` before `because`
    run x a=1 a=2 on env=prod
      `a` is given twice, as `1` and as `2`
      keep one of them
    run x nginx on env=prod
      `nginx` is not an argument of the form `name=value`
      `show x` lists the parameters; values with spaces go in quotes
    run x a = 1 on env=prod
      there is a space beside the `=` behind `a`
      write `a=1`
    run x on evn
      `evn` does not say what to match
      write for example `on accounts=acme-* env=staging tag:service=web`
    run x on accounts=11111111111
      `11111111111` has 11 digits, an AWS account id has 12
      `help selector` tells how to pick machines
    run x on env=prod because
      there is no reason behind `because`
      write for example `because "ticket 4711"`, or leave it out
    run x on env=prod because "a" b
      `b` stands behind the reason
      `because "…"` comes last
    show
      `show` needs a name
      write `show RUNBOOK`
    show a b
      `show` does not know what to do with `b`
      write `show RUNBOOK`
    list all
      `list` does not know what to do with `all`
      write `list`
    status r-12
      `r-12` is not a run such as `r-7F3K`
      the name stands on the run's card; `status` shows what is going on
    help frob
      there is no help on `frob`
      `help` alone shows what can be typed, `show frob` a runbook
    help rnu
      there is no help on `rnu`
      did you mean `help run`?
    run x a="b on env=prod
      the quote that opens at `"b on env=prod` is not closed
      close it, or leave it out
    run x on regions=eu-west
      `eu-west` is not an AWS region such as `eu-west-1`
      `help selector` tells how to pick machines
    "#);
}

/// Found by the fuzzer: a request is shown as it can be typed again.
#[test]
fn the_name_of_an_argument_holds_nothing_that_would_need_quotes() {
    for text in ["run x \"two words\"=1 on env=prod", "run x a\"b c\"=1 on env=prod", "run x a:b=1 on env=prod"] {
        let refusal = parse(text).unwrap_err();
        assert!(refusal.what.contains("is no name of an argument"), "{refusal}");
    }
    assert!(parse("run x größe=1 a-b_c.d=2 on env=prod").is_ok());
}

#[test]
fn broken_glass_needs_a_reason_and_reads_the_same_again() {
    let text = "break-glass x a=1 on env=prod because \"the shop is down\"";
    let Ok(Command::BreakGlass(request)) = parse(text) else { panic!("{text}") };
    assert!(request.emergency && request.to_string() == text);
    let refusal = parse("break-glass x on env=prod").unwrap_err().to_string();
    assert_eq!(
        refusal,
        "`break-glass` does not say why; write `break-glass x on env=prod because \"what is broken, and why it cannot wait\"`"
    );
    let run = "r-7F3K".parse().unwrap();
    assert_eq!(parse("review r-7F3K because all was well"), Ok(Command::Review { run, found: "all was well".into() }));
    for text in ["review", "review r-7F3K", "review r-7F3K fine", "review r-7F3K because"] {
        assert!(parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC{0,60}|(run|plan|targets|output|help)( [a-c=:\"'“”*-]{0,8}| on| because){0,8}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_value_survives_quoting(value in "[ a-zé$`'\"\\\\=,*@“”]{0,20}") {
        let text = format!("run x value={} on env=prod", words::quote(&value, &[]));
        prop_assert_eq!(&request_of(&text).arguments["value"], &value);
    }
}
