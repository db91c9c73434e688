//! One extractor for the two body types that the documented clients send: JSON and forms.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The fields of a JSON object or of a form, and which of them it was. Other keys are ignored.
pub(crate) struct Body<T> {
    pub(crate) fields: T,
    pub(crate) from_form: bool,
}

/// A body that this application does not take.
pub(crate) struct Refused(StatusCode, String);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let kind = Kind::of(&request)?;
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|fault| Refused(fault.status(), fault.body_text()))?;
        let object = match kind {
            Kind::Json => serde_json::from_slice(&bytes).map_err(|fault| invalid(&fault))?,
            Kind::Form => form_object(&bytes),
        };
        let fields = serde_json::from_value(object).map_err(|fault| invalid(&fault))?;
        Ok(Self { fields, from_form: matches!(kind, Kind::Form) })
    }
}

impl Refused {
    /// 400: a field holds something that is not accepted; `why` says what is.
    pub(crate) fn field(why: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, why.to_owned())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "success": false, "error": self.1 }))).into_response()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Json,
    Form,
}

impl Kind {
    fn of(request: &Request) -> Result<Self, Refused> {
        let value = request.headers().get(header::CONTENT_TYPE);
        let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-www-form-urlencoded" => Ok(Self::Form),
            _ => Err(Refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send application/json or application/x-www-form-urlencoded".to_owned(),
            )),
        }
    }
}

/// Every value is text; of a repeated key the last one counts.
fn form_object(bytes: &[u8]) -> Value {
    let pairs = form_urlencoded::parse(bytes);
    let object: Map<String, Value> =
        pairs.map(|(key, value)| (key.into_owned(), Value::String(value.into_owned()))).collect();
    Value::Object(object)
}

fn invalid(fault: &serde_json::Error) -> Refused {
    Refused(StatusCode::BAD_REQUEST, format!("The body does not fit: {fault}"))
}
