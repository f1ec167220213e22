//! Walks muster.toml.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use super::secret::{Environment, secret};
use super::{
    AccountAccess, Aws, COMMAND_DEFAULT, Config, DISCORD_API, Discord, KEEP_OUTPUTS, Organizations, Paths,
    REQUEST_EXPIRY, SLACK_API, Slack, Store,
};
use crate::domain::strict::{self, At, Document, Table};
use crate::domain::{Account, AccountId, AccountSource, Bucket, Fault, Millis, Region, Secret};

const KEEP_OUTPUTS_MIN: Millis = Millis::from_secs(86_400);
/// Where in a bucket outputs lie, unless the file says otherwise.
const PREFIX_DEFAULT: &str = "muster";
/// With the longest bucket it fits a session policy.
const PREFIX_MAX: usize = 200;

struct Reader<'e> {
    folder: &'e Path,
    environment: &'e dyn Environment,
}

pub(super) fn config(path: &Path, text: &str, environment: &dyn Environment) -> Result<Config, Vec<Fault>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let reader = Reader { folder, environment };
    let (config, faults) = strict::read(path, text, |document| reader.config(document));
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faults),
    }
}

pub(super) fn paths(path: &Path, text: &str) -> Paths {
    let folder = path.parent().unwrap_or(Path::new(""));
    let reader = Reader { folder, environment: &super::NotLookedUp };
    strict::read(path, text, |document| reader.paths(document.root().optional_table("paths"))).0
}

impl Reader<'_> {
    fn config(&self, document: &Document<'_>) -> Option<Config> {
        let root = document.root();
        let _ = root.required_integer("version", 1..=1);
        let slack = root.optional_table("slack").map(|table| self.slack(table));
        let elsewhere = slack.iter().flatten().map(|slack| slack.command.clone()).next();
        let discord = root.optional_table("discord").map(|table| self.discord(table, elsewhere));
        let aws = root.required_table("aws").and_then(aws);
        let home = aws.as_ref().map(|aws| aws.region.clone());
        let accounts = self.accounts(&root, home.as_ref());
        let organizations = root.optional_table("organizations").map(|table| self.organizations(table, home.as_ref()));
        let paths = self.paths(root.optional_table("paths"));
        let store = store(root.optional_table("store"));
        let metrics = root.optional_table("metrics").and_then(|table| {
            let remedy = "write it like `\"127.0.0.1:9464\"`";
            let listen = table.optional_with("listen", remedy, |text| {
                text.parse::<SocketAddr>().map_err(|_| format!("`{text}` is not an address with a port"))
            });
            table.finish();
            listen.map(|l| l.value)
        });
        let discovers = matches!(&organizations, Some(None | Some(Some(_))));
        if !root.has("account") && !discovers {
            let remedy = "add `[[account]]` with `id`, `name` and `role`, or `[organizations]` with `discover = true`";
            root.missing("account", remedy);
        }
        root.finish();
        Some(Config {
            slack: match slack {
                Some(slack) => Some(slack?),
                None => None,
            },
            discord: match discord {
                Some(discord) => Some(discord?),
                None => None,
            },
            aws: aws?,
            accounts,
            organizations: organizations.flatten().flatten(),
            paths,
            store,
            metrics,
        })
    }

    fn secret(&self, table: &Table<'_>, key: &str) -> Option<At<Secret>> {
        secret(&table.item(key)?, self.folder, self.environment)
    }

    fn slack(&self, table: Table<'_>) -> Option<Slack> {
        let command = command(&table);
        let api_url = table.optional_with("api_url", &format!("leave it out for `{SLACK_API}`"), url);
        let token = |key: &str, prefix: &str, kind: &str| {
            if !table.has(key) {
                table.missing(key, &format!("add `{key} = {{ env = \"SLACK_{}\" }}`", key.to_uppercase()));
            }
            let token = self.secret(&table, key)?;
            if self.environment.looks_up() && !token.reveal().starts_with(prefix) {
                let what = format!("`slack.{key}` does not start with `{prefix}`, as Slack's {kind} tokens do");
                table.document().fault(&token.span, what, "check whether the two tokens are swapped");
                return None;
            }
            Some(token.value)
        };
        let app_token = token("app_token", "xapp-", "app-level");
        let bot_token = token("bot_token", "xoxb-", "bot");
        table.finish();
        Some(Slack {
            command: command.map_or_else(|| COMMAND_DEFAULT.to_owned(), |c| c.value),
            api_url: api_url.map_or_else(|| SLACK_API.to_owned(), |u| u.value),
            app_token: app_token?,
            bot_token: bot_token?,
        })
    }

    /// `elsewhere`: the command on another platform. What is said names one, so there is one.
    fn discord(&self, table: Table<'_>, elsewhere: Option<String>) -> Option<Discord> {
        let command = command(&table);
        if let (Some(here), Some(there)) = (&command, &elsewhere)
            && &here.value != there
        {
            let what = format!("`discord.command` is `{}` and `slack.command` is `{there}`", here.value);
            table.document().fault(&here.span, what, "name both alike: every text names the command");
        }
        let api_url = table.optional_with("api_url", &format!("leave it out for `{DISCORD_API}`"), url);
        let application_id = table.required_str("application_id");
        if let Some(id) = &application_id
            && !id.value.parse::<u64>().is_ok_and(|id| id != 0)
        {
            let what = format!("`{}` is not the id of an application", id.value);
            table.document().fault(&id.span, what, "copy the number from the application's page, General Information");
        }
        if !table.has("bot_token") {
            table.missing("bot_token", "add `bot_token = { env = \"DISCORD_BOT_TOKEN\" }`");
        }
        let bot_token = self.secret(&table, "bot_token");
        if let Some(token) = &bot_token
            && self.environment.looks_up()
            && (token.value.reveal().is_empty() || !token.value.reveal().bytes().all(|b| b.is_ascii_graphic()))
        {
            let what = "`discord.bot_token` is empty or holds spaces";
            table.document().fault(&token.span, what, "copy the token from the application's page, Bot, Reset Token");
        }
        table.finish();
        Some(Discord {
            command: command.map(|c| c.value).or(elsewhere).unwrap_or_else(|| COMMAND_DEFAULT.to_owned()),
            api_url: api_url.map_or_else(|| DISCORD_API.to_owned(), |u| u.value),
            application_id: application_id?.value.to_owned(),
            bot_token: bot_token?.value,
        })
    }

    fn accounts(&self, root: &Table<'_>, home: Option<&Region>) -> Vec<AccountAccess> {
        let document = root.document();
        let mut ids = BTreeSet::new();
        let mut names = BTreeSet::new();
        let mut places = BTreeSet::new();
        let mut accounts = Vec::new();
        for table in root.tables("account") {
            let id = table.required_of::<AccountId>("id");
            let name = table.required_str("name");
            let role = table.required_str("role");
            let external_id = self.external_id(&table);
            let regions = regions(&table, home);
            let labels: BTreeMap<String, String> =
                table.text_map("labels").into_iter().map(|(key, text)| (key, text.value.to_owned())).collect();
            let outputs_span = table.key_span("outputs");
            let outputs = table.optional_table("outputs").and_then(|table| bucket(table, home));
            table.finish();
            if let (Some(span), Some(bucket)) = (outputs_span, &outputs)
                && !places.insert((bucket.name.clone(), bucket.prefix.clone()))
            {
                // Each account's session may read what lies below its own prefix.
                document.fault(
                    &span,
                    format!("an account before this one keeps its outputs in `{}/{}` too", bucket.name, bucket.prefix),
                    "give each account a prefix of its own, such as `prefix = \"muster/acme-prod\"`",
                );
            }

            if let Some(id) = &id
                && !ids.insert(id.value.clone())
            {
                document.fault(&id.span, format!("there is an account `{}` before this one", id.value), "keep one");
            }
            if let Some(name) = &name {
                account_name(document, name);
                if !names.insert(name.value) {
                    let what = format!("there is an account named `{}` before this one", name.value);
                    document.fault(&name.span, what, "give each account its own name; people select by it");
                }
            }
            if let Some(role) = &role {
                account_role(document, role, id.as_ref());
            }
            let (Some(id), Some(name), Some(role), Some(external_id)) = (id, name, role, external_id) else { continue };
            accounts.push(AccountAccess {
                account: Account {
                    id: id.value,
                    name: name.value.to_owned(),
                    regions,
                    labels,
                    source: AccountSource::Configured,
                },
                role: role.value.to_owned(),
                external_id,
                outputs,
            });
        }
        accounts
    }

    /// `None`: it is faulty. `Some(None)`: there is none.
    fn external_id(&self, table: &Table<'_>) -> Option<Option<Secret>> {
        let Some(item) = table.item("external_id") else { return Some(None) };
        let found = secret(&item, self.folder, self.environment)?;
        // STS's own rule for ExternalId.
        let value = found.reveal();
        let good = (2..=1224).contains(&value.len())
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b));
        if self.environment.looks_up() && !good {
            let what = format!("`{}` is no External ID", item.path());
            item.fault(what, "AWS takes 2 to 1224 letters, digits and `_+=,.@:/-`");
            return None;
        }
        Some(Some(found.value))
    }

    /// `None`: it is faulty. `Some(None)`: discovery is off.
    fn organizations(&self, table: Table<'_>, home: Option<&Region>) -> Option<Option<Organizations>> {
        let discover = table.required("discover", "true").and_then(|item| item.boolean());
        let on = discover.as_ref().is_none_or(|d| d.value);
        let role = if on { table.required_str("role") } else { table.optional_str("role") };
        if let Some(role) = &role {
            if role.contains(':') {
                let what = format!("`{}` is an ARN, but every account has a role of its own", role.value);
                table.document().fault(&role.span, what, "write the role's name, the same in every account");
            } else {
                role_name(table.document(), role, role.value);
            }
        }
        let external_id = self.external_id(&table);
        let regions = regions(&table, home);
        let exclude = table.optional_list::<AccountId>("exclude").unwrap_or_default();
        table.finish();
        if !on {
            return Some(None);
        }
        let _ = discover?;
        Some(Some(Organizations {
            role: role?.value.to_owned(),
            external_id: external_id?,
            regions,
            exclude: exclude.into_iter().map(|id| id.value).collect(),
        }))
    }

    fn paths(&self, table: Option<Table<'_>>) -> Paths {
        let path = |key: &str| {
            let text = table.as_ref().and_then(|table| table.optional_str(key)).map_or(key, |text| text.value);
            self.folder.join(text)
        };
        let paths = Paths { runbooks: path("runbooks"), policies: path("policies"), store: path("store") };
        if let Some(table) = table {
            table.finish();
        }
        paths
    }
}

fn aws(table: Table<'_>) -> Option<Aws> {
    let document = table.document();
    let region = table.required_of::<Region>("region");
    let endpoint_url = table.optional_with("endpoint_url", "leave it out for AWS itself", url);
    let central_role = table.optional_str("central_role");
    if let Some(role) = &central_role
        && arn(role.value).is_none()
    {
        let what = format!("`{}` is not the ARN of a role", role.value);
        document.fault(&role.span, what, "write it like `arn:aws:iam::999999999999:role/muster-hub`");
    }
    let expiry = table.optional::<Millis>("request_expiry");
    if let Some(expiry) = &expiry {
        if expiry.value > REQUEST_EXPIRY {
            let what = format!("`aws.request_expiry` is {}, but AWS's own is {REQUEST_EXPIRY}", expiry.value);
            document.fault(&expiry.span, what, "leave it out");
        } else if expiry.value < REQUEST_EXPIRY && !table.has("endpoint_url") {
            let what = format!(
                "AWS takes a request for {REQUEST_EXPIRY}, so a lost one could still run after {}",
                expiry.value
            );
            document.fault(&expiry.span, what, "leave it out; only where `endpoint_url` is set may it be lower");
        } else if expiry.value.0 < 1000 {
            document.fault(&expiry.span, "`aws.request_expiry` is below one second", "use at least `1s`");
        }
    }
    let boundary_tag = table.optional_table("boundary_tag").and_then(|tag| {
        let (key, value) = (tag.required_str("key"), tag.required_str("value"));
        tag.finish();
        Some((key?.value.to_owned(), value?.value.to_owned()))
    });
    let reads = table.item("reads_per_second").and_then(|item| {
        let text = item.scalar()?;
        match text.parse::<f64>() {
            Ok(n) if (0.1..=100.0).contains(&n) => Some(n),
            _ => {
                let what = format!("`aws.reads_per_second` is `{}`", text.value);
                item.fault(what, "use a number from `0.1` to `100`");
                None
            }
        }
    });
    table.finish();
    Some(Aws {
        region: region?.value,
        endpoint_url: endpoint_url.map(|u| u.value),
        central_role: central_role.map(|r| r.value.to_owned()),
        request_expiry: expiry.map_or(REQUEST_EXPIRY, |e| e.value),
        boundary_tag,
        reads_per_second: reads.unwrap_or(1.0),
    })
}

/// `outputs = { bucket = "…", prefix = "muster", region = "eu-west-1" }`.
fn bucket(table: Table<'_>, home: Option<&Region>) -> Option<Bucket> {
    let name = if table.has("bucket") {
        // S3's own rule for names, as far as it can be told from the name alone.
        table.optional_with("bucket", "write it like `\"acme-muster-outputs\"`", |text| {
            let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            let good = (3..=63).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
                && end(text.chars().next())
                && end(text.chars().next_back())
                && !text.contains("..");
            if good { Ok(text.to_owned()) } else { Err(format!("`{text}` is not the name of a bucket")) }
        })
    } else {
        table.missing("bucket", "name the bucket, such as `bucket = \"acme-muster-outputs\"`");
        None
    };
    // Part of an address and of a policy, so nothing that would have to be encoded or that stands for more.
    let prefix = table.optional_with("prefix", "write it like `\"muster\"` or `\"muster/acme-prod\"`", |text| {
        let part = |p: &str| {
            let plain = p.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
            !p.is_empty() && p != "." && p != ".." && plain
        };
        let good = text.len() <= PREFIX_MAX && text.split('/').all(part);
        if good { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a prefix of keys")) }
    });
    let is_given = |key: &str| table.has(key);
    let faulty = is_given("prefix") && prefix.is_none();
    let region = table.optional::<Region>("region").map(|region| region.value);
    let faulty = faulty || is_given("region") && region.is_none();
    table.finish();
    let prefix = prefix.map_or_else(|| PREFIX_DEFAULT.to_owned(), |prefix| prefix.value);
    (!faulty).then_some(Bucket { name: name?.value, prefix, region: region.or_else(|| home.cloned())? })
}

fn store(table: Option<Table<'_>>) -> Store {
    let keep = table.as_ref().and_then(|table| table.optional::<Millis>("keep_outputs"));
    if let (Some(table), Some(keep)) = (&table, &keep)
        && keep.value < KEEP_OUTPUTS_MIN
    {
        let what = format!("`store.keep_outputs` is {}, so people could not read what they ran", keep.value);
        table.document().fault(&keep.span, what, "use at least `1d`");
    }
    if let Some(table) = table {
        table.finish();
    }
    Store { keep_outputs: keep.map_or(KEEP_OUTPUTS, |keep| keep.value) }
}

/// The slash command with its slash. Slack and Discord have the same rule for its name.
fn command(table: &Table<'_>) -> Option<At<String>> {
    table.optional_with("command", "write it like `\"/runbook\"`", |text| {
        let name = text.strip_prefix('/').unwrap_or_default();
        let good = (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if good { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a slash command")) }
    })
}

fn regions(table: &Table<'_>, home: Option<&Region>) -> Vec<Region> {
    let Some(regions) = table.optional_list::<Region>("regions") else { return home.cloned().into_iter().collect() };
    if regions.is_empty()
        && let Some(item) = table.item("regions").filter(|item| item.list().is_some_and(|list| list.is_empty()))
    {
        item.fault(format!("`{}` is empty, so nothing is there", item.path()), "name one, or take the key out");
    }
    let mut seen = BTreeSet::new();
    regions.into_iter().map(|r| r.value).filter(|r| seen.insert(r.clone())).collect()
}

/// `https` everywhere, plain `http` on this host only: tokens and signatures travel there.
fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest.filter(|r| !r.is_empty() && !r.contains(char::is_whitespace)) else {
        return Err(format!("`{text}` is not an address such as `https://…`"));
    };
    let host = rest.split('/').next().unwrap_or_default();
    let host =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(h, _)| h);
    if text.starts_with("http://") && !matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
        return Err(format!("`{text}` would send secrets in the clear; only this host may do without `https`"));
    }
    if rest.contains('@') || rest.contains('?') || rest.contains('#') {
        return Err(format!("`{host}` is wanted without a user, a query or a fragment"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The account and the name in `arn:aws:iam::123456789012:role/path/name`.
fn arn(text: &str) -> Option<(AccountId, &str)> {
    let mut parts = text.splitn(6, ':');
    let (arn, partition, service, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (account, role) = (parts.next()?, parts.next()?.strip_prefix("role/")?);
    let good =
        arn == "arn" && partition.starts_with("aws") && service == "iam" && region.is_empty() && !role.is_empty();
    Some((account.parse().ok()?, role)).filter(|_| good)
}

fn account_role(document: &Document<'_>, role: &At<&str>, id: Option<&At<AccountId>>) {
    if !role.contains(':') {
        role_name(document, role, role.value);
        return;
    }
    match (arn(role.value), id) {
        (None, _) => {
            let what = format!("`{}` is not the ARN of a role", role.value);
            document.fault(&role.span, what, "write the role's name, such as `muster-runner`, or its ARN");
        }
        (Some((account, _)), Some(id)) if account != id.value => {
            let what = format!("the role is in account `{account}`, not in `{}`", id.value);
            document.fault(&role.span, what, "write the role's name alone, or correct one of the two");
        }
        (Some((_, name)), _) => role_name(document, role, name),
    }
}

fn role_name(document: &Document<'_>, role: &At<&str>, name: &str) {
    let good = name.len() <= 512 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&b));
    if !good {
        document.fault(&role.span, format!("`{name}` is not the name of a role"), "write it like `muster-runner`");
    }
}

/// People select by it, so it must be a word of the selector's grammar.
fn account_name(document: &Document<'_>, name: &At<&str>) {
    let good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if !good {
        let what = format!("`{}` is not an account name: letters, digits, `-`, `_` and `.`", name.value);
        document.fault(&name.span, what, "write it like `acme-prod`");
    }
}
