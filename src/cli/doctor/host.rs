//! What this host itself has: configuration, runbooks and policies, the store.

use std::path::Path;

use crate::adapters::store::{StoreSeen, look};
use crate::config::Config;
use crate::domain::Fault;
use crate::engine::rulebook::Rules;
use crate::rules;

use super::report::{Report, State};

const AREA: &str = "host";

pub fn configuration(report: &mut Report, file: &Path, read: &Result<Config, Vec<Fault>>) {
    match read {
        Ok(config) => {
            let accounts = count(config.accounts.len(), "account");
            let discovery = if config.organizations.is_some() { ", discovery on" } else { "" };
            report.add(AREA, "configuration", State::Ok, format!("{}: {accounts}{discovery}", file.display()));
        }
        Err(faults) => faults_of(report, "configuration", faults),
    }
}

/// The rules, where they are valid.
pub fn rules(report: &mut Report, config: &Config) -> Option<Rules> {
    let source =
        rules::Source::Folders { runbooks: config.paths.runbooks.clone(), policies: config.paths.policies.clone() };
    match source.read().and_then(|(books, policies)| rules::check(&books, &policies)) {
        Ok(rules) if rules.runbooks.runbooks.is_empty() => {
            let says = format!(
                "there is no runbook in `{}`, so nothing can be run: put one there, or correct `[paths] runbooks`",
                config.paths.runbooks.display()
            );
            report.add(AREA, "runbooks, policies", State::Warning, says);
            Some(rules)
        }
        Ok(rules) if rules.policy.grants.is_empty() => {
            let says = format!(
                "no policy in `{}` grants anything, so every run is denied: write a `[[grant]]`",
                config.paths.policies.display()
            );
            report.add(AREA, "runbooks, policies", State::Warning, says);
            Some(rules)
        }
        Ok(rules) => {
            let books = count(rules.runbooks.runbooks.len(), "runbook");
            let grants = count(rules.policy.grants.len(), "grant");
            report.add(AREA, "runbooks, policies", State::Ok, format!("{books} and {grants} are valid"));
            Some(rules)
        }
        Err(faults) => {
            faults_of(report, "runbooks, policies", &faults);
            None
        }
    }
}

/// Each fault is a line of its own.
fn faults_of(report: &mut Report, subject: &str, faults: &[Fault]) {
    for fault in faults {
        let at = fault.to_string();
        let says = at.lines().map(str::trim).collect::<Vec<_>>().join(": ");
        report.add(AREA, subject, State::Broken, says);
    }
}

pub fn store(report: &mut Report, folder: &Path) {
    let shown = folder.display();
    let (state, says) = match look(folder) {
        StoreSeen::Free { new: false } => (State::Ok, format!("`{shown}` can be written and nobody has it open")),
        StoreSeen::Free { new: true } => (State::Ok, format!("`{shown}` is made at the first start")),
        StoreSeen::InUse => (
            State::Warning,
            format!("a running Muster has `{shown}` open: right if that is the one you mean, otherwise stop it"),
        ),
        StoreSeen::Unusable(why) => (
            State::Broken,
            format!("`{shown}` cannot be used, because {why}: give the folder to the user that runs Muster"),
        ),
    };
    report.add(AREA, "store", state, says);
}

pub fn count(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// A clock that is off: what Muster signs it corrects by AWS's time, but approvals and freezes go by this host's.
pub fn clock(report: &mut Report, area: &'static str, whose: &str, ahead: jiff::SignedDuration) {
    let off = ahead.abs();
    let way = if ahead.is_negative() { "ahead of" } else { "behind" };
    let seconds = format!("{:.1} s", off.as_secs_f64());
    let (state, says) = if off > jiff::SignedDuration::from_secs(60) {
        let why = "approvals and freezes would be judged at the wrong time";
        (State::Broken, format!("this host is {seconds} {way} {whose}, so {why}: set its clock by NTP"))
    } else if off > jiff::SignedDuration::from_secs(2) {
        (State::Warning, format!("this host is {seconds} {way} {whose}: set its clock by NTP"))
    } else {
        (State::Ok, format!("this host's clock agrees with {whose}"))
    };
    report.add(area, "clock", state, says);
}
