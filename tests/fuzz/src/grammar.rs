//! Any text behind the slash command: understood or refused with a remedy, and what is understood reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster::command::{Command, parse};

fuzz_target!(|text: &str| {
    match parse(text) {
        Err(refusal) => assert!(!refusal.what.is_empty() && !refusal.remedy.is_empty(), "{text:?}"),
        Ok(Command::Run(request) | Command::BreakGlass(request)) => {
            let shown = request.to_string();
            let again = match parse(&shown) {
                Ok(Command::Run(again) | Command::BreakGlass(again)) => again,
                other => panic!("{text:?} is shown as {shown:?}, which reads as {other:?}"),
            };
            let tidy = |r: &muster::command::Request| {
                let reason = r.reason.as_deref().map(|reason| reason.trim().to_owned());
                (r.runbook.clone(), r.arguments.clone(), r.selector.clone(), reason, r.emergency)
            };
            assert_eq!(tidy(&again), tidy(&request), "{text:?} is shown as {shown:?}");
        }
        Ok(_) => {}
    }
});
