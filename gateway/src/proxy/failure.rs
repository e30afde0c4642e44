//! What went wrong on the way to an upstream, as one table from Pingora's errors to refusals.

use pingora::{Error, ErrorSource, ErrorType};

use crate::refusal::Refusal;
use crate::upstream::PickError;

/// No peer could be picked.
const NO_PEER: ErrorType = ErrorType::new("NoPeer");

/// The error of a request whose upstream has no address now.
pub(super) fn unavailable(why: &PickError) -> Box<Error> {
    Error::explain(NO_PEER, why.to_string())
}

/// The client broke off: there is nobody to answer. A request that only turns out to be wrong while it is
/// forwarded (a bad chunk, a `Connection` that names what it may not) is answered.
pub(super) fn is_client_gone(e: &Error) -> bool {
    *e.esource() == ErrorSource::Downstream
        && matches!(
            e.etype(),
            ErrorType::ConnectionClosed
                | ErrorType::ReadError
                | ErrorType::WriteError
                | ErrorType::WriteTimedout
        )
}

/// A short name for metrics; `None` where the upstream is not to blame.
pub(super) fn kind(refusal: &Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::UpstreamDown(_) => Some("unavailable"),
        Refusal::UpstreamBroken(_) => Some("broken"),
        Refusal::UpstreamTimeout(_) => Some("timeout"),
        _ => None,
    }
}

/// The refusal that a failure is answered with.
pub(super) fn refusal_of(e: &Error) -> Refusal {
    let cause = e.to_string();
    match e.etype() {
        ErrorType::HTTPStatus(413) => return Refusal::TooLarge,
        ErrorType::HTTPStatus(408) => return Refusal::TooSlow,
        _ => {}
    }
    if *e.esource() == ErrorSource::Downstream {
        return match e.etype() {
            ErrorType::ReadTimedout => Refusal::TooSlow,
            _ => Refusal::BadRequest(crate::request::BadRequest::Framing),
        };
    }
    match e.etype() {
        ErrorType::ConnectTimedout | ErrorType::ReadTimedout | ErrorType::WriteTimedout => {
            Refusal::UpstreamTimeout(cause)
        }
        ErrorType::ConnectRefused
        | ErrorType::ConnectNoRoute
        | ErrorType::ConnectError
        | ErrorType::BindError
        | ErrorType::SocketError => Refusal::UpstreamDown(cause),
        other if *other == NO_PEER => Refusal::UpstreamDown(cause),
        ErrorType::InternalError => Refusal::Internal(cause),
        _ => Refusal::UpstreamBroken(cause),
    }
}
