//! A client's request body, as the endpoints read it.

use async_trait::async_trait;
use bytes::Bytes;
use pingora::ErrorType;
use pingora::proxy::Session;

use crate::endpoints::body::Upload;
use crate::refusal::Refusal;
use crate::request::BadRequest;

/// The body of the request that a session is at.
pub(super) struct SessionUpload<'a> {
    session: &'a mut Session,
    content_type: Option<String>,
}

impl<'a> SessionUpload<'a> {
    /// The body of this session's request.
    pub(super) fn new(session: &'a mut Session) -> Self {
        let content_type = session.req_header().headers.get(http::header::CONTENT_TYPE);
        let content_type =
            content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Self {
            session,
            content_type,
        }
    }
}

#[async_trait]
impl Upload for SessionUpload<'_> {
    fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    async fn go_on(&mut self) -> Result<(), Refusal> {
        self.session
            .write_continue_response()
            .await
            .map_err(|_| Refusal::TooSlow)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let piece = self.session.as_downstream_mut().read_request_body().await;
        piece.map_err(|e| match e.etype() {
            ErrorType::ReadTimedout => Refusal::TooSlow,
            _ => Refusal::BadRequest(BadRequest::Framing),
        })
    }
}

impl std::fmt::Debug for SessionUpload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionUpload")
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}
