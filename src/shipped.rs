//! The runbooks and policies of this repository, inside the binary: what the playground runs with.

/// Name and text of each shipped runbook.
pub const RUNBOOKS: &[(&str, &str)] = &[
    ("runbooks/agent-version.toml", include_str!("../runbooks/agent-version.toml")),
    ("runbooks/ansible-playbook.toml", include_str!("../runbooks/ansible-playbook.toml")),
    ("runbooks/certificate-expiry.toml", include_str!("../runbooks/certificate-expiry.toml")),
    ("runbooks/connections.toml", include_str!("../runbooks/connections.toml")),
    ("runbooks/disk-usage-windows.toml", include_str!("../runbooks/disk-usage-windows.toml")),
    ("runbooks/disk-usage.toml", include_str!("../runbooks/disk-usage.toml")),
    ("runbooks/ensure-line.toml", include_str!("../runbooks/ensure-line.toml")),
    ("runbooks/free-disk.toml", include_str!("../runbooks/free-disk.toml")),
    ("runbooks/host-diagnostics.toml", include_str!("../runbooks/host-diagnostics.toml")),
    ("runbooks/listening-ports.toml", include_str!("../runbooks/listening-ports.toml")),
    ("runbooks/log-rotation.toml", include_str!("../runbooks/log-rotation.toml")),
    ("runbooks/memory-pressure.toml", include_str!("../runbooks/memory-pressure.toml")),
    ("runbooks/package-version.toml", include_str!("../runbooks/package-version.toml")),
    ("runbooks/patch-baseline.toml", include_str!("../runbooks/patch-baseline.toml")),
    ("runbooks/pending-patches.toml", include_str!("../runbooks/pending-patches.toml")),
    ("runbooks/reboot-node.toml", include_str!("../runbooks/reboot-node.toml")),
    ("runbooks/reboot-required.toml", include_str!("../runbooks/reboot-required.toml")),
    ("runbooks/restart-instance.toml", include_str!("../runbooks/restart-instance.toml")),
    ("runbooks/restart-service-windows.toml", include_str!("../runbooks/restart-service-windows.toml")),
    ("runbooks/restart-service.toml", include_str!("../runbooks/restart-service.toml")),
    ("runbooks/restart-where-failed.toml", include_str!("../runbooks/restart-where-failed.toml")),
    ("runbooks/service-status-windows.toml", include_str!("../runbooks/service-status-windows.toml")),
    ("runbooks/service-status.toml", include_str!("../runbooks/service-status.toml")),
    ("runbooks/set-sysctl.toml", include_str!("../runbooks/set-sysctl.toml")),
    ("runbooks/sudoers.toml", include_str!("../runbooks/sudoers.toml")),
    ("runbooks/system-errors.toml", include_str!("../runbooks/system-errors.toml")),
    ("runbooks/time-sync.toml", include_str!("../runbooks/time-sync.toml")),
    ("runbooks/top-processes.toml", include_str!("../runbooks/top-processes.toml")),
    ("runbooks/user-exists.toml", include_str!("../runbooks/user-exists.toml")),
];

/// Name and text of each shipped policy file. They name the people of the simulated workspace.
pub const POLICIES: &[(&str, &str)] = &[
    ("policies/default.toml", include_str!("../policies/default.toml")),
    ("policies/tests.toml", include_str!("../policies/tests.toml")),
];

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
