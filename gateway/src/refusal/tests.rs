//! What clients are told, and what they are not.

use super::*;

/// A word that stands for what must not get out.
const CAUSE: &str = "c4use-of-the-refusal";

fn every() -> Vec<Refusal> {
    let cause = || CAUSE.to_owned();
    vec![
        Refusal::BadRequest(BadRequest::Path),
        Refusal::Misdirected,
        Refusal::NoRoute,
        Refusal::NotFound,
        Refusal::Method("PUT".to_owned()),
        Refusal::BodyOnRead,
        Refusal::Anonymous,
        Refusal::Credential(Malformed::Grammar),
        Refusal::Token(TokenError::Revoked),
        Refusal::Forbidden(CAUSE),
        Refusal::Preflight(Denied::Origin),
        Refusal::NotAcceptable,
        Refusal::TooLarge,
        Refusal::TooSlow,
        Refusal::MediaType("text/plain".to_owned()),
        Refusal::Fields(FieldErrors::whole("Wrong.")),
        Refusal::Login(CAUSE),
        Refusal::Throttled(Duration::from_secs(7)),
        Refusal::Overloaded(cause()),
        Refusal::HttpsRequired,
        Refusal::UpstreamDown(cause()),
        Refusal::UpstreamBroken(cause()),
        Refusal::UpstreamTimeout(cause()),
        Refusal::Internal(cause()),
    ]
}

#[test]
fn a_refusal_never_tells_its_cause() {
    for habits in [Habits::standard(), Habits::drf_jwt()] {
        for refusal in every() {
            let answer = refusal.answer(Telling {
                habits: &habits,
                allow: Some("GET"),
            });
            let text = format!("{answer:?}");
            assert!(!text.contains(CAUSE), "{text}");
            assert_eq!(answer.status, refusal.status(&habits), "{refusal}");
            assert!((400..600).contains(&answer.status), "{refusal}");
            let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
            assert!(body.is_object(), "{body}");
        }
    }
}

#[test]
fn p076_every_invalid_token_is_one_answer_in_the_standard_profile() {
    let habits = Habits::standard();
    let answer = |why| {
        Refusal::Token(why).answer(Telling {
            habits: &habits,
            allow: None,
        })
    };
    let first = answer(TokenError::Malformed);
    for why in [
        TokenError::Signature,
        TokenError::Expired,
        TokenError::UnknownUser,
        TokenError::Inactive,
        TokenError::Revoked,
    ] {
        assert_eq!(answer(why), first, "{why}");
    }
}

#[test]
fn p077_the_challenge_names_an_error_only_where_something_was_sent() {
    let challenge = |refusal: &Refusal, habits: &Habits| {
        let answer = refusal.answer(Telling {
            habits,
            allow: None,
        });
        let headers = answer
            .headers
            .iter()
            .filter(|(name, _)| *name == "WWW-Authenticate");
        headers.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let (standard, drf) = (Habits::standard(), Habits::drf_jwt());
    assert_eq!(
        challenge(&Refusal::Anonymous, &standard),
        ["Bearer realm=\"api\""]
    );
    let invalid = Refusal::Token(TokenError::Expired);
    assert_eq!(
        challenge(&invalid, &standard),
        ["Bearer realm=\"api\", error=\"invalid_token\""]
    );
    assert_eq!(challenge(&invalid, &drf), ["JWT realm=\"api\""]);
    assert!(challenge(&Refusal::Forbidden("role"), &standard).is_empty());
}

#[test]
fn p099_who_may_come_back_is_told_when() {
    let habits = Habits::standard();
    let answer = Refusal::Throttled(Duration::from_secs(7)).answer(Telling {
        habits: &habits,
        allow: None,
    });
    assert!(answer.headers.contains(&("Retry-After", "7".to_owned())));
}
