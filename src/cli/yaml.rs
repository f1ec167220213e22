//! JSON values as YAML, as far as a manifest needs it: every text in quotes, so that none can be read as anything else.

use std::fmt::Write as _;

use serde_json::Value;

/// One document in block style.
#[must_use]
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let _ = write!(out, "{indent}{key}:");
                nested(value, depth + 1, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(_) => {
                        // The first key stands beside the dash.
                        let mut inner = String::new();
                        block(item, depth + 1, &mut inner);
                        let _ = write!(out, "{indent}- {}", inner.trim_start());
                    }
                    other => {
                        let _ = writeln!(out, "{indent}- {other}");
                    }
                }
            }
        }
        scalar => {
            let _ = writeln!(out, "{indent}{scalar}");
        }
    }
}

fn nested(value: &Value, depth: usize, out: &mut String) {
    let is_empty =
        value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty);
    if is_empty || !(value.is_array() || value.is_object()) {
        let _ = writeln!(out, " {value}");
    } else {
        out.push('\n');
        block(value, depth, out);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn every_text_is_quoted_and_lists_of_tables_keep_their_shape() {
        let value = json!({ "a": { "on": true, "no": "no" }, "b": [{ "x": 1, "y": ["#", "a: b"] }], "c": [] });
        insta::assert_snapshot!(super::text(&value), @r##"
        a:
          no: "no"
          on: true
        b:
          - x: 1
            y:
              - "#"
              - "a: b"
        c: []
        "##);
    }
}
