//! Every kind of message and modal that the adapter can say, written down for the independent validator
//! (`.ci/witness-blocks`).

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use muster::adapters::slack::Slack;
use muster::domain::{ChatPlatform, Digest, GroupRef, Principal};
use muster::message::{
    Block, Card, Chart, Choice, FieldKind, Form, FormField, FormKind, Home, Span, Style, Table, Tone, Verb, View, form,
};
use muster::playground::slack::faults::Plant;
use muster::ports::{Chat, Reply};
use serde_json::{Value, json};

use crate::slack_stage::*;

fn spans(text: &str) -> Vec<Span> {
    vec![
        Span::plain(text),
        Span::bold(text),
        Span::code(text),
        Span::plain(""),
        Span::Link { url: "https://example.com/runs/1?a=1&b=2".into(), text: text.into() },
        Span::Link { url: "javascript:alert(1)".into(), text: text.into() },
        Span::Person(person("U0SUSAN")),
        Span::Person(Principal { platform: ChatPlatform::Discord, tenant: "1".into(), user: "2".into() }),
        Span::Group { group: Some("slack:T0MUSTER:S0SRE".parse::<GroupRef>().unwrap()), name: "sre".into() },
        Span::Group { group: None, name: text.into() },
        Span::When("2026-11-22T14:30:00Z".parse().unwrap()),
    ]
}

fn cards() -> Vec<Card> {
    let texts = [
        "plain words",
        "",
        " ",
        "\n",
        "<!channel> <@U1> <http://x|y>",
        "``` ` * _ ~",
        "\u{202E}\0\x1b[31m",
        "日本語 🦀 émoji",
        &"long ".repeat(30),
        &"very long ".repeat(900),
        &"<&>".repeat(1_500),
        &"a\n".repeat(2_000),
        "x=1\ty=2\r\n",
    ]
    .map(str::to_owned);
    let tones = [Tone::Waiting, Tone::Running, Tone::Good, Tone::Warning, Tone::Bad, Tone::Neutral];
    let mut cards = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        cards.push(Card {
            tone: tones[n % tones.len()],
            title: text.clone(),
            blocks: vec![
                Block::Text(spans(text)),
                Block::Fields(vec![(text.clone(), spans(text)), ("Empty".into(), vec![])]),
                Block::Code(text.clone()),
                Block::Divider,
                Block::Note(vec![Span::plain(text)]),
                Block::Note(spans(text)),
                Block::Text(vec![]),
                Block::Fields(vec![]),
            ],
            buttons: vec![
                button(Verb::Approve, text, Style::Primary),
                button(Verb::Deny, "Deny", Style::Danger),
                button(Verb::Output, "web-1", Style::Plain),
                button(Verb::Output, "web-2", Style::Plain),
            ],
        });
    }
    let blocks = |block: Block, count: usize| Card {
        tone: Tone::Bad,
        title: "a great deal".into(),
        blocks: vec![block; count],
        buttons: vec![button(Verb::RunAgain, "Run again", Style::Plain); 30],
    };
    cards.push(blocks(Block::Divider, 100));
    cards.push(blocks(Block::Code("line\n".repeat(700)), 20));
    cards.push(blocks(Block::Text(spans("word")), 80));
    let rows = |text: &str| (0..20).map(|n| vec![format!("web-{n}"), text.to_owned(), String::new()]).collect();
    for text in ["acme-prod", "<!channel> *a* `b`", "日本語 🦀", &"long ".repeat(40)] {
        let table = Table { head: ["node", "account", "empty"].map(str::to_owned).to_vec(), rows: rows(text) };
        let bars = (0..10).map(|n| (format!("{}–{}%", n * 10, n * 10 + 10), n * n)).collect();
        let chart = Chart { title: format!("use: {text}"), bars };
        let (table, chart) = (Block::Table(table), Block::Chart(chart));
        let blocks = vec![chart.clone(), table.clone(), chart.clone(), table, chart];
        cards.push(Card { tone: Tone::Neutral, title: text.into(), blocks, buttons: vec![] });
    }
    cards.push(Card { tone: Tone::Good, title: "only a title".into(), blocks: vec![], buttons: vec![] });
    cards
}

fn asks_why(text: &str) -> Form {
    let field = |n: usize| FormField {
        name: format!("field_{}", ["a", "b", "c"][n]),
        label: if text.is_empty() { "Why?".into() } else { text.into() },
        hint: (n == 1).then(|| "The requester reads it.".into()),
        required: n == 0,
        kind: FieldKind::Text {
            value: None,
            multiline: n == 1,
            max_length: [500, 3_000, u16::MAX][n],
            placeholder: None,
        },
        fault: None,
    };
    Form {
        kind: FormKind::Deny { run: run(), revision: u32::MAX },
        title: if text.is_empty() { "Deny".into() } else { text.into() },
        submit: Some("Deny this run and everything in it".into()),
        intro: if text.is_empty() { vec![] } else { spans(text) },
        fields: (0..3).map(field).collect(),
        footer: vec![],
    }
}

/// Forms and pages of every kind, as the engine makes them and worse.
fn views() -> (Vec<Form>, Vec<Home>) {
    let texts = ["", "plain", "<!channel> `x` \u{202E}", "حساب 🦀 日本語", &"long ".repeat(1_000)].map(str::to_owned);
    let view = View::new("r-AB7F", "2026-11-22T14:10:00Z".parse().unwrap(), "/runbook");
    let mut forms = vec![form::pick_form(&view), form::waiting_form(), form::nothing_to_pick("nobody `knows`", &view)];
    let mut homes = Vec::new();
    for text in &texts {
        let choices: Vec<Choice> =
            (0..120).filter_map(|n| Choice::new(format!("v{n}"), &format!("{n} {text}"))).collect();
        let value = Some(text.clone()).filter(|t| !t.is_empty());
        let kinds = [
            FieldKind::Text { value, multiline: true, max_length: 1_000, placeholder: Some(text.clone()) },
            FieldKind::Number { value: Some("5".into()), min: Some("1".into()), max: Some("9".into()), decimal: false },
            FieldKind::Choice { choices: choices.clone(), picked: Some("v3".into()) },
            FieldKind::Search { picked: choices[..1].to_vec(), most: 1, tells: true },
            FieldKind::Search { picked: choices.clone(), most: 50, tells: true },
            FieldKind::Search { picked: vec![], most: 50, tells: true },
            FieldKind::Flag { value: None },
            FieldKind::Flag { value: Some(true) },
            FieldKind::Channel { value: Some("C0OPS".into()) },
        ];
        let field = |(n, kind): (usize, FieldKind)| FormField {
            name: format!("field{n}"),
            label: text.clone(),
            hint: Some(text.clone()),
            required: n % 2 == 0,
            kind,
            fault: (n == 2).then(|| text.clone()),
        };
        forms.push(Form {
            kind: FormKind::Run { runbook: "restart-service".parse().unwrap(), revision: Digest::of(b"file") },
            title: text.clone(),
            submit: Some("Run".into()),
            intro: spans(text),
            fields: kinds.into_iter().enumerate().map(field).collect(),
            footer: spans(text),
        });
        let section = Card {
            tone: Tone::Waiting,
            title: text.clone(),
            blocks: vec![Block::Text(spans(text)), Block::Note(spans(text))],
            buttons: vec![button(Verb::Approve, text, Style::Primary), button(Verb::Fill, text, Style::Plain)],
        };
        homes.push(Home { sections: vec![section; 30] });
    }
    (forms, homes)
}

/// A server that takes every view and keeps what it was given.
async fn keeper() -> (String, Arc<Mutex<Vec<Value>>>) {
    let kept: Arc<Mutex<Vec<Value>>> = Arc::default();
    let keep = kept.clone();
    let app = axum::Router::new().fallback(move |body: axum::Json<Value>| async move {
        keep.lock().unwrap().push(body.0["view"].clone());
        axum::Json(json!({ "ok": true, "view": { "id": "V1" } }))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, kept)
}

/// Every view in a line of its own. The simulated Slack does not judge them here: the validator does.
async fn write_views(lines: &mut String) {
    let (url, kept) = keeper().await;
    let slack = Slack::with_pace(settings(&url), pace()).unwrap();
    let reply = Reply {
        platform: ChatPlatform::Slack,
        place: in_thread("C0OPS", "1.2"),
        person: person("U0SUSAN"),
        url: None,
        trigger: Some("t".into()),
    };
    let (forms, homes) = views();
    for form in &forms {
        assert_eq!(slack.open_form(&reply, form).await.as_deref(), Ok("V1"));
        slack.update_form(&reply, "V1", form).await.unwrap();
    }
    for home in &homes {
        slack.show_home(&person("U0SUSAN"), home).await.unwrap();
    }
    let kept = kept.lock().unwrap();
    assert_eq!(kept.len(), 2 * forms.len() + homes.len());
    for view in kept.iter() {
        writeln!(lines, "{}", json!({ "kind": view["type"], "body": view })).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_bodies_of_every_kind_are_taken_by_the_simulated_slack_and_written_for_the_validator() {
    let stage = stage().await;
    let reply = Reply {
        platform: ChatPlatform::Slack,
        place: place("C0OPS"),
        person: person("U0SUSAN"),
        url: None,
        trigger: None,
    };
    let method = "chat.postEphemeral";
    let (mut said, mut refused) = (0, Vec::new());
    for rung in 0..3 {
        for card in cards() {
            if rung > 0 {
                stage.plant(Plant {
                    method: Some(method.into()),
                    error: Some("invalid_blocks".into()),
                    count: Some(rung),
                    ..fault("api-error")
                });
            }
            let title: String = card.title.chars().take(40).collect();
            let before = stage.calls(method);
            if let Err(error) = stage.slack.whisper(&reply, &card).await {
                refused.push(format!("{title:?} on rung {rung}: {error}"));
            }
            if stage.calls(method) - before != u64::from(rung) + 1 {
                refused.push(format!("{title:?} was refused on rung {rung}"));
            }
            said += 1;
        }
    }
    let mut lines = String::new();
    for text in ["", "Deny this run", &"long ".repeat(1_000), "<!channel> `x`"] {
        let root = stage.slack.post(&place("C0INCIDENT"), &card("waits"), "k").await.unwrap();
        stage.clicks("@approver", "#incidents", &root.id, "Deny").await;
        let click = stage.book.deliveries.lock().unwrap().last().cloned().unwrap();
        if let Err(error) = stage.slack.open_form(&click.reply, &asks_why(text)).await {
            refused.push(format!("a form about {:?}: {error}", text.chars().take(40).collect::<String>()));
            continue;
        }
        let world = stage.workspace().world();
        let view = world.top_view("U0ARNE").unwrap();
        let mut body = view.given.clone();
        body["blocks"] = json!(view.blocks);
        writeln!(lines, "{}", json!({ "kind": "modal", "body": body })).unwrap();
    }
    write_views(&mut lines).await;
    for message in stage.workspace().world().messages.iter().filter(|m| m.is_bot()) {
        let body = json!({ "channel": message.channel, "text": message.text, "blocks": message.blocks });
        writeln!(lines, "{}", json!({ "kind": "message", "body": body })).unwrap();
    }
    std::fs::write(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("slack_bodies.jsonl"), &lines).unwrap();
    assert_eq!(refused, Vec::<String>::new());
    assert!(lines.lines().count() > said);
}
