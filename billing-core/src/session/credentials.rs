//! Credentials: what a session logs in with.

use crate::calls::Bearer;
use crate::{InvalidInput, Secret};

/// By what a session proves who it is.
#[derive(Clone, Debug)]
pub struct Credentials(pub(super) Grant);

#[derive(Clone, Debug)]
pub(super) enum Grant {
    Client { id: Box<str>, secret: Secret },
    Token(Bearer),
}

impl Credentials {
    /// An OAuth client of the client-credentials grant, whose id is no secret and whose secret is one. The session logs in
    /// when it first needs to, and again when the token is refused or its lifetime is over.
    ///
    /// # Errors
    /// When one of them is empty, or the id holds a colon, which HTTP's Basic scheme cannot say.
    pub fn client(id: impl Into<String>, secret: impl Into<Secret>) -> Result<Self, InvalidInput> {
        let (id, secret) = (id.into(), secret.into());
        if id.is_empty() || id.contains(':') || id.contains(char::is_control) {
            return Err(InvalidInput::Credentials(
                "the client id is empty or holds a colon or a control character",
            ));
        }
        if secret.expose().is_empty() {
            return Err(InvalidInput::Credentials("the client secret is empty"));
        }
        Ok(Self(Grant::Client { id: id.into(), secret }))
    }

    /// An access token that the caller has from elsewhere. It cannot be renewed: the first 401 is the end.
    ///
    /// # Errors
    /// When it is empty or cannot stand in a header.
    pub fn access_token(token: impl Into<Secret>) -> Result<Self, InvalidInput> {
        let bearer = Bearer::new(token.into()).ok_or(InvalidInput::Credentials(
            "the access token is empty or holds characters that no header can",
        ))?;
        Ok(Self(Grant::Token(bearer)))
    }
}
