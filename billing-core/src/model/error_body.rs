//! Error bodies, in the shapes of the API and of the login service.

use serde_json::{Map, Value};

/// The contents of an error body. A body of another shape gives empty fields, not a second error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    pub(crate) message: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) context_id: Option<String>,
}

impl ErrorBody {
    /// Parses field by field, so that a field of an unexpected type does not hide the others.
    pub(crate) fn parse(body: &[u8]) -> Self {
        if body.len() > MAX_ERROR_BODY {
            return Self::default();
        }
        let object: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        let text = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| object.get(*name)?.as_str())
                .filter(|s| !s.is_empty())
                .map(str::to_owned)
        };
        Self {
            // The login service uses `error` and `error_description` or `description`.
            message: text(&["message", "error_description", "description"]),
            code: text(&["code", "error"]),
            context_id: text(&["contextId"]),
        }
    }
}

/// The largest body that is parsed as an error. Error bodies are small; a larger body is something else.
const MAX_ERROR_BODY: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_are_read_and_others_say_nothing() {
        let api = ErrorBody::parse(
            br#"{"message":"m","code":"not.found","status":"404","contextId":"c","errors":7}"#,
        );
        assert_eq!(
            (api.message.as_deref(), api.code.as_deref(), api.context_id.as_deref()),
            (Some("m"), Some("not.found"), Some("c"))
        );
        let login =
            ErrorBody::parse(br#"{"error":"invalid_client","description":"d","error_description":"e"}"#);
        assert_eq!((login.message.as_deref(), login.code.as_deref()), (Some("e"), Some("invalid_client")));
        for other in [&b"<html>"[..], b"[]", b"", b"{\"message\":7}"] {
            assert_eq!(ErrorBody::parse(other), ErrorBody::default());
        }
    }
}
