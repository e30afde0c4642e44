//! Any policy, any users, any request: what is forwarded must be open by the plainest reading of the rules.
//!
//! The reading here shares nothing with the policy's own: a pattern is a list of words, a path is split anew.

use super::*;

const SERVED: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// A rule as it is generated.
#[derive(Debug, Clone)]
struct Draft {
    /// Words of the pattern; the last may be `**`.
    words: Vec<&'static str>,
    methods: Vec<&'static str>,
    target: Target,
    access: Access,
    allow_get_body: bool,
    websocket: bool,
    forward_authorization: bool,
}

impl Draft {
    fn spec(&self) -> RuleSpec {
        RuleSpec {
            path: format!("/{}", self.words.join("/")),
            methods: self.methods.iter().map(|m| (*m).to_owned()).collect(),
            target: self.target,
            access: self.access.clone(),
            allow: None,
            allow_get_body: self.allow_get_body,
            websocket: self.websocket,
            forward_authorization: self.forward_authorization,
        }
    }

    fn covers(&self, path: &[String]) -> bool {
        let (words, open) = match self.words.split_last() {
            Some((&"**", head)) => (head, true),
            _ => (&self.words[..], false),
        };
        let fits = |(word, part): (&&str, &String)| *word == "*" || word.eq_ignore_ascii_case(part);
        (path.len() == words.len() || (open && path.len() > words.len()))
            && words.iter().zip(path).all(fits)
    }

    fn takes(&self, method: &str) -> bool {
        self.methods.is_empty()
            || self.methods.contains(&method)
            || (method == "HEAD" && self.methods.contains(&"GET"))
    }
}

fn drafts() -> impl Strategy<Value = Draft> {
    let word = || prop::sample::select(vec!["a", "b", "A", "*", "p"]);
    let words = (prop::collection::vec(word(), 0..3), any::<bool>());
    let methods = prop::sample::subsequence(vec!["GET", "POST", "DELETE", "OPTIONS", "FOO"], 0..3);
    let target = prop_oneof![
        6 => (0..3u16).prop_map(|index| Target::Upstream(UpstreamId::new(index))),
        1 => Just(Target::Builtin(Builtin::Users)),
        1 => Just(Target::Builtin(Builtin::Login)),
        1 => Just(Target::Nowhere),
    ];
    let access = prop_oneof![
        4 => Just(Access::ReadPublic),
        1 => Just(Access::Public),
        1 => Just(Access::Token),
        1 => Just(Access::Roles(vec!["admin".to_owned()])),
        1 => Just(Access::Roles(vec!["editor".to_owned(), "admin".to_owned()])),
    ];
    (words, methods, target, access, any::<[bool; 3]>()).prop_map(
        |((mut words, tail), methods, target, access, flags)| {
            if tail {
                words.push("**");
            }
            let [allow_get_body, websocket, forward_authorization] = flags;
            Draft {
                words,
                methods,
                target,
                access,
                allow_get_body,
                websocket,
                forward_authorization,
            }
        },
    )
}

/// What compiles of a list of rules: those that can never match are left out, as a start would refuse them.
fn compiled(mut drafts: Vec<Draft>, hosts: Option<&Vec<String>>) -> (Vec<Draft>, Policy) {
    loop {
        let specs = drafts.iter().map(Draft::spec).collect();
        match Policy::compile(specs, hosts.cloned(), &["/p".to_owned()]) {
            Ok(policy) => return (drafts, policy),
            Err(problems) => {
                let dead: Vec<usize> = problems.iter().map(|problem| problem.rule).collect();
                let mut at = 0..;
                drafts.retain(|_| !dead.contains(&at.next().expect("endless")));
            }
        }
    }
}

fn pieces(path: &str) -> Vec<String> {
    let place = forgiving(path);
    let pieces = place.split('/').filter(|piece| !piece.is_empty());
    pieces.map(str::to_owned).collect()
}

prop_compose! {
    fn targets()(
        parts in prop::collection::vec(
            (prop::sample::select(vec!["/", "/", "/", "//"]), prop::sample::select(vec!["a", "b", "A", "c", "p", "P", "%61", "%2561", "a;x", "a.", "%41"])),
            0..4,
        ),
        end in prop::sample::select(vec!["", "/"]),
    ) -> String {
        let path: String = parts.iter().map(|(slash, part)| format!("{slash}{part}")).collect();
        if path.is_empty() { "/".to_owned() } else { path + end }
    }
}

prop_compose! {
    fn users()(
        roles in prop::collection::vec(prop::sample::subsequence(vec!["admin", "editor"], 0..=2), 3),
        active: [bool; 3],
    ) -> Vec<User> {
        (1..).zip(roles).zip(active).map(|((id, roles), active)| user(id, &format!("user{id}"), &roles, active)).collect()
    }
}

prop_compose! {
    fn requests()(
        path in targets(),
        method in methods(),
        host in prop::sample::select(vec!["a", "a", "a", "b", ""]),
        body in bodies(),
        upgrade in upgrades(),
        query_overrides_method in prop::bool::weighted(0.25),
        expects_continue: bool,
        preflight: bool,
    ) -> (&'static str, RequestFacts) {
        let facts = RequestFacts {
            host: host.to_owned(),
            authority: host.to_owned(),
            body,
            upgrade,
            preflight: preflight && method == "OPTIONS",
            query_overrides_method,
            expects_continue,
            ..plain(method, &path)
        };
        (method, facts)
    }
}

/// Says whether a rule lets this request through, in the words of the documentation.
fn opens(
    rule: &Draft,
    (method, facts): (&str, &RequestFacts),
    caller: Option<&User>,
    options_open: bool,
) -> bool {
    match (&rule.access, caller) {
        (Access::Public, _) => true,
        (Access::Token | Access::ReadPublic, Some(_)) => true,
        (Access::Roles(roles), Some(user)) => roles.iter().any(|role| user.roles.contains(role)),
        (Access::Token | Access::Roles(_), None) => false,
        (Access::ReadPublic, None) => {
            let read = matches!(method, "GET" | "HEAD");
            let question = method == "OPTIONS" && options_open && facts.body == Body::Empty;
            let plain = facts.upgrade != Upgrade::WebSocket && !facts.query_overrides_method;
            (read || question) && plain
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn nothing_is_forwarded_that_any_policy_does_not_open(
        drafts in prop::collection::vec(drafts(), 1..6),
        hosts in prop::option::of(Just(vec!["a".to_owned()])),
        users in users(),
        (method, mut facts) in requests(),
        bearer in bearers(),
        drf: bool,
        options_open: bool,
    ) {
        let habits = Habits { options_open, ..if drf { Habits::drf_jwt() } else { Habits::standard() } };
        let (rules, policy) = compiled(drafts, hosts.as_ref());
        let snapshot = Snapshot {
            policy: Arc::new(policy),
            view: Arc::new(View::new(Version(3), users.clone())),
            ..snapshot(habits)
        };
        facts.credential = bearer.credential(&snapshot);
        let caller = match bearer {
            Bearer::Admin => users.first(),
            Bearer::Bob => users.get(1),
            Bearer::Carol => users.get(2),
            _ => None,
        }
        .filter(|user| user.active);
        let decision = decide(&snapshot, &facts, NOW).decision;

        let identity = match &decision {
            Decision::Forward(permit) => permit.identity(),
            Decision::Answer(_, identity) => identity.as_ref(),
            Decision::Refuse(_) => None,
        };
        let told = identity.and_then(Verified::local).map(|user| user.id);
        prop_assert!(told.is_none() || told == caller.map(|user| user.id), "{told:?} is not the caller");
        let Decision::Forward(permit) = decision else { return Ok(()) };

        prop_assert_eq!(told, caller.map(|user| user.id), "forwarded as somebody else");
        prop_assert!(caller.is_some() || bearer == Bearer::Nobody, "a bad credential became anonymous");
        prop_assert!(hosts.is_none() || facts.host == "a", "another host was served");
        let path = pieces(facts.path.raw());
        prop_assert!(path.first().is_none_or(|first| first != "p"), "the provisioning prefix was reached");

        // One rule is behind it, and says yes to all of it.
        let fits = |rule: &&Draft| {
            rule.takes(method)
                && rule.target == Target::Upstream(permit.upstream())
                && rule.forward_authorization == permit.forward_authorization()
                && rule.websocket >= permit.websocket()
                && opens(rule, (method, &facts), caller, options_open)
                && (SERVED.contains(&method) || rule.methods.contains(&method))
                && (!matches!(method, "GET" | "HEAD") || facts.body == Body::Empty || rule.allow_get_body)
        };
        prop_assert!(rules.iter().filter(|rule| rule.covers(&path)).any(|rule| fits(&rule)), "no rule opens this");
        prop_assert!(!permit.websocket() || facts.upgrade == Upgrade::WebSocket);

        // And so does the rule that the most forgiving server would take for the first.
        let met = rules.iter().find(|rule| rule.takes(method) && rule.covers(&path));
        let met_opens = met.is_some_and(|rule| rule.target != Target::Nowhere && opens(rule, (method, &facts), caller, options_open));
        prop_assert!(met_opens, "{:?} closes this", met);

        // In one sentence: what a stranger gets through where nothing is public, reads.
        if caller.is_none() && rules.iter().all(|rule| rule.access != Access::Public) {
            prop_assert!(matches!(method, "GET" | "HEAD") || (method == "OPTIONS" && options_open && facts.body == Body::Empty));
            prop_assert!(!permit.websocket() && !facts.query_overrides_method);
        }
    }
}
