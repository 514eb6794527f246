//! Structured answers: read whatever the model wrapped them in, and check them.

use crate::Error;
use serde_json::Value;

/// How many faults an error names.
const NAMED: usize = 3;

/// # Errors
/// When the text is not JSON, or not as the schema says.
pub(crate) fn parse(text: &str, schema: &Value) -> Result<Value, Error> {
    let value = serde_json::from_str(unfenced(text))
        .map_err(|_| Error::unusable("The model answered with something else than the JSON it was asked for."))?;
    check(&value, schema)?;
    Ok(value)
}

pub(crate) fn check(value: &Value, schema: &Value) -> Result<(), Error> {
    let validator = jsonschema::validator_for(schema)
        .map_err(|error| Error::settings(format!("The schema of the answer is not valid: {error}")))?;
    let faults: Vec<String> = validator
        .iter_errors(value)
        .take(NAMED)
        .map(|error| match error.instance_path().as_str() {
            "" => error.kind().keyword().to_owned(),
            path => format!("{} at {path}", error.kind().keyword()),
        })
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::unusable(format!(
        "The model's answer has not the form it was asked for ({}).",
        faults.join(", ")
    )))
}

/// What stands in a code fence, or the text itself.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some((_, rest)) = text.split_once("```") else {
        return text;
    };
    if text.starts_with(['{', '[']) {
        return text;
    }
    let rest = rest.strip_prefix("json").or(rest.strip_prefix("JSON")).unwrap_or(rest);
    rest.rsplit_once("```").map_or(rest, |(inside, _)| inside).trim()
}

/// Whether OpenAI's strict mode takes the schema: closed objects, every property required, no bounds on text.
pub(crate) fn is_strict(schema: &Value) -> bool {
    let Value::Object(object) = schema else {
        return true;
    };
    if [
        "minLength",
        "maxLength",
        "oneOf",
        "allOf",
        "not",
        "if",
        "patternProperties",
    ]
    .iter()
    .any(|keyword| object.contains_key(*keyword))
    {
        return false;
    }
    if let Some(Value::Object(properties)) = object.get("properties") {
        let required = |name: &String| {
            let list = object.get("required").and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|item| item == name))
        };
        if object.get("additionalProperties") != Some(&Value::Bool(false)) || !properties.keys().all(required) {
            return false;
        }
        if !properties.values().all(is_strict) {
            return false;
        }
    }
    ["items", "$defs", "anyOf"]
        .iter()
        .all(|keyword| match object.get(*keyword) {
            Some(Value::Array(schemas)) => schemas.iter().all(is_strict),
            Some(Value::Object(schemas)) if *keyword == "$defs" => schemas.values().all(is_strict),
            Some(schema) => is_strict(schema),
            None => true,
        })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": false})
    }

    #[test]
    fn fences_are_taken_off() {
        for text in [
            r#"{"name": "a ``` b"}"#,
            "  {\"name\": \"x\"}\n",
            "```json\n{\"name\": \"x\"}\n```",
            "Here it is:\n```\n{\"name\": \"x ``` y\"}\n```\nDone.",
        ] {
            assert!(parse(text, &schema()).unwrap()["name"].is_string(), "{text}");
        }
    }

    #[test]
    fn wrong_answers_are_refused_without_repeating_them() {
        for text in [
            "{\"name\": \"secr",
            "{\"name\": 7}",
            "{}",
            "{\"name\": \"a\", \"more\": \"secret\"}",
            "secret",
            "",
        ] {
            let error = parse(text, &schema()).unwrap_err();
            assert!(error.is_retryable() && !error.message.contains("secr"), "{error:?}");
        }
    }

    #[test]
    fn references_are_not_fetched() {
        let remote = json!({"$ref": "http://127.0.0.1:9/schema.json"});
        assert!(check(&json!({}), &remote).is_err());
    }

    #[test]
    fn strict_mode_is_for_closed_schemas() {
        assert!(is_strict(&schema()));
        assert!(is_strict(&json!({"type": "array", "items": schema()})));
        assert!(!is_strict(
            &json!({"type": "object", "properties": {"a": {"type": "string"}}})
        ));
        let mut bounded = schema();
        bounded["properties"]["name"]["maxLength"] = json!(5);
        assert!(!is_strict(&json!({"type": "array", "items": bounded})));
    }
}
