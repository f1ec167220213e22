use super::*;

fn parameters() -> BTreeMap<String, Parameter> {
    let of = |kind: Kind| Parameter { kind, description: String::new(), examples: vec![], default: None };
    BTreeMap::from([
        ("service".into(), of(Kind::String { pattern: ".*".into() })),
        ("lines".into(), of(Kind::Integer { min: 1, max: 5 })),
    ])
}

fn found(script: &str) -> Vec<String> {
    shell(script, &parameters(), false).into_iter().map(|f| f.what).collect()
}

#[test]
fn ordinary_scripts_pass() {
    for script in [
        "systemctl restart -- \"$service\"\nsystemctl is-active -- \"$service\"\n",
        "printf '%s\\n' \"x=${service:-none}\" | awk '{ print $1, $service }'",
        "state=$(systemctl is-active -- \"$service\") || true\nif [ \"$state\" = active ]; then echo yes; fi",
        "n=$((lines * 2)); echo \"$n\" # $service unquoted in a comment",
        "awk -v n=\"$lines\" 'NR <= n' \"$ROOT/etc/hosts\"",
        "cat <<EOF\n$service and `date`\nEOF\necho done",
        "case \"$service\" in\n  nginx) echo web ;;\n  *) exit 3 ;;\nesac",
        "for unit in a b; do echo \"$unit\" \"$service\"; done",
        "sh -c 'echo \"$1\"' sh \"$service\"",
        ". \"$ROOT/etc/os-release\"; echo \"$ID\"",
        "export service; x=\"$service\" env A=\"$service\" ls",
        "set -- \"$service\" \"$ROOT$service\"; for each in \"$@\"; do echo \"$each\"; done",
        "echo 'it'\"'\"'s' \"a\\\"b\" \\' ",
    ] {
        assert_eq!(found(script), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn every_way_to_evaluate_a_value_is_found() {
    for script in [
        "eval \"echo $service\"",
        "sh -c \"systemctl restart $service\"",
        "sudo -n bash -ec \"$service\"",
        "/bin/sh -c \"$service\"",
        "echo `$service`",
        "x=$(\"$service\" --version)",
        "\"$service\"",
        "exec \"$service\"",
        "command \"$service\" x",
        "env A=b \"$service\"",
        "if \"$service\"; then :; fi",
        "true && \"$service\" | cat",
        ". \"$service\"",
        "trap \"echo $service\" EXIT",
        "export \"$service\"",
        "set \"$service\"",
        "set -o \"$service\" --",
        "export -- \"$service\"",
        "awk \"/$service/ { print }\" x",
        "sed -e \"s/a/$service/\" x",
        "sed -n \"s/a/$service/p\" x",
        "echo \"$(eval x)\"",
        "echo $((service + 1))",
        "[[ $lines -eq 1 ]]",
        "perl -e \"print $service\"",
        "systemctl restart $service",
        "echo ${service}",
        "cat < $service",
        "echo ${x:-$service}",
        "xargs \"$service\" < x",
        "cat <<EOF\n$(\"$service\")\nEOF\n",
    ] {
        assert!(!found(script).is_empty(), "{script}");
    }
}

#[test]
fn slips_are_found() {
    assert_eq!(found("echo \"$servcie\""), ["`$servcie` is neither a parameter nor set by the script"]);
    assert_eq!(found("servcie=1; echo \"$servcie\""), Vec::<String>::new());
    assert_eq!(found("#!/bin/bash\ntrue").len(), 1);
    assert_eq!(found("echo 'it").len(), 1);
    assert_eq!(found("echo \"it").len(), 1);
    assert_eq!(found("echo \"$(ls\"").len(), 1);
    for code in ["194", "168", "137", "212", "217"] {
        assert_eq!(found(&format!("exit {code}")).len(), 1, "{code}");
    }
}

#[test]
fn a_reboot_that_the_step_does_not_announce_is_found() {
    let unannounced =
        |script: &str| shell(script, &parameters(), false).into_iter().map(|f| f.what).collect::<Vec<_>>();
    for script in [
        "exit 194",
        "true && exit 194",
        "trap 'rm -f x' EXIT\ncode=194\nexit \"$code\"",
        "trap 'rm -f x' INT EXIT\nf() { return 194; }\nf",
        "trap 'exit 194' 0",
        "trap \"sh -c 'exit 194'\" EXIT",
        "[ \"$MUSTER_BOOT\" -gt 1 ]",
        "echo x >\"$MUSTER_NOTES/x\"",
    ] {
        assert_eq!(unannounced(script).len(), 1, "{script}: {:?}", unannounced(script));
        assert_eq!(shell(script, &parameters(), true), [], "{script}");
    }
    for script in ["trap 'rm -f x' EXIT\nexit 3", "trap '' INT\ncode=194\nexit \"$code\"", "echo exit 194", "exit 1940"]
    {
        assert_eq!(unannounced(script), Vec::<String>::new(), "{script}");
    }
    // On Windows the agent's code is another.
    for (script, announced, count) in [
        ("if ($x) { exit 3010 }", false, 1),
        ("[Environment]::Exit(3010)", false, 1),
        ("$env:Muster_Boot", false, 1),
        ("exit 216", true, 1),
        ("exit 194", false, 0),
        ("if ($env:MUSTER_BOOT -eq 1) { exit 3010 }", true, 0),
    ] {
        assert_eq!(powershell(script, &parameters(), announced).len(), count, "{script}");
    }
}

#[test]
fn what_the_agent_would_replace_is_found_where_it_stands() {
    let found = text("a\n  {{ x }} $$\r\n\0");
    let places: Vec<(usize, &str)> = found.iter().map(|f| (f.at, f.what.as_str())).collect();
    assert_eq!(
        places,
        [
            (4, "the script contains `{{`, which Systems Manager replaces"),
            (12, "the script contains `$$`, which Systems Manager replaces"),
            (14, "the script has CR line ends"),
            (16, "the script contains the invisible character `\\u{0}`"),
        ]
    );
    assert_eq!(text(" \n").len(), 1);
    assert_eq!(text(&"\"".repeat(SCRIPT_MAX / 2 + 1)).len(), 1);
}

#[test]
fn powershell_that_evaluates_a_value_is_found() {
    let found = |script: &str| powershell(script, &parameters(), false).len();
    for bad in [
        "Invoke-Expression $env:service",
        "  iex \"x\"",
        "& $env:service",
        "& \"$env:Service\"",
        ". $env:service",
        "[ScriptBlock]::Create($env:service)",
        "cmd /c \"dir $env:service\"",
    ] {
        assert!(found(bad) > 0, "{bad}");
    }
    for good in
        ["Restart-Service -Name $env:service", "Write-Output \"a. $env:service\" # iex", "$x = 'a'; $x.ToString()"]
    {
        assert_eq!(found(good), 0, "{good}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]
    #[test]
    fn no_script_makes_the_linter_panic_or_hang(script in "[$`'\"(){}<>\\\\;&|#\\n a-zé=\\-]{0,60}") {
        for finding in shell(&script, &parameters(), false) {
            proptest::prop_assert!(finding.at <= script.len());
        }
        let _ = text(&script);
        let _ = powershell(&script, &parameters(), true);
    }
}
