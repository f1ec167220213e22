//! The promises of a summary, by example and by property.

use proptest::prelude::*;

use super::*;
use crate::domain::NotStarted;

/// Rows from `(outcome, exit code, output)`, in accounts of ten nodes.
fn input(specs: &[(Outcome, i32, &str)]) -> Input {
    let mut made = Input::default();
    for (n, (outcome, exit, output)) in (0u32..).zip(specs) {
        let key = Digest::of(output.as_bytes());
        made.outputs.insert(key, Arc::from(*output));
        let ran = matches!(outcome, Outcome::Succeeded | Outcome::Failed | Outcome::TimedOut);
        made.rows.push(Row {
            target: n,
            outcome: Some(*outcome),
            exit_code: ran.then_some(*exit),
            step: "main".into(),
            output: ran.then_some(key),
            attributes: Arc::new([("account".to_owned(), format!("acme-{}", n / 10))].into()),
            name: format!("web-{n}").into(),
            ..Row::default()
        });
    }
    made
}

fn told(summary: &Summary) -> Vec<String> {
    summary
        .findings
        .iter()
        .map(|f| {
            let same = if f.identical { "=" } else { "~" };
            let code = f.exit_code.map(|c| format!(" [{c}]")).unwrap_or_default();
            format!("{} {} {same} {}{code} | {}", f.targets.len(), f.outcome, f.title, f.described)
        })
        .collect()
}

const OK: Outcome = Outcome::Succeeded;
const BAD: Outcome = Outcome::Failed;

#[test]
fn the_marks_of_secrets_which_each_run_draws_anew_decide_nothing() {
    let all = |key: u8| {
        let redactor = crate::redact::Redactor::new(&[key]);
        let texts: Vec<String> = (0..60)
            .map(|n| redactor.redact(&format!("state: active\nDB_PASSWORD=hunter{}-x1\n", n % 5)).text)
            .collect();
        let specs: Vec<_> = texts.iter().map(|text| (OK, 0, text.as_str())).collect();
        let summary = summarise(&input(&specs));
        let targets: Vec<_> = summary.findings.iter().map(|finding| finding.targets.clone()).collect();
        (untagged(&told(&summary).join("\n")).into_owned(), targets)
    };
    assert_eq!(all(0).1.len(), 5, "each secret is a set of its own: {:?}", all(0));
    (1..40).for_each(|key| assert_eq!(all(key), all(0), "key {key}"));
}

#[test]
fn what_stands_on_stderr_is_not_taken_for_a_line_of_stdout() {
    let texts: Vec<String> =
        (0..30).map(|n| format!("line {n} alpha\n----------ERROR-------\nPicked up OPTIONS: -Xmx512m\n")).collect();
    let specs: Vec<_> = texts.iter().map(|text| (OK, 0, text.as_str())).collect();
    assert_eq!(summarise(&input(&specs)).findings.len(), 1);
}

#[test]
fn failures_come_first_by_cause_then_what_was_not_reached_then_successes() {
    let mut specs = vec![(OK, 0, "nginx/1.24.0\n"); 20];
    specs[18].2 = "nginx/1.18.0\n";
    specs[2] = (
        BAD,
        1,
        "working\n----------ERROR-------\ncp: No space left on device\nfailed to run commands: exit status 1\n",
    );
    specs[3] = (BAD, 1, "working 2\n----------ERROR-------\ncp: No space left on device\n");
    specs[4] = (BAD, 100, "E: Unable to locate package x\n");
    specs[5] = (Outcome::Undeliverable, 0, "");
    specs[6] = (Outcome::NotStarted(NotStarted::Offline), 0, "");
    specs[7] = (Outcome::TimedOut, 0, "");
    let mut made = input(&specs);
    made.rows[5].cause = Some("the agent did not answer within 60 s".into());
    made.rows[7].cause = Some("timed out after 120 s".into());
    insta::assert_snapshot!(told(&summarise(&made)).join("\n"), @r"
    2 failed ~ cp: No space left on device [1] | web-2, web-3 in acme-0
    1 failed = E: Unable to locate package x [100] | web-4 in acme-0
    1 timed out = timed out after 120 s [0] | web-7 in acme-0
    1 undeliverable = the agent did not answer within 60 s | web-5 in acme-0
    1 not started (offline) = offline | web-6 in acme-0
    13 succeeded = nginx/1.24.0 [0] | web-0, web-1, web-8 and 10 more
    1 succeeded = nginx/1.18.0 [0] | web-18 in acme-1
    ");
}

#[test]
fn the_one_that_was_read_whole_stands_for_those_of_its_like_that_were_not() {
    let part = "line 1\nline\n---Output truncated---";
    let whole = "line 1\nline 2\nthe reason\n";
    for outcome in [OK, BAD] {
        let mut specs = vec![(outcome, 1, part); 5];
        specs[3].2 = whole;
        let mut made = input(&specs);
        made.rows.iter_mut().for_each(|row| row.cut = true);
        let listed = made.rows[0].output.map(Box::new);
        (made.rows[3].cut, made.rows[3].listed) = (false, listed.clone());
        let summary = summarise(&made);
        assert_eq!(summary.findings.len(), 1, "{:?}", told(&summary));
        let found = &summary.findings[0];
        assert_eq!((found.targets.len(), found.identical), (5, false));
        assert_eq!(found.exemplar, Some(Digest::of(whole.as_bytes())));
        // Another of them turns out to end otherwise: then nobody knows of which kind the rest is.
        let other = "line 1\nline 2\nanother reason\n";
        made.outputs.insert(Digest::of(other.as_bytes()), other.into());
        (made.rows[1].cut, made.rows[1].listed) = (false, listed);
        made.rows[1].output = Some(Digest::of(other.as_bytes()));
        assert_eq!(summarise(&made).findings.len(), 3, "{:?}", told(&summarise(&made)));
    }
}

#[test]
fn a_disk_report_that_differs_everywhere_is_one_shape() {
    let texts: Vec<String> = (0..30)
        .map(|n| format!("Filesystem  Size Used Use%\n/dev/nvme0n1p1  8.0G {}.{}G  {}%", n % 7, n % 10, 31 + n))
        .collect();
    let specs: Vec<(Outcome, i32, &str)> = texts.iter().map(|t| (OK, 0, t.as_str())).collect();
    let summary = summarise(&input(&specs));
    assert_eq!(summary.findings.len(), 1);
    assert!(!summary.findings[0].identical);
}

#[test]
fn outputs_that_differ_by_the_node_s_own_name_or_the_time_are_alike() {
    let texts: Vec<String> = (0..6).map(|n| format!("web-{n} restarted at 2026-11-22T14:20:0{n}Z")).collect();
    let specs: Vec<(Outcome, i32, &str)> = texts.iter().map(|t| (OK, 0, t.as_str())).collect();
    let summary = summarise(&input(&specs));
    assert_eq!(told(&summary), ["6 succeeded ~ ‹node› restarted at ‹time› [0] | all 6 nodes"]);
}

#[test]
fn a_cut_output_is_never_equal_to_another() {
    let mut made = input(&[(OK, 0, "same\nsa"), (OK, 0, "same\nsa"), (OK, 0, "same\nsa")]);
    made.rows[0].cut = true;
    made.rows[1].cut = true;
    assert_eq!(
        told(&summarise(&made)),
        ["2 succeeded ~ same (output cut) [0] | web-0, web-1 in acme-0", "1 succeeded = sa [0] | web-2 in acme-0"]
    );
}

#[test]
fn empty_and_missing_outputs_have_words() {
    let mut made = input(&[(OK, 0, ""), (OK, 0, ""), (OK, 0, "gone"), (BAD, 3, "")]);
    made.rows[1].output = None;
    made.outputs.remove(&Digest::of(b"gone"));
    assert_eq!(
        told(&summarise(&made)),
        [
            "1 failed = exit code 3, no output [3] | web-3 in acme-0",
            "2 succeeded = no output [0] | web-0, web-1 in acme-0",
            "1 succeeded = its output is no longer kept [0] | web-2 in acme-0",
        ]
    );
}

#[test]
fn hundreds_of_single_outputs_are_one_finding() {
    let word = |n: u32| format!("{}{}", char::from(b'a' + (n / 26) as u8), char::from(b'a' + (n % 26) as u8));
    let texts: Vec<String> = (0..200).map(word).collect();
    let specs: Vec<(Outcome, i32, &str)> = texts.iter().map(|t| (OK, 0, t.as_str())).collect();
    assert_eq!(
        told(&summarise(&input(&specs))),
        ["200 succeeded ~ an output of its own on each node [0] | all 200 nodes"]
    );
}

#[test]
fn a_target_reported_twice_counts_once_and_the_worse_end_stands() {
    let mut made = input(&[(OK, 0, "fine"), (OK, 0, "fine")]);
    made.rows.push(Row { outcome: Some(BAD), exit_code: Some(1), ..made.rows[0].clone() });
    made.rows.push(Row { outcome: None, ..made.rows[1].clone() });
    let summary = summarise(&made);
    assert_eq!((summary.counts.total, summary.counts.failed, summary.counts.succeeded), (2, 1, 1));
}

fn any_outcome() -> impl Strategy<Value = Option<Outcome>> {
    prop_oneof![
        4 => Just(Some(OK)),
        3 => Just(Some(BAD)),
        1 => Just(Some(Outcome::TimedOut)),
        1 => Just(Some(Outcome::Undeliverable)),
        1 => Just(Some(Outcome::Denied)),
        1 => Just(Some(Outcome::Unknown)),
        1 => Just(Some(Outcome::Cancelled)),
        1 => Just(Some(Outcome::NotStarted(NotStarted::ErrorBudget))),
        1 => Just(None),
    ]
}

prop_compose! {
    fn any_row()(
        target in 0u32..60,
        outcome in any_outcome(),
        exit_code in proptest::option::of(0..3i32),
        output in "(ok|error|[0-9]{1,2}%?|nginx/1\\.[0-9]{1,2}\\.0|web-[0-9]|14:20:0[0-9]|\n| |\u{1b}\\[31m|\r|é|\u{1}){0,8}",
        kept in any::<bool>(),
        cut in any::<bool>(),
        extracted in proptest::option::of("[a-c]|[0-9]{1,3}%?"),
        account in 0..4u8,
    ) -> (Row, Option<String>) {
        let row = Row {
            target, outcome, exit_code, cut,
            step: "main".into(),
            output: Some(Digest::of(output.as_bytes())),
            extracted: extracted.map(|v| ("x".to_owned(), v)).into_iter().collect(),
            attributes: Arc::new([("account".to_owned(), format!("acme-{account}"))].into()),
            name: format!("web-{}", target % 7).into(),
            ..Row::default()
        };
        (row, kept.then_some(output))
    }
}

proptest! {
    #[test]
    fn counts_add_up_nobody_is_told_twice_and_order_does_not_matter(
        (rows, shuffled) in proptest::collection::vec(any_row(), 0..120)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        let build = |rows: &[(Row, Option<String>)]| Input {
            rows: rows.iter().map(|(r, _)| r.clone()).collect(),
            outputs: rows.iter().filter_map(|(r, text)| Some((r.output?, Arc::from(text.as_deref()?)))).collect(),
            extracts: false,
            took: None,
        };
        let summary = summarise(&build(&rows));
        let targets: BTreeSet<u32> = rows.iter().map(|(r, _)| r.target).collect();
        prop_assert_eq!(summary.counts.total as usize, targets.len());
        let mut told: Vec<u32> = summary.findings.iter().flat_map(|f| f.targets.iter().copied()).collect();
        prop_assert_eq!(told.len(), summary.counts.ended() as usize);
        for finding in &summary.findings {
            prop_assert!(!finding.targets.is_empty() && !finding.title.is_empty() && !finding.described.is_empty());
            prop_assert!(finding.targets.is_sorted());
            let controls = finding.title.contains(['\n', '\r', '\u{1b}', '\u{1}']);
            prop_assert!(!controls);
        }
        let recount = Counts::of(
            summary.counts.total,
            summary.findings.iter().flat_map(|f| std::iter::repeat_n(f.outcome, f.targets.len())),
        );
        prop_assert_eq!(recount, summary.counts);
        told.sort_unstable();
        told.dedup();
        prop_assert_eq!(told.len(), summary.counts.ended() as usize);
        prop_assert!(told.iter().all(|t| targets.contains(t)));
        prop_assert_eq!(summarise(&build(&shuffled)), summary);
    }
}

/// Nodes that answer one after the other, with what each printed, how it ended, and whether that was cut.
fn arriving() -> impl Strategy<Value = Vec<(String, Option<Outcome>, bool)>> {
    let text = prop_oneof![
        Just(String::new()),
        Just("\n".to_owned()),
        "nginx/1\\.(18|24)\\.0",
        "used [0-9]{1,2}% of /\nState: (up|down)",
        "(web-[0-3] is up\n){1,3}",
        "Error: [a-c]",
    ];
    let outcome = prop_oneof![4 => Just(Some(Outcome::Succeeded)), 1 => Just(Some(Outcome::Failed)), 1 => Just(None)];
    proptest::collection::vec((text, outcome, proptest::bool::weighted(0.1)), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_read_as_it_arrives_is_told_as_if_it_had_come_at_once(nodes in arriving(), step in 1..7usize) {
        let mut input = Input::default();
        let mut reader = Reader::default();
        for (n, (text, outcome, cut)) in nodes.iter().enumerate() {
            let output = Digest::of(text.as_bytes());
            input.rows.push(Row {
                target: u32::try_from(n).unwrap(), outcome: *outcome, output: Some(output), cut: *cut,
                name: format!("web-{n}").into(), ..Row::default()
            });
            input.outputs.insert(output, text.as_str().into());
            if n % step == 0 || n + 1 == nodes.len() {
                // What it has read it is not given again.
                let wanted = reader.wants(&input.rows);
                let outputs = input.outputs.iter().filter(|(key, _)| wanted.contains(key));
                let outputs = outputs.map(|(key, text)| (*key, text.clone())).collect();
                let some = Input { outputs, ..input.clone() };
                prop_assert_eq!(reader.summarise(&some), summarise(&input));
                prop_assert!(reader.wants(&input.rows).is_empty());
            }
        }
    }
}

/// How many nodes each result has.
fn sizes(texts: &[String]) -> Vec<usize> {
    summarise(&made_of(texts)).findings.iter().map(|finding| finding.targets.len()).collect()
}

#[test]
fn lines_of_one_kind_are_compared_by_what_nodes_have_in_common_and_not_by_what_moves() {
    // Each line has an address of its own, and only the number says which line it is.
    let ping = |node: usize, line: usize| {
        let seq = if node == 7 && line == 2 { 0 } else { line };
        format!("64 bytes from 10.{}.0.{}: icmp_seq={seq} time={}.{} ms", node * 31 % 97, line * 7 % 5, node % 83, line)
    };
    let of = |lines: &dyn Fn(usize) -> Vec<usize>| -> Vec<String> {
        (0..60).map(|n| lines(n).into_iter().map(|l| ping(n, l)).collect::<Vec<_>>().join("\n")).collect()
    };
    assert_eq!(sizes(&of(&|_| vec![0, 1, 2])), [59, 1]);
    let turned = |n: usize| if n.is_multiple_of(2) { vec![2, 0, 1] } else { vec![1, 2, 0] };
    assert_eq!(sizes(&of(&turned)), [59, 1]);
    // Also where those that lack one stand first.
    let lacking = |n: usize| if n < 9 { vec![n, n + 7] } else { vec![2, 0, 1] };
    assert_eq!(sizes(&of(&lacking)), [51, 9]);
    // Nothing is the same on two nodes: as they are printed.
    let use_of =
        |n: usize| format!("pid {} cpu {}\npid {} cpu {}", n * 91 % 89, n * 37 % 101, n * 53 % 97, n * 71 % 103);
    assert_eq!(sizes(&(0..60).map(use_of).collect::<Vec<_>>()), [60]);
}

#[test]
fn a_set_with_an_old_version_is_titled_by_it_also_where_others_lack_a_line() {
    let text = |n: usize| match n {
        0..4 => "load 0.1\nnginx/1.18.0\ncertificate valid\nresult: healthy".to_owned(),
        4..7 => "load 0.1\nnginx/1.24.0\nno space left on device\nresult: unhealthy".to_owned(),
        _ => "load 0.1\nnginx/1.24.0\ncertificate valid\nresult: healthy".to_owned(),
    };
    let summary = summarise(&made_of(&(0..100).map(text).collect::<Vec<_>>()));
    let titles: Vec<(usize, &str)> = summary.findings.iter().map(|f| (f.targets.len(), f.title.as_str())).collect();
    assert_eq!(titles, [(93, "certificate valid"), (4, "nginx/1.18.0"), (3, "no space left on device")]);
}

/// The outputs of nodes that write so many lines of a log, more or less, around their health check.
fn logs(nodes: usize, lines: impl Fn(usize) -> usize) -> Input {
    let text = |n: usize| {
        let line = |l: usize| {
            let status = if n % 40 == 7 && l == 3 { 500 } else { 200 };
            format!("10:{:02}:{:02} GET /health/{} status={status} took {}ms\n", n % 60, l % 60, l * n, n * 31 + l)
        };
        (0..lines(n)).map(line).collect::<String>() + if n % 50 == 9 { "version 1.18.0" } else { "version 1.24.0" }
    };
    made_of(&(0..nodes).map(text).collect::<Vec<_>>())
}

/// What `reader` wants, given to it until it wants nothing; how often it wanted something.
fn fed(reader: &mut Reader, rows: &[Row], outputs: &Outputs) -> usize {
    let mut rounds = 0;
    loop {
        let wanted = reader.wants(rows);
        if wanted.is_empty() {
            return rounds;
        }
        reader.learn(rows, &wanted.iter().filter_map(|key| Some((*key, outputs.get(key)?.clone()))).collect());
        rounds += 1;
        assert!(rounds < 9, "it wants the same again and again");
    }
}

#[test]
fn what_is_left_out_of_long_logs_changes_nothing_that_is_told() {
    let input = logs(200, |n| 70 + n * 7 % 50);
    let mut reader = Reader::with_threads(Threads::new(2));
    for step in [5, 30, 31, 90, 200] {
        fed(&mut reader, &input.rows[..step], &input.outputs);
        let rows = input.rows[..step].to_vec();
        let told = reader.summarise(&Input { rows: rows.clone(), ..Input::default() });
        assert_eq!(told, summarise(&Input { rows, ..input.clone() }), "{step} nodes");
    }
    let kept = |reader: &Reader| reader.records().map(|record| record.values.view().len()).sum::<usize>();
    // Of 200 logs of 95 lines with five values each.
    assert!(kept(&reader) < 200 * 8, "{}", kept(&reader));
    let told = told(&summarise(&input));
    assert_eq!(told.len(), 3, "{told:#?}");
}

#[test]
fn what_seemed_to_be_a_log_and_is_none_is_read_once_more() {
    // The first nodes have another number of lines each, and then all have the same.
    let input = logs(400, |n| if n < 15 { 70 + n * 3 } else { 80 });
    let mut reader = Reader::default();
    assert_eq!(fed(&mut reader, &input.rows[..15], &input.outputs), 1);
    let rounds: usize =
        [60, 120, 200, 400].map(|step| fed(&mut reader, &input.rows[..step], &input.outputs)).iter().sum();
    assert!(rounds > 4, "nothing was wanted twice");
    assert_eq!(reader.summarise(&Input { rows: input.rows.clone(), ..Input::default() }), summarise(&input));
}

#[test]
fn any_number_of_threads_tells_the_same() {
    let texts: Vec<String> = (0..2_000u32)
        .map(|n| {
            let log: String = (0..n % 7 + 8).map(|l| format!("GET /health/{} took {}ms\n", n % 3, n * l)).collect();
            format!("nginx/1.{}.0\n{log}Use%: {}%\n{}", if n % 50 == 0 { 18 } else { 24 }, n % 97, "x".repeat(400))
        })
        .collect();
    let input = made_of(&texts);
    let one = Reader::with_threads(Threads::new(1)).summarise(&input);
    for threads in [2, 3, 8, 9_999] {
        assert_eq!(Reader::with_threads(Threads::new(threads)).summarise(&input), one, "{threads} threads");
    }
}

#[test]
fn a_thousand_long_outputs_that_differ_in_numbers_only_are_one_finding() {
    let lines = |n: u32| -> String {
        (0..20)
            .map(|l| {
                format!(
                    "Nov 22 14:20:{l:02} unit[{}]: worker {} finished in {} ms\n",
                    n * 31 + l,
                    l % 4,
                    (n * 31) % 977
                )
            })
            .collect()
    };
    let texts: Vec<String> = (0..1000).map(lines).collect::<Vec<_>>();
    let specs: Vec<(Outcome, i32, &str)> = texts.iter().map(|t| (OK, 0, t.as_str())).collect();
    assert_eq!(
        told(&summarise(&input(&specs))),
        ["1000 succeeded ~ Nov 22 14:20:00 unit[0–30969]: worker 0 finished in 0–976 ms [0] | all 1000 nodes"]
    );
}

/// 200 outputs of df and systemctl, all near each other but for three nodes.
fn fleet() -> Vec<String> {
    (0..200u32)
        .map(|n| {
            let (used, state) = match n {
                17 | 90 => (96 + n % 3, "active"),
                140 => (99, "failed"),
                _ => (40 + n % 9, "active"),
            };
            format!(
                "Filesystem      Size  Used Avail Use% Mounted on\n\
                 /dev/root       100G {used:>4}G {:>4}G {used:>3}% /\n\
                 tmpfs           1.9G     0  1.9G   0% /run\n\n\
                 Id=nginx.service\nMainPID={}\nActiveState={state}\n",
                100 - used,
                4000 + n * 7
            )
        })
        .collect()
}

/// Each measure in one line.
fn measured(summary: &Summary) -> Vec<String> {
    let shape = |m: &Measure| match &m.shape {
        Shape::Categories(sets) => {
            sets.iter().map(|(value, set)| format!("{value} on {}", set.len())).collect::<Vec<_>>().join(", ")
        }
        Shape::Numbers { unit, median, max, top, low, .. } => {
            format!("median {median}{unit}, max {max}{unit}, top {:?}, low {:?}", &top[..3], low.first())
        }
    };
    summary.measures.iter().map(|m| format!("{} on {}: {}", m.name, m.nodes, shape(m))).collect()
}

fn made_of(texts: &[String]) -> Input {
    input(&texts.iter().map(|t| (OK, 0, t.as_str())).collect::<Vec<_>>())
}

#[test]
fn where_a_runbook_extracts_nothing_three_outliers_of_two_hundred_are_found_in_the_outputs() {
    let summary = summarise(&made_of(&fleet()));
    assert!(summary.measures.iter().all(|m| m.found));
    // The per cent of the disk stands for its used and free part, whose outliers are the same nodes.
    insta::assert_snapshot!(measured(&summary).join("\n"), @r#"
    Use% of / on 200: median 44%, max 99%, top [("99", 140), ("98", 17), ("96", 90)], low None
    ActiveState on 200: active on 199, failed on 1
    "#);
}

#[test]
fn what_a_runbook_extracts_is_all_that_is_measured() {
    let mut made = made_of(&fleet());
    made.extracts = true;
    assert_eq!(summarise(&made).measures, []);
    made.extracts = false;
    made.rows[3].extracted = [("state".to_owned(), "up".to_owned())].into();
    let summary = summarise(&made);
    assert_eq!(measured(&summary), ["state on 1: up on 1"]);
    assert!(!summary.measures[0].found);
}

#[test]
fn what_is_equal_everywhere_or_stands_on_few_nodes_is_not_found() {
    assert_eq!(summarise(&made_of(&vec!["Use: 97%".to_owned(); 50])).measures, []);
    // A mount that a fifth of the nodes have.
    let rare = |n: u32| if n.is_multiple_of(5) { format!("data: {n}%\n") } else { String::new() };
    let texts: Vec<String> = (0..50).map(|n| format!("kind: web\n{}", rare(n))).collect();
    assert_eq!(summarise(&made_of(&texts)).measures, []);
    // Half of them, or a point in time.
    let texts: Vec<String> = (0..50).map(|n| format!("started: 14:20:0{}\nkind: {}", n / 49, n % 3)).collect();
    assert_eq!(summarise(&made_of(&texts)).measures, []);
    // Four nodes are read one by one, and so is what failed.
    let texts: Vec<String> = (0..40).map(|n| format!("Use: {}%", 57 + n)).collect();
    assert_eq!(summarise(&made_of(&texts[31..35])).measures, []);
    let failed: Vec<(Outcome, i32, &str)> = texts.iter().map(|t| (BAD, 1, t.as_str())).collect();
    assert_eq!(summarise(&input(&failed)).measures, []);
    assert_eq!(summarise(&made_of(&texts)).measures.len(), 1);
}

#[test]
fn two_kinds_of_nodes_are_each_measured_on_their_own() {
    let linux =
        |n: u32| format!("Filesystem  Size  Used Avail Use% Mounted on\n/dev/sda    100G   50G   50G  {}% /", 40 + n);
    let windows =
        |n: u32| format!("DriveLetter     : C\nHealthStatus    : {}", if n == 3 { "Warning" } else { "Healthy" });
    let texts: Vec<String> = (0..30).map(linux).chain((0..30).map(windows)).collect();
    let told = measured(&summarise(&made_of(&texts)));
    assert_eq!(told[0], "HealthStatus on 30: Healthy on 29, Warning on 1");
    assert!(told[1].starts_with("Use% of / on 30: median 54%, max 69%"), "{told:?}");
}

#[test]
fn where_the_lowest_values_tell_they_are_the_ones_that_are_named() {
    let free = |n: u32| if n == 11 { 96 } else { 6000 + n * 3 };
    let texts: Vec<String> = (0..60).map(|n| format!("MemTotal:  8008 kB\nMemAvailable:  {} kB", free(n))).collect();
    assert_eq!(
        measured(&summarise(&made_of(&texts))),
        [
            "MemAvailable on 60: median 6087kB, max 6177kB, top [(\"6177\", 59), (\"6174\", 58), (\"6171\", 57)], low Some((\"96\", 11))"
        ]
    );
}

#[test]
fn at_most_five_are_found_and_outliers_come_before_what_only_differs() {
    let line = |n: u32, key: u32| {
        format!("metric{}: {}\n", char::from(b'a' + key as u8), if n == key { 9000 } else { 100 + n })
    };
    let texts: Vec<String> = (0..80)
        .map(|n| format!("usual: {}%\n{}", 20 + n % 30, (0..9).map(|key| line(n, key)).collect::<String>()))
        .collect();
    let summary = summarise(&made_of(&texts));
    let names: Vec<&str> = summary.measures.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names.len(), 5);
    assert!(!names.contains(&"usual"), "{names:?}");
}

/// How long it takes stands in the last line of: `cargo test --release --no-default-features --lib fifty_thousand -- --ignored`.
#[test]
#[ignore = "a measurement"]
fn fifty_thousand_tables_of_disks() {
    let mounts: String = (0..6)
        .map(|m| format!("tmpfs           1.9G   {m}M  1.9G   {m}% /run/{}\n", ["a", "b", "c", "d", "e", "f"][m]))
        .collect();
    let texts: Vec<String> = (0..50_000u32)
        .map(|n| {
            format!(
                "Filesystem      Size  Used Avail Use% Mounted on\n/dev/root       100G {:>4}G {:>4}G {:>3}% /\n{mounts}/dev/sdb        {n:>4}M {n:>4}M {n:>4}M {:>3}% /srv\n",
                n % 97, 100 - n % 97, n % 97, n % 89
            )
        })
        .collect();
    assert_eq!(summarise(&made_of(&texts)).measures.len(), 3);
}
