//! The documents of invoices. Like a file store, the sandbox serves them to any request whose URL has a valid
//! signature, and refuses a request with a token.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::draws::SeededRandom;
use super::envelope::{ResponseContext, xml_text};
use super::invoices;
use super::route::query_parameter;
use crate::BaseUrl;
use crate::values::clock::saturating_add;

/// Returns the body with the signed URL of an invoice's document, or `None` if there is no such invoice.
pub(super) fn document_url(
    id: &str,
    base: &BaseUrl,
    lifetime: Duration,
    now: DateTime<Utc>,
    draws: SeededRandom,
) -> Option<Value> {
    invoices::document(id, now, draws)?;
    let expires = saturating_add(now, lifetime).timestamp();
    let signature = sign(id, &expires.to_string(), draws);
    Some(json!({ "url": format!("{base}{PATH}{id}.pdf?X-Expires={expires}&X-Signature={signature}") }))
}

/// Answers a request for a document.
pub(super) fn serve(
    id: &str,
    request: &Request<Bytes>,
    envelope: &ResponseContext,
    draws: SeededRandom,
) -> Response<Bytes> {
    let refuse = |status: StatusCode, code: &str, message: &str, more: &str| {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}\
             <RequestId>{}</RequestId></Error>",
            envelope.correlation_id
        );
        envelope.file(status, "application/xml", body.into())
    };
    if request.method() != Method::GET {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "Not with this method", "");
    }
    if request.headers().contains_key(AUTHORIZATION) {
        let message = "Only one auth mechanism allowed; a signature and the header Authorization are two";
        return refuse(StatusCode::BAD_REQUEST, "InvalidArgument", message, "");
    }
    let [expires, provided] =
        ["X-Expires", "X-Signature"].map(|name| query_parameter(request.uri(), name).unwrap_or_default());
    if provided != sign(id, &expires, draws) {
        let message = "The signature that was provided is not the one that was calculated";
        let provided = format!("<SignatureProvided>{}</SignatureProvided>", xml_text(&provided));
        return refuse(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message, &provided);
    }
    if expires.parse::<i64>().is_ok_and(|expires| envelope.now.timestamp() >= expires) {
        return refuse(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired", "");
    }
    match invoices::document(id, envelope.now, draws) {
        Some(lines) => envelope.file(StatusCode::OK, "application/pdf", pdf(&lines)),
        None => refuse(StatusCode::NOT_FOUND, "NoSuchKey", "There is no such document", ""),
    }
}

fn sign(id: &str, expires: &str, draws: SeededRandom) -> String {
    let draws = draws.derive("signature").derive(id).derive(expires);
    [0, 1].map(|n| format!("{:016x}", draws.in_range(n, 0, u64::MAX))).concat()
}

/// Builds a PDF document of one page with these lines of text.
fn pdf(lines: &[String]) -> Bytes {
    let mut shown = String::from("BT /F1 11 Tf 56 780 Td 16 TL\n");
    for line in lines {
        let plain: String = line.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
        shown +=
            &format!("({}) Tj T*\n", plain.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)"));
    }
    shown += "ET";
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{shown}\nendstream", shown.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut pdf = String::from("%PDF-1.4\n");
    let mut table = String::from("0000000000 65535 f \n");
    for (number, object) in (1..).zip(&objects) {
        table += &format!("{:010} 00000 n \n", pdf.len());
        pdf += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let (start, size) = (pdf.len(), objects.len() + 1);
    pdf += &format!(
        "xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    );
    pdf.into()
}

impl ResponseContext {
    /// Builds a response of the file store: a file or an error.
    fn file(&self, status: StatusCode, kind: &'static str, body: Bytes) -> Response<Bytes> {
        let mut response = self.bare(status, body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

/// The path of documents under their base URL.
pub(super) const PATH: &str = "/documents/invoices/";
