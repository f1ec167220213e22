//! Runbooks and policies of one world, as texts that go through the real loader.

use std::fmt::Write as _;

use muster::engine::rulebook::Rules;
use muster::rules;

use super::fortune::Fortune;

/// What stands in the files besides the runbooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edition {
    /// Nothing is changed in production.
    pub frozen: bool,
    /// Yeses of `sre` for a change in production.
    pub yeses: u32,
    /// The runbook has a new revision.
    pub revised: bool,
}

/// The runbook that a history is about, by chance: steps, conditions, gates, a way back, waves, limits.
pub fn job(fortune: &Fortune) -> String {
    let steps = fortune.below(3) + 1;
    let back = fortune.one_in(2);
    let wanting = if back && fortune.one_in(2) { fortune.below(steps) } else { steps };
    let mut text = String::from(
        "version = 1\ntitle = \"A job\"\ndescription = \"Does what it is told.\"\nrisk = \"change\"\nowner = \"platform\"\n",
    );
    let offline = fortune.pick(&["skip", "send"]);
    let exclusive = if fortune.one_in(2) { "exclusive = \"node\"\n" } else { "" };
    let _ = write!(text, "[targets]\nmax = 100\noffline = \"{offline}\"\n{exclusive}");
    for step in 0..steps {
        let _ = write!(text, "[[steps]]\nname = \"step{step}\"\ntimeout = \"30s\"\ndelivery_timeout = \"30s\"\n");
        if fortune.one_in(8) {
            text.push_str("document = \"Acme-DoesIt\"\n");
        } else {
            text.push_str("shell = 'echo state=a'\n");
        }
        text.push_str("extract.state = 'state=([a-z])'\n");
        if fortune.one_in(4) {
            text.push_str("expect.state = \"a\"\n");
        }
        if step == wanting {
            text.push_str("on_failure = \"rollback\"\n");
        } else if fortune.one_in(3) {
            text.push_str("on_failure = \"continue\"\n");
        }
        if step > 0 {
            if fortune.one_in(3) {
                text.push_str("when.state = [\"a\", \"b\"]\n");
            }
            if fortune.one_in(4) {
                text.push_str("unless.state = \"b\"\n");
            }
            if fortune.one_in(3) {
                let count = fortune.below(2) + 1;
                let _ = writeln!(text, "gate = {{ from = \"dba\", count = {count}, expires = \"3m\" }}");
            }
        }
    }
    if back {
        text.push_str("[rollback]\nshell = 'echo undone'\ntimeout = \"30s\"\ndelivery_timeout = \"30s\"\n");
    }
    let waves = fortune.pick(&["\"100%\"", "\"1\", \"100%\"", "\"1\", \"50%\", \"100%\""]);
    let max_errors = fortune.pick(&["0", "1", "25%", "100%"]);
    let in_flight = fortune.pick(&["1", "2", "50%", "100%"]);
    let hold = fortune.pick(&["never", "failure", "always"]);
    let hold_for = fortune.pick(&["1m", "10m"]);
    let deadline = fortune.pick(&["4m", "20m", "2h", "2h"]);
    let _ = write!(
        text,
        "[rollout]\nwaves = [{waves}]\nmax_errors = \"{max_errors}\"\nmax_in_flight = \"{in_flight}\"\nhold = \"{hold}\"\n\
         hold_for = \"{hold_for}\"\ndeadline = \"{deadline}\"\n"
    );
    text
}

/// A look that changes nothing and needs nobody's yes.
const LOOK: &str = "version = 1
title = \"A look\"
description = \"Shows how it is.\"
risk = \"read\"
owner = \"platform\"
[[steps]]
name = \"look\"
shell = 'echo state=a'
timeout = \"30s\"
delivery_timeout = \"30s\"
extract.state = 'state=([a-z])'
";

/// Nobody may run it.
const WIPE: &str = "version = 1
title = \"Wipe\"
description = \"Ends everything.\"
risk = \"destructive\"
owner = \"platform\"
[[steps]]
name = \"wipe\"
shell = 'echo gone'
";

const POLICY: &str = "version = 1
[groups]
ops = { slack_usergroups = [\"slack:T0MUSTER:S0OPS\"] }
sre = { slack_usergroups = [\"slack:T0MUSTER:S0SRE\"] }
dba = { slack_usergroups = [\"slack:T0MUSTER:S0DBA\"] }
audit = { slack_usergroups = [\"slack:T0MUSTER:S0AUDIT\"] }
[sets.production]
accounts = [\"111111111111\"]
production = true
[sets.staging]
accounts = [\"222222222222\"]
production = false
[[grant]]
id = \"ops\"
who = [\"ops\"]
run = { risk = [\"read\", \"change\"] }
where = [\"production\", \"staging\"]
max_targets = 100
[[grant]]
id = \"sre\"
who = [\"sre\"]
run = { risk = [\"read\", \"change\", \"destructive\"] }
where = [\"*\"]
max_targets = 100
[[forbid]]
id = \"wipe\"
run = { names = [\"wipe\"] }
because = \"Nothing is wiped from chat.\"
[halt]
who = [\"ops\", \"sre\"]
resume = [\"sre\"]
[[view]]
id = \"all-see\"
who = [\"ops\", \"sre\", \"dba\", \"audit\"]
where = [\"*\"]
";

impl Edition {
    /// The files as the engine takes them.
    pub fn rules(self, job: &str) -> Rules {
        let mut policy = POLICY.to_owned();
        if self.frozen {
            policy.push_str(
                "[[forbid]]\nid = \"freeze\"\nrun = { risk = [\"change\"] }\nwhere = [\"production\"]\nbecause = \"It is a freeze.\"\n",
            );
        }
        if self.yeses > 0 {
            let _ = write!(
                policy,
                "[[approval]]\nid = \"change\"\nwhen = {{ production = true, risk = [\"change\"] }}\n\
                 need = [{{ from = \"sre\", count = {} }}]\nexpires = \"10m\"\n",
                self.yeses
            );
        }
        let job = if self.revised { job.replace("A job", "A better job") } else { job.to_owned() };
        let books = [("job", job), ("look", LOOK.to_owned()), ("wipe", WIPE.to_owned())];
        let books = books.map(|(name, text)| (format!("{name}.toml").into(), text)).to_vec();
        let policies = vec![("team.toml".into(), policy)];
        rules::check(&books, &policies)
            .unwrap_or_else(|faults| panic!("{faults:#?}\n{}\n{}", books[0].1, policies[0].1))
    }
}
