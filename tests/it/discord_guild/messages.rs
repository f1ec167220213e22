//! Messages over REST: what is kept, what is refused and with which of Discord's codes.

use std::time::Duration;

use hyper::{Method, Request, StatusCode};
use muster::playground::discord::{BOT_TOKEN, GUILD, Settings, people};
use serde_json::{Value, json};

use super::app::{OPS, RANDOM, World, word};

#[tokio::test]
async fn only_the_bots_token_opens_anything() {
    let world = World::start(Settings::default()).await;
    for token in ["", "Bot nonsense", BOT_TOKEN, &format!("Bearer {BOT_TOKEN}")] {
        let answer = world.call_as(token, Method::GET, "/users/@me", Value::Null).await;
        assert_eq!(answer.refusal(), (401, 0), "{token}");
        assert_eq!(answer.body["message"], "401: Unauthorized");
    }
    assert_eq!(world.get("/users/@me").await.body["id"], world.server.application_id);
    assert_eq!(world.get("/nothing/here").await.refusal(), (404, 0));
}

#[tokio::test]
async fn a_message_is_kept_as_it_was_said_and_an_edit_changes_it() {
    let world = World::start(Settings::default()).await;
    let embed = json!({ "title": "Disk usage", "description": "**3 of 3** ok", "color": 0x2ecc71,
        "fields": [{ "name": "web-1", "value": "91 %" }] });
    let said = world.say(OPS, json!({ "content": "look", "embeds": [embed] })).await;
    assert_eq!(said.status, StatusCode::OK, "{said:?}");
    assert_eq!(said.head["x-ratelimit-limit"], "5");
    let path = format!("/channels/{OPS}/messages/{}", said.id());
    assert_eq!(world.get(&path).await.body["embeds"][0]["fields"][0]["inline"], false);
    assert_eq!(world.text(OPS, &said.id()).await, "@muster:\n  look\n  # Disk usage\n  3 of 3 ok\n  web-1: 91 %\n");

    let edited = world.patch(&path, json!({ "content": "", "embeds": [{ "title": "Done" }] })).await;
    assert!(edited.body["edited_timestamp"].is_string(), "{edited:?}");
    assert_eq!(world.text(OPS, &said.id()).await, "@muster:\n  # Done\n");
    assert_eq!(world.patch(&path, json!({ "embeds": [] })).await.refusal(), (400, 50006));

    let word_of_susan =
        world.play.post("/commands", &json!({ "as": "support", "channel": "#ops", "text": "hi" })).await;
    let hers = format!("/channels/{OPS}/messages/{}", word(&word_of_susan.unwrap()["ts"]));
    assert_eq!(world.patch(&hers, json!({ "content": "x" })).await.refusal(), (403, 50005));
    assert_eq!(world.call(Method::DELETE, &path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&path).await.refusal(), (404, 10008));
}

#[tokio::test]
async fn what_is_too_long_or_too_much_is_refused_with_its_place() {
    let world = World::start(Settings::default()).await;
    let long = |n: usize| "x".repeat(n);
    let row = |components: Value| json!([{ "type": 1, "components": components }]);
    let button = |id: &str| json!({ "type": 2, "style": 1, "label": "Go", "custom_id": id });
    let many: Vec<Value> = (0..6).map(|n| button(&n.to_string())).collect();
    let rows: Vec<Value> = many.iter().map(|b| row(json!([b]))[0].clone()).collect();
    let options: Vec<Value> = (0..26).map(|n| json!({ "label": "a", "value": n.to_string() })).collect();
    let embed = |embed: Value| json!({ "embeds": [embed] });
    let bodies = [
        json!({ "content": long(2001) }),
        json!({ "embeds": vec![json!({ "title": "x" }); 11] }),
        embed(json!({ "title": long(257) })),
        embed(json!({ "description": long(4097) })),
        embed(json!({ "fields": vec![json!({ "name": "a", "value": "b" }); 26] })),
        embed(json!({ "fields": [{ "name": long(257), "value": "" }] })),
        embed(json!({ "title": "x", "footer": { "text": long(2049) } })),
        embed(json!({ "author": { "name": long(257) } })),
        json!({ "embeds": [{ "description": long(4096) }, { "description": long(1905) }] }),
        embed(json!({})),
        json!({ "content": "x", "components": rows }),
        json!({ "content": "x", "components": row(json!(many)) }),
        json!({ "content": "x", "components": row(json!([button("a"), button("a")])) }),
        json!({ "content": "x", "components": row(json!([button(&long(101))])) }),
        json!({ "content": "x", "components": row(json!([{ "type": 2, "style": 1, "label": long(81), "custom_id": "a" }])) }),
        json!({ "content": "x", "components": row(json!([{ "type": 3, "custom_id": "a", "options": options }])) }),
        json!({ "content": "x", "components": [button("a")] }),
        json!({ "content": "x", "allowed_mentions": { "parse": ["users"], "users": ["1"] } }),
    ];
    let mut told = Vec::new();
    for body in bodies {
        let answer = world.say(OPS, body).await;
        assert_eq!(answer.refusal(), (400, 50035), "{answer:?}");
        let mut places = Vec::new();
        places_of(&answer.body["errors"], String::new(), &mut places);
        told.push(places.join("; "));
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    /content BASE_TYPE_MAX_LENGTH
    /embeds BASE_TYPE_MAX_LENGTH
    /embeds/0/title BASE_TYPE_MAX_LENGTH
    /embeds/0/description BASE_TYPE_MAX_LENGTH
    /embeds/0/fields BASE_TYPE_MAX_LENGTH
    /embeds/0/fields/0/name BASE_TYPE_BAD_LENGTH; /embeds/0/fields/0/value BASE_TYPE_REQUIRED
    /embeds/0/footer/text BASE_TYPE_BAD_LENGTH
    /embeds/0/author/name BASE_TYPE_BAD_LENGTH
    /embeds MAX_EMBED_SIZE_EXCEEDED
    /embeds/0/description BASE_TYPE_REQUIRED
    /components BASE_TYPE_MAX_LENGTH
    /components/0/components BASE_TYPE_BAD_LENGTH
    /components/0/components/1/custom_id COMPONENT_CUSTOM_ID_DUPLICATED
    /components/0/components/0/custom_id BASE_TYPE_BAD_LENGTH
    /components/0/components/0/label BASE_TYPE_MAX_LENGTH
    /components/0/components/0/options BASE_TYPE_BAD_LENGTH
    /components/0/type BASE_TYPE_CHOICES
    /allowed_mentions MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE
    ");
    assert_eq!(world.say(OPS, json!({ "content": "  " })).await.refusal(), (400, 50006));
    let only_buttons = json!({ "components": row(json!([button("a")])) });
    assert_eq!(world.say(OPS, only_buttons).await.refusal(), (400, 50006));
    assert_eq!(world.say(OPS, json!({ "content": long(2000) })).await.status, StatusCode::OK);
}

/// `place: Discord's name for it`, for each.
fn places_of(errors: &Value, place: String, found: &mut Vec<String>) {
    for (name, inner) in errors.as_object().into_iter().flatten() {
        if name == "_errors" {
            found.extend(inner.as_array().unwrap().iter().map(|e| format!("{place} {}", word(&e["code"]))));
        } else {
            places_of(inner, format!("{place}/{name}"), found);
        }
    }
}

#[tokio::test]
async fn an_enforced_nonce_says_the_same_thing_once() {
    let world = World::start(Settings::default()).await;
    let body = json!({ "content": "once", "nonce": "r-7F3K:1", "enforce_nonce": true });
    let (first, second) = (world.say(OPS, body.clone()).await, world.say(OPS, body).await);
    assert_eq!(first.id(), second.id());
    let loose = json!({ "content": "twice", "nonce": "r-7F3K:2" });
    assert_ne!(world.say(OPS, loose.clone()).await.id(), world.say(OPS, loose).await.id());
    assert_eq!(world.get(&format!("/channels/{OPS}/messages")).await.body.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_thread_begins_once_from_a_message_and_has_its_id() {
    let world = World::start(Settings::default()).await;
    let root = world.say(OPS, json!({ "content": "root" })).await.id();
    let path = format!("/channels/{OPS}/messages/{root}/threads");
    assert_eq!(world.post(&path, json!({ "name": "x".repeat(101) })).await.refusal(), (400, 50035));
    let thread = world.post(&path, json!({ "name": "r-7F3K" })).await;
    assert_eq!((thread.status, thread.id()), (StatusCode::CREATED, root.clone()));
    assert_eq!(thread.body["parent_id"], OPS);
    assert_eq!(world.post(&path, json!({ "name": "again" })).await.refusal(), (400, 160_004));
    world.say(&root, json!({ "content": "inside" })).await;
    assert_eq!(world.text(OPS, &root).await, "@muster: root\n@muster: inside\n");
    // The first message inside points at the one in the channel.
    let inside = world.get(&format!("/channels/{root}/messages")).await.body;
    assert_eq!((&inside[1]["type"], &inside[1]["message_reference"]["message_id"]), (&json!(21), &json!(root)));
    let renamed = world.patch(&format!("/channels/{root}"), json!({ "name": "done", "archived": true })).await;
    assert_eq!(renamed.body["thread_metadata"]["archived"], true);
    world.say(&root, json!({ "content": "a word opens it" })).await;
    assert_eq!(world.get(&format!("/channels/{root}")).await.body["thread_metadata"]["archived"], false);
}

#[tokio::test]
async fn what_the_bot_may_not_do_is_told_apart_from_what_it_cannot_see() {
    let world = World::start(Settings::default()).await;
    let hello = || json!({ "content": "hello" });
    let said = world.say(OPS, hello()).await.id();
    assert_eq!(world.say(RANDOM, hello()).await.refusal(), (403, 50001));
    assert_eq!(world.say("1", hello()).await.refusal(), (404, 10003));
    let lacks = async |permission: &str| {
        world.plant(json!({ "name": "no-permission", "channel": "#ops", "permission": permission })).await;
    };
    lacks("EMBED_LINKS").await;
    assert_eq!(world.say(OPS, json!({ "embeds": [{ "title": "x" }] })).await.refusal(), (403, 50013));
    lacks("CREATE_PUBLIC_THREADS").await;
    let threads = format!("/channels/{OPS}/messages/{said}/threads");
    assert_eq!(world.post(&threads, json!({ "name": "x" })).await.refusal(), (403, 50013));
    lacks("READ_MESSAGE_HISTORY").await;
    assert_eq!(world.get(&format!("/channels/{OPS}/messages")).await.body, json!([]));
    lacks("SEND_MESSAGES").await;
    assert_eq!(world.say(OPS, hello()).await.refusal(), (403, 50013));
    world.plant(json!({ "name": "not-in-channel", "channel": "#ops" })).await;
    assert_eq!(world.say(OPS, hello()).await.refusal(), (403, 50001));
}

#[tokio::test]
async fn a_closed_direct_message_is_refused_when_something_is_sent() {
    let world = World::start(Settings::default()).await;
    let open = world.post("/users/@me/channels", json!({ "recipient_id": people::SUSAN })).await;
    assert_eq!(open.body["recipients"][0]["username"], "susan");
    world.say(&open.id(), json!({ "content": "psst" })).await;
    world.plant(json!({ "name": "dm-closed", "user": "support" })).await;
    assert_eq!(world.say(&open.id(), json!({ "content": "psst" })).await.refusal(), (403, 50007));
    assert_eq!(world.post("/users/@me/channels", json!({ "recipient_id": "17" })).await.refusal(), (404, 10013));
}

#[tokio::test]
async fn history_comes_newest_first_and_in_pages() {
    let world = World::start(Settings::default()).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(world.say(OPS, json!({ "content": n.to_string() })).await.id());
    }
    let page = async |query: String| {
        let found = world.get(&format!("/channels/{OPS}/messages?{query}")).await.body;
        found.as_array().unwrap().iter().map(|m| word(&m["content"])).collect::<String>()
    };
    assert_eq!(page("limit=2".to_owned()).await, "43");
    assert_eq!(page(format!("limit=2&before={}", ids[3])).await, "21");
    assert_eq!(page(format!("limit=2&after={}", ids[0])).await, "21");
    assert_eq!(page(format!("limit=3&around={}", ids[2])).await, "321");
    assert_eq!(world.get(&format!("/channels/{OPS}/messages?limit=101")).await.refusal(), (400, 50035));
}

#[tokio::test]
async fn files_come_as_a_form_and_are_read_at_their_address() {
    let world = World::start(Settings::default()).await;
    let form = "--x\r\nContent-Disposition: form-data; name=\"payload_json\"\r\nContent-Type: application/json\r\n\r\n\
        {\"attachments\":[{\"id\":0,\"filename\":\"out.txt\",\"description\":\"Output\"}]}\r\n\
        --x\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a.txt\"\r\n\r\nline one\r\n--x--\r\n";
    let send = async |body: Vec<u8>| {
        let url = format!("{}/api/v10/channels/{OPS}/messages", world.server.base_url());
        let request = Request::post(url).header("authorization", format!("Bot {BOT_TOKEN}"));
        let request = request.header("content-type", "multipart/form-data; boundary=x");
        world.send(request.body(http_body_util::Full::from(body)).unwrap()).await.unwrap()
    };
    let said = send(form.as_bytes().to_vec()).await;
    assert_eq!(said.body["attachments"][0]["filename"], "out.txt", "{said:?}");
    assert_eq!(world.text(OPS, &said.id()).await, "@muster: (file) Output, out.txt, 8 bytes\n");
    let address = word(&said.body["attachments"][0]["url"]);
    let read = world.send(Request::get(address).body(http_body_util::Full::default()).unwrap()).await.unwrap();
    assert_eq!(read.status, StatusCode::OK);
    let large = form.replace("line one", &"x".repeat(10 * 1024 * 1024 + 1));
    assert_eq!(send(large.into_bytes()).await.refusal(), (413, 40005));
}

#[tokio::test]
async fn members_are_listed_only_with_the_privileged_intent() {
    let without = World::start(Settings { privileged: 0, ..Settings::default() }).await;
    assert_eq!(without.get(&format!("/guilds/{GUILD}/members?limit=1000")).await.refusal(), (403, 50001));
    assert_eq!(without.get(&format!("/guilds/{GUILD}/members/{}", people::SUSAN)).await.status, StatusCode::OK);

    let world = World::start(Settings::default()).await;
    let page = world.get(&format!("/guilds/{GUILD}/members?limit=2&after={}", people::SUSAN)).await.body;
    let names: Vec<String> = page.as_array().unwrap().iter().map(|m| word(&m["user"]["username"])).collect();
    assert_eq!(names, ["arne", "priya"]);
    world.plant(json!({ "name": "role-deleted", "role": "sre" })).await;
    let roles = world.get(&format!("/guilds/{GUILD}/roles")).await.body;
    assert!(roles.as_array().unwrap().iter().all(|r| r["name"] != "sre"), "{roles}");
    let arne = world.get(&format!("/guilds/{GUILD}/members/{}", people::ARNE)).await.body;
    assert_eq!(arne["roles"], json!([]));
    assert_eq!(world.get("/guilds/1/roles").await.refusal(), (404, 10004));
    assert_eq!(world.get(&format!("/guilds/{GUILD}/members/{}", people::FRED)).await.refusal(), (404, 10007));
}

#[tokio::test]
async fn planted_faults_look_like_discords_own() {
    let world = World::start(Settings::default()).await;
    world.plant(json!({ "name": "rate-limited", "method": "messages.create", "seconds": 2 })).await;
    let limited = world.say(OPS, json!({ "content": "x" })).await;
    assert_eq!((limited.status.as_u16(), &limited.body["retry_after"]), (429, &json!(2.0)));
    assert_eq!(
        (&limited.head["retry-after"], &limited.head["x-ratelimit-scope"]),
        (&"2".parse().unwrap(), &"user".parse().unwrap())
    );

    world.plant(json!({ "name": "api-error", "error": "130000" })).await;
    assert_eq!(world.say(OPS, json!({ "content": "x" })).await.refusal(), (503, 130_000));

    world.plant(json!({ "name": "lost-post-answer" })).await;
    let url = format!("{}/api/v10/channels/{OPS}/messages", world.server.base_url());
    let request = Request::post(url).header("authorization", format!("Bot {BOT_TOKEN}"));
    let request = request.header("content-type", "application/json");
    let body = json!({ "content": "posted all the same" }).to_string();
    assert!(world.send(request.body(http_body_util::Full::from(body)).unwrap()).await.is_err());
    let newest = world.get(&format!("/channels/{OPS}/messages?limit=1")).await.body;
    assert_eq!(newest[0]["content"], "posted all the same");

    world.plant(json!({ "name": "outage", "seconds": 60 })).await;
    assert_eq!(world.get("/users/@me").await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.play.delete("/faults").await.unwrap();
    assert_eq!(world.get("/users/@me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn with_the_limit_on_the_sixth_message_waits() {
    let world = World::start(Settings { rate_limit: true, ..Settings::default() }).await;
    let mut left = Vec::new();
    for _ in 0..5 {
        left.push(
            world.say(OPS, json!({ "content": "x" })).await.head["x-ratelimit-remaining"].to_str().unwrap().to_owned(),
        );
    }
    assert_eq!(left.concat(), "43210");
    let sixth = world.say(OPS, json!({ "content": "x" })).await;
    let wait = sixth.body["retry_after"].as_f64().unwrap();
    assert!(sixth.status.as_u16() == 429 && wait <= Duration::from_secs(5).as_secs_f64(), "{sixth:?}");
}

#[tokio::test]
async fn commands_are_checked_kept_and_counted() {
    let world = World::start(Settings::default()).await;
    world.register().await;
    let path = format!("/applications/{}/commands", world.server.application_id);
    let first = world.get(&path).await.body;
    world.register().await;
    assert_eq!(world.get(&path).await.body, first, "ids and versions stay where nothing has changed");
    assert_eq!(world.play.get("/registered").await.unwrap()["writes"], 2);

    let option =
        |name: &str, required: bool| json!({ "type": 3, "name": name, "description": "x", "required": required });
    let one = |name: &str, options: Value| json!([{ "name": name, "description": "x", "options": options }]);
    let many: Vec<Value> = (0..26).map(|n| option(&format!("o{n}"), false)).collect();
    let wordy: Vec<Value> = (0..25)
        .map(|n| json!({ "type": 1, "name": format!("s{n}"), "description": "x".repeat(100), "options": [
            { "type": 3, "name": "a", "description": "y".repeat(100) }, { "type": 3, "name": "b", "description": "y".repeat(100) },
            { "type": 3, "name": "c", "description": "y".repeat(100) } ] }))
        .collect();
    for body in [
        one("Run", json!([])),
        one(&"x".repeat(33), json!([])),
        one("run", json!(many)),
        one("run", json!([option("a", false), option("b", true)])),
        one("run", json!(wordy)),
        json!([{ "name": "run" }]),
    ] {
        let answer = world.call(Method::PUT, &path, body).await;
        assert_eq!(answer.refusal(), (400, 50035), "{answer:?}");
    }
    let hundred: Vec<Value> = (0..101).map(|n| json!({ "name": format!("c{n}"), "description": "x" })).collect();
    assert_eq!(world.call(Method::PUT, &path, json!(hundred)).await.refusal(), (400, 30032));
    assert_eq!(world.get(&path).await.body, first);
}
