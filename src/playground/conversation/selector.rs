//! Which nodes a selector means, read here a second time and naively, so that the bot's own reading has a witness.
//!
//! Words mean AND, commas mean OR, `!=` means none of them, `*` stands for any text.

use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(Vec<Clause>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Clause {
    field: String,
    negated: bool,
    values: Vec<String>,
}

impl Selector {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut clauses = Vec::new();
        for word in text.split_whitespace() {
            let (field, values) = word.split_once('=').ok_or_else(|| format!("`{word}` has no `=`"))?;
            let (field, negated) = field.strip_suffix('!').map_or((field, false), |f| (f, true));
            if field.is_empty() || values.is_empty() {
                return Err(format!("`{word}` is half a clause"));
            }
            let values = values.split(',').map(str::to_owned).collect();
            clauses.push(Clause { field: field.to_owned(), negated, values });
        }
        if clauses.is_empty() { Err("the selector is empty".to_owned()) } else { Ok(Self(clauses)) }
    }

    /// `node` as the simulated AWS shows it, `labels` those of its account.
    pub fn fits(&self, node: &Value, labels: &Value) -> bool {
        self.0.iter().all(|clause| {
            let text = |name: &str| node[name].as_str().unwrap_or_default().to_owned();
            let have: Vec<String> = match clause.field.as_str() {
                "accounts" | "account" => vec![text("account"), text("account_name")],
                "regions" | "region" => vec![text("region")],
                "nodes" | "node" => vec![text("node"), text("name")],
                "platform" => vec![text("platform").to_lowercase()],
                field => {
                    let value = match field.strip_prefix("tag:") {
                        Some(tag) => &node["tags"][tag],
                        None => &labels[field],
                    };
                    value.as_str().map(str::to_owned).into_iter().collect()
                }
            };
            let any = have.iter().any(|h| clause.values.iter().any(|pattern| like(pattern, h)));
            any != clause.negated
        })
    }
}

/// `*` stands for any text, everything else for itself.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices().map(|(i, _)| i).chain([rest.len()]).any(|at| like(tail, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_and_commas_are_or() {
        let node = json!({ "account": "111111111111", "account_name": "acme-prod", "region": "eu-west-1",
            "node": "i-1", "name": "web-1", "platform": "Linux", "tags": { "service": "web" } });
        let labels = json!({ "env": "prod" });
        let fits = |text: &str| Selector::parse(text).unwrap().fits(&node, &labels);
        assert!(fits("env=prod tag:service=web,db"));
        assert!(fits("accounts=acme-* regions=eu-west-1 platform=linux nodes=web-*"));
        assert!(fits("env!=staging customer!=globex"));
        assert!(!fits("env=prod tag:service=db"));
        assert!(!fits("env!=prod,staging"));
        assert!(!fits("customer=globex"));
        assert!(Selector::parse("env").is_err());
        assert!(Selector::parse("").is_err());
    }
}
