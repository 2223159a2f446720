//! What is asked for, out of a request; what makes no sense is answered as every other error is.

use crate::gateway::problem;
use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
    response::Response,
};
use serde::de::DeserializeOwned;

/// The bytes of a body, at most. What can be asked for is short.
pub const MAX_BODY: usize = 64 << 10;

/// A body of JSON.
pub struct Asked<T>(pub T);

/// What stands behind the `?`.
pub struct Wanted<T>(pub T);

/// The name in a path.
pub struct Named(pub String);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Json::from_request(request, state).await {
            Ok(Json(asked)) => Ok(Asked(asked)),
            Err(rejection) => Err(unfit(rejection.status(), &rejection.body_text())),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Wanted<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(wanted)) => Ok(Wanted(wanted)),
            Err(rejection) => Err(unfit(rejection.status(), &rejection.body_text())),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Named(name)),
            Err(rejection) => Err(unfit(rejection.status(), &rejection.body_text())),
        }
    }
}

fn unfit(status: StatusCode, why: &str) -> Response {
    // That a value does not fit is as wrong as that it is no JSON.
    let status = if status == StatusCode::UNPROCESSABLE_ENTITY { StatusCode::BAD_REQUEST } else { status };
    problem(status, "invalid-request", why)
}
