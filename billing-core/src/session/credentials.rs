//! The credentials that a session logs in with.

use crate::calls::Bearer;
use crate::{InvalidInput, Secret};

/// The credentials of a session: an OAuth client, or a fixed access token.
#[derive(Clone, Debug)]
pub struct Credentials(pub(super) Grant);

#[derive(Clone, Debug)]
pub(super) enum Grant {
    Client { id: Box<str>, secret: Secret },
    Token(Bearer),
}

impl Credentials {
    /// Builds the credentials of an OAuth client for the client-credentials grant. The id is not secret; the
    /// secret is. The session logs in when it first needs a token, and again when the token is refused or its
    /// lifetime is over.
    ///
    /// # Errors
    /// Returns an error if the id or the secret is empty, or if the id has a control character or a colon, which HTTP
    /// Basic authentication cannot encode.
    pub fn client(id: impl Into<String>, secret: impl Into<Secret>) -> Result<Self, InvalidInput> {
        let (id, secret) = (id.into(), secret.into());
        if id.is_empty() || id.contains(':') || id.contains(char::is_control) {
            return Err(InvalidInput::Credentials(
                "the client id is empty or has a colon or a control character",
            ));
        }
        if secret.expose().is_empty() {
            return Err(InvalidInput::Credentials("the client secret is empty"));
        }
        Ok(Self(Grant::Client { id: id.into(), secret }))
    }

    /// Builds the credentials of an access token that the caller already has. The session cannot renew it:
    /// the first 401 is final.
    ///
    /// # Errors
    /// Returns an error if the token is empty or has characters that are not allowed in a header.
    pub fn access_token(token: impl Into<Secret>) -> Result<Self, InvalidInput> {
        let bearer = Bearer::new(token.into()).ok_or(InvalidInput::Credentials(
            "the access token is empty or has characters that are not allowed in a header",
        ))?;
        Ok(Self(Grant::Token(bearer)))
    }
}
