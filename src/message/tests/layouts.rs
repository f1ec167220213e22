//! What a tired person reads of many nodes: the layouts of the results, what their buttons show, and the tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::make::*;
use super::read;
use crate::domain::{Digest, NotStarted, Outcome};
use crate::message::{
    Block, Card, Verb, View, ask, detail, exports, glass, output_file, results, since, summary_input, to_text,
};
use crate::run::{Phase, Run};
use crate::runbook::extract;
use crate::summary::{Summary, summarise};

type Texts = BTreeMap<Digest, Arc<str>>;

/// A finished run of so many nodes, each ended as `of` says for its number.
fn fleet(count: usize, of: impl Fn(usize) -> (Outcome, Option<i32>, String)) -> (Run, Texts) {
    let mut plan = plan(count);
    plan.steps.iter_mut().for_each(|step| step.extract.clear());
    let mut run = approved(run(plan, needs(1), Phase::Running));
    let mut all = Vec::new();
    for n in 0..count {
        let (outcome, code, text) = of(n);
        end(&mut run, &format!("web-{}", n + 1), outcome, code, &text);
        all.push(text);
    }
    finish(&mut run);
    let texts = outputs(&all.iter().map(String::as_str).collect::<Vec<_>>());
    (run, texts)
}

fn told(run: &Run, texts: &Texts) -> (Summary, Card) {
    let summary = summarise(&summary_input(run, texts.clone()));
    let card = results(run, &summary, &|key| texts.get(key).cloned(), &view());
    (summary, card)
}

fn good(text: &str) -> (Outcome, Option<i32>, String) {
    (Outcome::Succeeded, Some(0), text.to_owned())
}

#[test]
fn all_equal_is_said_in_line_one_and_shown_once() {
    let (run, texts) = fleet(48, |_| good("nginx/1.24.0\nconfiguration: ok\ndone: OK\n"));
    insta::assert_snapshot!(read(&told(&run, &texts).1), @"
    restart-service: all 48 nodes succeeded, same output on each

    48 succeeded: `nginx/1.24.0`, same output on each

        nginx/1.24.0
        configuration: ok
        done: OK

    (r-7F3K · took 2 min 41 s)

    [The 48 nodes] [CSV and JSON]
    ");
}

#[test]
fn same_is_said_only_of_outputs_that_are_equal_to_the_byte() {
    let (run, texts) = fleet(24, |n| good(&format!("nginx/1.24.0\ntook {n} ms\n")));
    let text = read(&told(&run, &texts).1);
    assert!(text.starts_with("restart-service: all 24 nodes succeeded, same shape on each\n"), "{text}");
    assert!(!text.contains("same output"), "{text}");
}

#[test]
fn few_variants_stand_in_line_one_with_their_number_and_below_with_what_they_share() {
    // Those of acme-staging are every third one.
    let (run, texts) = fleet(48, |n| match n {
        n if n % 3 == 1 && n < 24 => good("nginx/1.18.0\ntook 12 ms\n"),
        n => good(&format!("nginx/1.24.0\ntook {n} ms\n")),
    });
    insta::assert_snapshot!(read(&told(&run, &texts).1), @"
    restart-service: all 48 nodes succeeded, 8 differ: nginx/1.18.0

    1. 40 succeeded: `nginx/1.24.0`, same shape on each: only numbers, times, ids or order differ
    web-1, web-7, web-13 and 37 more

        nginx/1.24.0
        took 0 ms

    2. 8 succeeded: `nginx/1.18.0`, same output on each
    all in acme-staging (8 of its 16)

        nginx/1.18.0
        took 12 ms

    (r-7F3K · took 2 min 41 s)

    [1: 40 succeeded] [2: 8 succeeded] [CSV and JSON]
    ");
}

#[test]
fn many_errors_of_few_kinds_are_told_by_kind_the_largest_first_and_none_is_forgotten() {
    let error =
        |text: &str, code: i32| (Outcome::Failed, Some(code), format!("starting\n----------ERROR-------\n{text}\n"));
    let (run, texts) = fleet(60, |n| match n {
        0..20 => error(&format!("E: Unable to locate package linux-image-{}", n * 17), 100),
        20..31 => error("write failed: No space left on device", 1),
        31..35 => error("Killed (out of memory)", 137),
        35 => (Outcome::TimedOut, None, String::new()),
        36..40 => (Outcome::NotStarted(NotStarted::ErrorBudget), None, String::new()),
        _ => good("patched\n"),
    });
    insta::assert_snapshot!(read(&told(&run, &texts).1), @"
    restart-service: 20 of 60 nodes succeeded, 35 failed, 1 timed out, 4 not started: 20 × E: Unable to locate package ‹id›

    1. 20 failed: `E: Unable to locate package ‹id›` (exit code 100)
    web-[1-9], web-[10-20], nothing sets them apart
    First in wave 1 of 2, on its only node

        starting
        ----------ERROR-------
        E: Unable to locate package linux-image-0

    2. 11 failed: `write failed: No space left on device` (exit code 1)
    web-[21-31]

        starting
        ----------ERROR-------
        write failed: No space left on device

    3. 4 failed: `Killed (out of memory)` (exit code 137)
    web-[32-35]

        starting
        ----------ERROR-------
        Killed (out of memory)

    4. 1 timed out: timed out after 2 min
    web-36 in globex-prod

    5. 4 not started: error budget spent
    web-[37-40]

    6. 20 succeeded: `patched`, same output on each
    web-[41-60], nothing sets them apart

    (r-7F3K · took 2 min 41 s)

    [1: 20 failed] [2: 11 failed] [3: 4 failed] [4: 1 timed out] [5: 4 not started] [6: 20 succeeded] [CSV and JSON]
    ");
}

#[test]
fn a_limit_makes_a_verdict_of_numbers_with_the_worst_nodes_and_how_all_are_spread() {
    let used = |n: usize| if n % 16 == 5 { 96 - n / 16 } else { 30 + n * 7 % 50 };
    let (mut run, texts) = fleet(48, |n| match used(n) {
        90.. => (Outcome::Failed, Some(0), format!("fullest: {}%\n", used(n))),
        _ => good(&format!("fullest: {}%\n", used(n))),
    });
    let plan = Arc::make_mut(&mut run.proposal.plan);
    plan.steps[0].extract = [("fullest".to_owned(), r"(?m)^fullest: (\d+%)$".to_owned())].into();
    plan.steps[0].expect = [("fullest".to_owned(), "<= 90%".to_owned())].into();
    for n in 0..48 {
        let at = run.proposal.plan.targets.iter().position(|t| t.name == format!("web-{}", n + 1)).unwrap();
        let text = format!("fullest: {}%\n", used(n));
        let (extracted, unmet) = extract::evaluate(&run.proposal.plan.steps[0], &text);
        let report = &mut run.targets[at].reports[0].1;
        report.extracted = extracted;
        report.unmet = unmet.into_iter().map(|u| (u.name, u.expected, u.found)).collect();
    }
    insta::assert_snapshot!(read(&told(&run, &texts).1), @"
    restart-service: 45 of 48 nodes succeeded, 3 failed: fullest is 94–96%, expected <= 90%

    1. 3 failed: `fullest` is `94–96%`, expected `<= 90%`
    web-22, web-38, web-6

        fullest: 95%

    2. 45 succeeded: `fullest: 30–79%`, same shape on each: only numbers, times, ids or order differ
    web-1, web-7, web-13 and 42 more

        fullest: 30%

    fullest: median 54%, 95 % of the 48 at most 94%, from 30% to 96%
    highest: web-6 96%, web-22 95%, web-38 94%, web-8 79%, web-15 78%

        fullest: nodes by value
         30–40% |███████████████████████████ 9
         40–50% |██████████████████████████████ 10
         50–60% |██████████████████████████████ 10
         60–70% |████████████████████████ 8
         70–80% |████████████████████████ 8
         80–90% |
        90–100% |█████████ 3

    (r-7F3K · took 2 min 41 s)

    [1: 3 failed] [2: 45 succeeded] [CSV and JSON]
    ");
}

#[test]
fn what_has_changed_since_the_same_was_run_last_stands_in_one_line() {
    let failed = |bad: &'static [usize]| {
        fleet(8, move |n| match bad.contains(&n) {
            true => (Outcome::Failed, Some(1), "E: disk full\n".to_owned()),
            false => good("done: OK\n"),
        })
    };
    let line = |before: &Run, (now, texts): (Run, Texts)| {
        let summary = summarise(&summary_input(&now, texts.clone()));
        let view = View { before: since::Before::of(before, "r-4XK2".into()), ..view() };
        let card = results(&now, &summary, &|key| texts.get(key).cloned(), &view);
        to_text(&card).lines().find(|line| line.starts_with("Since")).unwrap_or_default().to_owned()
    };
    let (mut before, _) = failed(&[0, 1, 2]);
    assert_eq!(
        line(&before, failed(&[0, 1, 2])),
        "Since `r-4XK2`, 2026-11-22 14:05 UTC: every node ended as it did then; 3 not well as before."
    );
    assert_eq!(
        line(&before, failed(&[2, 5])),
        "Since `r-4XK2`, 2026-11-22 14:05 UTC: 1 newly not well (web-6) and 2 well again (web-1 and web-2); 1 not well \
         as before."
    );
    // One node was another one then, and is not named.
    Arc::make_mut(&mut before.proposal.plan).targets[3].target.node = "i-0123456789abcdef0".parse().unwrap();
    let told = line(&before, failed(&[0, 1, 2]));
    assert!(told.contains(": 1 new node (web-") && told.contains(") and 1 node gone; "), "{told}");
    before.narrowed.clear();
    before.proposal.retry =
        Some(crate::run::Retry { of: before.id, which: crate::run::Which::Failed, attempt: 2, sealed: Vec::new() });
    assert_eq!(line(&before, failed(&[])), "", "a retry of a part says nothing of the others");
}

#[test]
fn lines_that_read_otherwise_than_when_the_same_was_run_last_are_told() {
    let version = |version: &'static str, key: &'static [u8]| {
        let redactor = crate::redact::Redactor::new(key);
        let (run, texts) = fleet(60, move |n| {
            let ours = if n < 24 { version } else { "1.27.0" };
            let text = format!("nginx version: nginx/{ours}\nDB_PASSWORD=hunter2hunter2\nstate: active\n");
            (Outcome::Succeeded, Some(0), redactor.redact(&text).text)
        });
        (run, texts)
    };
    let told = |(before, old): &(Run, Texts), (now, new): (Run, Texts)| {
        let texts: Texts = old.iter().chain(&new).map(|(key, text)| (*key, text.clone())).collect();
        let summary = summarise(&summary_input(&now, texts.clone()));
        let lookup = |key: &Digest| texts.get(key).cloned();
        let said = since::Comparison::of(before, &now).said(&lookup);
        let before = since::Before::of(before, "r-4XK2".into()).map(|before| before.with(said));
        let card = results(&now, &summary, &lookup, &View { before, ..view() });
        let text = to_text(&card);
        let lines = text.lines().skip_while(|line| !line.starts_with("Since")).take_while(|line| !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = version("1.27.0", b"one run");
    assert_eq!(
        told(&before, version("1.29.0", b"another run")),
        [
            "Since `r-4XK2`, 2026-11-22 14:05 UTC: every node ended as it did then. Nodes that went well both \
             times print something else now:",
            "`nginx version: nginx/1.27.0` is now `nginx version: nginx/1.29.0` on 24 nodes",
        ]
    );
    // Another run marks the same secret otherwise, which is no change.
    assert_eq!(
        told(&before, version("1.27.0", b"another run")),
        ["Since `r-4XK2`, 2026-11-22 14:05 UTC: every node ended as it did then and says the same."]
    );
}

#[test]
fn a_long_log_is_shown_by_its_beginning_the_file_has_the_rest_and_what_was_cut_is_flagged() {
    let log = |n: usize| (0..400).map(|line| format!("request {line} took {} ms\n", line * n)).collect::<String>();
    let (mut run, texts) = fleet(12, |n| good(&log(n)));
    run.targets[3].reports[0].1.cut = true;
    let (summary, card) = told(&run, &texts);
    insta::assert_snapshot!(read(&card), @"
    restart-service: all 12 nodes succeeded, 1 differs: request 1 took 9 ms (output cut)

    1. 11 succeeded: `request 1 took 0–11 ms`, same shape on each: only numbers, times, ids or order differ
    web-[1-9], web-11, web-12

        request 0 took 0 ms
        request 1 took 0 ms
        request 2 took 0 ms
        request 3 took 0 ms
        request 4 took 0 ms
        request 5 took 0 ms
        request 6 took 0 ms
        request 7 took 0 ms
        request 8 took 0 ms
        request 9 took 0 ms
        request 10 took 0 ms
        request 11 took 0 ms
        … 388 more lines in the file

    2. 1 succeeded: `request 1 took 9 ms (output cut)`
    web-10 in acme-prod
    ✂️ output cut by SSM: what it would say further on is not known

        request 0 took 0 ms
        request 1 took 9 ms
        request 2 took 18 ms
        request 3 took 27 ms
        request 4 took 36 ms
        request 5 took 45 ms
        request 6 took 54 ms
        request 7 took 63 ms
        request 8 took 72 ms
        request 9 took 81 ms
        request 10 took 90 ms
        request 11 took 99 ms
        … 388 more lines in the file

    (r-7F3K · took 2 min 41 s)

    [1: 11 succeeded] [2: 1 succeeded] [CSV and JSON]
    ");
    let file = output_file(&run, &summary, &|key| texts.get(key).cloned(), &view()).unwrap();
    assert!(file.content.contains("request 399 took 4389 ms"), "all of it stands in the file");
    assert!(file.content.contains("output cut"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_message_is_short_whatever_the_nodes_print_and_its_counts_add_up(
        kinds in proptest::collection::vec(("(\\PC{0,300}\n){0,30}", 0..4i32), 1..30),
        count in 1..90usize,
    ) {
        let (run, texts) = fleet(count, |n| {
            let (text, code) = &kinds[n % kinds.len()];
            let outcome = if *code == 0 { Outcome::Succeeded } else { Outcome::Failed };
            (outcome, Some(*code), text.clone())
        });
        let (_, card) = told(&run, &texts);
        prop_assert!(card.title.chars().count() <= 145);
        let labels: usize = card.buttons.iter().map(|b| b.label.chars().count()).sum();
        let plain = Card { buttons: Vec::new(), ..card.clone() };
        prop_assert!(to_text(&plain).chars().count() - indents(&plain) + labels <= 2_800, "{}", to_text(&card));
        prop_assert_eq!(sum(&card), u32::try_from(count).unwrap(), "{}", to_text(&card));
        prop_assert!(card.buttons.len() <= 7);
    }
}

/// Blanks that only the text for terminals has.
fn indents(card: &Card) -> usize {
    to_text(card).lines().filter(|line| line.starts_with("    ")).count() * 4
}

/// The nodes of all findings that are told, and of the rest.
fn sum(card: &Card) -> u32 {
    let number = |text: &str| -> u32 {
        text.chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap()
    };
    let mut sum = 0;
    for block in &card.blocks {
        let Block::Text(spans) = block else { continue };
        let [first, ..] = spans.as_slice() else { continue };
        match first {
            crate::message::Span::Bold(text) if text.ends_with(". ") => {
                let crate::message::Span::Bold(count) = &spans[1] else { panic!("{spans:?}") };
                sum += number(count);
            }
            crate::message::Span::Bold(text) if text.ends_with("ed") => sum += number(text),
            crate::message::Span::Plain(text) if text.contains("more finding") => {
                sum += number(text.rsplit_once(" on ").unwrap().1);
            }
            _ => {}
        }
    }
    sum
}

#[test]
fn whoever_approved_reads_whether_it_stayed_within_that_and_other_channels_one_line() {
    let (run, texts) = fleet(60, |n| match n {
        0..9 => (Outcome::Failed, Some(1), "E: disk full\n".to_owned()),
        9..12 => (Outcome::NotStarted(NotStarted::Offline), None, String::new()),
        _ => good("done: OK\n"),
    });
    let mut run = run;
    run.targets.iter_mut().for_each(|t| t.touched = !matches!(t.outcome, Some(Outcome::NotStarted(_))));
    let (summary, _) = told(&run, &texts);
    let top = |card: &Card| to_text(&Card { blocks: card.blocks[..1].to_vec(), ..card.clone() });
    let over = glass::alert(&run, Some(&summary), None, &view());
    run.phase = Phase::Running;
    run.ended = None;
    let running = glass::alert(&run, None, None, &view());
    run.phase = Phase::Finished;
    insta::assert_snapshot!([&ask(&run, &view()), &over, &running].map(top).join("=====\n"), @"
    Approved: restart-service on 60 nodes

    Approved by slack:T0MUSTER:U0ARNE 2026-11-22 14:03 UTC (1 of 1)
    It was started on 57 of the 60 nodes, and on no other; 3 are not done.
    It ended: 48 of 60 nodes succeeded, 9 failed, 3 not started.
    =====
    Break-glass r-7F3K: restart-service on 60 nodes is over and needs a review

    2026-11-22 14:05 UTC `restart-service` 48 of 60 nodes succeeded (80 %) · 9 failed · 3 not run · most: 9 × `E: disk full`
    =====
    Break-glass r-7F3K: restart-service on 60 nodes is running

    Rules are overridden in an emergency.
    `restart-service` 48 of 60 nodes succeeded (80 %) · 9 failed · 3 not run
    ");
}

#[test]
fn a_button_shows_the_nodes_page_by_page_and_leads_to_the_next_to_the_difference_and_to_outputs() {
    let (run, texts) = fleet(60, |n| match n {
        0..28 => (Outcome::Failed, Some(1), "nginx/1.24.0\nE: disk full\n".to_owned()),
        _ => good("nginx/1.24.0\ndone: OK\n"),
    });
    let (summary, card) = told(&run, &texts);
    let press = |card: &Card, label: &str| {
        let button = card.buttons.iter().find(|b| b.label.starts_with(label)).unwrap();
        let lookup = |key: &Digest| texts.get(key).cloned();
        match button.verb {
            Verb::Nodes => detail::nodes(&run, &summary, button.revision, &view()),
            Verb::Compare => detail::compare(&run, &summary, &lookup, button.revision, &view()),
            other => panic!("{other:?}"),
        }
    };
    let first = press(&card, "1: 28 failed");
    let second = press(&first, "Next 8");
    let compared = press(&second, "Compare");
    insta::assert_snapshot!([&first, &second, &compared].map(read).join("=====\n"), @"
    r-7F3K, finding 1: 28 failed

    28 failed: `E: disk full` (exit code 1)
    web-[1-9], web-[10-28], nothing sets them apart

        node    account       region     id
        web-1   acme-prod     eu-west-1  i-00000000000000000
        web-7   acme-prod     eu-west-1  i-00000000000000006
        web-13  acme-prod     eu-west-1  i-0000000000000000c
        web-19  acme-prod     eu-west-1  i-00000000000000012
        web-25  acme-prod     eu-west-1  i-00000000000000018
        web-4   acme-prod     us-east-1  i-00000000000000003
        web-10  acme-prod     us-east-1  i-00000000000000009
        web-16  acme-prod     us-east-1  i-0000000000000000f
        web-22  acme-prod     us-east-1  i-00000000000000015
        web-28  acme-prod     us-east-1  i-0000000000000001b
        web-2   acme-staging  eu-west-1  i-00000000000000001
        web-8   acme-staging  eu-west-1  i-00000000000000007
        web-14  acme-staging  eu-west-1  i-0000000000000000d
        web-20  acme-staging  eu-west-1  i-00000000000000013
        web-26  acme-staging  eu-west-1  i-00000000000000019
        web-5   acme-staging  us-east-1  i-00000000000000004
        web-11  acme-staging  us-east-1  i-0000000000000000a
        web-17  acme-staging  us-east-1  i-00000000000000010
        web-23  acme-staging  us-east-1  i-00000000000000016
        web-3   globex-prod   eu-west-1  i-00000000000000002

    (1 to 20 of 28 nodes · of any other: `/runbook output r-7F3K NODE`)

    [Next 8] [Compare with the usual] [Output of web-1] [Output of web-7] [Output of web-13]
    =====
    r-7F3K, finding 1: 28 failed

    28 failed: `E: disk full` (exit code 1)
    web-[1-9], web-[10-28], nothing sets them apart

        node    account      region     id
        web-9   globex-prod  eu-west-1  i-00000000000000008
        web-15  globex-prod  eu-west-1  i-0000000000000000e
        web-21  globex-prod  eu-west-1  i-00000000000000014
        web-27  globex-prod  eu-west-1  i-0000000000000001a
        web-6   globex-prod  us-east-1  i-00000000000000005
        web-12  globex-prod  us-east-1  i-0000000000000000b
        web-18  globex-prod  us-east-1  i-00000000000000011
        web-24  globex-prod  us-east-1  i-00000000000000017

    (21 to 28 of 28 nodes · of any other: `/runbook output r-7F3K NODE`)

    [Compare with the usual] [Output of web-9] [Output of web-15] [Output of web-21]
    =====
    r-7F3K, finding 1 beside the usual: E: disk full

    − only on web-31 (one of 32: succeeded)
    + only on web-1 (one of 28: failed)

          nginx/1.24.0
        − done: OK
        + E: disk full
    ");
    let usual = press(&card, "2: 32 succeeded");
    assert!(usual.buttons.iter().all(|b| b.verb != Verb::Compare), "it is the usual one itself");
    let old = detail::nodes(&run, &summary, 7, &view());
    assert_eq!(old.title, "r-7F3K has no such finding any more");
}

#[test]
fn the_tables_hold_every_node_with_its_finding_and_values_and_nothing_that_a_spreadsheet_runs() {
    let (mut run, texts) = fleet(4, |n| match n {
        0 => (Outcome::Failed, Some(2), "=HYPERLINK(\"http://x\"), \"quoted\"\n".to_owned()),
        _ => good("fine\n"),
    });
    for (target, state) in run.targets.iter_mut().enumerate() {
        state.reports[0].1.extracted = [("use".to_owned(), format!("-{target}")), ("x".into(), "@1".into())].into();
    }
    let (summary, _) = told(&run, &texts);
    let [csv, json] = exports(&run, &summary, &view());
    insta::assert_snapshot!(format!("{}\n{}\n{}\n{}", csv.name, csv.content.replace("\r\n", "\n"), json.name, json.content), @r#"
    r-7f3k-restart-service.csv
    node,name,account,account_name,region,outcome,exit_code,finding,title,cause,cut,value.use,value.x
    i-00000000000000000,web-1,111111111111,acme-prod,eu-west-1,failed,2,1,"'=HYPERLINK(""http://x""), ""quoted""",,,-0,'@1
    i-00000000000000003,web-4,111111111111,acme-prod,us-east-1,succeeded,0,2,fine,,,-1,'@1
    i-00000000000000001,web-2,222222222222,acme-staging,eu-west-1,succeeded,0,2,fine,,,-2,'@1
    i-00000000000000002,web-3,333333333333,globex-prod,eu-west-1,succeeded,0,2,fine,,,-3,'@1

    r-7f3k-restart-service.json
    {
      "version": 1,
      "run": {"arguments":{"service":"nginx"},"counts":{"cancelled":0,"denied":0,"failed":1,"not_started":0,"succeeded":3,"timed_out":0,"total":4,"undeliverable":0,"unknown":0},"ended":"2026-11-22T14:05:41Z","run":"01KAPMZX000000000000007F3K","runbook":"restart-service","selector":"env=prod tag:role=web","short":"r-7F3K","started":"2026-11-22T14:03:00Z"},
      "findings": [
        {"described":"web-1 in acme-prod","exit_code":2,"identical":true,"nodes":1,"number":1,"outcome":"failed","title":"=HYPERLINK(\"http://x\"), \"quoted\""},
        {"described":"web-4, web-2, web-3","exit_code":0,"identical":true,"nodes":3,"number":2,"outcome":"succeeded","title":"fine"}
      ],
      "nodes": [
        {"account":"111111111111","account_name":"acme-prod","cause":null,"cut":false,"exit_code":2,"finding":1,"name":"web-1","node":"i-00000000000000000","outcome":"failed","output":"36cb18eaf3653c487569b0954c62a3d74151f6f036a073d362fb939b21ee12f8","region":"eu-west-1","values":{"use":"-0","x":"@1"}},
        {"account":"111111111111","account_name":"acme-prod","cause":null,"cut":false,"exit_code":0,"finding":2,"name":"web-4","node":"i-00000000000000003","outcome":"succeeded","output":"8ecc5f94c57b05d6c5e0ee316bee4875427e1845bbeef3ead59df29c72aab36e","region":"us-east-1","values":{"use":"-1","x":"@1"}},
        {"account":"222222222222","account_name":"acme-staging","cause":null,"cut":false,"exit_code":0,"finding":2,"name":"web-2","node":"i-00000000000000001","outcome":"succeeded","output":"8ecc5f94c57b05d6c5e0ee316bee4875427e1845bbeef3ead59df29c72aab36e","region":"eu-west-1","values":{"use":"-2","x":"@1"}},
        {"account":"333333333333","account_name":"globex-prod","cause":null,"cut":false,"exit_code":0,"finding":2,"name":"web-3","node":"i-00000000000000002","outcome":"succeeded","output":"8ecc5f94c57b05d6c5e0ee316bee4875427e1845bbeef3ead59df29c72aab36e","region":"eu-west-1","values":{"use":"-3","x":"@1"}}
      ]
    }
    "#);
    let mut reader = csv::Reader::from_reader(csv.content.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    let unsafe_cell = |cell: &str| cell.starts_with(['=', '+', '@']);
    assert!(!rows.iter().flatten().any(unsafe_cell));
    let json: serde_json::Value = serde_json::from_str(&json.content).unwrap();
    assert_eq!(json["nodes"].as_array().unwrap().len(), 4);
}
