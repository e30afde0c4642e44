//! What a configuration opens, in lines for the start of the program and `gateway check`.

use super::{Config, IDENTITY_HEADER_NAMES};
use crate::policy::{Access, Builtin, Rule, Target};

impl Config {
    /// The addresses that the gateway answers itself, as written in the rules, without repeats.
    pub fn builtin_addresses(&self) -> Vec<String> {
        let mut addresses: Vec<String> = Vec::new();
        for rule in self.policy.rules() {
            let own = matches!(rule.target, Target::Builtin(_));
            if own && !addresses.iter().any(|known| known == rule.path()) {
                addresses.push(rule.path().to_owned());
            }
        }
        addresses
    }

    /// What nobody needs a token for, a line for each rule.
    pub fn public_summary(&self) -> Vec<String> {
        let rules = self.policy.rules().iter().filter_map(|rule| {
            let open = self.open_methods(rule)?;
            Some(format!("public without a token: {open} {}", rule.path()))
        });
        // Answered here, and the request that a preflight asks about needs what it needs.
        let preflights = self
            .cors
            .iter()
            .map(|cors| format!("public without a token: preflights from {}", cors.origins));
        rules.chain(preflights).collect()
    }

    fn open_methods(&self, rule: &Rule) -> Option<String> {
        let methods: Vec<&str> = rule.methods().collect();
        let takes = |method: &str| methods.is_empty() || methods.contains(&method);
        let mut open: Vec<&str> = match (&rule.access, &rule.target) {
            (_, Target::Nowhere) => Vec::new(),
            (Access::Public, Target::Builtin(Builtin::Jwks)) => vec!["GET", "HEAD"],
            (Access::Public, Target::Builtin(_)) => vec!["POST"],
            (Access::Public, Target::Upstream(_)) if methods.is_empty() => vec!["every method"],
            (Access::Public, Target::Upstream(_)) => methods.clone(),
            (Access::ReadPublic, _) if takes("GET") => vec!["GET", "HEAD"],
            (Access::ReadPublic, _) if takes("HEAD") => vec!["HEAD"],
            (Access::ReadPublic | Access::Token | Access::Roles(_), _) => Vec::new(),
        };
        let readable =
            matches!(rule.target, Target::Upstream(_)) && rule.access == Access::ReadPublic;
        let named = open
            .iter()
            .any(|m| matches!(*m, "every method" | "OPTIONS"));
        if self.auth.habits.options_open && readable && takes("OPTIONS") && !named {
            open.push("OPTIONS");
        }
        (!open.is_empty()).then(|| open.join(", "))
    }

    /// Names of every header that could carry an identity, lower case: all presets' and those that an
    /// upstream of this configuration uses. Removed from every inbound request.
    pub fn identity_header_names(&self) -> Vec<String> {
        let mut names: Vec<String> = IDENTITY_HEADER_NAMES
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        for upstream in &self.upstreams {
            names.extend(upstream.identity_headers.names().map(str::to_owned));
        }
        names.sort();
        names.dedup();
        names
    }
}
