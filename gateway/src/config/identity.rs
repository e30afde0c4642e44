//! Names of the headers an upstream learns the caller from: presets, own names, and the union that is
//! removed from every inbound request.

use super::IdentityHeaders;

/// Names of the presets, the default first.
pub const IDENTITY_PRESETS: &[&str] = &["x-auth", "remote-user", "x-forwarded-user", "x-consumer"];

/// The union of all presets' names and of their near relatives, lower case: removed from every inbound
/// request, whichever preset is in use.
pub const IDENTITY_HEADER_NAMES: &[&str] = &[
    "x-auth-user-id",
    "x-auth-user",
    "x-auth-email",
    "x-auth-roles",
    "x-auth-status",
    "x-auth-subject",
    "remote-user",
    "remote-name",
    "remote-email",
    "remote-groups",
    "x-remote-user",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-consumer-id",
    "x-consumer-custom-id",
    "x-consumer-username",
    "x-consumer-groups",
    "x-anonymous-consumer",
    "x-credential-identifier",
    "x-authenticated-consumer",
    "x-authenticated-groups",
];

impl IdentityHeaders {
    /// A preset by its name in [`IDENTITY_PRESETS`].
    pub fn preset(name: &str) -> Option<Self> {
        let all = |user_id: Option<&str>,
                   user: &str,
                   email: Option<&str>,
                   roles: &str,
                   status: Option<&str>| {
            let own = |name: Option<&str>| name.map(str::to_owned);
            Some(Self {
                user_id: own(user_id),
                user: Some(user.to_owned()),
                email: own(email),
                roles: Some(roles.to_owned()),
                status: own(status),
            })
        };
        match name {
            "x-auth" => all(
                Some("x-auth-user-id"),
                "x-auth-user",
                Some("x-auth-email"),
                "x-auth-roles",
                Some("x-auth-status"),
            ),
            // Authelia and kin.
            "remote-user" => all(
                None,
                "remote-user",
                Some("remote-email"),
                "remote-groups",
                None,
            ),
            // oauth2-proxy.
            "x-forwarded-user" => all(
                None,
                "x-forwarded-user",
                Some("x-forwarded-email"),
                "x-forwarded-groups",
                None,
            ),
            // Kong and APISIX.
            "x-consumer" => all(
                Some("x-consumer-id"),
                "x-consumer-username",
                None,
                "x-consumer-groups",
                None,
            ),
            _ => None,
        }
    }

    /// The names in use.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [
            &self.user_id,
            &self.user,
            &self.email,
            &self.roles,
            &self.status,
        ]
        .into_iter()
        .filter_map(|name| name.as_deref())
    }
}
