//! The accounts and machines of the organisation, made from the seed alone.
//!
//! The first six accounts are fixed, because policies, conversations and tests name them.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AccountId, Digest, NodeId, NodePlatform, Region};

/// The account Muster starts from, with the hub role.
pub const CENTRAL: &str = "999999999999";
pub const HUB_ROLE: &str = "muster-hub";
pub const MEMBER_ROLE: &str = "muster-runner";
/// The role of each member account that automations act with.
pub const AUTOMATION_ROLE: &str = "muster-automation";

/// One member account, as a muster.toml describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: AccountId,
    pub name: String,
    pub role_arn: String,
    pub external_id: String,
    pub regions: Vec<Region>,
    /// `customer` and `env`; empty for an account that only Organizations knows.
    pub labels: BTreeMap<String, String>,
    /// It stands in the configuration; otherwise only Organizations tells of it.
    pub configured: bool,
}

/// What a Linux machine runs. Distributions differ by role, as they do where several teams have chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    Amazon2023,
    Debian12,
    Rhel9,
}

impl Distribution {
    fn of(role: &str) -> Self {
        match role {
            "app" => Distribution::Debian12,
            "db" => Distribution::Rhel9,
            _ => Distribution::Amazon2023,
        }
    }
    /// Name and version, as the agent reports them.
    #[must_use]
    pub fn name(self) -> (&'static str, &'static str) {
        match self {
            Distribution::Amazon2023 => ("Amazon Linux", "2023"),
            Distribution::Debian12 => ("Debian GNU/Linux", "12"),
            Distribution::Rhel9 => ("Red Hat Enterprise Linux", "9.6"),
        }
    }
    /// The folder of commands that only its family has.
    #[must_use]
    pub fn family(self) -> &'static str {
        match self {
            Distribution::Debian12 => "debian",
            Distribution::Amazon2023 | Distribution::Rhel9 => "redhat",
        }
    }
}

/// What is wrong with a machine beside a full disk or a failed service. One machine of the fixed accounts has each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    ExpiredCertificate,
    /// No time source answers.
    ClockAdrift,
    /// A second user has uid 0.
    SecondRoot,
    /// Almost no memory is left, and the kernel has killed for it.
    LowMemory,
    /// The mirror of its packages does not answer, so that asking it hangs.
    DeadMirror,
}

/// One machine.
#[derive(Debug, Clone)]
pub struct Machine {
    pub id: NodeId,
    pub name: String,
    pub tags: BTreeMap<String, String>,
    pub platform: NodePlatform,
    pub distribution: Distribution,
    pub agent_version: String,
    pub host_name: String,
    pub ip: String,
    pub zone: String,
    /// SSM knows it.
    pub managed: bool,
    pub online: bool,
    /// It was terminated.
    pub gone: bool,
    /// Stopped, not terminated: SSM does not list it.
    pub stopped: bool,
    /// How often it was booted since this world began, by a script or from outside.
    pub boots: u32,
    /// A script asked for a reboot, and it goes on. SSM's ping lags, so `online` does not follow it.
    pub rebooting: bool,
    pub condition: Condition,
    /// Once-guards by key, taken by scripts that were answered from tables, in place of folders.
    pub once: BTreeMap<String, Once>,
}

/// What a once-guard knows: the command that took it, and the boots in which the step ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    pub command: String,
    pub boots: BTreeSet<u32>,
}

impl Machine {
    /// The agent takes what is sent to it.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.online && !self.gone && !self.rebooting
    }
    /// Machines of one distribution run the same image everywhere in a region.
    #[must_use]
    pub fn image(&self) -> String {
        let region = self.zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let digits = Digest::of(format!("image|{region}|{:?}|{:?}", self.platform, self.distribution).as_bytes());
        format!("ami-0{}", &digits.to_string()[..16])
    }
    #[must_use]
    pub fn instance_type(&self) -> &'static str {
        match (self.platform, self.condition.trouble) {
            (NodePlatform::Windows, _) => "m5.large",
            (_, Some(Trouble::LowMemory)) => "t3.nano",
            _ => "t3.medium",
        }
    }
    /// As the kernel tells it: another one after each reboot.
    #[must_use]
    pub fn boot_id(&self) -> String {
        let digits = Digest::of(format!("boot|{}|{}", self.id, self.boots).as_bytes()).to_string();
        format!("{}-{}-4{}-9{}-{}", &digits[..8], &digits[8..12], &digits[12..15], &digits[15..18], &digits[18..30])
    }
    /// Since when its services run, as systemctl says it.
    #[must_use]
    pub fn started(&self) -> &'static str {
        match self.boots {
            0 => "Sun 2026-11-22 03:12:09 UTC; 6h ago",
            _ => "Sun 2026-11-22 09:13:14 UTC; 48s ago",
        }
    }
    /// What is different after a reboot: services that had failed and memory that had run out begin anew.
    pub fn reboot(&mut self) {
        self.boots += 1;
        self.condition.failed = false;
        self.condition.reboot_due = false;
        if self.condition.trouble == Some(Trouble::LowMemory) {
            self.condition.trouble = None;
        }
    }
}

/// What a diagnosis finds on the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Percent of `/` and of `/var` in use.
    pub root_used: u8,
    pub var_used: u8,
    /// The machine's main service, such as `nginx`, and whether it has failed.
    pub unit: String,
    pub failed: bool,
    /// Upgrades that wait for a reboot.
    pub reboot_due: bool,
    /// Everything that waited was installed.
    pub patched: bool,
    pub trouble: Option<Trouble>,
}

/// A number that the seed and the words decide.
#[must_use]
pub fn draw(seed: u64, words: &[&str]) -> u64 {
    let digest = Digest::of(format!("{seed}|{}", words.join("|")).as_bytes());
    digest.bytes().iter().take(8).fold(0, |n, b| (n << 8) | u64::from(*b))
}

/// The member accounts.
#[must_use]
pub fn members(count: usize, seed: u64, regions: &[Region]) -> Vec<Member> {
    const FIXED: [(&str, &str); 6] = [
        ("111111111111", "acme-prod"),
        ("222222222222", "acme-staging"),
        ("333333333333", "globex-prod"),
        ("444444444444", "globex-staging"),
        ("555555555555", "initech-prod"),
        ("666666666666", "sandbox"),
    ];
    const CUSTOMERS: [&str; 16] = [
        "umbrella",
        "hooli",
        "stark",
        "wayne",
        "wonka",
        "tyrell",
        "cyberdyne",
        "aperture",
        "massive",
        "soylent",
        "duff",
        "vandelay",
        "sterling",
        "oceanic",
        "gringotts",
        "monarch",
    ];
    (0..count)
        .filter_map(|i| {
            let (id, name) = match FIXED.get(i) {
                Some((id, name)) => ((*id).to_owned(), (*name).to_owned()),
                None => {
                    let n = i - FIXED.len();
                    let customer = CUSTOMERS[(n / 2) % CUSTOMERS.len()];
                    let round = n / (2 * CUSTOMERS.len());
                    let suffix = if round == 0 { String::new() } else { (round + 1).to_string() };
                    let env = if n.is_multiple_of(2) { "prod" } else { "staging" };
                    // A running number in the middle keeps ids distinct whatever the draw.
                    let id = format!("7{:04}{:07}", i % 10_000, draw(seed, &["account", &i.to_string()]) % 10_000_000);
                    (id, format!("{customer}{suffix}-{env}"))
                }
            };
            let labels = name
                .rsplit_once('-')
                .map(|(customer, env)| {
                    BTreeMap::from([("customer".into(), customer.into()), ("env".into(), env.into())])
                })
                .unwrap_or_default();
            Some(Member {
                role_arn: format!("arn:aws:iam::{id}:role/{MEMBER_ROLE}"),
                external_id: format!("muster-{name}-{:08x}", draw(seed, &["external", &id]) & 0xffff_ffff),
                regions: regions.to_vec(),
                configured: name.contains('-'),
                id: id.parse().ok()?,
                name,
                labels,
            })
        })
        .collect()
}

/// The machines of one account in one region; unmanaged instances come after the managed ones.
#[must_use]
pub fn machines(member: &Member, region: &Region, count: usize, seed: u64) -> Vec<Machine> {
    // Eight in a row: three web, two app, one db, two worker.
    const ROLES: [&str; 8] = ["web", "app", "web", "db", "worker", "app", "web", "worker"];
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let here = |what: &str, i: usize| draw(seed, &[member.id.as_str(), region.as_str(), what, &i.to_string()]);
    let mut machines: Vec<Machine> = (0..count)
        .map(|i| {
            let windows = i % 12 == 7;
            let role = if windows { "report" } else { ROLES[i % ROLES.len()] };
            let number = numbers.entry(role).or_default();
            *number += 1;
            let name = format!("{role}-{number}");
            machine(member, region, &name, role, windows, here("machine", i), seed)
        })
        .collect();
    // Some agents do not answer: about one in 24, and always the same two in the fixed accounts.
    let always: Option<usize> = match (member.name.as_str(), region.as_str()) {
        ("acme-staging", "eu-west-1") => Some(5),
        ("globex-prod", "us-east-1") => Some(4),
        _ => None,
    };
    for (i, machine) in machines.iter_mut().enumerate() {
        let fixed = matches!(
            member.name.as_str(),
            "acme-prod" | "acme-staging" | "globex-prod" | "globex-staging" | "initech-prod" | "sandbox"
        );
        machine.online = if fixed { always != Some(i) } else { here("offline", i) % 24 != 0 };
    }
    let legacy = (member.name == "acme-prod" && region.as_str() == "us-east-1") || here("legacy", 0) % 5 == 0;
    if legacy {
        let mut machine = machine(member, region, "legacy-1", "legacy", false, here("unmanaged", 0), seed);
        machine.managed = false;
        machine.online = false;
        machines.push(machine);
    }
    machines
}

fn machine(member: &Member, region: &Region, name: &str, role: &str, windows: bool, lot: u64, seed: u64) -> Machine {
    let id_text =
        format!("i-{}", &Digest::of(format!("{seed}|{}|{region}|{name}", member.id).as_bytes()).to_string()[..17]);
    let ip = [(lot >> 8) & 0xff, (lot >> 16) & 0xff, 4 + (lot >> 24) % 250];
    let duty = match role {
        "web" => "frontend",
        "app" => "backend",
        "db" => "database",
        "worker" => "queue",
        other => other,
    };
    let mut tags = BTreeMap::from([
        ("Name".to_owned(), name.to_owned()),
        ("service".to_owned(), role.to_owned()),
        ("role".to_owned(), duty.to_owned()),
    ]);
    tags.extend(member.labels.iter().map(|(k, v)| (k.clone(), v.clone())));
    // Two full disks and two failed services in the fixed organisation, a few in generated ones.
    let place = (member.name.as_str(), region.as_str(), name);
    let full = matches!(place, ("acme-prod", "eu-west-1", "web-2") | ("globex-prod", "eu-west-1", "db-1"));
    let failed = matches!(place, ("acme-prod", "eu-west-1", "web-3") | ("acme-staging", "us-east-1", "web-1"));
    let trouble = match place {
        ("globex-staging", "eu-west-1", "web-1") => Some(Trouble::ExpiredCertificate),
        ("acme-staging", "eu-west-1", "app-1") => Some(Trouble::ClockAdrift),
        ("acme-prod", "us-east-1", "worker-1") => Some(Trouble::SecondRoot),
        ("globex-prod", "eu-west-1", "app-1") => Some(Trouble::LowMemory),
        ("acme-staging", "us-east-1", "db-1") => Some(Trouble::DeadMirror),
        _ => None,
    };
    let generated = member.id.as_str().starts_with('7');
    Machine {
        // The text has the form of an id by construction; the fallback only keeps the type honest.
        id: id_text.parse().unwrap_or_else(|_| unreachable!("`{id_text}` is 17 hex digits")),
        name: name.to_owned(),
        tags,
        platform: if windows { NodePlatform::Windows } else { NodePlatform::Linux },
        distribution: Distribution::of(role),
        agent_version: match lot % 11 {
            0 => "3.2.2303.0",
            1..=4 => "3.3.2746.0",
            _ => "3.3.3050.0",
        }
        .to_owned(),
        host_name: format!("ip-10-{}-{}-{}.{region}.compute.internal", ip[0], ip[1], ip[2]),
        ip: format!("10.{}.{}.{}", ip[0], ip[1], ip[2]),
        zone: format!("{region}{}", ["a", "b", "c"][usize::try_from(lot % 3).unwrap_or(0)]),
        managed: true,
        online: true,
        gone: false,
        stopped: false,
        boots: 0,
        rebooting: false,
        once: BTreeMap::new(),
        condition: Condition {
            root_used: 31 + u8::try_from((lot >> 32) % 32).unwrap_or(0),
            var_used: if full || generated && (lot >> 40).is_multiple_of(37) {
                97
            } else {
                28 + u8::try_from((lot >> 36) % 40).unwrap_or(0)
            },
            unit: match role {
                "web" => "nginx",
                "db" => "postgresql",
                "worker" => "worker",
                _ => "app",
            }
            .to_owned(),
            failed: failed || generated && (lot >> 48).is_multiple_of(41),
            reboot_due: (lot >> 44).is_multiple_of(6),
            patched: false,
            trouble,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions() -> Vec<Region> {
        vec!["eu-west-1".parse().unwrap(), "us-east-1".parse().unwrap()]
    }

    #[test]
    fn the_same_seed_gives_the_same_organisation() {
        let (a, b) = (members(200, 7, &regions()), members(200, 7, &regions()));
        assert_eq!(a, b);
        let ids: std::collections::BTreeSet<_> = a.iter().map(|m| m.id.clone()).collect();
        let names: std::collections::BTreeSet<_> = a.iter().map(|m| m.name.clone()).collect();
        assert_eq!((ids.len(), names.len()), (200, 200));
        let machine = |seed| machines(&a[0], &regions()[0], 8, seed).into_iter().map(|m| m.id).collect::<Vec<_>>();
        assert_eq!(machine(7), machine(7));
        assert_ne!(machine(7), machine(8));
    }

    #[test]
    fn the_fixed_accounts_have_what_the_tour_needs() {
        let members = members(6, 1, &regions());
        assert_eq!(members[0].labels["customer"], "acme");
        assert_eq!(members[0].labels["env"], "prod");
        assert!(members[5].labels.is_empty() && !members[5].configured);
        let all: Vec<Machine> = members
            .iter()
            .flat_map(|m| regions().into_iter().flat_map(|r| machines(m, &r, 8, 1)).collect::<Vec<_>>())
            .collect();
        assert_eq!(all.iter().filter(|m| m.managed && !m.online).count(), 2);
        assert!(all.iter().any(|m| !m.managed));
        assert!(all.iter().any(|m| m.platform == NodePlatform::Windows));
        assert_eq!(all.iter().filter(|m| m.condition.var_used >= 97).count(), 2);
        assert_eq!(all.iter().filter(|m| m.condition.failed).count(), 2);
        assert_eq!(all.iter().filter(|m| m.condition.trouble.is_some() && m.online).count(), 5);
        let families: BTreeSet<&str> = all.iter().map(|m| m.distribution.name().0).collect();
        assert_eq!(families.len(), 3);
    }
}
