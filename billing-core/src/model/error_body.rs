//! The bodies of errors: the API's shape and the login service's, read as far as they can be.

use serde_json::{Map, Value};

/// What an error's body says. A body of another shape says nothing, and is no second error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    pub(crate) message: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) context_id: Option<String>,
}

impl ErrorBody {
    /// Field by field, so that one of an unexpected type does not hide the others.
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
            // The login service calls them `error` and `error_description` or `description`.
            message: text(&["message", "error_description", "description"]),
            code: text(&["code", "error"]),
            context_id: text(&["contextId"]),
        }
    }
}

/// Error bodies are small; what is larger is something else and not worth reading as a tree.
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
