//! Ways to write the path of a closed address, none of which may open it.

use crate::selftest::case::{Case, SHUT};
use crate::selftest::report::Property;
use crate::selftest::template::Request;
use crate::selftest::world::{Known, Plain, World, request};

/// A closed path, and what it is spelt with.
struct Path<'a> {
    /// `/api/users`
    whole: &'a str,
    /// `api`
    first: &'a str,
    /// `/users`
    rest: &'a str,
    /// An open path without its last slash, and as many `/..` as lead back to the root.
    open: &'a str,
    back: &'a str,
}

type Spelling = (u8, &'static str, fn(&Path<'_>) -> String);

const SPELLINGS: &[Spelling] = &[
    (17, "a dot segment", |p| format!("/.{}", p.whole)),
    (17, "an encoded dot segment", |p| format!("/%2e{}", p.whole)),
    (17, "a segment and back", |p| format!("/x/..{}", p.whole)),
    (17, "a segment and back, encoded", |p| {
        format!("/x/%2e%2e{}", p.whole)
    }),
    (17, "a segment and back, half encoded", |p| {
        format!("/x/%2E.{}", p.whole)
    }),
    (17, "a segment and back, half encoded", |p| {
        format!("/x/.%2e{}", p.whole)
    }),
    (17, "a segment and back, with a parameter", |p| {
        format!("/x/..;a=b{}", p.whole)
    }),
    (17, "a dot segment within", |p| {
        format!("/{}/.{}", p.first, p.rest)
    }),
    (18, "two slashes", |p| format!("/{}", p.whole)),
    (18, "three slashes", |p| format!("//{}", p.whole)),
    (18, "two slashes within", |p| {
        format!("/{}/{}", p.first, p.rest)
    }),
    (18, "a slash and a backslash", |p| {
        format!("/\\{}", p.whole.trim_start_matches('/'))
    }),
    (19, "an encoded slash", |p| {
        format!("/{}%2F{}", p.first, p.rest.trim_start_matches('/'))
    }),
    (19, "an encoded slash", |p| {
        format!("/{}%2f{}", p.first, p.rest.trim_start_matches('/'))
    }),
    (19, "an encoded backslash", |p| {
        format!("/{}%5C{}", p.first, p.rest.trim_start_matches('/'))
    }),
    (19, "an encoded backslash", |p| {
        format!("/{}%5c{}", p.first, p.rest.trim_start_matches('/'))
    }),
    (19, "a backslash", |p| {
        format!("/{}\\{}", p.first, p.rest.trim_start_matches('/'))
    }),
    (19, "an encoded NUL", |p| format!("{}%00", p.whole)),
    (19, "an encoded NUL within", |p| {
        format!("/{}%00{}", p.first, p.rest)
    }),
    (19, "a control byte", |p| {
        format!("/{}\u{1}{}", p.first, p.rest)
    }),
    (19, "a broken encoding", |p| format!("{}%zz", p.whole)),
    (20, "out of an open address", |p| {
        format!("{}{}{}", p.open, p.back, p.whole)
    }),
    (20, "out of an open address, encoded", |p| {
        format!("{}{}{}", p.open, p.back.replace("..", "%2e%2e"), p.whole)
    }),
    (20, "out of an open address, half encoded", |p| {
        format!("{}{}{}", p.open, p.back.replace("..", "%2E."), p.whole)
    }),
    (20, "out of an open address, with a parameter", |p| {
        format!("{}{}{}", p.open, p.back.replace("..", "..;"), p.whole)
    }),
    (20, "out of an open address, encoded twice", |p| {
        format!(
            "{}{}{}",
            p.open,
            p.back.replace("..", "%252e%252e"),
            p.whole
        )
    }),
    (21, "an open address in the query", |p| {
        format!("{}?x={}/", p.whole, p.open)
    }),
    (21, "an open address as the query", |p| {
        format!("{}?{}/", p.whole, p.open)
    }),
    (22, "a fragment behind it", |p| format!("{}#x", p.whole)),
    (22, "an open address behind a fragment", |p| {
        format!("{}#{}/", p.whole, p.open)
    }),
    (24, "a letter encoded", |p| {
        format!("/{}{}", encoded(p.first, 1), p.rest)
    }),
    (24, "a letter encoded twice", |p| {
        format!("/{}{}", encoded(p.first, 2), p.rest)
    }),
    (24, "a letter encoded three times", |p| {
        format!("/{}{}", encoded(p.first, 3), p.rest)
    }),
    (24, "a segment and back, encoded twice", |p| {
        format!("/x/%252e%252e{}", p.whole)
    }),
    (28, "in capitals", |p| p.whole.to_uppercase()),
    (28, "a parameter on the first segment", |p| {
        format!("/{};x=y{}", p.first, p.rest)
    }),
    (28, "a parameter at the end", |p| {
        format!("{};x=y", p.whole.trim_end_matches('/'))
    }),
    (28, "a dot behind the first segment", |p| {
        format!("/{}.{}", p.first, p.rest)
    }),
];

/// The first letter, percent-encoded so many times.
fn encoded(segment: &str, times: usize) -> String {
    let mut rest = segment.chars();
    let first = rest.next().unwrap_or('a');
    let mut code = format!("%{:02x}", u32::from(first));
    for _ in 1..times {
        code = code.replacen('%', "%25", 1);
    }
    code + rest.as_str()
}

pub(super) fn cases(world: &World) -> Vec<Case> {
    let doors = [("GET", &world.closed), ("DELETE", &world.write)];
    doors
        .into_iter()
        .flat_map(|(method, door)| {
            SPELLINGS
                .iter()
                .map(move |spelling| case(spelling, method, door, world))
        })
        .collect()
}

fn case(spelling: &Spelling, method: &str, door: &Known<Plain>, world: &World) -> Case {
    let (property, why, spell) = spelling;
    let send = door.as_ref().map_err(String::clone).map(|door| {
        let whole = door.target.split('?').next().unwrap_or_default();
        let inside = whole.trim_start_matches('/');
        let (first, rest) = inside.split_at(inside.find('/').unwrap_or(inside.len()));
        let open = world
            .open
            .as_ref()
            .map_or("", |open| open.target.split('?').next().unwrap_or_default());
        let open = match open.trim_end_matches('/') {
            // The root is no prefix to climb out of; what is below it is.
            "" => "/x",
            open => open,
        };
        let path = Path {
            whole,
            first,
            rest,
            open,
            back: &"/..".repeat(open.matches('/').count()),
        };
        Request::plain(request(method, &spell(&path), &world.host, ""))
    });
    Case {
        property: Property(*property),
        why: format!("a closed address, spelt otherwise: {why}"),
        send,
        expect: SHUT,
        vacuous: None,
    }
}
