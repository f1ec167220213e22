//! Which runbook?

use crate::message::View;
use crate::message::words::say;

use super::{FieldKind, Form, FormField, FormKind};

/// Names the runbook in the submission of [`pick_form`].
pub const RUNBOOK: &str = "the_runbook";

/// Asks which runbook. What may be picked is asked for while the person types.
#[must_use]
pub fn pick_form(view: &View) -> Form {
    let c = &view.command;
    Form {
        intro: say("Only runbooks that you may run are offered, those you ran of late first.").spans(),
        submit: Some("Next".to_owned()),
        fields: vec![FormField {
            name: RUNBOOK.to_owned(),
            label: "Runbook".to_owned(),
            hint: None,
            required: true,
            kind: FieldKind::Search { picked: Vec::new(), most: 1, tells: true },
            fault: None,
        }],
        footer: say("Faster by hand: ")
            .code(format!("{c} run NAME … on SELECTOR"))
            .plain(", ")
            .code(format!("{c} help"))
            .plain(" tells more.")
            .spans(),
        ..empty()
    }
}

/// Stands there until it is known who the person is.
#[must_use]
pub fn waiting_form() -> Form {
    Form { intro: say("One moment: I am looking up what you may run…").spans(), ..empty() }
}

/// The policy allows this person nothing here, or it cannot be said what.
#[must_use]
pub fn nothing_to_pick(why: &str, view: &View) -> Form {
    let list = format!("{} list", view.command);
    Form { intro: say("").prose(why).spans(), footer: say("What you may run: ").code(list).spans(), ..empty() }
}

fn empty() -> Form {
    Form {
        kind: FormKind::Pick,
        title: "Pick a runbook".to_owned(),
        submit: None,
        intro: Vec::new(),
        fields: Vec::new(),
        footer: Vec::new(),
    }
}
