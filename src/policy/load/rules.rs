//! `[[grant]]`, `[[forbid]]`, `[[freeze]]`, `[[approval]]`, `[[view]]` and `[halt]`.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::strict::{At, Document, Item, Table};
use crate::domain::{ChannelRef, GroupName, Millis, RunbookName, Timestamp};
use crate::policy::set::{
    Anchored, ApprovalRule, Approvers, Audience, Forbid, Forbidden, Freeze, Grant, Granted, HaltRule, ParameterRule,
    ViewRule, When, Where,
};
use crate::runbook::Risk;

use super::Reader;
use super::names::Of;
use super::places::filled;

const RISKS: [(&str, Risk); 3] = [("read", Risk::Read), ("change", Risk::Change), ("destructive", Risk::Destructive)];
/// More targets than one run can have.
pub(super) const TARGETS_MAX: i64 = 1_000_000;
/// More people than anybody waits for.
const SEATS_MAX: i64 = 20;
pub(super) const EXPIRY_MAX: Millis = Millis::from_secs(7 * 24 * 3600);

/// What stands under `run`, before it is known to be a grant's or a forbid's.
struct Run {
    names: Option<BTreeSet<RunbookName>>,
    risk: Option<BTreeSet<Risk>>,
    owner: Option<BTreeSet<String>>,
}

impl Reader<'_> {
    pub(super) fn grant(&self, table: Table<'_>) -> Option<Grant> {
        let id = self.id(&table);
        table.refuse("params", "`params` is not a key of a grant", "write `run = { names = […], parameters = { … } }`");
        table.refuse("parameters", "`parameters` stands with the named runbooks", "write it inside `run`");
        let who = self.groups(&table, "who", true);
        let run = table.required("run", "{ names = [\"…\"] }").and_then(|i| i.table()).map(|run| self.granted(run));
        let place = self.required_place(&table);
        let max_targets = table.required_integer("max_targets", 1..=TARGETS_MAX);
        let channels = channels(&table, "channels");
        table.finish();
        Some(Grant {
            id: id?,
            who: who?,
            run: run??,
            place: place?,
            max_targets: u32::try_from(max_targets?.value).ok()?,
            channels,
        })
    }

    pub(super) fn forbid(&self, table: Table<'_>) -> Option<Forbid> {
        let id = self.id(&table);
        let who = self.groups(&table, "who", false);
        let run = table.optional_table("run").map(|run| self.forbidden(run, "run"));
        let place = self.place(&table);
        let because = table.required_str("because").map(|b| b.value.to_owned());
        if !["who", "run", "where"].into_iter().any(|key| table.has(key)) {
            let remedy = "say `who`, `run` or `where`; `where = [\"*\"]` forbids everything to everybody";
            table.fault("this forbid does not say what it forbids", remedy);
        }
        table.finish();
        Some(Forbid {
            id: id?,
            who,
            run: run.unwrap_or(Some(Forbidden::Everything))?,
            place: place.unwrap_or(Where::Anywhere),
            because: because?,
        })
    }

    pub(super) fn freeze(&self, table: Table<'_>) -> Option<Freeze> {
        let id = self.id(&table);
        let required = |key| table.required(key, "\"2026-11-26T00:00:00Z\"").and_then(|_| moment(&table, key));
        let (from, to) = (required("from"), required("to"));
        let place = self.required_place(&table);
        let except = table.optional_table("except").map(|except| self.forbidden(except, "except"));
        let because = table.required_str("because").map(|b| b.value.to_owned());
        if let (Some(from), Some(to)) = (&from, &to)
            && from.value >= to.value
        {
            let remedy = "`to` is when it is over: write a later time";
            table.document().fault(&to.span, "this freeze ends before it begins", remedy);
        }
        table.finish();
        let except = match except {
            Some(except) => Some(except?),
            None => None,
        };
        Some(Freeze { id: id?, from: from?.value, to: to?.value, place: place?, except, because: because? })
    }

    pub(super) fn approval(&self, table: Table<'_>) -> Option<ApprovalRule> {
        let id = self.id(&table);
        let when =
            table.required("when", "{ production = true }").and_then(|i| i.table()).and_then(|when| self.when(when));
        let need = self.need(&table);
        let expires = table.optional::<Millis>("expires");
        if let Some(expires) = &expires
            && !(Millis::from_secs(1)..=EXPIRY_MAX).contains(&expires.value)
        {
            let what = format!("`expires` is {}", expires.value);
            table.document().fault(&expires.span, what, "use a time from `1s` to `7d`");
        }
        if let Some(strength) = table.optional_str("strength").filter(|s| s.value != "chat") {
            let what = format!("the strength `{}` is not supported by this version", strength.value);
            table.document().fault(&strength.span, what, "use `\"chat\"`, or take the key out");
        }
        table.finish();
        Some(ApprovalRule { id: id?, when: when?, need, expires: expires.map(|e| e.value) })
    }

    pub(super) fn view(&self, table: Table<'_>) -> Option<ViewRule> {
        let id = self.id(&table);
        let who = self.groups(&table, "who", false);
        let shared = channels(&table, "shared_channels");
        let place = self.required_place(&table);
        if who.is_some() == shared.is_some() {
            let remedy = "`who` names groups, `shared_channels` opens channels shared with another organisation; \
                          write a rule for each";
            table.fault("a view rule has either `who` or `shared_channels`", remedy);
        }
        table.finish();
        let audience = who.map(Audience::Groups).or(shared.map(Audience::SharedChannels));
        Some(ViewRule { id: id?, audience: audience?, place: place? })
    }

    /// `sre = { channels = ["slack:T012AB:C0SRE"], direct = true, escalate = ["leads"] }`.
    pub(super) fn approvers(
        &self,
        document: &Document<'_>,
        name: &At<&str>,
        item: &Item<'_>,
        known: &BTreeMap<GroupName, Approvers>,
    ) -> Option<Approvers> {
        self.refer(document, Of::Group, name);
        if known.contains_key(name.value) {
            let what = format!("how `{}` is asked is said in another file too", name.value);
            document.fault(&name.span, what, "say it in one place");
        }
        let table = item.table()?;
        let channels = channels(&table, "channels");
        let direct = table.optional_bool("direct").is_some_and(|direct| direct.value);
        let escalate = self.groups(&table, "escalate", false);
        if !["channels", "direct", "escalate"].into_iter().any(|key| table.has(key)) {
            let remedy = "give it `channels`, `direct` or `escalate`, or take it out: the run's thread is always asked";
            table.fault(format!("nothing is said of how `{}` is asked", name.value), remedy);
        }
        table.finish();
        let (channels, escalate) = (channels.unwrap_or_default(), escalate.unwrap_or_default());
        Some(Approvers { channels, direct, escalate })
    }

    /// What several files say adds up.
    pub(super) fn halt(&self, table: Table<'_>) -> HaltRule {
        let who = self.groups(&table, "who", false);
        let resume = self.groups(&table, "resume", false);
        if who.is_none() && resume.is_none() {
            table.fault("`halt` names nobody", "say `who` may halt and who may `resume`, or take it out");
        }
        table.finish();
        HaltRule { who: who.unwrap_or_default(), resume: resume.unwrap_or_default() }
    }

    fn id(&self, table: &Table<'_>) -> Option<String> {
        table.required_str("id").map(|id| self.define(table.document(), Of::Rule, &id))
    }

    pub(super) fn required_place(&self, table: &Table<'_>) -> Option<Where> {
        let _ = table.required("where", "[\"…\"]")?;
        self.place(table)
    }

    pub(super) fn groups(&self, table: &Table<'_>, key: &str, required: bool) -> Option<BTreeSet<GroupName>> {
        if required {
            let _ = table.required(key, "[\"…\"]")?;
        }
        let names = filled(table, key, table.optional_strings(key));
        names.iter().for_each(|name| self.refer(table.document(), Of::Group, name));
        table.has(key).then(|| names.into_iter().map(|n| n.value.to_owned()).collect())
    }

    fn granted(&self, table: Table<'_>) -> Option<Granted> {
        let run = self.run(&table);
        let parameters = table.optional_table("parameters");
        if run.names.is_none() && parameters.is_some() {
            let remedy = "name the runbooks whose parameters they are: `names = […]`";
            table.fault("`parameters` stands without `names`", remedy);
        }
        let parameters = parameters.map(|p| self.parameters(&p, run.names.as_ref())).unwrap_or_default();
        let granted = match run {
            Run { names: Some(names), .. } => Some(Granted::Names { names, parameters }),
            Run { names: None, risk: Some(risk), owner } => Some(Granted::Kind { risk, owner }),
            Run { names: None, risk: None, .. } => {
                let remedy =
                    "a grant names runbooks (`names = […]`) or says how risky they may be (`risk = [\"read\"]`)";
                table.fault("this grant does not say which runbooks", remedy);
                None
            }
        };
        table.finish();
        granted
    }

    fn forbidden(&self, table: Table<'_>, key: &str) -> Option<Forbidden> {
        let run = self.run(&table);
        table.refuse(
            "parameters",
            "`parameters` is not supported here by this version",
            "name the runbook without them, or the allowed values in the grants",
        );
        let forbidden = match run {
            Run { names: Some(names), .. } => Some(Forbidden::Names(names)),
            Run { names: None, risk: None, owner: None } => {
                table
                    .fault(format!("this `{key}` names nothing"), "give it `names`, `risk` or `owner`, or take it out");
                None
            }
            Run { names: None, risk, owner } => Some(Forbidden::Kind { risk, owner }),
        };
        table.finish();
        forbidden
    }

    fn run(&self, table: &Table<'_>) -> Run {
        let remedy = "an author could grant himself by a tag; use `names`, or `risk` and `owner`";
        table.refuse("tags", "rules do not go by a runbook's tags", remedy);
        let names = self.runbooks(table, "names");
        let risk = risks(table);
        let owners = filled(table, "owner", table.optional_strings("owner"));
        owners.iter().for_each(|owner| self.refer_owner(table.document(), owner));
        let owner = table.has("owner").then(|| owners.into_iter().map(|o| o.value.to_owned()).collect());
        if names.is_some() && (risk.is_some() || owner.is_some()) {
            let remedy = "a named runbook is meant whatever its risk and owner: take one of the two out";
            table.fault("`names` stands beside `risk` or `owner`", remedy);
        }
        Run { names, risk, owner }
    }

    fn runbooks(&self, table: &Table<'_>, key: &str) -> Option<BTreeSet<RunbookName>> {
        let names = filled(table, key, table.optional_list::<RunbookName>(key));
        names.iter().for_each(|name| self.refer_runbook(table.document(), name));
        table.has(key).then(|| names.into_iter().map(|n| n.value).collect())
    }

    fn parameters(&self, table: &Table<'_>, names: Option<&BTreeSet<RunbookName>>) -> BTreeMap<String, ParameterRule> {
        let mut rules = BTreeMap::new();
        for (name, item) in table.entries() {
            if let Some(names) = names {
                self.refer_parameter(table.document(), &name, names);
            }
            let rule = item.table().and_then(|table| self.parameter(table, name.value, names));
            if let Some(rule) = rule {
                rules.insert(name.value.to_owned(), rule);
            }
        }
        rules
    }

    /// `{ one_of = […] }`, `{ int = [1, 500] }` or `{ pattern = "…" }`.
    fn parameter(&self, table: Table<'_>, name: &str, named: Option<&BTreeSet<RunbookName>>) -> Option<ParameterRule> {
        let given = ["one_of", "int", "pattern"].into_iter().filter(|key| table.has(key)).count();
        let one_of = table.has("one_of").then(|| filled(&table, "one_of", table.optional_strings("one_of")));
        for value in one_of.iter().flatten() {
            if let Some(named) = named {
                self.refer_value(table.document(), name, value, named);
            }
        }
        let int = table.item("int").and_then(|item| int(&item));
        let pattern = table.optional_with("pattern", "it has to match the whole value", Anchored::new);
        if given != 1 {
            table.fault(
                format!("`{}` needs one of `one_of`, `int` and `pattern`", table.path()),
                "write `{ one_of = [\"…\"] }`, `{ int = [1, 500] }` or `{ pattern = \"…\" }`",
            );
        }
        table.finish();
        let one_of =
            one_of.map(|values| ParameterRule::OneOf(values.into_iter().map(|v| v.value.to_owned()).collect()));
        one_of.or(int).or(pattern.map(|p| ParameterRule::Matches(p.value)))
    }

    fn when(&self, table: Table<'_>) -> Option<When> {
        for key in ["labels", "tags"] {
            let what = format!("`{key}` is not a condition of an approval rule");
            table.refuse(key, &what, "make a set of it under `[sets]` and write `where = [\"that-set\"]`");
        }
        let production = table.optional_bool("production");
        if let Some(no) = production.as_ref().filter(|p| !p.value) {
            table.document().fault(
                &no.span,
                "`production` can only be `true` here",
                "take it out to mean every target",
            );
        }
        let place = self.place(&table);
        let targets_over = table.optional_integer("targets_over", 1..=TARGETS_MAX);
        let risk = risks(&table);
        let runbooks = self.runbooks(&table, "runbooks");
        if !["production", "where", "targets_over", "risk", "runbooks"].into_iter().any(|key| table.has(key)) {
            let remedy = "say when it is needed; `where = [\"*\"]` is always";
            table.fault("this approval rule does not say when it is needed", remedy);
        }
        table.finish();
        Some(When {
            production: production.is_some_and(|p| p.value),
            place: place.unwrap_or(Where::Anywhere),
            targets_over: match targets_over {
                Some(n) => Some(u32::try_from(n.value).ok()?),
                None => None,
            },
            risk,
            runbooks,
        })
    }

    fn need(&self, table: &Table<'_>) -> BTreeMap<GroupName, u32> {
        let item = table.required("need", "[{ from = \"…\", count = 1 }]");
        item.map(|item| self.seats(&item)).unwrap_or_default()
    }

    /// `[{ from = "sre", count = 1 }]`.
    pub(super) fn seats(&self, item: &Item<'_>) -> BTreeMap<GroupName, u32> {
        let mut need = BTreeMap::new();
        let seats = item.list().unwrap_or_default();
        if seats.is_empty() && item.kind() == crate::domain::strict::Kind::List {
            let what = format!("`{}` is empty: nobody is asked for", item.path());
            item.fault(what, "write `[{ from = \"…\", count = 1 }]`");
        }
        for seat in seats.iter().filter_map(Item::table) {
            let from = seat.required_str("from");
            let count = seat.required_integer("count", 1..=SEATS_MAX);
            if let Some(from) = from {
                self.refer(seat.document(), Of::Group, &from);
                let count = count.and_then(|c| u32::try_from(c.value).ok()).unwrap_or(1);
                if need.insert(from.value.to_owned(), count).is_some() {
                    let what = format!("`{}` names `{}` twice", item.path(), from.value);
                    seat.document().fault(&from.span, what, "write the group once, with the number of people");
                }
            }
            seat.finish();
        }
        need
    }
}

/// A time with its zone, so that it is one moment wherever it is read.
pub(super) fn moment(table: &Table<'_>, key: &str) -> Option<At<Timestamp>> {
    let remedy = "write a time with its zone: `\"2026-11-26T00:00:00Z\"`, or `+01:00` in place of `Z`";
    table.optional_with(key, remedy, |text| {
        text.parse::<Timestamp>().map_err(|_| format!("`{text}` is no time with a zone"))
    })
}

fn risks(table: &Table<'_>) -> Option<BTreeSet<Risk>> {
    let risks = filled(table, "risk", table.optional_choices("risk", &RISKS));
    table.has("risk").then(|| risks.into_iter().map(|r| r.value).collect())
}

pub(super) fn channels(table: &Table<'_>, key: &str) -> Option<BTreeSet<ChannelRef>> {
    let channels = filled(table, key, table.optional_list::<ChannelRef>(key));
    table.has(key).then(|| channels.into_iter().map(|c| c.value).collect())
}

fn int(item: &Item<'_>) -> Option<ParameterRule> {
    let ends = item.list()?;
    let [min, max] = ends.as_slice() else {
        item.fault(format!("`{}` needs two numbers", item.path()), "write the smallest and the largest: `[1, 500]`");
        return None;
    };
    let (min, max) = (min.integer()?.value, max.integer()?.value);
    if min > max {
        item.fault(
            format!("`{}`: nothing lies between {min} and {max}", item.path()),
            format!("write `[{max}, {min}]`"),
        );
    }
    Some(ParameterRule::Int { min, max })
}
