//! What a card becomes, and that nothing in it can ping, link or break out.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::adapters::slack::form::{FormRef, form};
use crate::domain::{GroupRef, Place, Principal, RunId};
use crate::message::{FieldKind, Form, FormField, FormKind, Tone, Verb};

fn run() -> RunId {
    "01J9ZX0000000000000000AB7F".parse().unwrap()
}

fn button(verb: Verb, label: &str, style: Style) -> Button {
    Button { verb, label: label.into(), style, run: run(), revision: 7 }
}

fn approval() -> Card {
    Card {
        tone: Tone::Waiting,
        title: "restart-service on 48 nodes waits for 1 of @sre".into(),
        blocks: vec![
            Block::Text(vec![
                Span::Person(Principal::slack("T0MUSTER", "U0SUSAN")),
                Span::plain(" asks for "),
                Span::bold("restart-service"),
                Span::plain(" with "),
                Span::code("service=nginx"),
                Span::plain("."),
            ]),
            Block::Fields(vec![
                ("Targets".into(), vec![Span::plain("48 nodes in 3 accounts")]),
                (
                    "Approvers".into(),
                    vec![Span::Group {
                        group: Some("slack:T0MUSTER:S0SRE".parse::<GroupRef>().unwrap()),
                        name: "sre".into(),
                    }],
                ),
                ("Expires".into(), vec![Span::When("2026-11-22T14:30:00Z".parse().unwrap())]),
            ]),
            Block::Code("systemctl restart -- \"$service\"\n".into()),
            Block::Divider,
            Block::Note(vec![Span::plain("rule approve-production, policy 3fa9")]),
            Block::Note(vec![
                Span::plain("see "),
                Span::Link { url: "https://example.com/runs/1".into(), text: "the run".into() },
            ]),
        ],
        buttons: vec![button(Verb::Approve, "Approve", Style::Primary), button(Verb::Deny, "Deny", Style::Danger)],
    }
}

fn json(rendered: &Rendered) -> String {
    let lines: Vec<String> = rendered.blocks.iter().map(|b| serde_json::to_string(b).unwrap()).collect();
    format!("{}\n{}", rendered.text, lines.join("\n"))
}

#[test]
fn an_approval_card_in_block_kit() {
    insta::assert_snapshot!(json(&card(&approval(), Rung::Rich)));
}

#[test]
fn the_same_card_when_slack_refuses_rich_text() {
    insta::assert_snapshot!(json(&card(&approval(), Rung::Plain)));
}

#[test]
fn the_same_card_when_slack_refuses_every_block() {
    insta::assert_snapshot!(json(&card(&approval(), Rung::Text)));
}

#[test]
fn a_form_remembers_what_it_is_for_and_where_it_was_opened() {
    let asks_why = Form {
        kind: FormKind::Deny { run: run(), revision: 7 },
        title: "Deny this run".into(),
        submit: Some("Deny".into()),
        intro: vec![Span::plain("restart-service on 48 nodes")],
        fields: vec![FormField {
            name: "reason".into(),
            label: "Why?".into(),
            hint: Some("The requester reads it.".into()),
            required: true,
            kind: FieldKind::Text { value: None, multiline: true, max_length: 500, placeholder: None },
            fault: None,
        }],
        footer: vec![],
    };
    let place = Place {
        platform: ChatPlatform::Slack,
        tenant: "T0MUSTER".into(),
        channel: "C0OPS".into(),
        thread: Some("1.2".into()),
    };
    let view = form(&asks_why, &place);
    insta::assert_snapshot!(serde_json::to_string_pretty(&view).unwrap());
    let back: FormRef = "v1:deny:01J9ZX0000000000000000AB7F:7 C0OPS 1.2".parse().unwrap();
    assert_eq!(back.to_string(), "v1:deny:01J9ZX0000000000000000AB7F:7 C0OPS 1.2");
    assert_eq!((back.channel.as_str(), back.thread.as_deref()), ("C0OPS", Some("1.2")));
    assert!("v1:deny:01J9ZX0000000000000000AB7F:7 C0OPS 1.2 3".parse::<FormRef>().is_err());
}

/// Every string of the rendered message that Slack parses, and every element that acts by its type.
fn hazards(value: &Value, parsed: &mut Vec<String>, acting: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
            if kind == "mrkdwn" {
                assert_eq!(object.get("verbatim"), Some(&Value::Bool(true)), "{value}");
                parsed.push(object["text"].as_str().unwrap().to_owned());
            }
            if matches!(
                kind,
                "user" | "usergroup" | "broadcast" | "channel" | "link" | "color" | "message_mention" | "emoji"
            ) {
                acting.push(value.to_string());
            }
            if kind == "plain_text" {
                assert_eq!(object.get("emoji"), Some(&Value::Bool(false)), "{value}");
            }
            object.values().for_each(|v| hazards(v, parsed, acting));
        }
        Value::Array(items) => items.iter().for_each(|v| hazards(v, parsed, acting)),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// The `<…>` that Slack would act on.
fn tokens(text: &str) -> Vec<&str> {
    text.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)).collect()
}

fn everywhere(evil: &str) -> Card {
    let span = |f: fn(String) -> Span| f(evil.to_owned());
    let spans = vec![
        span(Span::Plain),
        span(Span::Bold),
        span(Span::Code),
        Span::Group { group: None, name: evil.into() },
        Span::Link { url: evil.into(), text: evil.into() },
        Span::Person(Principal { platform: ChatPlatform::Slack, tenant: "T0".into(), user: evil.into() }),
        Span::Group {
            group: Some(GroupRef { platform: ChatPlatform::Slack, tenant: "T0".into(), group: evil.into() }),
            name: evil.into(),
        },
    ];
    Card {
        tone: Tone::Bad,
        title: evil.into(),
        blocks: vec![
            Block::Text(spans.clone()),
            Block::Fields(vec![(evil.into(), spans.clone())]),
            Block::Code(evil.into()),
            Block::Note(spans),
            Block::Note(vec![span(Span::Plain)]),
        ],
        buttons: vec![button(Verb::RunAgain, evil, Style::Plain)],
    }
}

fn assert_inert(evil: &str) {
    for rung in [Rung::Rich, Rung::Plain, Rung::Text] {
        let rendered = card(&everywhere(evil), rung);
        let (mut parsed, mut acting) = (vec![rendered.text.clone()], Vec::new());
        hazards(&serde_json::to_value(&rendered.blocks).unwrap(), &mut parsed, &mut acting);
        assert_eq!(acting, Vec::<String>::new(), "{evil:?} became something that acts on {rung:?}");
        for text in &parsed {
            assert_eq!(tokens(text), Vec::<&str>::new(), "{evil:?} became a token of {text:?} on {rung:?}");
        }
        let whole = serde_json::to_string(&rendered.blocks).unwrap() + &rendered.text;
        assert!(!whole.contains(['\u{202E}', '\u{0}', '\u{1b}']), "{evil:?}");
        // A fence or a code span that the text itself could close.
        let shown = if rung == Rung::Text { &parsed[..] } else { &parsed[1..] };
        for text in shown.iter().filter(|t| t.contains("```")) {
            assert_eq!(text.matches('`').count() % 2, 0, "{text:?}");
        }
    }
}

#[test]
fn nothing_that_people_or_machines_write_pings_links_or_breaks_out() {
    for evil in [
        "<!channel>",
        "<!here|here>",
        "<!everyone>",
        "<!subteam^S0SRE>",
        "<!subteam^S0SRE|@sre>",
        "<@U0ARNE>",
        "<@U0ARNE|x>",
        "<#C0OPS>",
        "<http://evil.example|Approve>",
        "<https://evil.example>",
        "<mailto:a@b|x>",
        "@channel",
        "@here",
        "@everyone",
        "&lt;!channel&gt;",
        "&amp;lt;!channel&gt;",
        "*bold* _it_ ~no~ `code`",
        "``` <!channel> ```",
        "```",
        "`",
        "````",
        "a\n> quote\n- list",
        "[text](http://evil.example)",
        "![i](http://evil.example)",
        "\u{202E}lennahc!<",
        "<\u{200B}!channel>",
        "\x1b]8;;http://evil.example\x07x\x1b]8;;\x07",
        "\0",
        "\u{FE64}!channel\u{FE65}",
        "＜!channel＞",
        ":rotating_light:",
        "<!date^1^{date}|<!channel>>",
        "\"}],\"type\":\"user\"",
        "https://evil.example|x",
        "javascript:alert(1)",
        "https://a.example/<!channel>",
        "<",
        ">",
        "&",
        "",
        " ",
        "\n",
    ] {
        assert_inert(evil);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_random_does_either(evil in "-[<>!@#|&;`*_~^a-zSUC0-9\\[\\]() \n\"'{}\\\\\u{202E}:/.-]{0,60}") {
        assert_inert(&evil);
    }
}

#[test]
fn addresses_are_links_only_where_they_are_web_addresses() {
    assert_eq!(web_address("https://a.example/x?y=1&z=2"), Some("https://a.example/x?y=1&z=2".into()));
    for bad in ["javascript:x", "http://a b", "https://a|b", "https://a>b", "ftp://a", "//a", ""] {
        assert_eq!(web_address(bad), None, "{bad}");
    }
}

fn text_of(value: &Value) -> usize {
    match value {
        Value::Object(object) => object
            .iter()
            .map(|(key, v)| match v {
                Value::String(text) if key == "text" => text.chars().count(),
                other => text_of(other),
            })
            .sum(),
        Value::Array(items) => items.iter().map(text_of).sum(),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => 0,
    }
}

#[test]
fn a_card_that_is_too_large_is_cut_with_a_word_about_it_and_keeps_its_buttons() {
    let mut huge = approval();
    huge.blocks = (0..200).map(|n| Block::Code(format!("line {n}\n").repeat(100))).collect();
    for rung in [Rung::Rich, Rung::Plain] {
        let rendered = card(&huge, rung);
        assert!(rendered.blocks.len() <= 50);
        let value = serde_json::to_value(&rendered.blocks).unwrap();
        assert!(text_of(&value) <= TEXT_BUDGET + 500, "{} on {rung:?}", text_of(&value));
        let text = value.to_string();
        assert!(text.contains("… cut: "), "{text}");
        assert!(text.contains("v1:approve:"), "{text}");
    }
    let text = card(&huge, Rung::Text).text;
    assert!(
        text.chars().count() <= TEXT_MAX && text.contains("… cut: ") && text.contains("buttons are missing"),
        "{text}"
    );
}

#[test]
fn one_section_that_is_too_long_for_slack_says_so_too() {
    let mut long = approval();
    long.blocks = vec![Block::Text(vec![Span::plain("word ".repeat(1_000))]), Block::Code("x\n".repeat(1_600))];
    let value = serde_json::to_value(card(&long, Rung::Plain).blocks).unwrap();
    assert!(value.to_string().contains("… cut: "), "{value}");
    for block in value.as_array().unwrap() {
        assert!(block["text"]["text"].as_str().unwrap_or_default().chars().count() <= SECTION_MAX);
    }
}

#[test]
fn two_buttons_of_one_verb_have_ids_of_their_own() {
    let mut twice = approval();
    twice.buttons = vec![button(Verb::Output, "web-1", Style::Plain), button(Verb::Output, "web-2", Style::Plain)];
    let value = serde_json::to_value(card(&twice, Rung::Rich).blocks).unwrap();
    assert!(value.to_string().contains(r#""action_id":"output-2""#), "{value}");
}
