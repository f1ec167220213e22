//! On which of the targets does an approver agree? A part by a click, or by what a selector picks.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AccountId, Region, Selector, Target};
use crate::message::View;
use crate::message::verdict::subject;
use crate::message::words::{nodes, number, say, sentence, size};
use crate::run::Run;

use super::{Choice, Faults, FieldKind, Form, FormField, FormKind, Values};

/// A part that the form offers, as the selector that means it.
pub const PART: &str = "part";
/// A selector that is typed.
pub const ONLY: &str = "only";
/// Parts that one form offers; Discord's limit for one menu.
const PARTS_MAX: usize = 25;
const ONLY_MAX: u16 = 500;

/// Asks on which of the targets. Submitting it is a yes to them and to no others.
#[must_use]
pub fn narrow_form(run: &Run, view: &View) -> Form {
    let p = &run.proposal;
    let total = size(p.plan.targets.len());
    let parts = parts(run);
    let mut fields = Vec::new();
    if !parts.is_empty() {
        fields.push(FormField {
            name: PART.to_owned(),
            label: "Only here".to_owned(),
            hint: None,
            required: false,
            kind: FieldKind::Choice { choices: parts, picked: None },
            fault: None,
        });
    }
    let placeholder = Some("nodes=web-1,web-2".to_owned());
    fields.push(FormField {
        name: ONLY.to_owned(),
        label: "Only what this matches".to_owned(),
        hint: Some("A selector, as behind the word on. Both together: what matches both.".to_owned()),
        required: false,
        kind: FieldKind::Text { value: None, multiline: false, max_length: ONLY_MAX, placeholder },
        fault: None,
    });
    Form {
        kind: FormKind::Narrow { run: run.id, revision: run.revision },
        title: "Approve a part".to_owned(),
        submit: Some("Approve these".to_owned()),
        intro: say(format!("{}, asked by ", subject(p.plan.runbook.as_str(), total)))
            .person(&p.by)
            .plain(format!(
                " ({}). What you leave out is not run, whoever else approves; it can be asked for again.",
                view.short
            ))
            .spans(),
        fields,
        footer: Vec::new(),
    }
}

/// Each account and each region that holds some of the targets and not all, the largest first.
fn parts(run: &Run) -> Vec<Choice> {
    let plan = &run.proposal.plan;
    let mut accounts: BTreeMap<&AccountId, u32> = BTreeMap::new();
    let mut regions: BTreeMap<&Region, u32> = BTreeMap::new();
    for planned in &plan.targets {
        *accounts.entry(&planned.target.account).or_default() += 1;
        *regions.entry(&planned.target.region).or_default() += 1;
    }
    let total = size(plan.targets.len());
    let name = |id: &AccountId| plan.accounts.get(id).map_or_else(|| id.to_string(), |note| note.name.clone());
    let accounts = accounts.into_iter().map(|(id, n)| (n, format!("accounts={id}"), name(id)));
    let regions = regions.into_iter().map(|(region, n)| (n, format!("regions={region}"), region.to_string()));
    let mut parts: Vec<(u32, String, String)> = accounts.chain(regions).filter(|(n, ..)| *n < total).collect();
    parts.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.2.cmp(&b.2)));
    let choice = |(n, value, name): (u32, String, String)| {
        Choice::new(value, &format!("{name}: {} of {}", number(n), nodes(total)))
    };
    parts.into_iter().take(PARTS_MAX).filter_map(choice).collect()
}

/// The targets that a submitted form is about.
///
/// # Errors
/// What is wrong with it, beside its fields.
pub fn read_narrow(run: &Run, values: &Values) -> Result<BTreeSet<Target>, Faults> {
    let given = |field: &str| values.get(field).and_then(|v| v.first()).map(|v| v.trim()).filter(|v| !v.is_empty());
    let plan = &run.proposal.plan;
    let beside = |field: &str, text: String| Faults::from([(field.to_owned(), text)]);
    let mut kept: BTreeSet<Target> = plan.targets.iter().map(|planned| planned.target.clone()).collect();
    let fields = [PART, ONLY].into_iter().filter_map(|field| Some((field, given(field)?)));
    let mut last = ONLY;
    for (field, text) in fields {
        let text = text.strip_prefix("on ").unwrap_or(text);
        let selector = Selector::parse(text).map_err(|why| beside(field, sentence(&why.to_string())))?;
        let picked = plan.picked_by(&selector);
        kept.retain(|target| picked.contains(target));
        last = field;
    }
    let total = size(plan.targets.len());
    match size(kept.len()) {
        0 => Err(beside(last, format!("None of the {} matches that.", nodes(total)))),
        n if n == total && given(PART).is_none() && given(ONLY).is_none() => {
            Err(beside(ONLY, "Say on which of them: pick a part, or type a selector.".to_owned()))
        }
        n if n == total => Err(beside(last, format!("That is all of the {}: press Approve instead.", nodes(total)))),
        _ => Ok(kept),
    }
}
