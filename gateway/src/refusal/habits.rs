//! Wire habits: everything in which the profiles differ.

use crate::auth::credential::Grammar;
use crate::auth::token::ClaimSet;

/// Wire habits: everything in which the profiles differ. Any one can be set on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Habits {
    /// How `Authorization` is read.
    pub grammar: Grammar,
    /// Scheme named in `WWW-Authenticate`.
    pub challenge: String,
    /// Realm named in `WWW-Authenticate`.
    pub realm: String,
    /// Shape of error bodies.
    pub errors: ErrorShape,
    /// Shape of the answer to a login.
    pub login_answer: LoginAnswer,
    /// Read `multipart/form-data` at the login too.
    pub multipart: bool,
    /// OPTIONS needs no token.
    pub options_open: bool,
    /// GET and HEAD of our own addresses without the last slash are redirected.
    pub slash_redirect: bool,
    /// A method that is not allowed is 401 before it is 405 where nobody is signed in.
    pub conceal_methods: bool,
    /// Which claims our tokens carry.
    pub claims: ClaimSet,
}

impl Habits {
    /// RFC 6750, RFC 9068, RFC 9457.
    pub fn standard() -> Self {
        Self {
            grammar: Grammar::strict(),
            challenge: "Bearer".to_owned(),
            realm: "api".to_owned(),
            errors: ErrorShape::Problem,
            login_answer: LoginAnswer::OAuth,
            multipart: false,
            options_open: false,
            slash_redirect: false,
            conceal_methods: false,
            claims: ClaimSet::AccessToken,
        }
    }

    /// The recorded contract (`docs/CONTRACT.md`).
    pub fn drf_jwt() -> Self {
        Self {
            grammar: Grammar::lenient(),
            challenge: "JWT".to_owned(),
            realm: "api".to_owned(),
            errors: ErrorShape::Drf,
            login_answer: LoginAnswer::Token,
            multipart: true,
            options_open: true,
            slash_redirect: true,
            conceal_methods: true,
            claims: ClaimSet::DrfJwt,
        }
    }
}

/// Shape of error bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorShape {
    /// RFC 9457 problem JSON.
    Problem,
    /// `{"detail":…}`, `{"field":[…]}`, `{"non_field_errors":[…]}`.
    Drf,
}

/// Shape of the answer to a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginAnswer {
    /// `{"token"}`
    Token,
    /// `{"token","token_type","expires_in"}`
    OAuth,
}
