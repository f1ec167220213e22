//! What a card becomes, and that nothing in it can ping, link or break out.

use proptest::prelude::*;

use super::*;
use crate::domain::{GroupRef, Principal, RunId};
use crate::message::Verb;

fn in_guild(guild: &str) -> About {
    About { guild: guild.into(), channel: None }
}

fn run() -> RunId {
    "01J9ZX0000000000000000AB7F".parse().unwrap()
}

fn button(verb: Verb, label: &str, style: Style) -> Button {
    Button { verb, label: label.into(), style, run: run(), revision: 7 }
}

fn group(text: &str, name: &str) -> Span {
    Span::Group { group: Some(text.parse::<GroupRef>().unwrap()), name: name.into() }
}

fn approval() -> Card {
    Card {
        tone: Tone::Waiting,
        title: "restart-service on 48 nodes waits for 1 of @sre".into(),
        blocks: vec![
            Block::Text(vec![
                Span::Person(Principal::discord("100", "200")),
                Span::plain(" asks for "),
                Span::bold("restart-service"),
                Span::plain(" with "),
                Span::code("service=nginx"),
                Span::plain("."),
            ]),
            Block::Fields(vec![
                ("Targets".into(), vec![Span::plain("48 nodes in 3 accounts")]),
                ("Approvers".into(), vec![group("discord:100:300", "sre")]),
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

fn plain_card(text: &str) -> Card {
    Card {
        tone: Tone::Neutral,
        title: text.into(),
        blocks: vec![Block::Text(vec![Span::plain(text)])],
        buttons: Vec::new(),
    }
}

const POST: Purpose<'_> = Purpose::Post { nonce: "abc", mark: "muster 0123" };

fn description(body: &Value) -> String {
    let embeds = body["embeds"].as_array().unwrap();
    embeds.iter().map(|embed| embed["description"].as_str().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_approval_is_an_embed_with_its_buttons_and_rings_for_exactly_those_it_names() {
    let body = card(&approval(), Rung::Rich, POST, None);
    let embed = &body["embeds"][0];
    assert_eq!(embed["title"], "⏳ restart-service on 48 nodes waits for 1 of \\@sre");
    assert_eq!(embed["color"], 0x00F0_B232);
    assert_eq!(embed["footer"]["text"], "muster 0123");
    assert_eq!(
        description(&body),
        "<@200> asks for **restart-service** with `service=nginx`.\n\n\
         **Targets:** 48 nodes in 3 accounts\n**Approvers:** <@&300>\n**Expires:** <t:1795357800:f>\n\n\
         ```\nsystemctl restart -- \"$service\"\n```\n\n──────────\n\n\
         -# rule approve-production, policy 3fa9\n\n-# see [the run](<https://example.com/runs/1>)"
    );
    // Inside an embed nobody is pinged.
    assert_eq!(body["content"], "<@200> <@&300>");
    let allowed = &body["allowed_mentions"];
    assert_eq!(
        (&allowed["parse"], &allowed["users"], &allowed["roles"]),
        (&json!([]), &json!(["200"]), &json!(["300"]))
    );
    assert_eq!((&body["nonce"], &body["enforce_nonce"]), (&json!("abc"), &json!(true)));
    let row = &body["components"][0];
    assert_eq!(row["type"], 1);
    let buttons: Vec<_> = row["components"].as_array().unwrap().iter().map(|b| (&b["label"], &b["style"])).collect();
    assert_eq!(buttons, [(&json!("Approve"), &json!(1)), (&json!("Deny"), &json!(4))]);
    assert_eq!(row["components"][0]["custom_id"], "v1:approve:01J9ZX0000000000000000AB7F:7");
}

#[test]
fn an_edit_and_a_whisper_ring_for_nobody() {
    for purpose in [Purpose::Edit, Purpose::Whisper] {
        for rung in [Rung::Rich, Rung::Plain, Rung::Title] {
            let body = card(&approval(), rung, purpose, None);
            let allowed = &body["allowed_mentions"];
            let nobody = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
            assert!(nobody(&allowed["parse"]) && nobody(&allowed["users"]) && nobody(&allowed["roles"]), "{allowed}");
            assert!(body["nonce"].is_null());
        }
    }
    // What stood there when it rang stays, and Discord shows an edit without it as a change.
    assert_eq!(card(&approval(), Rung::Rich, Purpose::Edit, None)["content"], "<@200> <@&300>");
}

#[test]
fn people_of_another_platform_are_shown_and_never_rung_for() {
    let mut foreign = plain_card("x");
    foreign.blocks = vec![Block::Text(vec![
        Span::Person(Principal::slack("T1", "U1")),
        group("slack:T1:S1", "sre"),
        Span::Group { group: None, name: "everyone".into() },
    ])];
    let body = card(&foreign, Rung::Rich, POST, None);
    assert_eq!(body["content"], "");
    assert_eq!(description(&body), "slack:T1:U1\\@sre\\@everyone");
    assert_eq!(body["allowed_mentions"]["parse"], json!([]));
}

#[test]
fn a_direct_message_names_the_guild_in_its_buttons_and_equal_buttons_differ() {
    let mut twice = approval();
    twice.buttons.push(button(Verb::Deny, "Deny too", Style::Plain));
    let body = card(&twice, Rung::Rich, POST, Some(&in_guild("100")));
    let ids: Vec<&str> = body["components"][0]["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|button| button["custom_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids[1], "v1:deny:01J9ZX0000000000000000AB7F:7@100");
    assert_eq!(ids[2], "v1:deny:01J9ZX0000000000000000AB7F:7@100#1");
}

#[test]
fn two_thousand_and_one_characters_are_said_whole_in_an_embed_and_cut_with_a_note_in_plain_text() {
    let text = "x".repeat(1_499) + &"y".repeat(502);
    let long = Card { title: "long".into(), blocks: vec![Block::Code(text.clone())], ..plain_card("") };
    assert!(description(&card(&long, Rung::Rich, POST, None)).contains(&text));
    let body = card(&long, Rung::Plain, POST, None);
    let content = body["content"].as_str().unwrap();
    assert!(content.chars().count() <= CONTENT_MAX && content.contains("not shown"), "{content}");
}

#[test]
fn what_is_left_when_discord_refuses_the_layout_says_so() {
    let body = card(&approval(), Rung::Title, POST, None);
    assert_eq!(body["embeds"], json!([]));
    assert_eq!(body["components"], json!([]));
    let content = body["content"].as_str().unwrap();
    assert!(content.contains("Discord refused the layout") && content.ends_with("-# muster 0123"), "{content}");
}

#[test]
fn a_title_of_nothing_but_marks_fits() {
    let body = card(&plain_card(&"*".repeat(300)), Rung::Rich, POST, None);
    assert!(body["embeds"][0]["title"].as_str().unwrap().chars().count() <= TITLE_MAX);
}

fn any_span() -> impl Strategy<Value = Span> {
    prop_oneof![
        "[*_~`|<>@#\\\\\\-\n a-z]{0,600}".prop_map(Span::Plain),
        "\\PC{0,900}".prop_map(Span::Bold),
        "[`a-z\n]{0,40}".prop_map(Span::Code),
        Just(Span::Person(Principal::discord("1", "2"))),
        ("https?://[a-z./()<>]{0,40}", "\\PC{0,20}").prop_map(|(url, text)| Span::Link { url, text }),
    ]
}

fn any_card() -> impl Strategy<Value = Card> {
    let block = prop_oneof![
        proptest::collection::vec(any_span(), 0..5).prop_map(Block::Text),
        proptest::collection::vec(any_span(), 0..3).prop_map(Block::Note),
        "[`*a-z\n]{0,4000}".prop_map(Block::Code),
        proptest::collection::vec(("[A-Z*]{0,90}", proptest::collection::vec(any_span(), 0..2)), 0..12)
            .prop_map(Block::Fields),
        Just(Block::Divider),
    ];
    ("\\PC{0,300}", proptest::collection::vec(block, 0..14), 0..40_usize).prop_map(|(title, blocks, buttons)| Card {
        tone: Tone::Bad,
        title,
        blocks,
        buttons: (0..buttons).map(|n| button(Verb::Output, &format!("{n}"), Style::Plain)).collect(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_card_is_within_discords_limits_on_every_rung(any in any_card()) {
        for rung in [Rung::Rich, Rung::Plain, Rung::Title] {
            let body = card(&any, rung, POST, Some(&in_guild("18446744073709551615")));
            prop_assert!(body["content"].as_str().unwrap().chars().count() <= CONTENT_MAX);
            let embeds = body["embeds"].as_array().unwrap();
            let mut sum = 0;
            for embed in embeds {
                let length = |key: &str| embed[key].as_str().map_or(0, |t| t.chars().count());
                prop_assert!(length("title") <= TITLE_MAX && length("description") <= DESCRIPTION_MAX);
                sum += length("title") + length("description") + embed["footer"]["text"].as_str().map_or(0, str::len);
            }
            prop_assert!(sum <= 6_000 && embeds.len() <= 10, "{}", sum);
            let mut ids = std::collections::BTreeSet::new();
            let rows = body["components"].as_array().unwrap();
            prop_assert!(rows.len() <= ROWS_MAX);
            for row in rows {
                let buttons = row["components"].as_array().unwrap();
                prop_assert!((1..=ROW).contains(&buttons.len()));
                for button in buttons {
                    let id = button["custom_id"].as_str().unwrap();
                    prop_assert!(id.len() <= 100 && ids.insert(id.to_owned()), "{}", id);
                    prop_assert!((1..=LABEL_MAX).contains(&button["label"].as_str().unwrap().chars().count()));
                }
            }
            if rung != Rung::Rich {
                prop_assert!(!body["content"].as_str().unwrap().trim().is_empty());
            }
        }
    }

    #[test]
    fn no_text_mentions_anybody(text in "(<@|@everyone|@here|<@&|<#|\\\\|[0-9>]){0,30}") {
        let body = card(&plain_card(&text), Rung::Rich, POST, None);
        let shown = description(&body);
        // An odd number of backslashes stands before every mark that could mention.
        for (at, _) in shown.match_indices(['<', '@']) {
            let slashes = shown[..at].chars().rev().take_while(|c| *c == '\\').count();
            prop_assert!(slashes % 2 == 1, "{}", shown);
        }
        prop_assert_eq!(&body["content"], "");
    }
}
