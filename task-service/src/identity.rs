//! Who calls, as the gateway says it in headers. Believed only after
//! [`crate::proof`] has shown that the request came through the gateway.

use hyper::header::{HeaderMap, HeaderName};

use crate::error::Refusal;
use crate::people::PersonId;

/// The headers that carry an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// `anonymous` or `authenticated`.
    pub status: HeaderName,
    /// The person's id.
    pub user_id: HeaderName,
    /// The person's username.
    pub user: HeaderName,
    /// The person's e-mail address.
    pub email: HeaderName,
    /// The person's roles.
    pub roles: HeaderName,
}

impl IdentityHeaders {
    fn all(&self) -> [&HeaderName; 5] {
        [
            &self.status,
            &self.user_id,
            &self.user,
            &self.email,
            &self.roles,
        ]
    }

    /// Whether any of them is there.
    #[must_use]
    pub fn any_in(&self, headers: &HeaderMap) -> bool {
        self.all().iter().any(|name| headers.contains_key(*name))
    }
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            status: HeaderName::from_static("x-auth-status"),
            user_id: HeaderName::from_static("x-auth-user-id"),
            user: HeaderName::from_static("x-auth-user"),
            email: HeaderName::from_static("x-auth-email"),
            roles: HeaderName::from_static("x-auth-roles"),
        }
    }
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Nobody that this service knows of.
    Anonymous,
    /// This person.
    SignedIn(PersonId),
}

impl Identity {
    /// Reads the identity of a request. Whoever is authenticated but has no id
    /// of this gateway's people is nobody here.
    ///
    /// # Errors
    /// When any identity header is there twice: two readers could then see two
    /// identities.
    pub fn read(headers: &HeaderMap, names: &IdentityHeaders) -> Result<Self, Refusal> {
        for name in names.all() {
            if headers.get_all(name).iter().nth(1).is_some() {
                return Err(Refusal::DuplicateIdentity);
            }
        }
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let id = text(&names.user_id).and_then(PersonId::parse);
        Ok(match (text(&names.status), id) {
            (Some("authenticated"), Some(id)) => Self::SignedIn(id),
            _ => Self::Anonymous,
        })
    }

    /// Whether somebody calls.
    #[must_use]
    pub fn is_signed_in(self) -> bool {
        matches!(self, Self::SignedIn(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sent: &[(&str, &str)], want: &Result<Identity, Refusal>) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        let got = Identity::read(&headers, &IdentityHeaders::default());
        assert_eq!(&got, want, "{sent:?}");
    }

    #[test]
    fn identities() {
        let id = |id| ("x-auth-user-id", id);
        let status = |status| ("x-auth-status", status);
        let signed_in = Identity::SignedIn(PersonId(7));
        check(&[status("authenticated"), id("7")], &Ok(signed_in));
        let nobody: [&[_]; 8] = [
            &[],
            &[status("anonymous")],
            &[id("7")],
            &[status("authenticated")],
            &[status("authenticated"), id("issuer|7")],
            &[status("authenticated"), id("07")],
            &[status("Authenticated"), id("7")],
            &[status("anonymous"), id("7")],
        ];
        for sent in nobody {
            check(sent, &Ok(Identity::Anonymous));
        }
    }

    #[test]
    fn an_identity_header_sent_twice_is_refused() {
        for name in IdentityHeaders::default().all() {
            let twice = [(name.as_str(), "x"), (name.as_str(), "x")];
            check(&twice, &Err(Refusal::DuplicateIdentity));
        }
    }
}
