//! The same calls without a driver: the HTTP library alone, as its documentation shows it, and the same parser. What is
//! left out is what a driver is for: retries, the quota, a token that ends, time limits, bounds, what an error says.

use std::collections::HashMap;

use billing_core::calls::Call;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use crate::Result;
use crate::sum::Sum;
use crate::target::{Asked, Target};

/// `ureq` and a token.
pub(crate) struct Ureq<'a> {
    agent: ureq::Agent,
    request: Request<()>,
    asked: &'a Asked,
}

impl<'a> Ureq<'a> {
    pub(crate) fn new(target: &'a Target) -> Result<Self> {
        let agent = ureq::Agent::new_with_defaults();
        let answer = agent.run(login(target)?)?.body_mut().read_to_vec()?;
        Ok(Self { agent, request: request(target, &answer)?, asked: &target.asked })
    }

    pub(crate) fn call(&self) -> Result<Sum> {
        let mut response = self.agent.run(self.request.clone())?;
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
        read(self.asked, body.into())
    }
}

/// `hyper-util`'s client and a token.
pub(crate) struct Hyper<'a> {
    client: Client<HttpConnector, Full<Bytes>>,
    request: Request<Full<Bytes>>,
    asked: &'a Asked,
}

impl<'a> Hyper<'a> {
    pub(crate) async fn new(target: &'a Target) -> Result<Self> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let login = login(target)?.map(|form| Full::new(Bytes::from_static(form.as_bytes())));
        let answer = client.request(login).await?.into_body().collect().await?.to_bytes();
        let request = request(target, &answer)?.map(|()| Full::default());
        Ok(Self { client, request, asked: &target.asked })
    }

    pub(crate) async fn call(&self) -> Result<Sum> {
        let response = self.client.request(self.request.clone()).await?;
        read(self.asked, response.into_body().collect().await?.to_bytes())
    }
}

fn login(target: &Target) -> Result<Request<&'static str>> {
    let request = Request::post(format!("{}/oauth/token", target.environment.login()))
        .header(AUTHORIZATION, BASIC)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    Ok(request.body("grant_type=client_credentials")?)
}

fn request(target: &Target, answer: &[u8]) -> Result<Request<()>> {
    let answer: HashMap<String, serde_json::Value> = serde_json::from_slice(answer)?;
    let token = answer.get("access_token").and_then(|token| token.as_str()).ok_or("no token")?;
    let api = target.environment.api();
    let uri: Uri = match &target.asked {
        Asked::Overview(trustor, period) => Asked::overview(trustor, *period).request(api),
        Asked::Report(period) => Asked::report(*period).request(api),
    }?
    .uri()
    .clone();
    let request = Request::get(uri).header(ACCEPT, "application/json");
    Ok(request.header(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}"))?).body(())?)
}

fn read(asked: &Asked, body: Bytes) -> Result<Sum> {
    let response = Response::new(body);
    Ok(match asked {
        Asked::Overview(trustor, period) => Sum::from(&Asked::overview(trustor, *period).parse(&response)?),
        Asked::Report(period) => Sum::from(&Asked::report(*period).parse(&response)?),
    })
}

/// `bench-client` and `bench-secret`.
const BASIC: &str = "Basic YmVuY2gtY2xpZW50OmJlbmNoLXNlY3JldA==";
