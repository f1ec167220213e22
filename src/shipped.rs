//! The runbooks and policies of this repository, inside the binary: what the playground runs with.

/// Name and text of each shipped runbook.
pub const RUNBOOKS: &[(&str, &str)] = &[
    ("runbooks/disk-usage.toml", include_str!("../runbooks/disk-usage.toml")),
    ("runbooks/restart-service.toml", include_str!("../runbooks/restart-service.toml")),
    ("runbooks/service-status.toml", include_str!("../runbooks/service-status.toml")),
];

/// Name and text of each shipped policy file. They name the people of the simulated workspace.
pub const POLICIES: &[(&str, &str)] = &[("policies/default.toml", include_str!("../policies/default.toml"))];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_file_in_the_repository_is_shipped() {
        for (folder, shipped) in [("runbooks", super::RUNBOOKS), ("policies", super::POLICIES)] {
            let there: BTreeSet<String> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
                .unwrap()
                .map(|entry| format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap()))
                .filter(|name| name.ends_with(".toml"))
                .collect();
            let shipped: BTreeSet<String> = shipped.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(there, shipped);
        }
    }
}
