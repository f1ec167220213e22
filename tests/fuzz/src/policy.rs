//! Any text as a policy file: read or refused with faults that have a place, never a panic; and what could be read decides.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster::policy::{Moment, PolicySet, Request, decide, decide_in_emergency, load, load::read, stricter};
use muster::runbook::Library;

#[allow(dead_code, reason = "each target uses a part of it")]
mod stage;

static LIBRARY: LazyLock<Library> = LazyLock::new(stage::library);

fuzz_target!(|text: &str| {
    // Two files, where the text has a line of dashes.
    let (one, two) = text.split_once("\n---\n").unwrap_or((text, "version = 1\n"));
    let files = vec![("a.toml".into(), one.to_owned()), ("b.toml".into(), two.to_owned())];
    let books = stage::books(&LIBRARY);
    match read(&files, Some(&books)) {
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a reason");
            for fault in faults {
                assert!(!fault.what.is_empty() && !fault.remedy.is_empty(), "{fault:?}");
            }
        }
        Ok(loaded) => {
            let _ = loaded.advice(&books);
            let _ = loaded.failures(&books);
            decides(&loaded.policy);
            let swapped = vec![files[1].clone(), files[0].clone()];
            assert_eq!(
                load(&swapped, None).as_ref(),
                load(&files, None).as_ref(),
                "the order of the files means something"
            );
        }
    }
});

fn decides(policy: &PolicySet) {
    let plan = stage::plan(&LIBRARY);
    let asker = stage::asker(policy, muster::domain::Principal::slack(stage::TENANT, "U0SUSAN"));
    let recent = BTreeSet::new();
    let request = Request::of(&asker, &plan, Moment { recent: &recent, now: stage::at(0) });
    let decision = decide(policy, &request);
    let emergency = decide_in_emergency(policy, &request, "the shop is down and nobody can wait");
    // What an emergency opens takes a second person.
    assert!(emergency.verdict != muster::policy::Verdict::Permit);
    assert_eq!(stricter(&decision, &decision).verdict, decision.verdict);
}
